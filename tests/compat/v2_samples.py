"""Version 2 of the protocol written down a second time, from docs/protocol.md, with struct alone.

The samples are messages as plain values; what one does not name is zero or empty. `v2_samples.py
record` prints their frames as hex; what is new there is appended to tests/compat/v2_frames.txt, whose
lines stay as they are, so that old frames go on being decoded.
`v2_samples.py check PROGRAM` runs a program that prints frames made by the C encoder and decodes them
here.
"""

import struct
import subprocess
import sys
from pathlib import Path

RECORDS = {
    "text": [("str", "text"), ("u32s", "tokens"), ("str", "pair")],
    "chat_message": [("u8", "role"), ("str", "content"), ("str", "tool_calls"), ("str", "name"),
                     ("str", "tool_call_id")],
    "stop": [("str", "text")],
    "label": [("str", "name"), ("f32", "score")],
    "result": [("u32", "index"), ("u32", "tokens"), ("u8", "is_truncated"), ("str", "text"),
               ("list:label", "labels"), ("f32s", "vector"), ("u32s", "token_ids"), ("f32", "score"),
               ("bytes", "packed"), ("f32", "scale"), ("list:entity", "entities"),
               ("list:token_score", "logprobs"), ("list:tool_call", "tool_calls"),
               ("u8", "finish_reason")],
    "name": [("str", "name")],
    "model_info": [("str", "name"), ("u8", "task"), ("u8", "engine"), ("u8", "state"), ("str", "digest"),
                   ("u32", "worker_pid"), ("u32", "restarts"), ("u64", "size_bytes"),
                   ("u64", "need_bytes"), ("u64", "memory_bytes"), ("u32", "queue_depth"),
                   ("u32", "running"), ("u64", "request_count"), ("f32", "avg_latency_ms"),
                   ("u32", "threads"), ("u32", "context_tokens"), ("u32", "dimensions"),
                   ("list:name", "labels"), ("str", "containment"), ("str", "error"),
                   ("u16", "error_code"),
                   ("str", "version"), ("str", "shares")],
    "alias_info": [("str", "name"), ("str", "model_id"), ("u32", "generation")],
    "counter": [("str", "name"), ("u64", "value")],
    "gauge": [("str", "name"), ("u64", "value")],
    "bucket": [("u64", "up_to"), ("u64", "count")],
    "histogram": [("str", "name"), ("u64", "count"), ("u64", "sum"), ("u64", "min"), ("u64", "max"),
                  ("u64", "p50"), ("u64", "p95"), ("u64", "p99"), ("list:bucket", "buckets")],
    "series": [("str", "name"), ("str", "labels"), ("u64", "value")],
    "model_health": [("str", "name"), ("u8", "state"), ("u8", "ready"), ("u32", "worker_pid"),
                     ("u32", "restarts"), ("u32", "queue_depth"), ("u32", "running"),
                     ("u64", "memory_bytes"), ("u64", "steps"), ("u32", "still_ms"), ("str", "reason")],
    "span": [("u64", "ticket"), ("str", "model_id"), ("u8", "task"), ("u8", "priority"),
             ("u16", "code"), ("u64", "start_ms"), ("u32", "queue_us"), ("u32", "first_us"),
             ("u32", "total_us"), ("u32", "inputs"), ("u32", "prompt_tokens"),
             ("u32", "tokens_generated"), ("u8", "finish_reason"), ("u32", "cached_tokens")],
    "request_info": [("u64", "ticket"), ("str", "model_id"), ("u8", "task"), ("u8", "priority"),
                     ("u8", "state"), ("u32", "position"), ("u32", "age_ms"), ("u32", "pid"),
                     ("str", "client"), ("u32", "expected_wait_ms")],
    "entity": [("str", "label"), ("f32", "score"), ("u32", "start_byte"), ("u32", "end_byte"),
               ("u32", "start_char"), ("u32", "end_char")],
    "tensor": [("str", "name"), ("u8", "type"), ("u32s", "shape"), ("bytes", "data"),
               ("u64", "memfd_bytes")],
    "port": [("str", "name"), ("u8", "type"), ("u32s", "shape")],
    "option": [("str", "key"), ("str", "value")],
    "choice": [("str", "text")],
    "bias": [("u32", "token"), ("f32", "bias")],
    "token_score": [("u32", "place"), ("u32", "id"), ("f32", "logprob"), ("u8", "is_chosen"),
                    ("bytes", "text")],
    "tool_call": [("u32", "index"), ("str", "id"), ("str", "name"), ("str", "arguments")],
    "eviction": [("str", "name"), ("u64", "bytes"), ("u64", "idle_ms"), ("u32", "reload_ms")],
}
MESSAGES = {
    "handshake": (1, [("u16", "version_min"), ("u16", "version_max"), ("u64", "features"),
                      ("str", "client"), ("bytes", "token")]),
    "handshake_ack": (2, [("u16", "version"), ("u64", "features"), ("str", "session_id"),
                          ("str", "server"), ("u32", "max_frame_bytes"), ("u32", "idle_timeout_ms")]),
    "inference_request": (3, [("u64", "request_id"), ("u8", "task"), ("u8", "priority"),
                              ("u16", "flags"), ("u32", "timeout_ms"), ("str", "model_id"),
                              ("list:text", "texts"), ("list:chat_message", "messages"),
                              ("u32", "max_tokens"), ("f32", "temperature"), ("u32", "top_k"),
                              ("f32", "top_p"), ("f32", "min_p"), ("f32", "repetition_penalty"),
                              ("u32", "repetition_window"), ("u64", "seed"), ("list:stop", "stops"),
                              ("str", "query"), ("u8", "normalize"), ("u32", "dimensions"),
                              ("u8", "vector_type"), ("list:tensor", "tensors"),
                              ("list:name", "outputs"), ("list:choice", "choices"),
                              ("u32", "answers"), ("f32", "typical_p"), ("f32", "frequency_penalty"),
                              ("f32", "presence_penalty"), ("list:bias", "logit_bias"),
                              ("u32", "top_logprobs"), ("u8", "grammar_type"), ("str", "grammar"),
                              ("str", "tools"), ("u8", "tool_choice"), ("u64", "cache_domain")]),
    "inference_response": (4, [("u64", "request_id"), ("u16", "code"), ("str", "error"),
                               ("u8", "finish_reason"), ("u32", "prompt_tokens"),
                               ("u32", "tokens_generated"), ("u32", "queue_us"), ("u32", "first_us"),
                               ("u32", "total_us"), ("list:result", "results"),
                               ("list:tensor", "tensors"), ("u32", "cached_tokens"),
                               ("u32", "evicted_tokens"), ("u8", "cache"), ("u32", "drafted_tokens"),
                               ("u32", "accepted_tokens"), ("str", "fingerprint"),
                               ("u32", "evicted_of_others"), ("u32", "left_out_tokens"),
                               ("u32", "queue_position"), ("u32", "expected_wait_ms"),
                               ("u32", "retry_after_ms"), ("u32", "generation"),
                               ("u32", "tokenize_us"), ("u32", "prefill_us"), ("u32", "decode_us"),
                               ("u32", "worst_gap_us")]),
    "stream_chunk": (5, [("u64", "request_id"), ("list:result", "results")]),
    "cancel_request": (6, [("u64", "request_id"), ("u64", "ticket")]),
    "cancel_response": (7, [("u64", "request_id"), ("u8", "cancelled"), ("u64", "ticket")]),
    "health_check": (8, [("u8", "check_type")]),
    "health_response": (9, [("u8", "check_type"), ("u8", "ok"), ("u8", "state"), ("u8", "ready"),
                            ("u8", "accepting_requests"), ("u32", "models_loaded"),
                            ("u64", "memory_used_bytes"), ("u32", "queue_depth"),
                            ("u64", "uptime_secs"), ("u32", "pid"), ("u32", "connections"),
                            ("u32", "running"), ("u64", "requests_total"), ("u64", "worker_deaths"),
                            ("str", "version"),
                            ("str", "reason"), ("list:model_health", "models")]),
    "models_request": (10, []),
    "models_response": (11, [("list:model_info", "models"), ("u64", "total_memory_bytes"),
                             ("list:alias_info", "aliases")]),
    "load_request": (12, [("u64", "request_id"), ("str", "model_id"), ("u8", "evict"),
                          ("u8", "is_dry_run")]),
    "load_response": (13, [("u64", "request_id"), ("u16", "code"), ("str", "error"),
                           ("u32", "worker_pid"), ("u64", "need_bytes"), ("u64", "free_bytes"),
                           ("list:eviction", "evictions")]),
    "unload_request": (14, [("u64", "request_id"), ("str", "model_id"), ("u8", "drain")]),
    "unload_response": (15, [("u64", "request_id"), ("u16", "code"), ("str", "error")]),
    "error": (16, [("u16", "code"), ("u64", "request_id"), ("str", "message")]),
    "metrics_request": (17, []),
    "metrics_response": (18, [("list:counter", "counters"), ("list:gauge", "gauges"),
                              ("list:histogram", "histograms"), ("list:series", "series")]),
    "prometheus_request": (19, []),
    "prometheus_response": (20, [("str", "text")]),
    "spans_request": (21, [("u32", "max_count")]),
    "spans_response": (22, [("list:span", "spans"), ("u64", "lost")]),
    "warmup_request": (23, [("u64", "request_id"), ("str", "model_id"), ("u32", "tokens")]),
    "warmup_response": (24, [("u64", "request_id"), ("str", "model_id"), ("u8", "success"),
                             ("u16", "code"), ("str", "error"), ("u32", "elapsed_ms")]),
    "requests_request": (25, []),
    "requests_response": (26, [("list:request_info", "requests"), ("u32", "total")]),
    "model_request": (27, [("u64", "request_id"), ("str", "model_id")]),
    "model_response": (28, [("u64", "request_id"), ("u16", "code"), ("str", "error"),
                            ("list:model_info", "models"), ("list:port", "inputs"),
                            ("list:port", "outputs"), ("list:option", "facts"),
                            ("list:gauge", "memory")]),
    "swap_request": (32, [("u64", "request_id"), ("str", "name"), ("str", "model_id"),
                          ("u8", "keep_old")]),
    "swap_response": (33, [("u64", "request_id"), ("u16", "code"), ("str", "error"), ("str", "name"),
                           ("str", "model_id"), ("str", "old_model_id"), ("u32", "generation"),
                           ("u32", "checked"), ("u8", "check"), ("u32", "load_ms"),
                           ("u32", "pause_ms")]),
    "alias_request": (34, [("u64", "request_id"), ("str", "name"), ("str", "model_id")]),
    "alias_response": (35, [("u64", "request_id"), ("u16", "code"), ("str", "error"),
                            ("u32", "generation")]),
    "queue_notice": (29, [("u64", "request_id"), ("u32", "position"), ("u32", "expected_wait_ms")]),
}
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "f32": "<f"}
ARRAYS = {"f32s": "f", "u32s": "I"}

MODEL = {"name": "hearth-intent", "task": 0, "engine": 1, "state": 2, "digest": "ab" * 32,
         "worker_pid": 4711, "restarts": 1, "size_bytes": 90000000, "need_bytes": 120000000,
         "memory_bytes": 110000000, "queue_depth": 2, "running": 1, "request_count": 1 << 40,
         "avg_latency_ms": 3.25, "threads": 4, "context_tokens": 512, "dimensions": 384,
         "labels": [{"name": "alarm"}, {"name": "other"}], "containment": "seccomp,landlock:3",
         "error": ""}
REQUEST = {"request_id": 42, "task": 3, "priority": 2, "flags": 1, "timeout_ms": 30000,
           "model_id": "smollm2-135m-instruct", "texts": [],
           "messages": [{"role": 0, "content": "Be brief."}, {"role": 1, "content": "Grüße 👋"}],
           "max_tokens": 64, "temperature": 0.5, "top_k": 40, "top_p": 0.75, "min_p": 0.125,
           "repetition_penalty": 1.5, "repetition_window": 64, "seed": (1 << 64) - 1,
           "stops": [{"text": "\n\n"}, {"text": "END"}]}
CLASSIFIED = {"index": 0, "tokens": 7, "is_truncated": 0, "text": "", "vector": [],
              "labels": [{"name": "alarm", "score": 0.75}, {"name": "other", "score": 0.25}]}
EMBEDDED = {"index": 1, "tokens": 512, "is_truncated": 1, "text": "", "labels": [],
            "vector": [0.5, -0.25, 0.0, 1.0]}
SAMPLES = [
    ("handshake", {"version_min": 2, "version_max": 2, "features": 5, "client": "sample",
                   "token": b"\x00\xffsecret"}),
    ("handshake_ack", {"version": 2, "features": 1, "session_id": "0f" * 32, "server": "hearthd 0.1.0",
                       "max_frame_bytes": 16 << 20}),
    ("inference_request", REQUEST),
    ("inference_request", {**REQUEST, "request_id": 43, "task": 1, "flags": 0, "messages": [],
                           "texts": [{"text": "one"}, {"text": "二つ"}], "stops": []}),
    ("inference_response", {"request_id": 43, "code": 0, "error": "", "finish_reason": 1,
                            "prompt_tokens": 519, "tokens_generated": 0, "queue_us": 12,
                            "first_us": 3400, "total_us": 3500, "results": [CLASSIFIED, EMBEDDED]}),
    ("inference_response", {"request_id": 44, "code": 13, "error": "the worker process died",
                            "finish_reason": 5, "prompt_tokens": 0, "tokens_generated": 0,
                            "queue_us": 1, "first_us": 0, "total_us": 2, "results": []}),
    ("stream_chunk", {"request_id": 42, "results": [{"index": 0, "tokens": 1, "is_truncated": 0,
                                                     "text": " Héllo", "labels": [], "vector": []}]}),
    ("cancel_request", {"request_id": 42}),
    ("cancel_response", {"request_id": 42, "cancelled": 1}),
    ("health_check", {"check_type": 2}),
    ("health_response", {"check_type": 2, "ok": 1, "state": 1, "ready": 1, "accepting_requests": 1,
                         "models_loaded": 3, "memory_used_bytes": 1 << 33, "queue_depth": 9,
                         "uptime_secs": 86400, "pid": 1234, "connections": 8, "running": 4,
                         "requests_total": 1 << 35, "worker_deaths": 2, "version": "0.1.0"}),
    ("models_request", {}),
    ("models_response", {"models": [MODEL, {**MODEL, "name": "absent", "labels": [], "state": 0}],
                         "total_memory_bytes": 110000000}),
    ("load_request", {"request_id": 7, "model_id": "all-minilm-l6-v2"}),
    ("load_response", {"request_id": 7, "code": 1, "error": "120 MiB wanted, 3 MiB free",
                       "worker_pid": 0}),
    ("unload_request", {"request_id": 8, "model_id": "all-minilm-l6-v2"}),
    ("unload_response", {"request_id": 8, "code": 0, "error": ""}),
    ("error", {"code": 4, "request_id": 0, "message": "no message starts with 99, 0"}),
    # From here on: what came with the second generation of the list.
    ("handshake_ack", {"version": 2, "features": 0, "session_id": "a5" * 32, "server": "hearthd 0.1.0",
                       "max_frame_bytes": 16 << 20, "idle_timeout_ms": 3600000}),
    ("inference_request", {**REQUEST, "request_id": 45, "task": 2, "flags": 3, "messages": [],
                           "texts": [{"tokens": [1, 0, 0xFFFFFFFF]}], "stops": []}),
    ("inference_response", {"request_id": 45, "finish_reason": 2, "prompt_tokens": 3,
                            "tokens_generated": 2, "results": [{"text": "ab", "tokens": 2,
                                                                "token_ids": [49151, 7]}]}),
    ("cancel_request", {"ticket": 1 << 50}),
    ("cancel_response", {"cancelled": 0, "ticket": 1 << 50}),
    ("models_response", {"models": [{**MODEL, "state": 4, "error": "cut off", "error_code": 15}]}),
    ("metrics_request", {}),
    ("metrics_response", {"counters": [{"name": "requests_total", "value": 1 << 40},
                                       {"name": "worker_deaths", "value": 0}],
                          "gauges": [{"name": "queue_depth", "value": 7}],
                          "histograms": [{"name": "request_total_us", "count": 3, "sum": 60, "min": 10,
                                          "max": 30, "p50": 20, "p95": 30, "p99": 31,
                                          "buckets": [{"up_to": 19, "count": 1},
                                                      {"up_to": (1 << 64) - 1, "count": 2}]}]}),
    ("prometheus_request", {}),
    ("prometheus_response", {"text": "# TYPE hearth_requests_total counter\nhearth_requests_total 3\n"}),
    ("spans_request", {"max_count": 10}),
    ("spans_response", {"spans": [{"ticket": 9, "model_id": "tiny", "task": 3, "priority": 2, "code": 14,
                                   "start_ms": 5000, "queue_us": 1, "first_us": 2, "total_us": 3,
                                   "inputs": 1, "prompt_tokens": 4, "tokens_generated": 5}],
                        "lost": 6}),
    ("warmup_request", {"request_id": 11, "model_id": "tiny", "tokens": 4}),
    ("warmup_response", {"request_id": 11, "model_id": "tiny", "success": 0, "code": 20,
                         "error": "it is not loaded", "elapsed_ms": 12}),
    ("requests_request", {}),
    ("requests_response", {"requests": [{"ticket": 3, "model_id": "tiny", "task": 2, "priority": 1,
                                         "state": 0, "position": 2, "age_ms": 150, "pid": 77,
                                         "client": "sample"}], "total": 12}),
    # The third generation: pairs, reranking, entities, tensors, all about one model.
    ("inference_request", {**REQUEST, "request_id": 46, "task": 0, "flags": 5, "messages": [], "stops": [],
                           "texts": [{"text": "Is it?", "pair": "It is. ✓"}]}),
    ("inference_request", {**REQUEST, "request_id": 47, "task": 4, "messages": [], "stops": [],
                           "texts": [{"text": "one"}, {"text": "二つ"}], "query": "how many?"}),
    ("inference_request", {**REQUEST, "request_id": 48, "task": 1, "messages": [], "stops": [],
                           "texts": [{"text": "one"}], "normalize": 2, "dimensions": 128,
                           "vector_type": 1}),
    ("inference_request", {**REQUEST, "request_id": 49, "task": 6, "flags": 8, "messages": [], "stops": [],
                           "tensors": [{"name": "x", "type": 1, "shape": [1, 2],
                                        "data": struct.pack("<2f", 0.5, -2.0)},
                                       {"name": "mask", "type": 7, "shape": [1 << 20],
                                        "memfd_bytes": 8 << 20}],
                           "outputs": [{"name": "y"}]}),
    ("inference_response", {"request_id": 47, "prompt_tokens": 9, "results": [
        {"index": 1, "tokens": 5, "score": 0.75}, {"index": 0, "tokens": 4, "score": -0.5}]}),
    ("inference_response", {"request_id": 48, "results": [
        {"tokens": 4, "packed": b"\x7f\x80\x00", "scale": 0.0078125}]}),
    ("inference_response", {"request_id": 49, "tensors": [
        {"name": "y", "type": 10, "shape": [], "data": b"\x00\x3c"},
        {"name": "z", "type": 9, "shape": [3, 1], "memfd_bytes": 3}]}),
    ("stream_chunk", {"request_id": 50, "results": [{"tokens": 6, "entities": [
        {"label": "PER", "score": 0.875, "start_byte": 8, "end_byte": 14, "start_char": 7, "end_char": 12}]}]}),
    ("model_request", {"request_id": 12, "model_id": "tiny"}),
    ("model_response", {"request_id": 12, "models": [MODEL],
                        "inputs": [{"name": "input_ids", "type": 7, "shape": [(1 << 32) - 1, 64]}],
                        "outputs": [{"name": "logits", "type": 1, "shape": [(1 << 32) - 1, 2]}],
                        "facts": [{"key": "pooling", "value": "mean"}, {"key": "opset", "value": "17"}]}),
    ("model_response", {"request_id": 13, "code": 2, "error": "no such model"}),
    # The fourth: choices, several answers, log-probabilities, grammars, tools, the prefix cache.
    ("inference_request", {**REQUEST, "request_id": 51, "task": 7, "messages": [], "stops": [],
                           "texts": [{"text": "one"}],
                           "choices": [{"text": "ja"}, {"text": "nein ✗"}],
                           "cache_domain": (1 << 64) - 2}),
    ("inference_request", {**REQUEST, "request_id": 52, "task": 2, "flags": 0xF1, "messages": [],
                           "texts": [{"text": "one"}], "answers": 3, "typical_p": 0.875,
                           "frequency_penalty": -1.5, "presence_penalty": 1.75,
                           "logit_bias": [{"token": 7, "bias": -100.0}, {"token": 0xFFFFFFFF, "bias": 0.5}],
                           "top_logprobs": 20, "grammar_type": 2, "grammar": "root ::= \"a\"\n"}),
    ("inference_request", {**REQUEST, "request_id": 53, "stops": [],
                           "messages": [{"role": 1, "content": "How warm?"},
                                        {"role": 2, "tool_calls": '[{"name":"warm","arguments":{}}]'},
                                        {"role": 3, "content": "21 °C", "name": "warm",
                                         "tool_call_id": "c1"}],
                           "tools": '[{"type":"function","function":{"name":"warm"}}]', "tool_choice": 2}),
    ("inference_response", {"request_id": 52, "finish_reason": 1, "prompt_tokens": 9,
                            "tokens_generated": 5, "results": [
                                {"tokens": 2, "text": "ab", "finish_reason": 1, "logprobs": [
                                    {"place": 0, "id": 11, "logprob": -0.25, "is_chosen": 1,
                                     "text": b"\xc3"},
                                    {"place": 0, "id": 12, "logprob": -1.5, "text": b""},
                                    {"place": 1, "id": 13, "is_chosen": 1, "text": b"\xa9b"}]},
                                {"index": 1, "tokens": 3, "finish_reason": 7}],
                            "cached_tokens": 8, "evicted_tokens": 512, "cache": 1,
                            "drafted_tokens": 4, "accepted_tokens": 3,
                            "fingerprint": "model=ab12 engine=x cpu=avx2 grid=128 seed=7"}),
    ("stream_chunk", {"request_id": 53, "results": [{"finish_reason": 6, "tool_calls": [
        {"id": "c1", "name": "warm", "arguments": '{"where":"Zü'},
        {"index": 31, "id": "c2", "name": "cold", "arguments": "{}"}]}]}),
    ("spans_response", {"spans": [{"ticket": 10, "model_id": "tiny", "task": 7, "finish_reason": 2,
                                   "cached_tokens": 4096}]}),
    ("inference_response", {"request_id": 54, "finish_reason": 2, "prompt_tokens": 3,
                            "evicted_tokens": 7, "evicted_of_others": 70000}),
    ("inference_response", {"request_id": 55, "code": 11, "error": "full", "finish_reason": 5,
                            "left_out_tokens": 1234, "queue_position": 256,
                            "expected_wait_ms": 90000, "retry_after_ms": 350}),
    ("queue_notice", {"request_id": 56, "position": 17, "expected_wait_ms": 70001}),
    ("requests_response", {"requests": [{"ticket": 11, "model_id": "tiny", "position": 2,
                                         "expected_wait_ms": 65536}], "total": 1}),
    # Loads that make room, and what a model's memory is for.
    ("load_request", {"request_id": 9, "model_id": "tiny", "evict": 2, "is_dry_run": 1}),
    ("load_response", {"request_id": 9, "need_bytes": 1 << 40, "free_bytes": 3, "evictions": [
        {"name": "tiny", "bytes": 1 << 33, "idle_ms": 61, "reload_ms": 62},
        {"name": "other", "bytes": 1}]}),
    ("model_response", {"request_id": 14, "memory": [{"name": "weights", "value": 5}]}),
    ("unload_request", {"request_id": 15, "model_id": "tiny", "drain": 1}),
    ("models_response", {"models": [{**MODEL, "version": "2.0.1", "shares": "tiny"}],
                         "aliases": [{"name": "intent", "model_id": "hearth-intent@2",
                                      "generation": 70000}]}),
    ("swap_request", {"request_id": 16, "name": "intent", "model_id": "hearth-intent@2", "keep_old": 1}),
    ("swap_response", {"request_id": 16, "name": "intent", "model_id": "hearth-intent@2",
                       "old_model_id": "hearth-intent", "generation": 70001, "checked": 32, "check": 3,
                       "load_ms": 70002, "pause_ms": 70003}),
    ("swap_response", {"request_id": 17, "code": 11, "error": "it is busy"}),
    ("alias_request", {"request_id": 18, "name": "intent", "model_id": "tiny"}),
    ("alias_response", {"request_id": 18, "code": 2, "error": "no such model", "generation": 70004}),
    ("inference_response", {"request_id": 57, "generation": 70005}),
    # How one request spent its time, how each model is, and numbers that are told apart by labels.
    ("inference_response", {"request_id": 58, "tokenize_us": 70006, "prefill_us": 70007,
                            "decode_us": 70008, "worst_gap_us": 70009}),
    ("health_response", {"check_type": 2, "state": 1, "reason": "the queue of tiny is full", "models": [
        {"name": "tiny", "state": 5, "ready": 1, "worker_pid": 70010, "restarts": 70011,
         "queue_depth": 70012, "running": 70013, "memory_bytes": 1 << 40, "steps": 1 << 41,
         "still_ms": 70014, "reason": "full"}]}),
    ("metrics_response", {"series": [{"name": "model_requests_total",
                                      "labels": 'model="tiny",class="low"', "value": 1 << 42}]}),
]


def sized(data, count=None):
    return struct.pack("<I", len(data) if count is None else count) + data


def zero(kind):
    return 0 if kind in NUMBERS else {"str": "", "bytes": b""}.get(kind, [])


def whole(fields, values):
    """The same values with every field named."""
    out = {name: values.get(name, zero(kind)) for kind, name in fields}
    for kind, name in fields:
        if kind.startswith("list:"):
            out[name] = [whole(RECORDS[kind[5:]], value) for value in out[name]]
    return out


def encode_fields(fields, values):
    out = b""
    for kind, name in fields:
        value = values[name]
        if kind in NUMBERS:
            out += struct.pack(NUMBERS[kind], value)
        elif kind == "str":
            out += sized(value.encode())
        elif kind == "bytes":
            out += sized(value)
        elif kind in ARRAYS:
            out += sized(struct.pack(f"<{len(value)}{ARRAYS[kind]}", *value), len(value))
        else:
            records = [encode_fields(RECORDS[kind[5:]], v) for v in value]
            out += struct.pack("<I", len(records)) + sized(b"".join(sized(r) for r in records))
    return out


def encode(name, values):
    number, fields = MESSAGES[name]
    return struct.pack("<HH", number, 0) + encode_fields(fields, whole(fields, values))


class Reader:
    """Takes pieces off the front; a piece that is not there is an error."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        if size > len(self.data):
            raise ValueError(f"{size} bytes wanted, {len(self.data)} left")
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]


def decode_fields(fields, reader):
    values = {}
    for kind, name in fields:
        if kind in NUMBERS:
            values[name] = reader.number(NUMBERS[kind])
        elif kind == "str":
            values[name] = reader.take(reader.number("<I")).decode()
        elif kind == "bytes":
            values[name] = reader.take(reader.number("<I"))
        elif kind in ARRAYS:
            count = reader.number("<I")
            values[name] = list(struct.unpack(f"<{count}{ARRAYS[kind]}", reader.take(4 * count)))
        else:
            count = reader.number("<I")
            inside = Reader(reader.take(reader.number("<I")))
            values[name] = [decode_fields(RECORDS[kind[5:]], Reader(inside.take(inside.number("<I"))))
                            for _ in range(count)]
            if inside.data:
                raise ValueError(f"{len(inside.data)} bytes after the last record of {name}")
    return values


def decode(frame):
    reader = Reader(frame)
    number, zero = reader.number("<H"), reader.number("<H")
    name = next(n for n, (m, _) in MESSAGES.items() if m == number)
    values = decode_fields(MESSAGES[name][1], reader)
    if zero or reader.data:
        raise ValueError(f"{name}: {zero} is not 0, or {len(reader.data)} bytes are left")
    return name, values


def check(program):
    """Prints TAP; the n-th frame of the program must be the n-th sample."""
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    print(f"1..{len(SAMPLES) + 1}")
    failed = len(lines) != len(SAMPLES)
    print(f"{'not ok' if failed else 'ok'} 1 - the program prints {len(SAMPLES)} frames")
    for index, (name, values) in enumerate(SAMPLES):
        try:
            found = decode(bytes.fromhex(lines[index]))
            same = found == (name, whole(MESSAGES[name][1], values))
        except (ValueError, IndexError, StopIteration) as problem:
            found, same = problem, False
        failed |= not same
        print(f"{'ok' if same else 'not ok'} {index + 2} - {name} of the C encoder reads as it was meant")
        if not same:
            print(f"# {found}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        for sample_name, sample in SAMPLES:
            print(sample_name, encode(sample_name, sample).hex())
    elif sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
        sys.exit(check(Path(sys.argv[2])))
    else:
        sys.exit(__doc__)
