#!/usr/bin/env python3
"""Whichever allocation of hearthd fails, it lives on: each request ends once or its connection ends,
nothing stays queued, running or allocated, and the next request is right. Prints TAP.

Each test runs one story with the first, the second, the third … allocation failing, until a run
needs no more than that many."""

import signal
import socket
import sys

from world import (PATIENCE_SECONDS, Broken, Exchange, HookedDaemon, arguments, ask_to, must,
                   must_answer, must_be_quiet, poll, reload, run_tests, v2)

MODELS = "fixtures/models/echo"
PRELOAD = ["tiny", "one", "classifier"]
WARM_UPS = 4
KEPT_REQUESTS = 8
MOST_ALLOCATIONS = 2000     # no story comes near; a loop that does not end is a failure
# What a request may end with when memory is short: the worker is killed if its message finds none.
ALLOWED = {"ok", "no_memory", "worker_lost", "closed"}


def must_be_allowed(exchange, also=frozenset()):
    for identity in exchange.asked:
        error = exchange.error_of(identity)
        must(error in ALLOWED | also, f"request {identity} ended with {error}: "
             f"{exchange.terminals.get(identity)}")
    must(exchange.last_error in (None, "no_memory"), f"the connection got {exchange.last_error}")


# ---- stories: each leaves no connection open -------------------------------------------------

def ask_and_leave(daemon):
    exchange = Exchange(daemon)
    exchange.send("models_request")
    exchange.take("models_response")
    exchange.finish()
    must_be_allowed(exchange)


def load_and_unload(daemon):
    exchange = Exchange(daemon)
    for request, reply in (("load_request", "load_response"), ("unload_request", "unload_response")):
        exchange.send(request, request_id=1, model_id="other")
        answer = exchange.take(reply)
        error = v2.ERRORS.get(answer["code"], "ok") if answer else "closed"
        # Not loaded, since the load found no memory; then there is nothing to unload either.
        must(error in ALLOWED | {"not_ready"}, f"{reply}: {error}: {answer}")
        if error in ("no_memory", "not_ready"):
            must(answer["error"], f"{reply} says nothing")
    exchange.finish()


def batches_small_and_large(daemon):
    exchange = Exchange(daemon)
    exchange.submit(1, model_id="classifier", task=0, texts=[{"text": t} for t in "abc"])
    exchange.submit(2, model_id="classifier", task=0, texts=[{"text": "x" * 4_000}] * 32)
    for identity, inputs in ((1, 3), (2, 32)):
        if exchange.error_of(identity) == "ok":
            seen = sorted(r["index"] for r in exchange.terminals[identity]["results"])
            must(seen == list(range(inputs)), f"results {seen}")
    exchange.finish()
    must_be_allowed(exchange)


def streams_side_by_side(daemon):
    exchange = Exchange(daemon)
    for identity in (1, 2, 3):
        exchange.submit(identity, model_id="tiny", task=2, flags=1,
                        texts=[{"text": f"some words of {identity}"}])
    for identity in (1, 2, 3):
        if exchange.error_of(identity) == "ok":
            must(exchange.text_of(identity) == f"some words of {identity}"[::-1], "another text")
    exchange.finish()
    must_be_allowed(exchange)


def cancel_running_and_queued(daemon):
    exchange = Exchange(daemon)
    exchange.submit(1, model_id="one", task=2, flags=1, texts=[{"text": "pace:60s ab"}])
    exchange.submit(2, model_id="one", task=2, texts=[{"text": "waits"}])
    exchange.wait_for_first(1)
    for identity in (2, 1):
        exchange.send("cancel_request", request_id=identity)
    exchange.finish()
    must_be_allowed(exchange, also={"cancelled"})


def leave_in_the_middle(daemon):
    exchange = Exchange(daemon)
    exchange.submit(1, model_id="one", task=2, flags=1, texts=[{"text": "pace:60s ab"}])
    exchange.submit(2, model_id="one", task=2, texts=[{"text": "waits"}])
    exchange.wait_for_first(1)
    exchange.connection.close()


def lose_a_worker(daemon):
    exchange = Exchange(daemon)
    exchange.submit(1, model_id="one", task=2, texts=[{"text": "crash: now"}])
    exchange.submit(2, model_id="one", task=2, texts=[{"text": "after"}])
    exchange.finish()
    # The restart may have found no memory: then the model has failed, and so has what waited.
    must_be_allowed(exchange, also={"no_room", "system"})
    if exchange.error_of(2) == "ok":
        must(exchange.text_of(2) == "retfa", "another text")


def read_the_configuration_again(daemon):
    daemon.process.send_signal(signal.SIGHUP)
    while "RELOADING=1" not in daemon.manager.recv(4096).decode():
        pass    # the end of its start
    news = daemon.manager.recv(4096).decode()
    must(news.startswith("READY=1\nSTATUS=Listening"), f"it tells {news}")
    must("refused" not in news or "out of memory" in news, f"it tells {news}")


# ---- the loop --------------------------------------------------------------------------------

def settle(daemon):
    """All is as it should be after a run; what the run cost is repaired as a user would."""
    must(daemon.process.poll() is None, f"hearthd ended: {daemon.log()[-800:]}")
    must_be_quiet(daemon)
    must(daemon.ask("health_check", "health_response", check_type=0)["pid"] == daemon.process.pid,
         "another process answers")
    for name in PRELOAD:
        model = daemon.model(name)
        if model["state"] != 2 or model["restarts"] > 0:    # a fresh load forgets the back-off
            reload(daemon, name)
    if daemon.state("other") != "absent":
        ask_to(daemon, "unload", "other")
    must_answer(daemon, "tiny", "abc", "cba")
    must_answer(daemon, "one", "abc", "cba")


def fill_caches(daemon):
    """hearthd keeps the records of past requests: here all of them are in use at once, more than a
    story ever needs, so that their number and their buffers are the same before and after it."""
    exchange = Exchange(daemon)
    for identity in range(1, KEPT_REQUESTS + 1):
        exchange.submit(identity, model_id="one", task=2, texts=[{"text": "slow:60s x"}])
    for identity in range(1, KEPT_REQUESTS + 1):
        exchange.send("cancel_request", request_id=identity)
    exchange.finish()
    for identity in exchange.asked:
        must(exchange.error_of(identity) == "cancelled", exchange.error_of(identity))


def run_once(daemon, story, nth, bound):
    """Returns whether the nth allocation was needed. @bound: blocks that may be alive after it."""
    daemon.fail_at(nth)
    try:
        story(daemon)
    finally:
        _, _, has_failed = daemon.tell("0")
    settle(daemon)
    fill_caches(daemon)
    if bound is not None:
        poll(lambda: daemon.facts()[1] <= bound,
             f"{bound} blocks alive again, not {daemon.facts()[1]}", 5.0)
    return has_failed


def steady_state(daemon, story):
    """Blocks alive between runs when nothing fails: the same after each of the last runs."""
    for _ in range(WARM_UPS):
        run_once(daemon, story, 0, None)
    seen = 0

    def is_steady():
        nonlocal seen
        before, seen = seen, daemon.facts()[1]
        return before == seen
    poll(is_steady, "the number of live blocks to rest", 5.0)
    return seen


def survives(daemon, story):
    bound = steady_state(daemon, story)
    for nth in range(1, MOST_ALLOCATIONS):
        try:
            needed = run_once(daemon, story, nth, bound)
        except Exception as problem:
            raise Broken(f"allocation {nth}: {type(problem).__name__}: {problem}\n"
                         + daemon.log()[-1500:]) from problem
        if not needed:
            must(nth > 1, "the story allocates nothing: the loop tested nothing")
            live = daemon.facts()[1]
            must(live == bound, f"{live} blocks alive in the end, {bound} before")
            print(f"# {story.__name__}: {nth - 1} allocations failed, one a run", flush=True)
            return
    raise Broken(f"still failing after {MOST_ALLOCATIONS} runs")


# ---- start-up --------------------------------------------------------------------------------

class HasEnded(Exception):
    """hearthd gave up."""


def answers(daemon):
    """False also where the first connection is the one that finds no memory."""
    if daemon.process.poll() is not None:
        raise HasEnded
    try:
        return daemon.is_listening()
    except Broken:
        return False


def must_have_ended_with_the_reason(daemon):
    code = daemon.process.wait(PATIENCE_SECONDS)
    must(code in (1, 2), f"it ended with {code}: {daemon.log()[-600:]}")
    must("memory" in daemon.log(), f"it does not say why: {daemon.log()[-600:]}")
    must(not daemon.socket_path.exists(), "it left its socket")


def use_after_start(daemon):
    """Returns "failed" if something found no memory and it went on, or "well"."""
    poll(lambda: answers(daemon), "the socket", PATIENCE_SECONDS)
    has_failed = daemon.tell("0")[2]
    poll(lambda: daemon.state("tiny") != "loading", "tiny to settle", PATIENCE_SECONDS)
    state = daemon.state("tiny")        # None if its manifest found no memory
    if state != "ready":
        error, text = ask_to(daemon, "load", "tiny")
        must(error == "ok", f"the load after it: {error}: {text}")
    must_answer(daemon, "tiny", "abc", "cba")
    must(daemon.stop() == 0, "it did not stop in order")
    return "failed" if has_failed or state != "ready" else "well"


def start_with(options, nth, who):
    """One start whose nth allocation fails. Returns how it went: "ended", "failed" or "well"."""
    daemon = HookedDaemon(options, MODELS, ["tiny"], {f"HEARTH_ANOMALY_{who}": str(nth)})
    try:
        daemon.spawn()
        try:
            return use_after_start(daemon)
        except (OSError, EOFError, HasEnded):   # it may end before or after it has answered
            must_have_ended_with_the_reason(daemon)
            return "ended"
    finally:
        daemon.finish()


def managed(daemon):
    """A socket to which it tells when it has read its configuration again."""
    daemon.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.manager.settimeout(PATIENCE_SECONDS)
    daemon.manager.bind(str(daemon.home / "manager"))
    daemon.environment["NOTIFY_SOCKET"] = str(daemon.home / "manager")
    return daemon


def main():
    options = arguments()
    tests = []
    with managed(HookedDaemon(options, MODELS, PRELOAD)) as daemon:
        for story in (ask_and_leave, load_and_unload, batches_small_and_large,
                      streams_side_by_side, cancel_running_and_queued, leave_in_the_middle,
                      lose_a_worker, read_the_configuration_again):
            def test(story=story):
                survives(daemon, story)
            test.__name__ = f"any_failed_allocation_is_survived_in_{story.__name__}"
            tests.append(test)

        def a_start_without_memory_ends_with_the_reason_or_goes_on():
            outcomes = []
            while not outcomes or outcomes[-1] != "well":
                outcomes.append(start_with(options, len(outcomes) + 1, "FAIL_AT"))
            must(outcomes.count("ended") > 0 and outcomes.count("failed") > 0, f"{outcomes}")
            print(f"# {outcomes.count('ended')} starts ended, {outcomes.count('failed')} went on")

        def a_spawner_without_memory_fails_the_load_and_does_the_next():
            outcomes = []
            while outcomes[-3:] != ["well"] * 3:
                outcomes.append(start_with(options, len(outcomes) + 1, "SPAWNER_FAIL_AT"))
            must(len(outcomes) > 3, "no allocation of the spawner failed")
            print(f"# {len(outcomes) - 3} allocations of the spawner failed")

        return run_tests(tests + [a_start_without_memory_ends_with_the_reason_or_goes_on,
                                  a_spawner_without_memory_fails_the_load_and_does_the_next])


if __name__ == "__main__":
    sys.exit(main())
