#!/usr/bin/env python3
"""A worker that breaks any rule is killed, its model ends failed or restarts with a reason, other
models answer, and hearthd lives. Prints TAP."""

import sys
import tempfile
import time

from world import (Daemon, Exchange, arguments, ask_to, must, must_answer, must_be_quiet, poll,
                   reload, run_tests, v2, write_model)

LOAD_TIMEOUT_MS = 4000
# What it does while it loads → the error of the load, words of its text.
LOADING = {
    "is of another build": ("version", "of build 0.0.0-other"),
    "sends garbage": ("worker_lost", "cannot be decoded"),
    "breaks the ring": ("worker_lost", "cannot be decoded"),
    "needs before hello": ("worker_lost", "need that is not its turn"),
    "says hello twice": ("worker_lost", "hello that is not its turn"),
    "is ready before it may load": ("worker_lost", "ready that is not its turn"),
    "answers before it is ready": ("worker_lost", "not its turn"),
    "takes nothing at a time": ("worker_lost", "capacity out of range"),
    "takes everything at a time": ("worker_lost", "capacity out of range"),
    "needs more than there is": ("no_room", "wanted"),
    "fails with an unknown code": ("internal", "so it is"),
    "hangs": ("expired", "load_timeout_ms"),
}
# What it does with a request → the rule in the log.
SERVING = {
    "chunk-for-nobody": "chunk for a request that it does not have",
    "end-for-nobody": "end of a request that it does not have",
    "wrong-index": "result for an input that was not given",
    "label-for-text": "result of another task",
    "ids-of-nothing": "ids that are not those of its generated tokens",
    "unknown-code": "unknown error code",
    "bad-utf8": "message that cannot be decoded",
    "garbage": "message that cannot be decoded",
    "ring": "message that cannot be decoded",
    "hello-again": "hello that is not its turn",
    "goes-on-behind-its-end": "piece of an answer that has ended",
    "fails-as-if-done": "error that is told as an end",
    "scores-unasked": "more log-probabilities than were asked for",
    "calls-what-is-not-there": "call of a tool where there are none",
    "cached-more-than-all": "more cached tokens than the prompt has",
    "steers-the-terminal": "fingerprint that cannot be printed",
}
STUCK = ["hang", "close-link", "flood"]
DEADLINE_MS, LATENCY_SECONDS = 300, 2.0
SAMPLE = {"task": 2, "priority": 1, **v2.SAMPLING}


def slug(misdeed):
    return misdeed.replace(" ", "-")


def make_models(folder):
    for name in ("good", "victim", *STUCK):
        write_model(folder, name)
    for misdeed in [*LOADING, "ignores stop"]:
        write_model(folder, slug(misdeed), misdeed=misdeed)


def rules_broken(daemon, pid):
    return [e["rule"] for e in daemon.events()
            if e.get("event") == "worker.broke_rule" and e["pid"] == pid]


def misbehaves_while_serving(daemon, misdeed, rule):
    reload(daemon, "victim")
    pid, good_pid = daemon.model("victim")["worker_pid"], daemon.model("good")["worker_pid"]
    exchange = Exchange(daemon)
    exchange.submit(1, model_id="victim", flags=1, texts=[{"text": misdeed}], task=2)
    must(exchange.error_of(1) == "worker_lost", f"{misdeed} ended with {exchange.error_of(1)}")
    must(rules_broken(daemon, pid) == [rule], f"{misdeed}: rules {rules_broken(daemon, pid)}")
    exchange.submit(2, model_id="victim", task=2, texts=[{"text": "next"}])
    must(exchange.error_of(2) == "ok" and exchange.text_of(2) == "next", f"after {misdeed}: next")
    exchange.finish()
    must(daemon.model("victim")["worker_pid"] not in (0, pid), "the same worker goes on")
    must(daemon.model("good")["worker_pid"] == good_pid, "the other model has another worker")
    must_answer(daemon, "good", "still here", "still here")


def stay_answerable(daemon, condition):
    """Until it holds, hearthd and the good model answer soon."""
    end, slowest = time.monotonic() + 90, 0.0
    while not condition():
        must(time.monotonic() < end, "it never came")
        began = time.monotonic()
        must_answer(daemon, "good", "meanwhile", "meanwhile")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    must(slowest < LATENCY_SECONDS, f"the good model took {slowest:.1f} s")
    return slowest


def main():
    options = arguments()
    models = tempfile.TemporaryDirectory(prefix="hearth-models-")
    make_models(models.name)
    daemon = Daemon(options.bin, models.name, ["good", "victim"], workers=options.anomaly,
                    load_timeout_ms=LOAD_TIMEOUT_MS)

    def a_worker_that_misbehaves_while_loading_fails_its_load_with_the_reason():
        for misdeed, (wanted, words) in LOADING.items():
            error, text = ask_to(daemon, "load", slug(misdeed))
            must(error == wanted and words in text, f"{misdeed}: {error}: {text}")
            model = daemon.model(slug(misdeed))
            must(daemon.state(slug(misdeed)) == "failed" and words in model["error"]
                 and model["need_bytes"] == 0 and model["worker_pid"] == 0, f"{misdeed}: {model}")
            must_answer(daemon, "good", "still here", "still here")

    def a_worker_that_misbehaves_while_serving_is_killed_and_replaced():
        for misdeed, rule in SERVING.items():
            misbehaves_while_serving(daemon, misdeed, rule)
            must_be_quiet(daemon)

    def a_request_that_is_ended_twice_by_its_worker_ends_once():
        reload(daemon, "victim")
        pid = daemon.model("victim")["worker_pid"]
        exchange = Exchange(daemon)
        exchange.submit(1, model_id="victim", flags=1, texts=[{"text": "two-ends"}], task=2)
        must(exchange.error_of(1) == "ok", exchange.error_of(1))
        poll(lambda: rules_broken(daemon, pid) == [SERVING["end-for-nobody"]], "the broken rule")
        exchange.submit(2, model_id="victim", task=2, texts=[{"text": "next"}])
        must(exchange.error_of(2) == "ok", exchange.error_of(2))
        exchange.finish()

    def workers_that_hang_or_flood_or_close_their_link_or_ignore_a_stop_are_killed():
        connection, pids = daemon.connect(), {}
        for number, name in enumerate(STUCK, 1):
            must(ask_to(daemon, "load", name)[0] == "ok", f"{name} does not load")
            pids[name] = daemon.model(name)["worker_pid"]
            # Nothing is read until the end: the flood meets a client that does not keep up.
            connection.send("inference_request", request_id=number, model_id=name, flags=1,
                            timeout_ms=DEADLINE_MS, texts=[{"text": name}], **SAMPLE)
        must(ask_to(daemon, "load", "ignores-stop")[0] == "ok", "it does not load")
        stopping = daemon.connect()
        stopping.send("unload_request", request_id=9, model_id="ignores-stop")
        slowest = stay_answerable(daemon, lambda: daemon.state("ignores-stop") == "absent" and all(
            daemon.state(name) == "ready" and daemon.model(name)["worker_pid"] not in (0, pids[name])
            for name in STUCK))
        kind, answer = stopping.receive()
        must(kind == "unload_response" and answer["code"] == 0, f"{kind} {answer}")
        for name in STUCK:
            must_answer(daemon, name, "next", "next")
        must_be_quiet(daemon)
        connection.close()
        print(f"# slowest answer meanwhile: {slowest * 1000:.0f} ms", flush=True)

    def hearthd_is_the_same_and_stops_in_order():
        must(daemon.process.poll() is None, "hearthd has ended")
        must(daemon.stop() == 0, "hearthd did not stop in order")

    with models, daemon:
        return run_tests([a_worker_that_misbehaves_while_loading_fails_its_load_with_the_reason,
                          a_worker_that_misbehaves_while_serving_is_killed_and_replaced,
                          a_request_that_is_ended_twice_by_its_worker_ends_once,
                          workers_that_hang_or_flood_or_close_their_link_or_ignore_a_stop_are_killed,
                          hearthd_is_the_same_and_stops_in_order])


if __name__ == "__main__":
    sys.exit(main())
