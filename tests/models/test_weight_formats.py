#!/usr/bin/env python3
"""Weights in each format count as what they stand for, and each family's greedy tokens are those of
the library alone. Prints TAP.

    test_weight_formats.py BUILD/bin REFERENCE_GREEDY

A small random model is written in a format, and a twin of it in f32 whose weights were unpacked by
gguf-py, which shares no code with the engine. Both are asked through hearthd: their log-probabilities
differ by what the engine loses when it rounds activations, and by nothing else.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import tap      # before numpy, which it keeps to one thread

import numpy as np
from gguf import GGMLQuantizationType, quants

import gguf_keys
import make_synthetic_model as synthetic
import synthetic_gguf

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import v2                                       # noqa: E402
from daemon import Daemon, must                 # noqa: E402

STORE = tap.ROOT / "models" / "store"
FORMATS = ["f16", "q8_0", "q6_k", "q4_0", "q4_k_m"]      # f32 is the twin of each
K_TYPES = {"q4_k", "q5_k", "q6_k"}
LOGPROBS, EXACT = 16, 32
CONTEXT, TOP, TOKENS = 256, 20, 24
TEXTS = ["The quick brown fox", "naïve 狐狸, 12345", "once upon a time there was"]
FAMILIES = {"phi3-mini": "q4_k_m", "qwen2.5-0.5b": "q8_0", "smollm2-135m": "q4_0"}


def shape_of(name):
    """Of one layer; rows are multiples of 256, which the K types need."""
    whole = synthetic_gguf.SHAPES[name]
    return dataclasses.replace(whole, layers=1, hidden=256, inner=512, heads=4,
                               kv_heads=4 if whole.heads == whole.kv_heads else 2)


def write(folder, name, maker, data=None):
    place = folder / name
    place.mkdir()
    maker.options = {"context_tokens": CONTEXT, "sequences": 1}
    if data is None:
        entries = maker.write(place)
    else:
        file = synthetic_gguf.random_weights.HashedFile(place / "model.gguf")
        for part in (maker.head, *data):
            file.write(part)
        entries = [file.entry("model")]
    manifest = synthetic.catalogue.make_manifest(name, "1.0.0", maker.task, maker.engine,
                                                 maker.licence, entries, maker.options)
    (place / "manifest.json").write_text(synthetic.catalogue.manifest_text(manifest))
    return place / "model.gguf"


def maker_of(name, shape, quant):
    return synthetic_gguf.Maker(name, shape, quant, 1, synthetic.default_cache(), STORE)


def unpacked(path, maker):
    """The tensors of a file in f32, each padded as GGUF wants it."""
    packed, at = path.read_bytes(), len(maker.head)
    for tensor in maker.tensors:
        rows = np.frombuffer(packed, np.uint8, tensor.size, at).reshape(-1, tensor.size
                                                                        // (tensor.count // tensor.shape[0]))
        values = quants.dequantize(rows, GGMLQuantizationType(tensor.packing.number))
        must(values.size == tensor.count, f"{tensor.name}: {values.size} of {tensor.count} values")
        raw = values.astype("<f4").tobytes()
        yield raw + bytes(gguf_keys.padded(len(raw)) - len(raw))
        at += gguf_keys.padded(tensor.size)


def scores_of(server, name):
    """For each text the log-probabilities of the likeliest tokens, and what a typical one has."""
    told = []
    for text in TEXTS:
        answer = server.infer(model_id=name, task=2, texts=[{"text": text}], top_logprobs=TOP,
                              flags=LOGPROBS | EXACT, **{**v2.SAMPLING, "temperature": 0.0,
                                                         "repetition_penalty": 1.0, "max_tokens": 1})
        must(answer["code"] == 0, answer["error"])
        told.append({s["id"]: s["logprob"] for s in answer["results"][0]["logprobs"]})
    return told


def weights_in_each_format_count_as_what_they_stand_for():
    shape, seen = shape_of("phi3-mini"), set()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for quant in FORMATS:
            maker = maker_of(quant, shape, quant)
            seen |= {tensor.kind for tensor in maker.tensors}
            path = write(folder, quant, maker)
            write(folder, "twin", maker_of("twin", shape, "f32"), unpacked(path, maker))
            with Daemon(sys.argv[1], str(folder), [quant, "twin"]) as server:
                pairs = list(zip(scores_of(server, quant), scores_of(server, "twin")))
            worst, shared = 0.0, 0
            for mine, theirs in pairs:
                both = mine.keys() & theirs.keys()
                shared += len(both)
                worst = max([worst, *(abs(mine[i] - theirs[i]) for i in both)])
            print(f"# {quant}: {shared} of {TOP * len(TEXTS)} likeliest shared, "
                  f"log-probabilities differ by at most {worst:.4f}")
            must(shared >= 0.8 * TOP * len(TEXTS), f"{quant}: other tokens are likeliest")
            must(worst < 0.1, f"{quant}: {worst}")
            for name in (quant, "twin"):
                for file in (folder / name).iterdir():
                    file.unlink()
                (folder / name).rmdir()
    must(K_TYPES <= seen, f"{seen}")


def greedy_tokens_of_each_family_are_those_of_the_library_alone():
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: write(Path(folder), name, maker_of(name, shape_of(name), quant))
                 for name, quant in FAMILIES.items()}
        with Daemon(sys.argv[1], folder, list(FAMILIES)) as server:
            for name, path in paths.items():
                feed = b"".join(b"p %d\n%s" % (len(text.encode()), text.encode()) for text in TEXTS)
                done = subprocess.run([sys.argv[2], path, "1", str(CONTEXT), "1", str(TOKENS), "exact"],
                                      input=feed, capture_output=True, timeout=100, check=False)
                must(done.returncode == 0, done.stderr.decode()[-300:])
                for text, line in zip(TEXTS, done.stdout.splitlines(), strict=True):
                    answer = server.infer(model_id=name, task=2, texts=[{"text": text}], flags=EXACT | 2,
                                          **{**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0,
                                             "max_tokens": TOKENS})
                    must(answer["code"] == 0, answer["error"])
                    wanted = json.loads(line)["ids"]
                    ids = answer["results"][0]["token_ids"]
                    must(ids == wanted[:len(ids)] and len(ids) >= len(wanted) - 1,
                         f"{name}, {text!r}: {ids} and {wanted}")
                    must(len(set(ids)) > 1, "an answer that tells nothing")


if __name__ == "__main__":
    sys.exit(tap.run([weights_in_each_format_count_as_what_they_stand_for,
                      greedy_tokens_of_each_family_are_those_of_the_library_alone]))
