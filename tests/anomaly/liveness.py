#!/usr/bin/env python3
"""A worker lives as long as it makes steps: one that makes none while it has work is killed and
replaced, its requests end with the reason, all others go on. Prints TAP."""

import os
import signal
import sys
import tempfile

from world import Daemon, arguments, must, must_answer, poll, run_tests, v2, write_model

LIMIT_MS = 800
WATCHED_MS = 6000     # half of it must be longer than a slow machine takes to ask
SAMPLE = {"task": 2, "priority": 1, **v2.SAMPLING}
LOST = 13


def series(daemon, name):
    told = daemon.ask("metrics_request", "metrics_response")["series"]
    return {s["labels"]: s["value"] for s in told if s["name"] == name}


def counters(daemon):
    told = daemon.ask("metrics_request", "metrics_response")["counters"]
    return {c["name"]: c["value"] for c in told}


def send(connection, number, model, text, **values):
    connection.send("inference_request", request_id=number, model_id=model, texts=[{"text": text}],
                    **{**SAMPLE, **values})


def terminal(connection):
    kind, answer = connection.receive()
    while kind == "stream_chunk":
        kind, answer = connection.receive()
    must(kind == "inference_response", f"{kind} instead of an end: {answer}")
    return answer


def replaced(daemon, name, pid):
    model = daemon.model(name)
    return model["state"] == 2 and model["worker_pid"] not in (0, pid)


def must_be_hung(answer, name):
    must(answer["code"] == LOST and "made no progress" in answer["error"] and name in answer["error"],
         f"code {answer['code']}: {answer['error']}")


def degraded(daemon):
    report = daemon.ask("health_check", "health_response", check_type=2)
    return report if report["state"] == 1 else None


def main():
    options = arguments()
    models = tempfile.TemporaryDirectory(prefix="hearth-models-")
    for name in ("good", "victim", "idle", "patient", "watched"):
        write_model(models.name, name)
    daemon = Daemon(options.bin, models.name, ["good", "victim", "idle", "patient", "watched"],
                    sections="[model patient]\nprogress_timeout_ms = never\n"
                             f"[model watched]\nprogress_timeout_ms = {WATCHED_MS}\n",
                    progress_timeout_ms=LIMIT_MS)

    def pid_of(name):
        return daemon.model(name)["worker_pid"]

    def a_worker_without_a_step_is_replaced_and_only_its_requests_end():
        pid, other, deaths = pid_of("victim"), pid_of("good"), counters(daemon)["worker_deaths"]
        mine, others = daemon.connect(), daemon.connect()
        send(others, 1, "good", f"slow:{3 * LIMIT_MS} still here")
        send(mine, 1, "victim", "hang: for ever")
        send(mine, 2, "victim", "hang: as well")
        for _ in range(2):
            must_be_hung(terminal(mine), "victim")
        answer = terminal(others)
        must(answer["code"] == 0, f"a long step that tells of itself: {answer['error']}")
        poll(lambda: replaced(daemon, "victim", pid), "the next worker")
        must(pid_of("good") == other, "the other model has another worker")
        must_answer(daemon, "victim", "next", "txen")
        must(counters(daemon)["worker_deaths"] == deaths + 1, "one death")
        must(counters(daemon)["worker_hangs"] == 1, "one hang")
        must(series(daemon, "model_worker_deaths_total") == {'model="victim",cause="hang"': 1},
             str(series(daemon, "model_worker_deaths_total")))
        hangs = [e for e in daemon.events() if e["event"] == "worker.hangs"]
        must(len(hangs) == 1 and hangs[0]["progress_timeout_ms"] == LIMIT_MS, f"the log: {hangs}")

    def one_that_the_system_stopped_is_replaced():
        pid, connection = pid_of("victim"), daemon.connect()
        os.kill(pid, signal.SIGSTOP)
        send(connection, 1, "victim", "slow:200 one")
        must_be_hung(terminal(connection), "victim")
        poll(lambda: replaced(daemon, "victim", pid), "the next worker")
        must_answer(daemon, "victim", "next", "txen")

    def health_tells_of_one_that_stands_still_until_it_goes_on():
        pid, connection = pid_of("watched"), daemon.connect()
        os.kill(pid, signal.SIGSTOP)
        send(connection, 1, "watched", "slow:50 late")
        report = poll(lambda: degraded(daemon), "health to tell that it stands still")
        must("\"watched\" has made no step" in report["reason"] and report["ready"], f"{report}")
        told = {m["name"]: m for m in report["models"]}
        must(told["watched"]["still_ms"] >= WATCHED_MS // 2 and not told["watched"]["ready"]
             and told["watched"]["running"] == 1 and told["watched"]["worker_pid"] == pid
             and told["good"]["ready"] and not told["good"]["reason"], f"{told}")
        os.kill(pid, signal.SIGCONT)
        must(terminal(connection)["code"] == 0, "it goes on")
        poll(lambda: not degraded(daemon), "health to be well again")
        must(pid_of("watched") == pid, "it was replaced")

    def an_idle_worker_may_stand_still():
        idle, pid, connection = pid_of("idle"), pid_of("victim"), daemon.connect()
        os.kill(idle, signal.SIGSTOP)
        send(connection, 1, "victim", "hang: as a clock")     # longer than the limit of the idle one
        must_be_hung(terminal(connection), "victim")
        poll(lambda: replaced(daemon, "victim", pid), "the next worker")
        must(pid_of("idle") == idle, "the idle worker was replaced")
        os.kill(idle, signal.SIGCONT)
        must_answer(daemon, "idle", "here", "ereh")

    def a_model_has_a_limit_of_its_own():
        patient, pid, connection = pid_of("patient"), pid_of("victim"), daemon.connect()
        os.kill(patient, signal.SIGSTOP)
        send(connection, 1, "patient", "slow:50 late")
        for number in (2, 3):
            pid = pid_of("victim")
            send(connection, number, "victim", "hang: twice as long")
            must_be_hung(terminal(connection), "victim")
            poll(lambda old=pid: replaced(daemon, "victim", old), "the next worker")
        must(pid_of("patient") == patient, "the patient one was replaced")
        os.kill(patient, signal.SIGCONT)
        answer = terminal(connection)
        must(answer["request_id"] == 1 and answer["code"] == 0, f"{answer}")

    with models, daemon:
        return run_tests([a_worker_without_a_step_is_replaced_and_only_its_requests_end,
                          one_that_the_system_stopped_is_replaced,
                          health_tells_of_one_that_stands_still_until_it_goes_on,
                          an_idle_worker_may_stand_still, a_model_has_a_limit_of_its_own])


if __name__ == "__main__":
    sys.exit(main())
