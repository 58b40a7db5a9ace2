"""The V1 encoding (JSON) in Python, for tests: written from docs/protocol.md, shares no code with src/.

Only base64, json, struct and socket. What is sent and received has the field names and values of v2.py, so
that a test can speak either and compare: the names and words of V1 are this file's own reading.
"""

import base64
import json
import struct

from framed import Framed

WORDS = {
    "task": ["classify", "embed", "generate", "chat", "rerank", "entities", "tensors",
             "choice"],
    "normalize": ["default", "yes", "no"],
    "vector_type": ["float32", "float16", "int8"],
    "tensor_type": [None, "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", None, "bool",
                    "float16", "float64", "uint32", "uint64"],
    "priority": ["low", "normal", "high", "critical"],
    "role": ["system", "user", "assistant", "tool"],
    "engine": ["echo", "onnx", "gguf"],
    "check_type": ["Liveness", "Readiness", "Full"],
    "finish_reason": ["none", "stop", "max_tokens", "timeout", "cancelled", "failed", "tool_calls",
                      "context_full"],
    "grammar_type": ["none", "json_schema", "gbnf"],
    "tool_choice": ["auto", "none", "required"],
    "cache": ["not_told", "used", "off", "not_cacheable"],
    "model_state": ["absent", "loading", "ready", "draining", "failed", "restarting"],
    "health_state": ["Healthy", "Degraded", "Unhealthy"],
    "request_state": ["queued", "running"],
}
PARAMETERS = ["timeout_ms", "dimensions", "max_tokens", "temperature", "top_k", "top_p", "min_p",
              "repetition_penalty", "repetition_window", "seed", "typical_p", "frequency_penalty",
              "presence_penalty", "logit_bias", "top_logprobs", "grammar", "cache_domain"]
FLAGS = {"stream": 1, "return_token_ids": 2, "in_order": 4, "memfds": 8, "logprobs": 16, "exact": 32,
         "shift": 64, "no_cache": 128, "shorten": 256, "notices": 512, "timing": 1024}
REPORT = ["ready", "accepting_requests", "models_loaded", "memory_used_bytes", "queue_depth",
          "uptime_secs", "pid", "connections", "running", "requests_total", "worker_deaths", "version",
          "reason"]
RESULT = {"index": 0, "tokens": 0, "is_truncated": 0, "text": "", "labels": [], "vector": [],
          "token_ids": [], "score": 0.0, "packed": "", "scale": 0.0, "entities": [], "logprobs": [],
          "tool_calls": [], "finish_reason": "none"}
TOKEN_SCORE = {"place": 0, "id": 0, "logprob": 0.0, "is_chosen": 0, "text": ""}
TOOL_CALL = {"index": 0, "id": "", "name": "", "arguments": ""}
CACHED = {"cached_tokens": 0, "evicted_tokens": 0, "drafted_tokens": 0, "accepted_tokens": 0, "fingerprint": "",
          "evicted_of_others": 0, "generation": 0, "left_out_tokens": 0, "queue_position": 0,
          "expected_wait_ms": 0, "retry_after_ms": 0, "tokenize_us": 0, "prefill_us": 0,
          "decode_us": 0, "worst_gap_us": 0}
TENSOR = {"name": "", "shape": [], "data": "", "memfd_bytes": 0}
MODEL = {"name": "", "digest": "", "worker_pid": 0, "restarts": 0, "size_bytes": 0, "need_bytes": 0,
         "memory_bytes": 0, "queue_depth": 0, "running": 0, "request_count": 0, "avg_latency_ms": 0.0,
         "threads": 0, "context_tokens": 0, "dimensions": 0, "labels": [], "containment": "",
         "error": "", "version": "", "shares": ""}
MODEL_HEALTH = {"name": "", "ready": 0, "worker_pid": 0, "restarts": 0, "queue_depth": 0, "running": 0,
                "memory_bytes": 0, "steps": 0, "still_ms": 0, "reason": ""}
HISTOGRAM = ["count", "sum", "min", "max", "p50", "p95", "p99"]


# ---- what is sent ------------------------------------------------------------------------------

def say_input(text):
    if text.get("pair"):
        return {"text": text["text"], "pair": text["pair"]}
    return text["text"] if not text.get("tokens") else {"tokens": text["tokens"]}


def say_tensor(tensor):
    return {**tensor, "type": WORDS["tensor_type"][tensor["type"]],
            "data": base64.b64encode(tensor.get("data", b"")).decode()}


def say_inference(values):
    out = {"request_id": values["request_id"], "model_id": values.get("model_id", ""),
           "task": WORDS["task"][values.get("task", 0)],
           "priority": WORDS["priority"][values.get("priority", 0)]}
    texts = values.get("texts", [])
    if len(texts) == 1 and texts[0].get("tokens"):
        out["prompt_tokens"] = texts[0]["tokens"]
    elif len(texts) == 1 and not texts[0].get("pair"):
        out["prompt"] = texts[0]["text"]
    elif texts:
        out["texts"] = [say_input(text) for text in texts]
    if "messages" in values:
        out["messages"] = [{**m, "role": WORDS["role"][m["role"]]} for m in values["messages"]]
    if "choices" in values:
        out["choices"] = [choice["text"] for choice in values["choices"]]
    if "tools" in values:
        out["tools"] = values["tools"]
    if "query" in values:
        out["query"] = values["query"]
    if "tensors" in values:
        out["tensors"] = [say_tensor(tensor) for tensor in values["tensors"]]
        out["outputs"] = [output["name"] for output in values.get("outputs", [])]
    parameters = {name: values[name] for name in PARAMETERS if name in values}
    parameters |= {name: True for name, bit in FLAGS.items() if values.get("flags", 0) & bit}
    parameters |= {name: WORDS[name][values[name]]
                   for name in ("normalize", "vector_type", "grammar_type", "tool_choice")
                   if name in values}
    if "answers" in values:
        parameters["n"] = values["answers"]
    if "stops" in values:
        parameters["stops"] = [stop["text"] for stop in values["stops"]]
    return {**out, "parameters": parameters}


def encode(name, /, **values):
    if name == "handshake":
        body = {"protocol_version": f"V{values.pop('version_max', 1)}", **values}
    elif name == "inference_request":
        body = say_inference(values)
    elif name == "health_check":
        body = {"check_type": WORDS["check_type"][values["check_type"]]}
    else:
        body = values
    return json.dumps({"type": name, **body}, ensure_ascii=False).encode()


# ---- what is received --------------------------------------------------------------------------

def number_of(kind, word):
    return WORDS[kind].index(word)


def plain(value):
    """As V2 says it: numbers for booleans, an empty text for null."""
    return int(value) if isinstance(value, bool) else "" if value is None else value


def fields(body, *names):
    return {name: plain(body[name]) for name in names}


def single(number):
    """The float of single precision that the text stands for."""
    return struct.unpack("<f", struct.pack("<f", number))[0]


def read_result(body):
    must_be_known(body, RESULT)
    out = {name: plain(body.get(name, empty)) for name, empty in RESULT.items()}
    return {**out, "vector": [single(number) for number in out["vector"]],
            "score": single(out["score"]), "scale": single(out["scale"]),
            "packed": base64.b64decode(out["packed"], validate=True),
            "finish_reason": number_of("finish_reason", out["finish_reason"]),
            "logprobs": [read_token_score(score) for score in out["logprobs"]],
            "tool_calls": [read_record(call, TOOL_CALL) for call in out["tool_calls"]],
            **{kind: [{**found, "score": single(found["score"])} for found in out[kind]]
               for kind in ("labels", "entities")}}


def read_record(body, record):
    must_be_known(body, record)
    return {name: plain(body.get(name, empty)) for name, empty in record.items()}


def read_token_score(body):
    out = read_record(body, TOKEN_SCORE)
    return {**out, "logprob": single(out["logprob"]), "text": base64.b64decode(out["text"], validate=True)}


def read_tensor(body):
    must_be_known(body, [*TENSOR, "type"])
    out = {name: plain(body.get(name, empty)) for name, empty in TENSOR.items()}
    return {**out, "type": number_of("tensor_type", body["type"]),
            "data": base64.b64decode(out["data"], validate=True)}


def read_port(body):
    return {"name": body["name"], "type": number_of("tensor_type", body["type"]),
            "shape": body.get("shape", [])}


def must_be_known(body, known):
    if strange := set(body) - set(known):
        raise ValueError(f"members that are not in docs/protocol.md: {sorted(strange)}")


def read_model(body):
    must_be_known(body, [*MODEL, "task", "engine", "state", "code", "error_code"])
    out = {name: plain(body.get(name, empty)) for name, empty in MODEL.items()}
    return {**out, "task": number_of("task", body["task"]),
            "labels": [{"name": label} for label in out["labels"]],
            "engine": number_of("engine", body["engine"]),
            "state": number_of("model_state", body["state"]), "error_code": body.get("code", 0),
            "avg_latency_ms": single(out["avg_latency_ms"])}


def read_histogram(name, body):
    return {"name": name, **fields(body, *HISTOGRAM), "buckets": body.get("buckets", [])}


def read_timed(body, *names):
    return {**fields(body, "ticket", "model_id", *names), "task": number_of("task", body["task"]),
            "priority": number_of("priority", body["priority"])}


def read_handshake_ack(body):
    return {"version": int(body["protocol_version"].removeprefix("V")),
            **fields(body, "features", "session_id", "server", "max_frame_bytes", "idle_timeout_ms")}


def read_inference_response(body):
    results = [read_result(result) for result in body["results"]]
    text = results[0]["text"] if results else ""
    if body["output"] != text or body["finished"] is not True:
        raise ValueError(f"output or finished do not fit the results: {body}")
    if (body["code"] == 0) != (body["error_code"] is None) or (body["code"] == 0) != (body["error"] is None):
        raise ValueError(f"code, error and error_code do not fit together: {body}")
    return {**fields(body, "request_id", "code", "error", "prompt_tokens", "tokens_generated",
                     "queue_us", "first_us", "total_us"),
            **{name: body.get(name, empty) for name, empty in CACHED.items()},
            "cache": number_of("cache", body.get("cache", "not_told")),
            "finish_reason": number_of("finish_reason", body["finish_reason"]), "results": results,
            "tensors": [read_tensor(tensor) for tensor in body.get("tensors", [])]}


def read_model_response(body):
    if (body["code"] == 0) != (body["error_code"] is None) or (body["code"] == 0) != (body["error"] is None):
        raise ValueError(f"code, error and error_code do not fit together: {body}")
    return {**fields(body, "request_id", "code", "error"),
            "models": [read_model(model) for model in body["models"]],
            **{side: [read_port(port) for port in body[side]] for side in ("inputs", "outputs")},
            "facts": [{"key": key, "value": value} for key, value in body["facts"].items()],
            "memory": [{"name": name, "value": value} for name, value in body["memory"].items()]}


def read_stream_chunk(body):
    results = [read_result(result) for result in body["results"]]
    ids = results[0]["token_ids"]
    if (body["text"], body["token"]) != (results[0]["text"], ids[0] if ids else 0):
        raise ValueError(f"text or token do not fit the results: {body}")
    if body["is_final"] is not False or body["error"] is not None:
        raise ValueError(f"a chunk is never the end: {body}")
    return {"request_id": body["request_id"], "results": results}


def read_health_response(body):
    report = body["report"]
    return {"check_type": number_of("check_type", body["check_type"]), **fields(body, "ok"),
            "state": number_of("health_state", report["state"]), **fields(report, *REPORT),
            "models": [{**{name: plain(model.get(name, empty)) for name, empty in MODEL_HEALTH.items()},
                        "state": number_of("model_state", model["state"])}
                       for model in report["models"]]}


def read_metrics_response(body):
    for name, told in body["bucketed_histograms"].items():
        if sum(told["bucket_counts"]) != told["count"] or \
                len(told["bucket_counts"]) != len(told["boundaries"]) + 1:
            raise ValueError(f"bucketed_histograms.{name} does not add up: {told}")
    return {**{kind: [{"name": name, "value": value} for name, value in body[kind].items()]
               for kind in ("counters", "gauges")},
            "histograms": [read_histogram(*item) for item in body["histograms"].items()],
            "series": body["series"]}


READERS = {
    "handshake_ack": read_handshake_ack,
    "inference_response": read_inference_response,
    "stream_chunk": read_stream_chunk,
    "health_response": read_health_response,
    "model_response": read_model_response,
    "queue_notice": lambda body: fields(body, "request_id", "position", "expected_wait_ms"),
    "metrics_response": read_metrics_response,
    "cancel_response": lambda body: fields(body, "request_id", "cancelled", "ticket"),
    "models_response": lambda body: {"models": [read_model(m) for m in body["models"]],
                                     **fields(body, "total_memory_bytes"),
                                     "aliases": body.get("aliases", [])},
    "load_response": lambda body: {**fields(body, "request_id", "code", "error", "worker_pid"),
                                   "need_bytes": body.get("need_bytes", 0),
                                   "free_bytes": body.get("free_bytes", 0),
                                   "evictions": body.get("evictions", [])},
    "unload_response": lambda body: fields(body, "request_id", "code", "error"),
    "swap_response": lambda body: {**fields(
        body, "request_id", "code", "error", "name", "model_id", "old_model_id", "generation", "checked",
        "load_ms", "pause_ms"), "check": ["nothing", "golden", "old", "both"].index(body["check"])},
    "alias_response": lambda body: fields(body, "request_id", "code", "error", "generation"),
    "error": lambda body: {"code": body["number"], **fields(body, "request_id", "message")},
    "prometheus_response": lambda body: fields(body, "text"),
    "spans_response": lambda body: {"spans": [
        {**read_timed(span, "code", "start_ms", "queue_us", "first_us", "total_us", "inputs",
                      "prompt_tokens", "tokens_generated"),
         "finish_reason": number_of("finish_reason", span.get("finish_reason", "none")),
         "cached_tokens": span.get("cached_tokens", 0)} for span in body["spans"]],
        **fields(body, "lost")},
    "warmup_response": lambda body: fields(body, "request_id", "model_id", "success", "code", "error",
                                           "elapsed_ms"),
    "requests_response": lambda body: {"requests": [
        {**read_timed(request, "position", "age_ms", "pid", "client"),
         "state": number_of("request_state", request["state"]),
         "expected_wait_ms": request.get("expected_wait_ms", 0)} for request in body["requests"]],
        **fields(body, "total")},
}


def decode(payload):
    body = json.loads(payload)
    return body["type"], READERS[body["type"]](body)


class Connection(Framed):
    """One connection to a daemon that is spoken to in JSON."""

    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def handshake(self, client="test"):
        self.send("handshake", version_max=1, client=client)     # no version_min: V1 and no other
        return self.receive()
