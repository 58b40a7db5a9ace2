#!/usr/bin/env python3
"""Makes a synthetic model of every shape at real size and loads each in the unmodified library and
in hearthd: for people, as it takes minutes and gigabytes.

    check_big_models.py BUILD_FOLDER [--out DIR] [SHAPE:QUANT...]

Prints a line a model: what its maker says (size, seconds, peak memory), and whether all numbers
that came out are finite. A model is deleted before the next is made. Ends with 1 if one fails.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tap      # before numpy, which it keeps to one thread

import numpy
import onnxruntime

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import daemon                   # noqa: E402
import synthetic_gguf           # noqa: E402
import v2                       # noqa: E402

MODELS = ["phi3-mini:q4_k_m", "phi3-mini:q4_0", "qwen2.5-0.5b:q4_0", "qwen2.5-0.5b:f16",
          "smollm2-135m:q4_k_m", "minilm:f32", "bert-base:f32", "bert-base:f16", "bert-base:int8"]
TEXT = "The quick brown fox jumps over the lazy dog."
IDS = numpy.array([[101, *range(2000, 2060), 102]], numpy.int64)


def make(shape, quant, folder):
    """What the maker says of it."""
    maker = tap.ROOT / "fixtures/make_synthetic_model.py"
    done = subprocess.run([sys.executable, maker, "--shape", shape, "--quant", quant, "--out",
                           folder], capture_output=True, text=True)
    daemon.must(done.returncode == 0, done.stderr)
    return done.stdout.strip().split(": ", 1)[1]


def is_finite_in_llama_cpp(model, build):
    done = subprocess.run([build / "tests/llama_logits", model / "model.gguf"], input=TEXT.encode(),
                          capture_output=True, timeout=600)
    daemon.must(done.returncode == 0, done.stderr.decode())
    found = json.loads(done.stdout)
    return found["finite"] == found["logits"]


def is_finite_in_onnx_runtime(model):
    feed = {"input_ids": IDS, "attention_mask": numpy.ones_like(IDS),
            "token_type_ids": numpy.zeros_like(IDS)}
    session = onnxruntime.InferenceSession(str(model / "model.onnx"))
    return bool(numpy.isfinite(session.run(None, feed)[0]).all())


def is_answered_by_hearthd(model, build, is_generator):
    with daemon.Daemon(build / "bin", [model.parent], [model.name]) as server:
        answer = server.infer(model_id=model.name, task=2 if is_generator else 1,
                              texts=[{"text": TEXT}],
                              **{**v2.SAMPLING, "temperature": 0.0, "max_tokens": 4})
    daemon.must(answer["code"] == 0, answer["error"])
    result = answer["results"][0]
    return result["tokens"] > 0 and bool(numpy.isfinite(result["vector"] or [0.0]).all())


def check(name, folder, build):
    shape, quant = name.split(":")
    is_generator = shape in synthetic_gguf.SHAPES
    told = make(shape, quant, folder)
    model = folder / f"synthetic-{shape}-{quant}"
    try:
        is_finite = (is_finite_in_llama_cpp(model, build) if is_generator
                     else is_finite_in_onnx_runtime(model))
        is_answered = is_answered_by_hearthd(model, build, is_generator)
    finally:
        shutil.rmtree(model)
    print(f"{name:<20} {told}; {'finite' if is_finite else 'NOT FINITE'}, "
          f"{'answered' if is_answered else 'NOT ANSWERED'}", flush=True)
    return is_finite and is_answered


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--out", type=Path, help="where the models are put meanwhile")
    parser.add_argument("models", nargs="*", default=MODELS, metavar="SHAPE:QUANT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        good = [check(name, Path(folder), options.build.resolve()) for name in options.models]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
