#!/usr/bin/env python3
"""Writes the seed inputs of the targets gguf_header, onnx_header and pooling_config: small sound files, and
files with one thing wrong. Needs nothing but Python; the output is the same each time."""

import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5


def text(value):
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def scalar(kind, value):
    form = {U32: "<I", F32: "<f", BOOL: "<B", I32: "<i"}.get(kind)
    return text(value) if kind == STRING else struct.pack(form, value)


def entry(key, kind, value):
    if isinstance(value, list):
        body = struct.pack("<IIQ", ARRAY, kind, len(value))
        return text(key) + body + b"".join(scalar(kind, v) for v in value)
    return text(key) + struct.pack("<I", kind) + scalar(kind, value)


KEYS = {
    "general.architecture": (STRING, "llama"),
    "llama.block_count": (U32, 2),
    "llama.context_length": (U32, 64),
    "llama.embedding_length": (U32, 8),
    "llama.attention.head_count": (U32, [2, 2]),
    "llama.attention.head_count_kv": (U32, 1),
    "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5),
    "llama.rope.dimension_count": (U32, 4),
    "llama.expert_count": (U32, 4),
    "llama.expert_used_count": (U32, 2),
    "llama.rope.scaling.type": (STRING, "yarn"),
    "tokenizer.ggml.model": (STRING, "gpt2"),
    "tokenizer.ggml.tokens": (STRING, ["a", "b", "<s>"]),
    "tokenizer.ggml.token_type": (I32, [1, 1, 3]),
    "tokenizer.ggml.merges": (STRING, ["a b"]),
    "tokenizer.ggml.bos_token_id": (U32, 2),
    "tokenizer.ggml.add_bos_token": (BOOL, 1),
    "tokenizer.chat_template": (STRING, "<|im_start|>"),
}


def gguf(changes=None, version=3, tensors=(("token_embd.weight", (8, 3), 0, 0),)):
    keys = dict(KEYS, **(changes or {}))
    keys = {k: v for k, v in keys.items() if v is not None}
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    out += b"".join(entry(k, *v) for k, v in keys.items())
    for name, dims, kind, offset in tensors:
        out += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        out += struct.pack("<IQ", kind, offset)
    out += b"\0" * (-len(out) % 32)
    return out + b"\0" * 96


def other_architecture(name, changes):
    """The sound keys under another name, and some more."""
    moved = {name + key.removeprefix("llama"): value for key, value in KEYS.items()
             if key.startswith("llama.")}
    gone = dict.fromkeys(key for key in KEYS if key.startswith("llama."))
    more = {f"{name}.{key}": value for key, value in changes.items()}
    return {**gone, **moved, **more, "general.architecture": (STRING, name)}


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def tensor(name, dims, raw=None, location=None, offset=None):
    out = b"".join(field(1, d) for d in dims) + field(2, 1) + field(8, name)
    if raw is not None:
        return out + field(9, raw)
    out += field(13, field(1, "location") + field(2, location))
    if offset is not None:
        out += field(13, field(1, "offset") + field(2, offset))
    return out + field(14, 1)


def port(name, kind=1, shape=None):
    """A ValueInfoProto; a dimension is a number or a name."""
    if shape is None:
        return field(1, name)
    dims = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def function(name, calls, domain="my.domain"):
    """A FunctionProto whose nodes call others of its domain."""
    nodes = b"".join(field(7, field(4, c) + field(7, domain if c.startswith("F") else "")) for c in calls)
    return field(25, field(1, name) + nodes + field(9, field(1, "") + field(2, 17)) + field(10, domain))


def onnx(extra=b"", domain="", initializer=None, opset=17, ports=(None, None), more=b"", operator="If"):
    inner = field(1, field(4, "Relu")) + field(12, field(1, "y"))
    node = field(4, operator) + field(7, domain) + field(5, field(1, "then_branch") + field(6, inner))
    graph = field(1, node) + field(5, initializer or tensor("w", (2, 2), b"\0" * 16))
    graph += field(11, ports[0] or field(1, "x")) + field(12, ports[1] or field(1, "y")) + extra
    return more + field(1, 8) + field(8, field(1, "") + field(2, opset)) + field(7, graph)


GGUF = {
    "sound": gguf(),
    "version2": gguf(version=2),
    "two-tensors": gguf(tensors=(("a", (8,), 0, 0), ("b", (32,), 8, 32))),
    "no-blocks": gguf({"llama.block_count": (U32, 0)}),
    "nan-epsilon": gguf({"llama.attention.layer_norm_rms_epsilon": (F32, float("nan"))}),
    "aligned-64": gguf({"general.alignment": (U32, 64)}),
    "cut-off": gguf()[:300],
    "overlap": gguf(tensors=(("a", (8,), 0, 0), ("b", (8,), 0, 0))),
    "split": gguf({"split.count": (U32, 2)}),
    "pieces": gguf({"tokenizer.ggml.model": (STRING, "llama"), "tokenizer.ggml.merges": None,
                    "tokenizer.ggml.tokens": (STRING, [f"<0x{b:02X}>" for b in range(256)]),
                    "tokenizer.ggml.token_type": (I32, [6] * 256),
                    "tokenizer.ggml.scores": (F32, [0.0] * 256)}),
    "windowed": gguf(other_architecture("gemma3", {"attention.sliding_window": (U32, 16),
                                                   "attn_logit_softcapping": (F32, 50.0)})),
    "encoder": gguf(other_architecture("bert", {"pooling_type": (U32, 1),
                                                "attention.causal": (BOOL, 0)})),
    "unknown-key": gguf({"llama.router_layer": (U32, 1)}),
    "recurrent": gguf({"general.architecture": (STRING, "mamba")}),
    "vector-of-halves": gguf(tensors=(("a", (8,), 1, 0),)),
}
ONNX = {
    "sound": onnx(),
    "external": onnx(initializer=tensor("w", (4, 4), location="w.data", offset="64")),
    "external-parent": onnx(initializer=tensor("w", (4, 4), location="../w.data")),
    "external-beyond": onnx(initializer=tensor("w", (4, 4), location="w.data", offset="4090")),
    "custom-domain": onnx(domain="org.example"),
    "sparse": onnx(extra=field(15, field(1, tensor("s", (1,), b"\0" * 4)))),
    "shapes": onnx(ports=(port("x", 7, ("batch", 4)), port("y", 1, ("batch", "tokens", 384)))),
    "scalar": onnx(ports=(port("x", 10, ()), port("y", 16, (0,)))),
    "producer": onnx(more=field(2, "pytorch") + field(3, "2.9.0")),
    "typed-floats": onnx(initializer=field(1, 2) + field(2, 1) + field(4, b"\0" * 8) + field(8, "w")),
    "typed-varints": onnx(initializer=field(1, 2) + field(2, 7) + field(7, b"\x80\x01\x05") + field(8, "w")),
    "typed-short": onnx(initializer=field(1, 3) + field(2, 1) + field(4, b"\0" * 8) + field(8, "w")),
    "typed-text": onnx(initializer=field(1, 1) + field(2, 8) + field(6, "word") + field(8, "w")),
    "functions": onnx(domain="my.domain", operator="F0", more=function("F1", ["Neg"]) + function("F0", ["F1", "F1"])),
    "function-recursive": onnx(domain="my.domain", operator="F0",
                               more=function("F0", ["F1"]) + function("F1", ["F0"])),
    "function-doubling": onnx(domain="my.domain", operator="F0", more=b"".join(
        function(f"F{i}", [f"F{i + 1}"] * 2) for i in range(18)) + function("F18", ["Neg"])),
    "cut-off": onnx()[:60],
    "group": onnx() + b"\x0b\x0c",
}
MODES = [f"pooling_mode_{mode}" for mode in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens",
                                             "weightedmean_tokens", "lasttoken")]
POOLING = {
    **{mode[13:]: {"word_embedding_dimension": 384, **{m: m == mode for m in MODES}, "include_prompt": True}
       for mode in MODES},
    "two": {MODES[0]: True, MODES[1]: True},
    "none": {MODES[0]: False},
    "named": {"pooling_mode": "max"},
    "named-wrong": {"pooling_mode": ["max"]},
    "contradiction": {"pooling_mode": "max", MODES[0]: True},
    "no-bool": {MODES[0]: 1},
    "other": {"model_type": "bert"},
    "list": [1],
    "dimension-0": {MODES[0]: True, "word_embedding_dimension": 0},
    "dimension-huge": {MODES[0]: True, "word_embedding_dimension": 1e30},
}
POOLING = {name: json.dumps(value).encode() for name, value in POOLING.items()}
POOLING.update({"cut": POOLING["named"][:-3], "empty": b""})


def main():
    for target, inputs in (("gguf_header", GGUF), ("onnx_header", ONNX), ("pooling_config", POOLING)):
        folder = os.path.join(HERE, "corpus", target)
        os.makedirs(folder, exist_ok=True)
        for name, data in inputs.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
