#!/usr/bin/env python3
"""Writes the seed inputs of the targets wire, wire_json and tensors. Run it when a message was added or
has grown.

wire: every message of messages.def, once with all its fields zero or empty and once with all of them
set, and the recorded requests of tests/compat. wire_json: the same of what clients and the daemon say, the hand-typed frames of tests/compat,
and what the first JSON protocol said. tensors: requests and answers with every element type, in the
message and in memfds, and with one thing wrong."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/kit"))
import v2       # noqa: E402

# A number of 1 is within the limits of every field.
VALUES = {"u8": 1, "u16": 1, "u32": 1, "u64": 1, "f32": 0.5, "str": "ab\u00e9", "bytes": b"\x00\xff",
          "f32s": [0.5, -1.0], "u32s": [1, 0xFFFFFFFF]}


# Lists of at most one record, as (message, list).
SINGLE = {("model_response", "models")}


def filled(fields, message=None):
    return {name: [filled(v2.RECORDS[record])] * (1 if (message, name) in SINGLE else 2)
            if kind == "list" else VALUES[kind] for kind, name, record in fields}


JSON = {
    "handshake": b'{"type":"handshake","protocol_version":"V1","client":"seed","token":"secret"}',
    "handshake-first": b'{"type":"handshake","token":"secret"}',
    "prompt": b'{"type":"inference_request","request_id":1,"model_id":"tiny","prompt":"hello",'
              b'"parameters":{"max_tokens":16,"temperature":0.5,"top_p":0.25,"top_k":8}}',
    "escapes": b'{"type":"prometheus_response","text":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\ud83d\\udc4b"}',
    "null": b'{"type":"models_response","models":[{"name":"m","avg_latency_ms":null,"x":[[[1]]]}]}',
    "numbers": b'{"type":"stream_chunk","results":[{"vector":[1e-40,-0.0,3.4028235e38,0.1,1e400,7]}]}',
    "wrong": b'{"type":"health_check","check_type":"Sometimes","check_type":3.5}',
}


SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8}


def tensor(kind=1, shape=(2,), name="x", **more):
    """With as much data as it says, or what @more says instead."""
    if "memfd_bytes" not in more and "data" not in more:
        more["data"] = bytes(SIZES.get(kind, 1) * size_of(shape))
    return {"name": name, "type": kind, "shape": list(shape), **more}


def size_of(shape):
    size = 1
    for dimension in shape:
        size *= dimension
    return size


TENSORS = {
    "types": [tensor(kind, (2,), f"x{kind}") for kind in SIZES],
    "scalar": [tensor(11, ())], "empty": [tensor(1, (0, 3))], "rank-8": [tensor(3, (1, 2) * 4)],
    "memfd": [tensor(1, (16, 4), memfd_bytes=256), tensor(7, (1,), "y"), tensor(2, (3,), "z", memfd_bytes=3)],
    "huge": [tensor(1, (0xFFFFFFFF,) * 4, data=b"")], "empty-and-huge": [tensor(1, (0, 0xFFFFFFFF), data=b"")],
    "no-type": [tensor(8)], "short": [tensor(1, (2,), data=b"1234567")], "named-twice": [tensor(), tensor()],
    "no-name": [tensor(name="")], "both": [tensor(1, (1,), data=b"1234", memfd_bytes=4)],
    "memfd-short": [tensor(1, (2,), memfd_bytes=7)], "none": [],
}


def write_tensors():
    folder = HERE / "corpus/tensors"
    folder.mkdir(exist_ok=True)
    for name, tensors in TENSORS.items():
        asked = {**v2.SAMPLING, "request_id": 1, "model_id": "m", "task": v2.TASKS["tensors"]}
        asked |= {"tensors": tensors, "outputs": [{"name": "y"}] * (name == "types")}
        (folder / f"request-{name}").write_bytes(v2.encode("inference_request", **asked))
        (folder / f"answer-{name}").write_bytes(v2.encode("inference_response", request_id=1,
                                                          tensors=tensors))
    asked |= {"tensors": TENSORS["scalar"], "outputs": [{"name": "y"}, {"name": "y"}]}
    (folder / "request-wanted-twice").write_bytes(v2.encode("inference_request", **asked))
    for task in (0, 4, 5):
        asked |= {"task": task, "texts": [{"text": "a", "pair": "b"}], "tensors": [], "outputs": []}
        (folder / f"request-task-{task}").write_bytes(v2.encode("inference_request", **asked))


def main():
    write_tensors()
    for name, (number, fields) in v2.MESSAGES.items():
        for suffix, values in (("", filled(fields, name)), ("-empty", {})):
            frame = v2.encode(name, **values)
            (HERE / "corpus/wire" / f"message-{name}{suffix}").write_bytes(frame)
            if number < 64:
                (HERE / "corpus/wire_json" / f"binary-{name}{suffix}").write_bytes(frame)
    frames = (HERE.parent / "tests/compat/v2_frames.txt").read_text().splitlines()
    for number, line in enumerate(frames):      # requests that pass all checks
        name, digits = line.split(" ")
        if name == "inference_request":
            (HERE / "corpus/wire" / f"request-{number}").write_bytes(bytes.fromhex(digits))
    lines = (HERE.parent / "tests/compat/v1_frames.txt").read_text().splitlines()
    for name, number, text in (line.split(" ", 2) for line in lines):
        (HERE / "corpus/wire_json" / f"message-{name}-{number}").write_text(text)
    for name, text in JSON.items():
        (HERE / "corpus/wire_json" / f"json-{name}").write_bytes(text)


if __name__ == "__main__":
    main()
