#!/usr/bin/env python3
"""A name comes to stand for another model while clients go on asking: through the public door, with the
null engine. Each version of the classifier has one label, its own, so an answer says whose it is.
Prints TAP and the figures.

    hot_swap.py --bin BUILD/bin [--rate 100] [--swaps 6]
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                               # noqa: E402
from daemon import Daemon, must, poll, run_tests, write_echo_model      # noqa: E402

ARGS = None
CLASSIFY = {"task": v2.TASKS["classify"], "texts": [{"text": "x"}]}
MIB = 1 << 20


class Models(tempfile.TemporaryDirectory):
    """A models folder; a version `a@1` has the single label a@1."""

    def add(self, name, labels=None, golden=None, files=(), **options):
        labels = [name] if labels is None else labels
        capability = "text_classification" if labels else "text_generation"
        write_echo_model(self.name, name, capability, labels, **options)
        place = Path(self.name) / name
        manifest = json.loads((place / "manifest.json").read_text())
        manifest["version"] = name.partition("@")[2] or "1.0.0"
        manifest["model_id"] = name.partition("@")[0]
        for content in files:
            (place / "model.bin").write_bytes(content)
            manifest["files"] = [{"role": "model", "path": "model.bin", "size_bytes": len(content),
                                  "sha256": hashlib.sha256(content).hexdigest()}]
        (place / "manifest.json").write_text(json.dumps(manifest))
        if golden is not None:
            (place / "golden.json").write_text(json.dumps(golden))
        return self


def expects(label):
    return {"inputs": [{"text": "golden one", "label": label}, {"text": "golden two", "label": label}]}


def start(models, alias="a", model="a@1", preload=("a@1",), **settings):
    return Daemon(ARGS.bin, models.name, preload=preload,
                  sections=f"[alias {alias}]\nmodel = {model}\n" if alias else "", **settings)


def swap(daemon, model, name="a", keep=0):
    return daemon.ask("swap_request", "swap_response", request_id=1, name=name, model_id=model,
                      keep_old=keep)


def alias_of(daemon, name="a"):
    aliases = daemon.ask("models_request", "models_response")["aliases"]
    return next(((a["model_id"], a["generation"]) for a in aliases if a["name"] == name), None)


def label_of(answer):
    must(answer["code"] == 0, f"a request failed: {answer['code']} {answer['error']}")
    return answer["results"][0]["labels"][0]["name"]


def must_be_refused(answer, code, part):
    must(v2.ERRORS.get(answer["code"]) == code and part in answer["error"],
         f"wanted {code} with '{part}', got {v2.ERRORS.get(answer['code'])}: {answer['error']}")


# ---- under load --------------------------------------------------------------------------------

class Load(threading.Thread):
    """Asks for one name at an even rate on a connection of its own; some requests take long."""

    def __init__(self, daemon, rate, name="a"):
        super().__init__()
        self.connection, self.pause, self.name_asked = daemon.connect(), 1.0 / rate, name
        self.going, self.sent, self.total = True, 0, None
        self.answers, self.problem = [], None

    def run(self):
        receiver = threading.Thread(target=self.guard, args=(self.receive,))
        receiver.start()
        self.guard(self.send)
        receiver.join()

    def guard(self, act):
        try:
            act()
        except Exception as found:      # in a thread of its own: told by the test
            self.problem, self.total = self.problem or found, 0

    def send(self):
        next_at = time.monotonic()
        while self.total is None:
            self.sent += 1
            if not self.going:
                self.total = self.sent      # before the last is sent: its answer is awaited
            text = "slow:150ms x" if self.sent % 5 == 0 else "x"
            self.connection.send("inference_request", request_id=self.sent, **v2.SAMPLING, priority=1,
                                 model_id=self.name_asked, task=CLASSIFY["task"], texts=[{"text": text}])
            next_at += self.pause
            time.sleep(max(0.0, next_at - time.monotonic()))

    def receive(self):
        while self.total is None or len(self.answers) < self.total:
            kind, answer = self.connection.receive()
            must(kind == "inference_response", f"got {kind}: {answer}")
            self.answers.append(answer)

    def finish(self):
        self.going = False
        self.join()
        self.connection.close()
        must(self.problem is None, f"a client stopped: {self.problem}")
        return self.answers


def under_load(daemon, act):
    """Runs @act while four clients ask; returns all answers."""
    clients = [Load(daemon, ARGS.rate / 4) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        poll(lambda: all(len(c.answers) > 3 for c in clients), "first answers")
        act()
    finally:
        answers = [answer for client in clients for answer in client.finish()]
    return answers


def no_request_fails_and_none_is_mixed_under_swaps():
    models = Models().add("a@1", capacity=8, golden=expects("a@1")) \
                     .add("a@2", capacity=8, golden=expects("a@2"))
    with models, start(models) as daemon:
        generations = {1: "a@1"}

        def act():
            for number in range(ARGS.swaps):
                wanted = f"a@{2 - number % 2}"
                answer = swap(daemon, wanted)
                must(answer["code"] == 0, f"swap to {wanted}: {answer['error']}")
                must(answer["generation"] == number + 2, f"generation {answer['generation']}")
                generations[answer["generation"]] = wanted
                asked = daemon.infer(model_id="a", **CLASSIFY)
                must(label_of(asked) == wanted, "an answer after the swap is of the old model")
                time.sleep(0.2)     # no wait for anything: the load goes on for a while
        answers = under_load(daemon, act)
        failed = [a for a in answers if a["code"] != 0]
        mixed = [a for a in answers if a["code"] == 0 and label_of(a) != generations[a["generation"]]]
        seen = {a["generation"] for a in answers}
        print(f"# {len(answers)} answers, {ARGS.swaps} swaps: {len(failed)} failed, {len(mixed)} mixed")
        must(not failed, f"{len(failed)} of {len(answers)} failed, the first: {failed[:1]}")
        must(not mixed, f"{len(mixed)} are mixed, the first: {mixed[:1]}")
        must(len(seen) > ARGS.swaps / 2, f"only generations {sorted(seen)} were asked")


def a_drain_first_swap_makes_requests_wait_and_none_fail():
    models = Models().add("a@1", need_bytes=40 * MIB).add("a@2", need_bytes=40 * MIB,
                                                         golden=expects("a@2"))
    with models, start(models, swap="drain-first", memory_limit="64M") as daemon:
        told = []
        answers = under_load(daemon, lambda: told.append(swap(daemon, "a@2")))
        must(told[0]["code"] == 0, f"the swap failed: {told[0]['error']}")
        must(told[0]["pause_ms"] > 0, f"no pause was told: {told[0]}")
        failed = [a for a in answers if a["code"] != 0]
        must(not failed, f"{len(failed)} of {len(answers)} failed, the first: {failed[:1]}")
        must({label_of(a) for a in answers} == {"a@1", "a@2"}, "both versions answer")
        must(daemon.state("a@1") == "absent", "the old one is still there")


# ---- what is refused ---------------------------------------------------------------------------

def the_old_keeps_serving(daemon, generation=1):
    must(alias_of(daemon) == ("a@1", generation), f"the alias is {alias_of(daemon)}")
    must(label_of(daemon.infer(model_id="a", **CLASSIFY)) == "a@1", "another model answers")


def a_version_with_wrong_outputs_is_refused():
    models = Models().add("a@1").add("a@2", golden=expects("something else"))
    with models, start(models) as daemon:
        told = []
        answers = under_load(daemon, lambda: told.append(swap(daemon, "a@2")))
        must_be_refused(told[0], "model_invalid", 'the best label is "a@2", wanted "something else"')
        must(told[0]["model_id"] == "a@1", "the answer does not say what serves")
        must({label_of(a) for a in answers} == {"a@1"}, "a request went to the refused version")
        the_old_keeps_serving(daemon)
        poll(lambda: daemon.state("a@2") == "absent", "the refused version to be unloaded")


def a_version_that_cannot_be_loaded_is_refused():
    models = Models().add("a@1").add("a@2", fail="load").add("a@3", fail="crash")
    with models, start(models) as daemon:
        must_be_refused(swap(daemon, "a@2"), "model_invalid", "told to fail at load")
        must_be_refused(swap(daemon, "a@3"), "worker_lost", "died while loading")
        must_be_refused(swap(daemon, "a@4"), "no_model", '"a@4" is in none of the model folders')
        the_old_keeps_serving(daemon)


def a_version_that_dies_in_its_golden_run_is_refused():
    golden = {"inputs": [{"text": "fine", "label": "a@2"}, {"text": "crash: now", "label": "a@2"}]}
    models = Models().add("a@1").add("a@2", golden=golden)
    with models, start(models) as daemon:
        must_be_refused(swap(daemon, "a@2"), "worker_lost", "golden input 1")
        the_old_keeps_serving(daemon)


def without_room_for_both_it_is_refused_with_the_numbers():
    models = Models().add("a@1", need_bytes=40 * MIB).add("a@2", need_bytes=40 * MIB)
    with models, start(models, memory_limit="64M", eviction="idle") as daemon:
        must_be_refused(swap(daemon, "a@2"), "no_room", "MiB")
        the_old_keeps_serving(daemon)


def what_waits_goes_on_at_the_old_one_when_drain_first_fails():
    models = Models().add("a@1", need_bytes=40 * MIB).add("a@2", need_bytes=40 * MIB,
                                                         golden=expects("something else"))
    with models, start(models, swap="drain-first", memory_limit="64M") as daemon:
        told = []
        answers = under_load(daemon, lambda: told.append(swap(daemon, "a@2")))
        must_be_refused(told[0], "model_invalid", "best label")
        failed = [a for a in answers if a["code"] != 0]
        must(not failed, f"{len(failed)} failed, the first: {failed[:1]}")
        must({label_of(a) for a in answers} == {"a@1"}, "a request went to the refused version")
        the_old_keeps_serving(daemon)


def a_golden_file_that_is_wrong_refuses_the_swap():
    models = Models().add("a@1").add("a@2", golden={"inputs": [{"text": 5}]})
    with models, start(models) as daemon:
        must_be_refused(swap(daemon, "a@2"), "model_invalid", 'inputs[0]: "text" must be a string')
        the_old_keeps_serving(daemon)


def a_name_keeps_its_task_and_one_swap_runs_at_a_time():
    models = Models().add("a@1").add("g", labels=()).add("a@2", golden={"inputs": [
        {"text": "slow:2s x", "label": "a@2"}]})
    with models, start(models) as daemon:
        must_be_refused(swap(daemon, "g"), "unsupported", "a name keeps its task")
        must_be_refused(swap(daemon, "a@1"), "input_invalid", "already")
        first = daemon.connect()
        first.send("swap_request", request_id=7, name="a", model_id="a@2")
        poll(lambda: daemon.state("a@2") == "ready", "the new version")
        must_be_refused(swap(daemon, "a@2"), "busy", "being swapped (testing)")
        refused = daemon.ask("unload_request", "unload_response", request_id=2, model_id="a@2")
        must_be_refused(refused, "busy", "part of a swap")
        kind, answer = first.receive()
        must((kind, answer["code"], answer["request_id"]) == ("swap_response", 0, 7), f"{kind} {answer}")
        first.close()


def without_a_session_nothing_is_swapped():
    models = Models().add("a@1").add("a@2")
    with models, start(models) as daemon:
        for name, values in (("swap_request", {"name": "a", "model_id": "a@2"}),
                             ("alias_request", {"name": "b", "model_id": "a@2"}),
                             ("warmup_request", {"model_id": "a@1"})):
            connection = daemon.connect(handshake=False)
            connection.send(name, request_id=1, **values)
            kind, answer = connection.receive()
            must(kind == "error" and v2.ERRORS[answer["code"]] == "unauthenticated", f"{kind}: {answer}")
            connection.close()
        must(alias_of(daemon) == ("a@1", 1) and alias_of(daemon, "b") is None, "something was changed")


# ---- what else belongs to it -------------------------------------------------------------------

def running_requests_finish_on_the_old_one():
    models = Models().add("a@1").add("a@2")
    with models, start(models) as daemon:
        waiting = daemon.connect()
        waiting.send("inference_request", request_id=5, **v2.SAMPLING, priority=1, model_id="a",
                     task=CLASSIFY["task"], texts=[{"text": "slow:2s x"}])
        poll(lambda: daemon.model("a@1")["running"] == 1, "the request to run")
        told = swap(daemon, "a@2")
        must(told["code"] == 0 and told["old_model_id"] == "a@1" and told["check"] == 0, f"{told}")
        must(label_of(daemon.infer(model_id="a", **CLASSIFY)) == "a@2", "the name is not the new one's")
        must(daemon.state("a@1") == "draining", f"the old one is {daemon.state('a@1')}")
        refused = daemon.infer(model_id="a@1", **CLASSIFY)
        must_be_refused(refused, "not_ready", "is being unloaded")
        must(label_of(waiting.receive()[1]) == "a@1", "the running request")
        poll(lambda: daemon.state("a@1") == "absent", "the old one to end")
        waiting.close()
        must(swap(daemon, "a@1", keep=1)["code"] == 0, "back again")
        must(daemon.state("a@2") == "ready", "the kept one was unloaded")


def without_answers_written_down_the_old_ones_are_compared():
    inputs = {"inputs": [{"text": "one"}, {"text": "two"}], "tolerance": 0.0}
    models = Models().add("a@1", labels=["x", "y"], golden=inputs).add("a@2", labels=["x", "y"]) \
                     .add("a@3", labels=["x", "z"])
    with models, start(models) as daemon:
        told = swap(daemon, "a@2")
        must((told["code"], told["checked"], told["check"]) == (0, 2, 2), f"{told}")
        must(swap(daemon, "a@1")["code"] == 0, "back again")
        must_be_refused(swap(daemon, "a@3"), "model_invalid", "golden input 0")
        must(alias_of(daemon) == ("a@1", 3), f"the alias is {alias_of(daemon)}")


def the_same_files_and_options_are_loaded_once():
    weights = b"weights of both" * 1000
    models = Models().add("a", labels=["x"], files=[weights]).add("b", labels=["x"], files=[weights]) \
                     .add("c", labels=["x"], files=[weights], capacity=2) \
                     .add("d", labels=["x"], files=[weights + b"!"])
    with models, start(models, alias=None, preload=("a", "b", "c", "d")) as daemon:
        pids = {m["name"]: m["worker_pid"] for m in daemon.models()}
        must(pids["a"] == pids["b"] and len(set(pids.values())) == 3, f"{pids}")
        must(daemon.model("b")["shares"] == "a", f"{daemon.model('b')}")
        for name in ("a", "b"):
            daemon.infer(model_id=name, **CLASSIFY)
        spans = daemon.ask("spans_request", "spans_response")["spans"]
        must([s["model_id"] for s in spans] == ["a", "b"], f"{spans}")
        must(daemon.ask("unload_request", "unload_response", request_id=1, model_id="a")["code"] == 0, "")
        must_be_refused(daemon.infer(model_id="a", **CLASSIFY), "not_ready", "is not loaded")
        label_of(daemon.infer(model_id="b", **CLASSIFY))
        must(daemon.model("b")["worker_pid"] == pids["a"], "the worker was lost")
        must(daemon.ask("unload_request", "unload_response", request_id=1, model_id="b")["code"] == 0, "")
        poll(lambda: daemon.model("a")["worker_pid"] == 0, "the worker to end")


def a_drain_answers_what_waits_and_returns_when_the_last_ends():
    models = Models().add("a@1", capacity=1)
    with models, start(models) as daemon:
        client, other = daemon.connect(), daemon.connect()
        for number in (1, 2, 3):
            client.send("inference_request", request_id=number, **v2.SAMPLING, priority=1, model_id="a",
                        task=CLASSIFY["task"], texts=[{"text": "slow:400ms x"}])
        poll(lambda: daemon.model("a@1")["queue_depth"] == 2, "the requests to be there")
        other.send("unload_request", request_id=9, model_id="a", drain=1)
        answers = [client.receive()[1] for _ in range(3)]
        last = time.monotonic()
        must(all(a["code"] == 0 for a in answers), f"{answers}")
        kind, answer = other.receive()
        must((kind, answer["code"]) == ("unload_response", 0), f"{kind}: {answer}")
        print(f"# the drain returned {(time.monotonic() - last) * 1000:.0f} ms after the last answer")
        must(daemon.state("a@1") == "absent", f"the model is {daemon.state('a@1')}")


def a_bare_name_means_the_only_version():
    models = Models().add("a@1").add("b@1").add("b@2")
    with models, start(models, alias=None) as daemon:
        must(label_of(daemon.infer(model_id="a", **CLASSIFY)) == "a@1", "the only version")
        refused = daemon.ask("load_request", "load_response", request_id=1, model_id="b")
        must_be_refused(refused, "no_model", 'name one of "b@')
        made = daemon.ask("alias_request", "alias_response", request_id=1, name="b", model_id="b@2")
        must((made["code"], made["generation"]) == (0, 1), f"{made}")
        must(daemon.ask("load_request", "load_response", request_id=1, model_id="b")["code"] == 0, "")
        asked = daemon.infer(model_id="b", **CLASSIFY)
        must((label_of(asked), asked["generation"]) == ("b@2", 1), f"{asked}")
        taken = daemon.ask("alias_request", "alias_response", request_id=1, name="b", model_id="b@1")
        must_be_refused(taken, "argument", "models swap")
        gone = daemon.ask("alias_request", "alias_response", request_id=1, name="b")
        must(gone["code"] == 0 and alias_of(daemon, "b") is None, f"{gone}")


def who_asked_may_leave_and_the_swap_goes_on():
    models = Models().add("a@1").add("a@2", golden={"inputs": [{"text": "slow:300ms x", "label": "a@2"}]})
    with models, start(models) as daemon:
        connection = daemon.connect()
        connection.send("swap_request", request_id=1, name="a", model_id="a@2")
        poll(lambda: (daemon.model("a@2") or {}).get("running") == 1, "the golden run")
        connection.close()
        poll(lambda: alias_of(daemon) == ("a@2", 2), "the swap to be done")


def a_daemon_that_ends_amid_a_swap_ends_as_asked():
    for settings in ({}, {"swap": "drain-first"}):
        models = Models().add("a@1").add("a@2", golden={"inputs": [{"text": "slow:60s x", "label": "a@2"}]})
        with models, start(models, drain_timeout_ms=500, **settings) as daemon:
            connection = daemon.connect()
            connection.send("swap_request", request_id=1, name="a", model_id="a@2")
            poll(lambda: (daemon.model("a@2") or {}).get("running") == 1, "the golden run")
            waiting = daemon.connect()
            waiting.send("inference_request", request_id=5, **v2.SAMPLING, priority=1, model_id="a", **CLASSIFY)
            if settings:
                poll(lambda: daemon.model("a@1")["queue_depth"] == 1, "the request to wait")
            daemon.process.send_signal(15)
            must_be_refused(connection.receive()[1], "shutting_down", "shutting down")
            answer = waiting.receive()[1]
            must(v2.ERRORS.get(answer["code"], "none") in ("none", "shutting_down"), f"{answer}")
            must(daemon.process.wait(60) == 1, "the golden run was cut, which is told")


def a_model_that_is_not_loaded_may_be_swapped_for_one():
    models = Models().add("a@1").add("a@2").add("a@3", golden=expects("a@3"))
    with models, start(models, preload=()) as daemon:
        must_be_refused(daemon.infer(model_id="a", **CLASSIFY), "not_ready", "models load a@1")
        told = swap(daemon, "a@3")
        must((told["code"], told["checked"], told["generation"]) == (0, 2, 2), f"{told}")
        must(label_of(daemon.infer(model_id="a", **CLASSIFY)) == "a@3", "the new one does not answer")
        plain = swap(daemon, "a@2", name="a@3")
        must_be_refused(plain, "argument", "a version stands for itself")
        must_be_refused(swap(daemon, "a@2", name="nobody"), "no_model", "nothing to be swapped")


def an_alias_of_nothing_ends_the_start():
    with Models().add("a@1") as models:
        daemon = Daemon(ARGS.bin, models, sections="[alias b]\nmodel = c\n")
        daemon.spawn()
        must(daemon.process.wait(60) == 2 and 'alias "b" stands for "c"' in daemon.log(), daemon.log())
        daemon.finish()


def load_options_and_request_options_stay_apart():
    """A request cannot set a load option, and what a request sets does not outlive it."""
    models = Models().add("e", labels=(), context_tokens=64)
    with models, start(models, alias=None, preload=("e",)) as daemon:
        generate = {"model_id": "e", "task": v2.TASKS["generate"]}
        short = daemon.infer(**generate, texts=[{"text": "abcdef"}], **{"max_tokens": 2})
        must(short["results"][0]["text"] == "fe", f"{short}")
        again = daemon.infer(**generate, texts=[{"text": "abcdef"}])
        must(again["results"][0]["text"] == "fedcba", f"{again}")
        long = daemon.infer(**generate, texts=[{"text": "x" * 65}])
        must_be_refused(long, "too_long", "64")


def hearth(daemon, *words, code=0):
    run = subprocess.run([Path(ARGS.bin) / "hearth", *words, "--socket", daemon.socket_path], text=True,
                         capture_output=True, timeout=60, check=False)
    must(run.returncode == code, f"hearth {words} ended with {run.returncode}: {run.stderr}")
    return run.stdout if code == 0 else run.stderr


def the_command_line_swaps_names_and_says_why_not():
    models = Models().add("a@1").add("a@2", golden=expects("a@2")).add("a@3", golden=expects("?"))
    with models, start(models) as daemon:
        said = hearth(daemon, "models", "swap", "a", "a@2")
        must("a stands for a@2, generation 2; before: a@1" in said, said)
        must("2 golden inputs compared with the answers written down for it" in said, said)
        must("[alias a] model = a@2" in said, said)
        said = hearth(daemon, "models", "swap", "a", "a@3", code=1)
        must("the model cannot be used" in said and 'wanted "?"' in said and "try:" in said, said)
        said = hearth(daemon, "models", "list")
        must("a                        stands for a@2, generation 2" in said, said)
        told = json.loads(hearth(daemon, "models", "--json"))
        must(told["aliases"] == [{"name": "a", "model": "a@2", "generation": 2}], f"{told['aliases']}")
        must({m["name"]: m["version"] for m in told["models"]} == {"a@1": "1", "a@2": "2", "a@3": "3"},
             f"{told['models']}")
        must("b stands for a@2" in hearth(daemon, "models", "alias", "b", "a@2"), "alias")
        must(hearth(daemon, "models", "show", "b").startswith("a@2: "), "an alias is described as its model")
        must("models swap" in hearth(daemon, "models", "alias", "b", "a@1", code=2), "a second alias")
        must("no alias any more" in hearth(daemon, "models", "alias", "b", "--remove"), "remove")
        must("is unloaded" in hearth(daemon, "models", "unload", "a", "--drain"), "unload")
        hearth(daemon, "models", "swap", "a", code=2)


TESTS = [the_command_line_swaps_names_and_says_why_not,
         no_request_fails_and_none_is_mixed_under_swaps,
         a_drain_first_swap_makes_requests_wait_and_none_fail, a_version_with_wrong_outputs_is_refused,
         a_version_that_cannot_be_loaded_is_refused, a_version_that_dies_in_its_golden_run_is_refused,
         without_room_for_both_it_is_refused_with_the_numbers,
         what_waits_goes_on_at_the_old_one_when_drain_first_fails,
         a_golden_file_that_is_wrong_refuses_the_swap, a_name_keeps_its_task_and_one_swap_runs_at_a_time,
         without_a_session_nothing_is_swapped, running_requests_finish_on_the_old_one,
         without_answers_written_down_the_old_ones_are_compared,
         the_same_files_and_options_are_loaded_once,
         a_drain_answers_what_waits_and_returns_when_the_last_ends, a_bare_name_means_the_only_version,
         load_options_and_request_options_stay_apart, who_asked_may_leave_and_the_swap_goes_on,
         a_daemon_that_ends_amid_a_swap_ends_as_asked, a_model_that_is_not_loaded_may_be_swapped_for_one,
         an_alias_of_nothing_ends_the_start]


def main():
    global ARGS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--swaps", type=int, default=6)
    ARGS = parser.parse_args()
    return run_tests(TESTS)


if __name__ == "__main__":
    sys.exit(main())
