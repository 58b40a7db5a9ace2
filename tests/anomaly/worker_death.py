#!/usr/bin/env python3
"""A worker is killed at each moment of its life: exactly its own running requests end with
worker_lost, what waited is served by the next one, its memory is free again, and no other model
notices. Prints TAP."""

import os
import signal
import sys
import tempfile

from world import (Daemon, Exchange, arguments, ask_to, must, must_answer, must_be_quiet, poll,
                   reload, run_tests, write_model)

MIB = 1 << 20
# One of the large ones fits beside the good ones, two do not.
LIMIT_BYTES, LARGE_BYTES = 120 * MIB, 40 * MIB      # a worker needs this twice
LOADING = ["exits at once", "dies before hello", "dies after hello", "dies after need",
           "dies after proceed"]
SERVING = {"dies-first": 0, "dies-between": 1, "dies-last": 2}      # chunks that come before
MOST_DEATHS = 6     # in a row without an answer, then the model is given up


def slug(misdeed):
    return misdeed.replace(" ", "-")


def make_models(folder):
    for name in ("good", "victim"):
        write_model(folder, name)
    for name in ("large", "large-too"):
        write_model(folder, name, need_bytes=LARGE_BYTES)
    for misdeed in LOADING:
        write_model(folder, slug(misdeed), misdeed=misdeed, need_bytes=LARGE_BYTES)


def submit(exchange, identity, text, model="victim"):
    exchange.submit(identity, model_id=model, task=2, flags=1, texts=[{"text": text}])


def wait_for_running(daemon, count, model="victim"):
    poll(lambda: daemon.model(model)["running"] == count, f"{count} running requests")


def dies_while_serving(daemon, point, chunks):
    """Four requests run and one waits when it happens; another model has one that runs on."""
    reload(daemon, "victim")
    pid, good_pid = daemon.model("victim")["worker_pid"], daemon.model("good")["worker_pid"]
    exchange, other = Exchange(daemon), Exchange(daemon)
    submit(other, 1, "silent", "good")
    for identity in (1, 2, 3):
        submit(exchange, identity, "silent")
    wait_for_running(daemon, 3)
    submit(exchange, 4, point)
    submit(exchange, 5, "waited")
    for identity in (1, 2, 3, 4):
        must(exchange.error_of(identity) == "worker_lost",
             f"{point}: request {identity} ended with {exchange.error_of(identity)}")
    must(len(exchange.chunks.get(4, [])) == chunks,
         f"{point}: {len(exchange.chunks.get(4, []))} chunks came before the end, not {chunks}")
    must(exchange.error_of(5) == "ok" and exchange.text_of(5) == "waited", "what waited was lost")
    exchange.finish()
    model = daemon.model("victim")
    must(model["worker_pid"] not in (0, pid) and model["restarts"] == 1, f"{model}")
    must(daemon.model("good")["running"] == 1, "the request of the other model has ended")
    other.send("cancel_request", request_id=1)
    must(other.error_of(1) == "cancelled", f"the other model's ended with {other.error_of(1)}")
    other.finish()
    must(daemon.model("good")["worker_pid"] == good_pid, "the other model has another worker")


def main():
    options = arguments()
    models = tempfile.TemporaryDirectory(prefix="hearth-models-")
    make_models(models.name)
    daemon = Daemon(options.bin, models.name, ["good", "victim"], workers=options.anomaly,
                    memory_limit=LIMIT_BYTES)

    def two_large_models_do_not_fit():
        must(ask_to(daemon, "load", "large")[0] == "ok", "the first does not load")
        error, text = ask_to(daemon, "load", "large-too")
        must(error == "no_room", f"the second was answered {error}: {text}")
        must(ask_to(daemon, "unload", "large")[0] == "ok", "it does not unload")

    def a_death_while_loading_fails_the_load_and_frees_its_memory():
        for misdeed in LOADING:
            error, text = ask_to(daemon, "load", slug(misdeed))
            must(error == "worker_lost" and "died while loading" in text,
                 f"{misdeed}: {error}: {text}")
            model = daemon.model(slug(misdeed))
            must(daemon.state(slug(misdeed)) == "failed" and model["need_bytes"] == 0
                 and model["worker_pid"] == 0 and "died while loading" in model["error"], f"{model}")
            must(ask_to(daemon, "load", "large")[0] == "ok", f"{misdeed}: its memory is not free")
            must(ask_to(daemon, "unload", "large")[0] == "ok", "large does not unload")
            must_answer(daemon, "good", "still here", "still here")

    def a_death_while_serving_ends_what_ran_and_nothing_else():
        for point, chunks in SERVING.items():
            dies_while_serving(daemon, point, chunks)
            must_be_quiet(daemon)

    def a_death_at_rest_is_followed_by_the_next_worker():
        reload(daemon, "victim")
        pid = daemon.model("victim")["worker_pid"]
        os.kill(pid, signal.SIGKILL)
        poll(lambda: daemon.model("victim")["worker_pid"] not in (0, pid)
             and daemon.state("victim") == "ready", "the next worker")
        must_answer(daemon, "victim", "again", "again")

    def a_worker_that_only_dies_is_given_up_and_can_be_loaded_again():
        reload(daemon, "victim")
        exchange = Exchange(daemon)
        for identity in range(1, MOST_DEATHS + 1):
            submit(exchange, identity, "dies-first")
            must(exchange.error_of(identity) == "worker_lost", exchange.error_of(identity))
        exchange.finish()
        poll(lambda: daemon.state("victim") == "failed", "victim to be given up")
        must(f"{MOST_DEATHS} times in a row" in daemon.model("victim")["error"],
             daemon.model("victim")["error"])
        must(daemon.model("victim")["need_bytes"] == 0, "its memory is held")
        answer = daemon.infer(model_id="victim", task=2, texts=[{"text": "x"}])
        must(answer["code"] == 20 and "could not be loaded" in answer["error"], f"{answer}")
        must(ask_to(daemon, "load", "victim")[0] == "ok", "it does not load again")
        must_answer(daemon, "victim", "back", "back")

    def hearthd_is_the_same_and_nothing_is_left_over():
        must_be_quiet(daemon)
        must(daemon.process.poll() is None, "hearthd has ended")
        must(daemon.stop() == 0, "hearthd did not stop in order")

    with models, daemon:
        return run_tests([two_large_models_do_not_fit,
                          a_death_while_loading_fails_the_load_and_frees_its_memory,
                          a_death_while_serving_ends_what_ran_and_nothing_else,
                          a_death_at_rest_is_followed_by_the_next_worker,
                          a_worker_that_only_dies_is_given_up_and_can_be_loaded_again,
                          hearthd_is_the_same_and_nothing_is_left_over])


if __name__ == "__main__":
    sys.exit(main())
