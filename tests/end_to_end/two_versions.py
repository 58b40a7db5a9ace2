#!/usr/bin/env python3
"""A client of V1 (JSON) and one of V2 (binary), which share no code with the daemon nor, for the
encoding, with each other, ask the same and are told the same. Prints TAP, one line a row."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v1                                               # noqa: E402
import v2                                               # noqa: E402
from daemon import Daemon, must, poll, run_tests, write_echo_model   # noqa: E402

ROOTS = ["fixtures/models/echo", "fixtures/models/onnx", "fixtures/models/gguf"]
ECHO = ["tiny", "one", "classifier", "embedder"]
ENCODERS = {"ranker": ("reranking",), "scorer": ("tensors",),
            "namer": ("named_entity_recognition", "B-PER", "I-PER", "B-LOC")}
ENGINES = ["tinybert-classifier", "minilm-embedder", "tiny-llama"]
# What two askers cannot be told alike: times, and what changes with the asking itself.
MOVING = {"queue_us", "first_us", "total_us", "elapsed_ms", "age_ms", "start_ms", "uptime_secs",
          "memory_used_bytes", "memory_bytes", "total_memory_bytes", "ticket", "session_id",
          "avg_latency_ms", "worker_pid", "free_bytes"}
# Guesses are made while they pay, by the clock, and the answer counts them.
NO_GUESSES = "[model tiny-llama]\ndrafts = false\n"
GREEDY = {"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 16}
STREAM, IDS, NO_CACHE = 1, 2, 128


def still(value):
    """The same without what moves; an error names a member as the version calls it."""
    if isinstance(value, dict):
        return {key: still(part) for key, part in value.items() if key not in MOVING}
    if isinstance(value, str):
        return value.replace("inference_request.prompt:", "inference_request.texts[0].text:")
    return [still(part) for part in value] if isinstance(value, list) else value


class Pair:
    """A connection of each kind to one daemon."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.both = [kind.Connection(daemon.socket_path, timeout=120.0) for kind in (v1, v2)]

    def ask(self, name, **values):
        """One after the other; returns what both were told: [(kind, values), ...], or fails."""
        told = []
        for connection in self.both:
            connection.send(name, **values)
            told.append(self.all_of(connection))
        must(told[0] == told[1], f"V1 was told {told[0]}\nV2 was told {told[1]}")
        return told[0]

    @staticmethod
    def all_of(connection):
        """Everything up to the end of an answer (of what was cancelled, if something was); the
        pieces of a stream are joined by input."""
        pieces, out = {}, []
        while True:
            kind, message = connection.receive()
            if kind == "stream_chunk":
                for result in message["results"]:
                    pieces.setdefault(result["index"], []).append(still(result))
                continue
            out += [("pieces", join(pieces))] if pieces else []
            out.append((kind, still(message)))
            if kind != "cancel_response" or message["cancelled"] == 0:
                return out

    def close(self):
        for connection in self.both:
            connection.close()


def join(pieces):
    """Where a stream is cut is not promised: texts and ids of an input are put together."""
    out = {}
    for index, parts in sorted(pieces.items()):
        out[index] = {**parts[0], **{key: type(parts[0][key])().join(p[key] for p in parts)
                                     if key == "text" else sum((p[key] for p in parts), [])
                                     for key in ("text", "token_ids")},
                      "tokens": sum(part["tokens"] for part in parts)}
    return out


def texts(*words):
    return [{"text": word} for word in words]


def user(text):
    return [{"role": 0, "content": "be brief"}, {"role": 1, "content": text}]


def request(model, task, **values):
    return ("inference_request", {**v2.SAMPLING, "request_id": 5, "model_id": model, "priority": 1,
                                  "task": v2.TASKS[task], **values})


ANSWERS = {
    "an echo": request("tiny", "generate", texts=texts("abc")),
    "an echo of special characters": request("tiny", "generate", texts=texts('"\\/\b\f\n\r\t\x00\x7fé漢👋')),
    "a streamed echo": request("tiny", "generate", texts=texts("abcdef"), flags=STREAM),
    "an echo with ids": request("tiny", "generate", texts=texts("abc"), flags=IDS),
    "a chat": request("one", "chat", messages=user("hello")),
    "a streamed chat": request("one", "chat", messages=user("hello"), flags=STREAM),
    "a classification": request("classifier", "classify", texts=texts("hello")),
    "a batch of classifications": request("classifier", "classify", texts=texts("a", "b", "c")),
    "a streamed batch": request("classifier", "classify", texts=texts("a", "b", "c"), flags=STREAM),
    "an embedding": request("embedder", "embed", texts=texts("hello")),
    "a batch of embeddings": request("embedder", "embed", texts=texts("x", "yy", "zzz")),
    "a stop string": request("tiny", "generate", texts=texts("abcdef"), stops=texts("cb")),
    "a pair of texts": request("classifier", "classify", texts=[{"text": "a", "pair": "b"}]),
    "a stream in the order of its inputs": request("classifier", "classify", texts=texts("a", "b", "c"),
                                                   flags=STREAM | v2.FLAGS["in_order"]),
    "the first dimensions": request("embedder", "embed", texts=texts("hello"), dimensions=3, normalize=2),
    "an embedding of float16": request("embedder", "embed", texts=texts("hello"), vector_type=1),
    "an embedding of int8": request("embedder", "embed", texts=texts("hello"), vector_type=2),
    "a reranking": request("ranker", "rerank", texts=texts("a", "bb", "cccc"), query="xyz"),
    "entities": request("namer", "entities", texts=texts("\u00e9 Zoe and B\u00fclow", "none")),
    "tensors": request("scorer", "tensors", tensors=[
        {"name": "x", "type": v2.TENSOR_TYPES["float32"], "shape": [1, 2], "data": b"\x00\x00\x80\x3f\xff\x00\xfe\x01"},
        {"name": "flag", "type": v2.TENSOR_TYPES["bool"], "shape": [], "data": b"\x01"}]),
    "one of two tensors": request("scorer", "tensors", outputs=[{"name": "flag"}], tensors=[
        {"name": "x", "type": v2.TENSOR_TYPES["uint8"], "shape": [0], "data": b""},
        {"name": "flag", "type": v2.TENSOR_TYPES["int64"], "shape": [1], "data": bytes(range(8))}]),
    "a limit of tokens": request("tiny", "generate", texts=texts("abcdef"), max_tokens=2),
}
ENGINE_ANSWERS = {
    "a classification by ONNX Runtime": request("tinybert-classifier", "classify",
                                                texts=texts("the quick fox", "hello")),
    "an embedding by ONNX Runtime": request("minilm-embedder", "embed",
                                            texts=texts("the quick fox", "hello")),
    "token ids classified by ONNX Runtime": request("tinybert-classifier", "classify",
                                                    texts=[{"tokens": [2, 5, 6, 3]}]),
    "text generated by llama.cpp": request("tiny-llama", "generate", texts=texts("the small house"),
                                           flags=NO_CACHE, **GREEDY),
    "text generated by llama.cpp, streamed with ids": request(
        "tiny-llama", "generate", texts=texts("the small house"), flags=STREAM | IDS | NO_CACHE,
        **GREEDY),
    "token ids continued by llama.cpp": request("tiny-llama", "generate",
                                                texts=[{"tokens": [5, 6, 7]}], flags=IDS | NO_CACHE,
                                                **GREEDY),
    "sampled text of llama.cpp": request("tiny-llama", "generate", texts=texts("a river"),
                                         flags=NO_CACHE, max_tokens=12),
}
# What is asked, and the error that must come of it.
ERRORS = {
    "no such model": (request("nowhere", "generate", texts=texts("a")), "no_model"),
    "a model that is not loaded": (request("other", "generate", texts=texts("a")), "not_ready"),
    "a prompt that is too long": (request("tiny-llama", "generate", texts=texts("river " * 9000)),
                                  "too_long"),
    "no text": (request("tiny", "generate", texts=[]), "input_invalid"),
    "an empty text": (request("classifier", "classify", texts=texts("", "a")), "input_invalid"),
    "another task than the model's": (request("tiny", "embed", texts=texts("a")), "unsupported"),
    "a temperature out of range": (request("tiny", "generate", texts=texts("a"), temperature=9.0),
                                   "input_invalid"),
    "a repetition penalty out of range": (
        request("tiny", "generate", texts=texts("a"), repetition_penalty=0.5), "input_invalid"),
    "a batch of 33": (request("classifier", "classify", texts=texts(*["a"] * 33)), "too_large"),
    "a text over its limit": (request("tiny", "generate", texts=texts("x" * 65537)), "too_large"),
    "a request number of 0": (request("tiny", "generate", texts=texts("a"), request_id=0),
                               "input_invalid"),
    "a reranking without a query": (request("ranker", "rerank", texts=texts("a")), "input_invalid"),
    "a pair to be embedded": (request("embedder", "embed", texts=[{"text": "a", "pair": "b"}]), "input_invalid"),
    "a tensor that is too short": (request("scorer", "tensors", tensors=[
        {"name": "x", "type": 1, "shape": [3], "data": b"1234"}]), "input_invalid"),
    "an output that is not there": (request("scorer", "tensors", outputs=[{"name": "y"}], tensors=[
        {"name": "x", "type": 1, "shape": [1], "data": b"1234"}]), "input_invalid"),
    "a tensor without its memfd": (request("scorer", "tensors", tensors=[
        {"name": "x", "type": 2, "shape": [8], "memfd_bytes": 8}]), "input_invalid"),
    "a description of what is not there": (("model_request", {"request_id": 1, "model_id": "nowhere"}),
                                           "no_model"),
    "an engine that fails": (request("tiny", "generate", texts=texts("fail: a")), "engine_failed"),
    "a load of what is not there": (("load_request", {"request_id": 1, "model_id": "nowhere"}),
                                    "no_model"),
    "an unload of what is not loaded": (("unload_request", {"request_id": 1, "model_id": "other"}),
                                        "not_ready"),
    "a warm-up of what is not there": (("warmup_request", {"request_id": 1, "model_id": "nowhere"}),
                                       "no_model"),
}
LISTS = {
    "liveness": ("health_check", {"check_type": 0}),
    "readiness": ("health_check", {"check_type": 1}),
    "health in full": ("health_check", {"check_type": 2}),
    "the models": ("models_request", {}),
    "all about one model": ("model_request", {"request_id": 4, "model_id": "namer"}),
    "all about one that is not loaded": ("model_request", {"request_id": 4, "model_id": "other"}),
    "the open requests": ("requests_request", {}),
    "a cancel of nothing": ("cancel_request", {"request_id": 4711}),
    "a cancel of nothing by ticket": ("cancel_request", {"ticket": 4711}),
    "a load of a loaded model": ("load_request", {"request_id": 1, "model_id": "tiny"}),
    "a warm-up": ("warmup_request", {"request_id": 3, "model_id": "tiny", "tokens": 2}),
}


def error_of(message):
    return v2.ERRORS.get(message.get("code", 0), "")


def rows_of_the_tables(pair, has_engines):
    def is_answered(asked):
        def test():
            *_, (kind, message) = pair.ask(asked[0], **asked[1])
            must(kind == "inference_response", f"{kind}: {message}")
            must(message["code"] == 0, f"{error_of(message)}: {message['error']}")
        return test

    def is_refused(asked, error):
        def test():
            *_, (kind, message) = pair.ask(asked[0], **asked[1])
            must(error_of(message) == error, f"the error is {error_of(message)}: {kind} {message}")
        return test

    tests = {name: (lambda asked=asked: pair.ask(asked[0], **asked[1])) for name, asked in LISTS.items()}
    tests |= {name: is_answered(asked) for name, asked in ANSWERS.items()}
    tests |= {name: is_answered(asked) for name, asked in ENGINE_ANSWERS.items() if has_engines}
    tests |= {name: is_refused(*row) for name, row in ERRORS.items()
              if has_engines or row[0][1]["model_id"] not in ENGINES}
    return tests


# ---- what needs more than one question ---------------------------------------------------------

def other_rows(pair, daemon):
    def probes_before_any_handshake():
        fresh = Pair(daemon)
        kind, message = fresh.ask("health_check", check_type=2)[0]
        must(kind == "health_response" and message["ok"] == 1, f"{message}")
        for asked in ("metrics_request", "prometheus_request"):
            for connection in fresh.both:
                connection.send(asked)
                must(connection.receive()[0] == asked.replace("request", "response"), asked)
        fresh.close()

    def a_request_before_the_handshake():
        fresh = Pair(daemon)
        (kind, message), = fresh.ask(*ANSWERS["an echo"][:1], **ANSWERS["an echo"][1])
        must((kind, error_of(message)) == ("error", "unauthenticated"), f"{message}")
        fresh.close()

    def a_handshake_of_a_later_version():
        fresh = Pair(daemon)
        (kind, message), = fresh.ask("handshake", version_min=3, version_max=4)
        must((kind, error_of(message)) == ("error", "version"), f"{message}")
        fresh.close()

    def the_handshake():
        acks = []
        for connection in pair.both:
            kind, ack = connection.handshake()
            must(kind == "handshake_ack" and re.fullmatch("[0-9a-f]{64}", ack["session_id"]), f"{ack}")
            acks.append(ack)
        must([ack["version"] for ack in acks] == [1, 2], f"{acks}")
        must(acks[0]["session_id"] != acks[1]["session_id"], "one session for two")
        for key in ("features", "server", "idle_timeout_ms"):
            must(acks[0][key] == acks[1][key], f"{key}: {acks}")
        pair.ask("handshake", version_max=2, client="again")

    def loading_and_unloading():
        for connection in pair.both:
            told = []
            for asked in ("load_request", "unload_request"):
                connection.send(asked, request_id=9, model_id="other")
                told.append(connection.receive())
            must([(m["request_id"], m["code"], m["error"]) for _, m in told] == [(9, 0, "")] * 2, f"{told}")
            must(told[0][1]["worker_pid"] > 0, f"{told}")

    def a_cancel_of_a_running_request():
        for connection in pair.both:
            connection.send(*request("tiny", "generate")[:1],
                            **request("tiny", "generate", texts=texts("slow:60s abc"))[1])
        poll(lambda: daemon.ask("health_check", "health_response", check_type=2)["running"] == 2,
             "both requests to run")
        open_ones = pair.ask("requests_request")[0][1]["requests"]
        must([entry["state"] for entry in open_ones] == [1, 1], f"{open_ones}")
        *_, (kind, end) = pair.ask("cancel_request", request_id=5)
        must((kind, error_of(end)) == ("inference_response", "cancelled"), f"{end}")

    def a_deadline_that_passes():
        """Whether the daemon or the worker sees it first is open, and so are the words."""
        name, values = request("tiny", "generate", texts=texts("slow:60s abc"), timeout_ms=40)
        for connection in pair.both:
            connection.send(name, **values)
            kind, message = connection.receive()
            must(error_of(message) == "expired" and message["error"], f"{kind} {message}")

    def two_requests_with_one_number():
        slow = request("tiny", "generate", texts=texts("slow:60s abc"))
        for connection in pair.both:
            connection.send(slow[0], **slow[1])
        *_, (kind, message) = pair.ask(slow[0], **slow[1])
        must(error_of(message) == "busy" or kind == "error", f"{kind}: {message}")
        pair.ask("cancel_request", request_id=5)

    def the_counters_and_the_names_of_the_metrics():
        told = []
        for connection in pair.both:
            connection.send("metrics_request")
            told.append(connection.receive()[1])
        for kind in ("counters", "gauges", "histograms"):
            names = [[entry["name"] for entry in one[kind]] for one in told]
            must(names[0] == names[1] and names[0], f"{kind}: {names}")
        must(told[0]["counters"] == told[1]["counters"], f"{told}")
        for one, other in zip(*(each["histograms"] for each in told)):
            if one["name"].startswith("request_"):
                must(one == other, f"{one} {other}")

    def the_lines_of_prometheus():
        told = []
        for connection in pair.both:
            connection.send("prometheus_request")
            lines = connection.receive()[1]["text"].splitlines()
            told.append([line for line in lines if line.startswith(("#", "hearth_requests"))])
        must(told[0] == told[1] and len(told[0]) > 20, f"{told}")

    def the_spans_of_what_they_asked():
        told = []
        for connection in pair.both:
            connection.send("spans_request", max_count=0)
            connection.receive()                            # whatever there was before
            name, values = ANSWERS["a batch of classifications"]
            connection.send(name, **values)
            must(connection.receive()[0] == "inference_response", "no answer")
            connection.send("spans_request", max_count=10)
            told.append(still(connection.receive()[1]))
        must(told[0] == told[1] and len(told[0]["spans"]) == 1, f"{told}")

    def a_worker_that_dies():
        for connection in pair.both:
            connection.send(*request("tiny", "generate")[:1],
                            **request("tiny", "generate", texts=texts("exit:7 abc"))[1])
            kind, message = connection.receive()
            must(error_of(message) == "worker_lost", f"{kind}: {message}")
            poll(lambda: daemon.state("tiny") == "ready", "the worker to be back")

    def bytes_that_are_no_message():
        codes = []
        for connection, payload in zip(pair.both, (b'{"type":', b"\xff\xff\xff\xff")):
            connection.send_frame(payload)
            kind, message = connection.receive()
            codes.append((kind, error_of(message)))
        must(codes == [("error", "malformed")] * 2, f"{codes}")

    first = [probes_before_any_handshake, a_request_before_the_handshake,
             a_handshake_of_a_later_version, the_handshake]
    then = [loading_and_unloading, a_cancel_of_a_running_request,
            a_deadline_that_passes, two_requests_with_one_number,
            the_counters_and_the_names_of_the_metrics, the_lines_of_prometheus,
            the_spans_of_what_they_asked, a_worker_that_dies, bytes_that_are_no_message]
    return first, then


def a_full_queue_and_a_daemon_that_ends(options):
    def test():
        with Daemon(options.bin, ROOTS[0], ["one"], queue_limit=1) as daemon:
            pair, crowd = Pair(daemon), daemon.connect()
            for connection in pair.both:
                connection.handshake()
            name, slow = request("one", "generate", texts=texts("slow:2s abc"))
            for request_id in (1, 2):                       # one runs, one waits
                crowd.send(name, **{**slow, "request_id": request_id})
                poll(lambda n=request_id: sum(daemon.ask(
                    "health_check", "health_response", check_type=2)[key]
                    for key in ("running", "queue_depth")) == n, "the lane to fill")
            (_, message), = pair.ask(name, **slow)
            must(error_of(message) == "queue_full", f"{message}")
            daemon.process.terminate()
            poll(lambda: daemon.ask("health_check", "health_response",
                                    check_type=2)["accepting_requests"] == 0, "the drain")
            (_, message), = pair.ask(name, **slow)
            must(error_of(message) == "shutting_down", f"{message}")
    test.__name__ = "a full queue, and a daemon that ends"
    return test


def write_encoders(folder):
    for name, (capability, *labels) in ENCODERS.items():
        write_echo_model(folder, name, capability, labels)
    return folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    has_engines = all((Path(options.bin) / f"hearth-worker-{kind}").exists() for kind in ("onnx", "gguf"))
    with tempfile.TemporaryDirectory() as folder, \
            Daemon(options.bin, [*ROOTS, write_encoders(folder)],
                   [*ECHO, *ENCODERS, *(ENGINES if has_engines else [])],
                   sections=NO_GUESSES if has_engines else "") as daemon:
        pair = Pair(daemon)
        first, then = other_rows(pair, daemon)
        for name, test in rows_of_the_tables(pair, has_engines).items():
            test.__name__ = name
            first.append(test)
        return run_tests([*first, *then, a_full_queue_and_a_daemon_that_ends(options)])


if __name__ == "__main__":
    sys.exit(main())
