#!/usr/bin/env python3
"""Memory of models: what a load takes, who leaves for it, who stays, and how it is told.

usage: test_memory.py --bin FOLDER      prints TAP

Every model is one of the null engine that says how much it needs, so that the budget is exact: a
hold is what the model needs and the two rings of 4 MiB between daemon and worker.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                               # noqa: E402
from daemon import Daemon, Skipped, must, poll, run_tests, write_echo_model      # noqa: E402

MIB = 1 << 20
RINGS = 8 * MIB
NO_ROOM, TOO_LARGE, QUEUE_FULL = 1, 8, 11
YES, NO = 1, 2
BIN = None


class World(Daemon):
    """A daemon with models a, b, c … of 92 MiB, 100 with their rings, and a limit of @limit MiB."""

    def __init__(self, limit, names="abc", needs=None, **settings):
        self.models_folder = tempfile.TemporaryDirectory()
        for name in names:
            need = (needs or {}).get(name, 92 * MIB)
            write_echo_model(self.models_folder.name, name, "text_generation", need_bytes=need)
        super().__init__(BIN, self.models_folder.name, memory_limit=f"{limit}M", **settings)

    def finish(self):
        super().finish()
        self.models_folder.cleanup()

    def load(self, name, code=0, **asked):
        answer = self.ask("load_request", "load_response", request_id=1, model_id=name, **asked)
        must(answer["code"] == code, f"load {name}: {answer}")
        return answer

    def ready(self):
        return "".join(m["name"] for m in self.models() if m["state"] == 2)

    def generate(self, name, text="abc", **more):
        return self.infer(model_id=name, task=2, texts=[{"text": text}], **more)

    def reserved(self):
        return sum(m["need_bytes"] for m in self.models())


def gone(answer):
    return "".join(eviction["name"] for eviction in answer["evictions"])


# ---- who leaves --------------------------------------------------------------------------------

def by_default_nobody_leaves_and_the_refusal_says_who_could():
    with World(250) as daemon:
        daemon.load("a")
        daemon.load("b")
        answer = daemon.load("c", NO_ROOM)
        must(answer["need_bytes"] == 100 * MIB and answer["free_bytes"] == 50 * MIB, answer)
        must('100.0 MiB of memory wanted, 50.0 MiB free of 250.0 MiB' in answer["error"]
             and '"a" holds 100.0 MiB' in answer["error"]
             and 'it fits without "a"' in answer["error"], answer["error"])
        must(gone(answer) == "a", answer)
        must(daemon.ready() == "ab", daemon.ready())


def a_client_may_ask_that_idle_models_leave():
    with World(250) as daemon:
        daemon.load("a")
        daemon.load("b")
        daemon.generate("a")    # so b is idle for longer
        answer = daemon.load("c", evict=YES)
        must(gone(answer) == "b", answer)
        must(answer["evictions"][0]["bytes"] == 100 * MIB, answer)
        must(daemon.ready() == "ac", daemon.ready())
        evicted = [e for e in daemon.events() if e["event"] == "model.evicted"]
        must([(e["model"], e["for"]) for e in evicted] == [("b", "c")], evicted)


def a_configured_daemon_evicts_and_a_client_may_forbid_it():
    with World(250, eviction="idle") as daemon:
        daemon.load("a")
        daemon.load("b")
        answer = daemon.load("c", NO_ROOM, evict=NO)
        must(daemon.ready() == "ab", answer)
        must(gone(daemon.load("c")) == "a", "the longest idle leaves")
        must(daemon.ready() == "bc", daemon.ready())
        text = daemon.ask("prometheus_request", "prometheus_response")["text"]
        must('hearth_model_evictions_total{model="a",reason="room"} 1\n' in text, text[-800:])


def as_many_leave_as_are_needed_and_none_in_vain():
    with World(350, "abcd", {"d": 192 * MIB}, eviction="idle") as daemon:
        for name in "abc":
            daemon.load(name)
        must(gone(daemon.load("d")) == "ab", "two have to leave")
        must(daemon.ready() == "cd", daemon.ready())
    with World(250, "abcd", {"d": 292 * MIB}, eviction="idle") as daemon:
        daemon.load("a")
        must(gone(daemon.load("d", NO_ROOM)) == "", "nobody leaves for what never fits")
        must(daemon.ready() == "a", daemon.ready())


def a_model_with_requests_stays():
    with World(250, eviction="idle") as daemon:
        daemon.load("a")
        daemon.load("b")
        connection = daemon.connect()
        connection.send("inference_request", request_id=1, model_id="a", task=2, **v2.SAMPLING,
                        texts=[{"text": "slow:60s x"}])
        poll(lambda: daemon.model("a")["running"] == 1, "the request to run")
        must(gone(daemon.load("c")) == "b", "a was idle for longer, but runs")
        must(gone(daemon.load("b")) == "c", "and still does")
        connection.close()


def pinned_models_stay_and_lower_classes_leave_first():
    sections = "[model a]\npinned = yes\n[model b]\npriority = high\n"
    with World(350, "abcd", eviction="idle", sections=sections) as daemon:
        for name in "abc":
            daemon.load(name)
        must(gone(daemon.load("d")) == "c", "a is pinned, b of a higher class")
        must(gone(daemon.load("c")) == "d", "and so is d")
        daemon.ask("unload_request", "unload_response", request_id=1, model_id="b")
        daemon.ask("unload_request", "unload_response", request_id=1, model_id="c")
        must(daemon.ready() == "a", daemon.ready())


def the_budget_is_empty_when_all_have_left():
    with World(250, eviction="idle") as daemon:
        for name in "abcabc":
            daemon.load(name)
        for name in daemon.ready():
            daemon.ask("unload_request", "unload_response", request_id=1, model_id=name)
        must(daemon.reserved() == 0, daemon.models())
        gauges = daemon.ask("metrics_request", "metrics_response")["gauges"]
        must({g["name"]: g["value"] for g in gauges}["memory_reserved_bytes"] == 0, gauges)


# ---- dry runs ----------------------------------------------------------------------------------

def a_dry_run_tells_the_plan_and_does_nothing():
    with World(250, eviction="idle") as daemon:
        daemon.load("a")
        daemon.load("b")
        answer = daemon.load("c", is_dry_run=1)
        must(answer["need_bytes"] == 100 * MIB and answer["worker_pid"] == 0, answer)
        must(gone(answer) == "a", answer)
        must(daemon.ready() == "ab" and daemon.state("c") == "absent", daemon.models())
        refused = daemon.load("c", NO_ROOM, is_dry_run=1, evict=NO)
        must("104857600 bytes of memory wanted, 52428800 free" in refused["error"], refused)
        must(daemon.reserved() == 200 * MIB, daemon.reserved())
        daemon.load("c")    # and now in earnest
        must(daemon.ready() == "bc", daemon.ready())


def a_dry_run_of_what_fits_says_so_and_of_what_is_loaded_too():
    with World(250) as daemon:
        answer = daemon.load("a", is_dry_run=1)
        must(gone(answer) == "" and answer["free_bytes"] == 250 * MIB, answer)
        must(daemon.reserved() == 0 and daemon.state("a") == "absent", daemon.models())
        daemon.load("a")
        must(daemon.load("a", is_dry_run=1)["worker_pid"] != 0, "it is there already")


def hearth(daemon, *words):
    done = subprocess.run([Path(BIN) / "hearth", *words, "--socket", daemon.socket_path], text=True,
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout


def an_operator_sees_the_plan_before_and_who_left_after():
    with World(250) as daemon:
        daemon.load("a")
        daemon.load("b")
        code, text = hearth(daemon, "models", "load", "c", "--dry-run")
        must(code == 0 and "c needs 100.0 MiB, 50.0 MiB are free: it would be refused" in text
             and "a could leave for it (--evict): 100.0 MiB, idle for" in text, text)
        must(daemon.ready() == "ab", daemon.ready())
        code, text = hearth(daemon, "models", "load", "c", "--dry-run", "--evict", "--json")
        told = json.loads(text)
        must(code == 0 and told["fits"] and [e["model"] for e in told["evictions"]] == ["a"], told)
        must(daemon.ready() == "ab", daemon.ready())
        code, text = hearth(daemon, "models", "load", "c", "--evict")
        must(code == 0 and "a left for it: 100.0 MiB" in text and "c is ready" in text, text)
        must(daemon.ready() == "bc", daemon.ready())


def what_a_model_holds_is_told_by_what_it_is_for():
    with World(250) as daemon:
        must(daemon.ask("model_request", "model_response", request_id=1, model_id="a")["memory"] == [],
             "it holds nothing yet")
        daemon.load("a")
        answer = daemon.ask("model_request", "model_response", request_id=1, model_id="a")
        memory = {part["name"]: part["value"] for part in answer["memory"]}
        must(memory["compute"] == 92 * MIB and memory["buffers"] == RINGS, memory)
        must(sum(memory.values()) == answer["models"][0]["need_bytes"] == 100 * MIB, answer)
        _, text = hearth(daemon, "models", "show", "a")
        must("for compute            92.0 MiB" in text and "for buffers            8.0 MiB" in text, text)


# ---- time --------------------------------------------------------------------------------------

def a_model_that_nobody_uses_is_unloaded_after_its_time_and_the_others_stay():
    sections = "[model a]\nkeep_alive_ms = 300\n[model c]\nkeep_alive_ms = 300\npinned = yes\n"
    with World(500, sections=sections) as daemon:
        for name in "abc":
            daemon.load(name)
        connection = daemon.connect()
        connection.send("inference_request", request_id=1, model_id="a", task=2, **v2.SAMPLING,
                        texts=[{"text": "slow:1s x"}])
        connection.receive()
        begun = time.monotonic()    # it was used for a second, and has all its time again
        poll(lambda: daemon.state("a") == "absent", "a to be unloaded")
        must(time.monotonic() - begun >= 0.3, "it left too early")
        must(daemon.ready() == "bc", daemon.ready())
        text = daemon.ask("prometheus_request", "prometheus_response")["text"]
        must('hearth_model_evictions_total{model="a",reason="idle"} 1\n' in text, text[-800:])


# ---- the limit of a worker ---------------------------------------------------------------------

def must_be_limited(daemon, name):
    pid = daemon.model(name)["worker_pid"]
    if "unlimited" in next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
                           if line.startswith("Max data size")):
        raise Skipped("workers of a sanitized build have no limit")
    return pid


def what_a_worker_may_not_have_ends_as_no_room_with_the_numbers():
    with World(250, worker_headroom="128M") as daemon:
        daemon.load("a")
        daemon.load("b")
        pid = must_be_limited(daemon, "a")
        must(daemon.generate("a", "alloc:100 abc")["code"] == 0, "what fits is given")
        answer = daemon.generate("a", "alloc:400 abc")
        must(answer["code"] == NO_ROOM and f"may have {228 * MIB} bytes, {100 * MIB} of them reserved"
             in answer["error"], answer)
        must(daemon.model("a")["worker_pid"] == pid, "the worker goes on")
        must(daemon.generate("a")["code"] == 0 and daemon.generate("b")["code"] == 0, "all serve")


def a_model_that_needs_more_than_it_said_is_not_loaded():
    with World(250, worker_headroom="1M") as daemon:
        write_echo_model(daemon.models_folder.name, "liar", "text_generation", need_bytes=1, load_mib=64)
        daemon.load("a")
        must_be_limited(daemon, "a")
        daemon.ask("unload_request", "unload_response", request_id=1, model_id="a")
        answer = daemon.load("liar", NO_ROOM)
        must(f"may have {9 * MIB + 1} bytes, {8 * MIB + 1} of them reserved" in answer["error"], answer)
        must(daemon.reserved() == 0, daemon.models())


# ---- calls -------------------------------------------------------------------------------------

def a_call_that_needs_more_than_one_may_is_refused_with_both_numbers():
    with World(250, per_call_memory=4096) as daemon:
        daemon.load("a")
        must(daemon.generate("a", "x" * 100)["code"] == 0, "a small one")
        answer = daemon.generate("a", "x" * 4096)
        must(answer["code"] == TOO_LARGE and "one may have 4096 (per_call_memory)" in answer["error"],
             answer)


def the_total_of_all_calls_trips_and_comes_back():
    with World(250, total_call_memory=8192) as daemon:
        daemon.load("a")
        first = daemon.connect()
        first.send("inference_request", request_id=1, model_id="a", task=2, **v2.SAMPLING,
                   texts=[{"text": "slow:60s " + "x" * 6000}])
        poll(lambda: daemon.model("a")["running"] == 1, "the first to run")
        answer = daemon.generate("a", "x" * 4000)
        must(answer["code"] == NO_ROOM and "1 open ones hold" in answer["error"]
             and "of 8192 (total_call_memory)" in answer["error"], answer)
        first.close()
        poll(lambda: daemon.model("a")["running"] == 0, "the first to end")
        must(daemon.generate("a", "x" * 4000)["code"] == 0, "its memory is back")


def one_more_than_may_be_open_is_refused_until_one_ends():
    with World(250, concurrent_requests=2) as daemon:
        daemon.load("a")
        busy = daemon.connect()
        for number in (1, 2):
            busy.send("inference_request", request_id=number, model_id="a", task=2, **v2.SAMPLING,
                      texts=[{"text": "slow:60s x"}])
        poll(lambda: daemon.model("a")["running"] == 2, "two to run")
        answer = daemon.generate("a")
        must(answer["code"] == QUEUE_FULL
             and "2 requests are open, 2 may be (concurrent_requests)" in answer["error"], answer)
        busy.close()
        poll(lambda: daemon.model("a")["running"] == 0, "them to end")
        must(daemon.generate("a")["code"] == 0, "there is place again")


def main():
    global BIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    BIN = parser.parse_args().bin
    return run_tests([
        by_default_nobody_leaves_and_the_refusal_says_who_could,
        a_client_may_ask_that_idle_models_leave,
        a_configured_daemon_evicts_and_a_client_may_forbid_it,
        as_many_leave_as_are_needed_and_none_in_vain,
        a_model_with_requests_stays,
        pinned_models_stay_and_lower_classes_leave_first,
        the_budget_is_empty_when_all_have_left,
        a_dry_run_tells_the_plan_and_does_nothing,
        a_dry_run_of_what_fits_says_so_and_of_what_is_loaded_too,
        an_operator_sees_the_plan_before_and_who_left_after,
        what_a_model_holds_is_told_by_what_it_is_for,
        a_model_that_nobody_uses_is_unloaded_after_its_time_and_the_others_stay,
        what_a_worker_may_not_have_ends_as_no_room_with_the_numbers,
        a_model_that_needs_more_than_it_said_is_not_loaded,
        a_call_that_needs_more_than_one_may_is_refused_with_both_numbers,
        the_total_of_all_calls_trips_and_comes_back,
        one_more_than_may_be_open_is_refused_until_one_ends,
    ])


if __name__ == "__main__":
    sys.exit(main())
