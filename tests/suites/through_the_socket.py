#!/usr/bin/env python3
"""What the predecessor's suites ask of single functions, asked of the daemon through its socket; the
rows are in rows.txt. Only the null engine is used. Prints TAP.

    through_the_socket.py --bin FOLDER SUITE
"""

import argparse
import os
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import v1                                                   # noqa: E402
import v2                                                   # noqa: E402
from daemon import Daemon, must, poll, run_tests            # noqa: E402

ECHO = "fixtures/models/echo"
GIVE_UP = 60.0
BIN = None
CLASSIFY, GENERATE = 0, 2
LIVENESS, READINESS, FULL = 0, 1, 2


def a_daemon(preload=("tiny",), **settings):
    return Daemon(BIN, ECHO, preload, **settings)


def v1_connection(daemon):
    connection = v1.Connection(daemon.socket_path, timeout=GIVE_UP)
    must(connection.handshake()[0] == "handshake_ack", "no handshake in JSON")
    return connection


def raw_json(connection, text):
    connection.send_frame(text.encode())
    return connection.receive()


def error_name(answer):
    return v2.ERRORS.get(answer.get("code"), answer.get("code"))


def probe(connection, kind):
    connection.send("health_check", check_type=kind)
    name, answer = connection.receive()
    must(name == "health_response", f"a probe was answered with {name}")
    return answer


def submit(connection, request_id, text, model="tiny", **values):
    connection.send("inference_request", **{**v2.SAMPLING, "request_id": request_id, "model_id": model,
                                            "task": GENERATE, "priority": 1, "texts": [{"text": text}], **values})


# ---- lib: token ids in JSON ---------------------------------------------------------------------

def lib_ids_come_back_as_they_were_sent():
    with a_daemon() as daemon:
        connection = v1_connection(daemon)
        for ids, text in (("[42]", "42 "), ("[1,2,3,100,1000,65535]", "65535 1000 100 3 2 1 ")):
            kind, answer = raw_json(connection, '{"type":"inference_request","request_id":7,"model_id":"tiny",'
                                    f'"prompt_tokens":{ids},"max_tokens":64,"temperature":0}}')
            must(kind == "inference_response" and answer["code"] == 0, f"{kind} {answer}")
            must(answer["results"][0]["text"] == text, f"{ids}: {answer['results'][0]['text']!r}")


def lib_no_ids_at_all_are_no_input():
    with a_daemon() as daemon:
        kind, answer = raw_json(v1_connection(daemon), '{"type":"inference_request","request_id":7,'
                                '"model_id":"tiny","prompt_tokens":[],"max_tokens":4}')
        must(kind == "inference_response" and error_name(answer) == "input_invalid", f"{kind} {answer}")


def lib_what_is_no_json_is_an_error():
    with a_daemon() as daemon:
        kind, answer = raw_json(v1_connection(daemon), "not json")
        must(kind == "error" and error_name(answer) == "malformed", f"{kind} {answer}")
        must(probe(daemon.connect(), LIVENESS)["ok"] == 1, "the daemon does not go on")


# ---- integration --------------------------------------------------------------------------------

def integration_the_queue_takes_what_is_configured():
    with a_daemon(preload=("one",), queue_limit=10) as daemon:
        connection = daemon.connect()
        submit(connection, 1, "slow:60s a", "one")
        poll(lambda: probe(daemon.connect(False), FULL)["running"] == 1, "the first to run", GIVE_UP)
        for number in range(2, 13):
            submit(connection, number, "b", "one")
        kind, answer = connection.receive()
        must((answer["request_id"], error_name(answer)) == (12, "queue_full"), f"{kind} {answer}")
        must(probe(daemon.connect(False), FULL)["queue_depth"] == 10, "10 wait")
        connection.close()      # takes its requests along: the daemon need not wait for them


def integration_a_model_that_is_not_there_is_named():
    with a_daemon() as daemon:
        answer = daemon.infer(model_id="nobody", task=GENERATE, texts=[{"text": "a"}])
        must(error_name(answer) == "no_model" and "nobody" in answer["error"], f"{answer}")


def integration_an_open_id_is_used_once_and_max_tokens_is_kept():
    with a_daemon() as daemon:
        connection = daemon.connect()
        submit(connection, 1, "slow:60s a")
        submit(connection, 1, "b")
        kind, answer = connection.receive()
        must(kind == "error" and "1" in answer["message"], f"{kind} {answer}")
        submit(connection, 2, "x" * 300, max_tokens=256)
        kind, answer = connection.receive()
        must(answer["request_id"] == 2 and answer["results"][0]["text"] == "x" * 256, f"{kind} {answer}")
        connection.close()


# ---- connections --------------------------------------------------------------------------------

def lets_in(daemon):
    """A connection with a session, or None if it was refused for the number of connections."""
    connection = daemon.connect(handshake=False)
    try:
        kind, answer = connection.handshake()
    except ConnectionError:
        return None
    must(kind == "handshake_ack" or error_name(answer) == "too_many_connections", f"{kind} {answer}")
    return connection if kind == "handshake_ack" else None


def connections_two_of_two_get_in_and_are_counted():
    with a_daemon((), max_connections=2) as daemon:
        first = daemon.connect()
        must(probe(first, FULL)["connections"] == 1, "one")
        second = daemon.connect()
        must(probe(first, FULL)["connections"] == 2, "two")
        must(lets_in(daemon) is None, "a third got in")
        second.close()
        poll(lambda: probe(first, FULL)["connections"] == 1, "the count of one", GIVE_UP)


def connections_a_place_that_is_left_is_taken_again():
    with a_daemon((), max_connections=1) as daemon:
        first = daemon.connect()
        must(lets_in(daemon) is None, "a second got in")
        first.close()
        poll(lambda: lets_in(daemon), "the place that was left", GIVE_UP)


def connections_of_ten_threads_with_ten_tries_exactly_the_limit_gets_in():
    limit, inside, lock = 60, [], threading.Lock()
    with a_daemon((), max_connections=limit) as daemon:
        def try_ten():
            for _ in range(10):
                connection = lets_in(daemon)
                with lock:
                    inside.extend([connection] if connection else [])
        crowd = [threading.Thread(target=try_ten) for _ in range(10)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        must(len(inside) == limit, f"{len(inside)} got in")
        must(probe(inside[0], FULL)["connections"] == limit, "they are not all counted")


def connections_64_are_the_default():
    with a_daemon(()) as daemon:
        inside = [daemon.connect() for _ in range(64)]
        must(lets_in(daemon) is None, "a 65th got in")
        must(probe(inside[0], FULL)["connections"] == 64, "they are not all counted")


# ---- health -------------------------------------------------------------------------------------

def health_alive_and_ready_while_it_runs_and_only_alive_while_it_drains():
    with a_daemon(drain_timeout_ms=60000) as daemon:
        connection, busy = daemon.connect(), daemon.connect()
        must((probe(connection, LIVENESS)["ok"], probe(connection, READINESS)["ok"]) == (1, 1), "running")
        submit(busy, 1, "slow:60s a")
        poll(lambda: probe(connection, FULL)["running"] == 1, "the request to run", GIVE_UP)
        daemon.process.terminate()
        poll(lambda: probe(connection, READINESS)["ok"] == 0, "to be not ready", GIVE_UP)
        must(probe(connection, LIVENESS)["ok"] == 1, "not alive while draining")
        must(probe(connection, FULL)["accepting_requests"] == 0, "it says that it accepts requests")
        busy.send("cancel_request", request_id=1)
        must(daemon.process.wait(GIVE_UP) == 0, "it did not end")
        must(not Path(daemon.socket_path).exists() or not answers(daemon), "stopped, and it answers")


def answers(daemon):
    try:
        return bool(daemon.connect(handshake=False))
    except OSError:
        return False


def health_a_model_may_be_asked_for():
    with a_daemon((), ready_models=1) as daemon:
        connection = daemon.connect()
        must(probe(connection, READINESS)["ok"] == 0, "ready without a model")
        connection.send("load_request", request_id=1, model_id="tiny")
        must(connection.receive()[1]["code"] == 0, "the load failed")
        must(probe(connection, READINESS)["ok"] == 1, "not ready with the model")


def health_a_full_queue_is_not_ready():
    with a_daemon(("one",), queue_limit=10) as daemon:
        connection, watch = daemon.connect(), daemon.connect()
        submit(connection, 1, "slow:60s a", "one")
        poll(lambda: probe(watch, FULL)["running"] == 1, "the first to run", GIVE_UP)
        for number in range(2, 11):
            submit(connection, number, "b", "one")
        poll(lambda: probe(watch, FULL)["queue_depth"] == 9, "nine to wait", GIVE_UP)
        must(probe(watch, READINESS)["ok"] == 1, "not ready with 9 of 10")
        submit(connection, 11, "b", "one")
        poll(lambda: probe(watch, FULL)["queue_depth"] == 10, "ten to wait", GIVE_UP)
        must(probe(watch, READINESS)["ok"] == 0, "ready with 10 of 10")
        connection.close()


def health_the_report_has_all_fields_in_both_encodings():
    with a_daemon(("tiny", "other")) as daemon:
        reports = [probe(daemon.connect(), FULL), probe(v1_connection(daemon), FULL)]
        for report in reports:
            must(report["ok"] == 1 and report["models_loaded"] == 2 and report["queue_depth"] == 0 and
                 report["accepting_requests"] == 1 and report["memory_used_bytes"] > 0 and
                 report["uptime_secs"] < 3600 and report["state"] == 0, f"{report}")
        for kind in (LIVENESS, READINESS, FULL):
            must([probe(c, kind)["check_type"] for c in (daemon.connect(), v1_connection(daemon))]
                 == [kind, kind], f"the kind {kind} does not come back")


# ---- memory -------------------------------------------------------------------------------------

def used_bytes(daemon):
    return probe(daemon.connect(False), FULL)["memory_used_bytes"]


def load(connection, verb, name):
    connection.send(f"{verb}_request", request_id=1, model_id=name)
    return connection.receive()[1]


def memory_a_load_takes_what_an_unload_gives_back():
    with a_daemon(()) as daemon:
        connection, before = daemon.connect(), used_bytes(daemon)
        must(load(connection, "load", "tiny")["code"] == 0, "the load failed")
        loaded = used_bytes(daemon)
        must(daemon.model("tiny")["need_bytes"] > 0 and loaded > before + (1 << 20), f"{before}, {loaded}")
        must(load(connection, "unload", "tiny")["code"] == 0, "the unload failed")
        must(used_bytes(daemon) < loaded - (1 << 20), f"{used_bytes(daemon)} of {loaded} are still used")


def memory_what_does_not_fit_is_refused_with_numbers():
    with a_daemon(()) as daemon:
        must(load(daemon.connect(), "load", "tiny")["code"] == 0, "the load failed")
        one = daemon.model("tiny")["need_bytes"]
    with a_daemon((), memory_limit=one + one // 2) as daemon:
        connection = daemon.connect()
        must(load(connection, "load", "tiny")["code"] == 0, "one does not fit")
        refusal = load(connection, "load", "other")
        must(error_name(refusal) == "no_room" and "tiny" in refusal["error"], f"{refusal}")
        must(load(connection, "unload", "tiny")["code"] == 0, "the unload failed")
        must(load(connection, "load", "other")["code"] == 0, "there is room, and it was refused")


def memory_answers_from_used_memory_hold_nothing_of_others():
    """Buffers, arenas and replies are used again: a hundred answers of many lengths, each its own."""
    with a_daemon() as daemon:
        connection = daemon.connect()
        for number in range(1, 101):
            text = chr(97 + number % 26) * (1 + number * 37 % 900)
            submit(connection, number, text, max_tokens=1000)
            answer = connection.receive()[1]
            must(answer["results"][0]["text"] == text, f"answer {number} holds something else")


# ---- protocol -----------------------------------------------------------------------------------

def protocol_a_request_of_id_42_is_answered_under_it():
    with a_daemon() as daemon:
        for connection in (daemon.connect(), v1_connection(daemon)):
            submit(connection, 42, "abc")
            kind, answer = connection.receive()
            must(kind == "inference_response" and answer["request_id"] == 42 and answer["code"] == 0 and
                 answer["results"][0]["text"] == "cba" and answer["error"] == "", f"{kind} {answer}")


def protocol_an_error_has_a_message_and_no_output():
    with a_daemon() as daemon:
        for connection in (daemon.connect(), v1_connection(daemon)):
            submit(connection, 42, "abc", model="nobody")
            kind, answer = connection.receive()
            must(answer["request_id"] == 42 and answer["code"] != 0 and answer["error"] != "" and
                 not answer["results"], f"{kind} {answer}")


def protocol_model_and_input_are_required():
    with a_daemon() as daemon:
        for connection in (daemon.connect(), v1_connection(daemon)):
            submit(connection, 1, "abc", model="")
            answer = connection.receive()[1]
            must(error_name(answer) in ("input_invalid", "no_model"), f"without a model: {answer}")
            connection.send("inference_request", **{**v2.SAMPLING, "request_id": 2, "model_id": "tiny",
                                                    "task": GENERATE, "priority": 1, "texts": []})
            must(error_name(connection.receive()[1]) == "input_invalid", "without an input")


# ---- scheduler ----------------------------------------------------------------------------------

def scheduler_what_waits_goes_by_class_and_then_by_arrival():
    with a_daemon(("one",)) as daemon:
        connection, watch = daemon.connect(), daemon.connect()
        submit(connection, 1, "slow:60s a", "one")
        poll(lambda: probe(watch, FULL)["running"] == 1, "the first to run", GIVE_UP)
        for number, priority in ((2, 1), (3, 1), (4, 1), (5, 2)):
            submit(connection, number, "b", "one", priority=priority)
        poll(lambda: probe(watch, FULL)["requests_total"] == 5, "all to be there", GIVE_UP)
        connection.send("cancel_request", request_id=1)
        said = [connection.receive() for _ in range(6)]
        order = [answer["request_id"] for kind, answer in said if kind == "inference_response"]
        must([number for number in order if number != 1] == [5, 2, 3, 4], f"{order}")


def scheduler_a_batch_is_answered_in_its_order_and_as_each_text_alone():
    with a_daemon(("classifier",)) as daemon:
        def classify(*texts):
            return daemon.infer(model_id="classifier", task=CLASSIFY, texts=[{"text": t} for t in texts])
        texts = ["one", "a longer text of several words", "3"]
        together = [result["labels"] for result in classify(*texts)["results"]]
        must(together == [classify(text)["results"][0]["labels"] for text in texts], f"{together}")


def scheduler_a_model_has_one_thread_at_least_and_no_more_than_there_are_cores():
    cores = sorted(os.sched_getaffinity(0))
    for allowed in {1, len(cores)}:
        os.sched_setaffinity(0, cores[:allowed])
        try:
            with a_daemon() as daemon:
                threads = daemon.model("tiny")["threads"]
        finally:
            os.sched_setaffinity(0, cores)
        must(1 <= threads <= allowed, f"{threads} threads with {allowed} cores")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("suite")
    options = parser.parse_args()
    BIN = options.bin
    cases = [value for name, value in list(globals().items()) if name.startswith(options.suite + "_")]
    must(cases, f"no suite {options.suite}")
    sys.exit(run_tests(cases))
