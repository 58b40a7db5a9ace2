#!/usr/bin/env python3
"""One test of integration_onnx_test.c: starts a daemon with the models that it wants, computes here
and now what ONNX Runtime and the reference tokenizer say to the texts, and runs the test, which asks
the daemon through libhearth. The daemon must be alive after it, and end well. Prints what the test
prints: TAP.

    integration_onnx.py --bin BUILD/bin --program FILE TEST
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import tokenizers
from onnx import helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "kit"))
sys.path.insert(0, str(HERE.parents[2] / "fixtures"))
import endless_onnx                                     # noqa: E402
from daemon import ROOT, Daemon, must                   # noqa: E402
from reference import TEXTS, Reference                  # noqa: E402

TINY, STORE = ROOT / "fixtures/models/onnx", ROOT / "models/store"
MANIFESTS = {"tinybert-classifier": TINY / "tinybert-classifier.manifest.json",
             "hearth-intent": STORE / "hearth-intent/manifest.json",
             "minilm-embedder": TINY / "minilm-embedder.manifest.json",
             "all-minilm-l6-v2": STORE / "all-minilm-l6-v2/manifest.json"}
CLASSIFIERS, EMBEDDERS = list(MANIFESTS)[:2], list(MANIFESTS)[2:]
ALL, MINILM = [*CLASSIFIERS, *EMBEDDERS], "all-minilm-l6-v2"
MIB = 1 << 20

# Of each length something: a word, sentences, other scripts, and more than a model takes.
SHORT = [t for t in sorted(TEXTS, key=lambda t: len(t.encode())) if t.strip() and "\0" not in t]
SOME = [SHORT[i * len(SHORT) // 32] for i in range(31)] + [SHORT[-1]]
# Enough for each model that a cancel comes long before the last of 32 is reached.
LONG = [f"{max(TEXTS, key=len)} {i}" for i in range(32)]
ENDLESS = ["good film", "the film was bad and not good", "bad bad bad", "a good good film and not bad",
           "good good good good the film", "the bad film was not a good film"]


# ---- expectations: a line each, words without spaces -------------------------------------------

def hexed(text):
    return text.encode().hex()


def line(model, text, tokens, is_truncated, names, values):
    numbers = " ".join(f"{hexed(n) or '-'} {v:.9g}" for n, v in zip(names, values, strict=True))
    return f"{model} {hexed(text)} {tokens} {int(is_truncated)} {len(names)} {numbers}\n"


def lines_of(model, texts):
    """What the reference says; an embedding has values without names."""
    reference, facts = Reference(MANIFESTS[model]), json.loads(MANIFESTS[model].read_text())
    most = facts["options"]["max_tokens"]
    path = next(f["path"] for f in facts["files"] if f["role"] == "tokenizer")
    whole = tokenizers.Tokenizer.from_file(str(MANIFESTS[model].parent / path))
    whole.no_truncation()
    for text in texts:
        is_truncated = len(whole.encode(text).ids) > most
        ask = reference.classify if model in CLASSIFIERS else reference.embed
        tokens, values = ask(text)
        names = facts["labels"] if model in CLASSIFIERS else [""] * len(values)
        yield line(model, text, tokens, is_truncated, names, values)


def lines_of_endless():
    for text in ENDLESS:
        yield line("endless", text, len(text.split()) + 2, False, endless_onnx.LABELS,
                   endless_onnx.scores(text))


def plain_texts(model, texts):
    """Asked for, but with no expectation: 0 values."""
    return (line(model, text, 0, False, [], []) for text in texts)


# ---- models that are wrong ---------------------------------------------------------------------

def copy_model(folder, name, change=lambda data: data, alter=lambda facts: None, is_fitted=True):
    """The tiny classifier as @name. @change maps the bytes of its model file, @alter its manifest;
    @is_fitted: the manifest tells size and digest of what the file has become."""
    facts, place = json.loads(MANIFESTS["tinybert-classifier"].read_text()), Path(folder) / name
    place.mkdir()
    for entry in facts["files"]:
        data = (TINY / entry["path"]).read_bytes()
        if entry["role"] == "model":
            data = change(data)
            if is_fitted:
                entry |= {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (place / entry["path"]).write_bytes(data)
    facts["model_id"] = facts["name"] = name
    alter(facts)
    (place / "manifest.json").write_text(json.dumps(facts))


def with_node(kind, domain=""):
    def change(data):
        model = onnx.load_from_string(data)
        node = helper.make_node(kind, [model.graph.output[0].name], ["strange"], domain=domain)
        model.graph.node.append(node)
        return model.SerializeToString()
    return change


def outside(data):
    """Weights that are said to lie beside the model's folder."""
    model = onnx.load_from_string(data)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    return model.SerializeToString()


def newer_opset(data):
    model = onnx.load_from_string(data)
    model.opset_import[0].version = 99
    return model.SerializeToString()


def drop(role):
    def alter(facts):
        facts["files"] = [f for f in facts["files"] if f["role"] != role]
    return alter


def write_bad_models(folder):
    """(model, error, what the text must name), a line each."""
    def flipped(data):
        return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    copy_model(folder, "bad-flipped", flipped, is_fitted=False)
    copy_model(folder, "bad-cut", lambda data: data[:len(data) // 2])
    copy_model(folder, "bad-noise", lambda data: bytes(range(256)) * 64)
    copy_model(folder, "bad-empty", lambda data: b"")
    copy_model(folder, "bad-operator", with_node("NoSuchOperator"))
    copy_model(folder, "bad-domain", with_node("Relu", "com.example"))
    copy_model(folder, "bad-opset", newer_opset)
    copy_model(folder, "bad-outside", outside)
    copy_model(folder, "bad-labels", alter=lambda f: f.update(labels=["yes", "no"]))
    copy_model(folder, "bad-tokenizer", alter=drop("tokenizer"))
    copy_model(folder, "bad-option", alter=lambda f: f["options"].update(pooling="median"))
    return [("bad-flipped", "digest_mismatch", "SHA-256"), ("bad-cut", "model_invalid", "model"),
            ("bad-noise", "model_invalid", "model"), ("bad-empty", "model_invalid", "model"),
            ("bad-operator", "unsupported", "NoSuchOperator"), ("bad-domain", "unsupported", "com.example"),
            ("bad-opset", "unsupported", "99"), ("bad-outside", "model_invalid", ".."),
            ("bad-labels", "model_invalid", "labels"), ("bad-tokenizer", "model_invalid", "tokenizer"),
            ("bad-option", "config", "pooling")]


def write_narrow_model(folder):
    """MiniLM that may use 4 MiB for the activations of its runs: enough for what is short."""
    facts, place = json.loads(MANIFESTS[MINILM].read_text()), Path(folder) / "narrow"
    place.mkdir()
    for entry in facts["files"]:
        shutil.copy(MANIFESTS[MINILM].parent / entry["path"], place / entry["path"])
    facts["model_id"] = facts["name"] = "narrow"
    facts["options"]["compute_mb"] = 4
    (place / "manifest.json").write_text(json.dumps(facts))


# ---- tests -------------------------------------------------------------------------------------

class Setting:
    """What one test is given: models to preload, expectations, settings of the daemon."""

    def __init__(self, folder):
        self.folder, self.models, self.lines, self.settings = folder, [], [], {"threads": 2}

    def expect(self, models, texts):
        self.models += models
        for model in models:
            self.lines += lines_of(model, texts)

    def add_endless(self):
        endless_onnx.write(self.folder)
        self.models.append("endless")
        self.lines += lines_of_endless()


def for_errors(setting):
    setting.expect(["tinybert-classifier", "minilm-embedder"], SOME[:4])
    setting.expect([MINILM], SOME[:2])
    setting.add_endless()
    setting.lines += [f"bad {model} {error} {hexed(part)}\n"
                      for model, error, part in write_bad_models(setting.folder)]


def for_limits(setting):
    """The budget holds MiniLM (twice, its file once) and the tiny ones, and not hearth-intent beside
    them, though that has the same file."""
    write_narrow_model(setting.folder)
    setting.models.append("narrow")
    setting.lines += [told.replace(MINILM, "narrow", 1) for told in lines_of(MINILM, SOME[:2])]
    setting.lines += plain_texts("narrow", LONG[:1])
    setting.expect(["tinybert-classifier", MINILM], SOME[:4])
    setting.add_endless()
    models = list(setting.models)
    with Daemon(setting.bin, [STORE, TINY, setting.folder], models) as daemon:
        gauges = daemon.ask("metrics_request", "metrics_response")["gauges"]
        needs = {g["name"]: g["value"] for g in gauges}["memory_reserved_bytes"]
    setting.lines += list(lines_of("hearth-intent", SOME[:2]))
    setting.settings |= {"memory_limit": f"{needs // MIB + 16}M", "queue_limit": 4}


def for_streams(models, setting):
    setting.expect(models, SOME)
    if MINILM in models:
        setting.lines += plain_texts(MINILM, LONG)
    else:
        setting.add_endless()


SETTINGS = {
    "onnx_classifier_basic": lambda s: s.expect(CLASSIFIERS, SOME),
    "onnx_classifier_batch": lambda s: s.expect(CLASSIFIERS, SOME),
    "onnx_classifier_streaming": lambda s: for_streams(CLASSIFIERS, s),
    "onnx_embedder_basic": lambda s: s.expect(EMBEDDERS, SOME),
    "onnx_embedder_batch": lambda s: s.expect(EMBEDDERS, SOME),
    "onnx_embedder_streaming": lambda s: for_streams(EMBEDDERS, s),
    "onnx_error_handling": for_errors,
    "onnx_resource_limits": for_limits,
    "onnx_concurrent_load": lambda s: s.expect(ALL, [t for t in SHORT if len(t) < 160][:48]),
}


def run(options, folder):
    setting = Setting(folder)
    setting.bin = options.bin
    SETTINGS[options.test](setting)
    expected = Path(folder) / "expectations.txt"
    expected.write_text("".join(setting.lines))
    with Daemon(options.bin, [STORE, TINY, folder], setting.models, **setting.settings) as daemon:
        told = subprocess.run([options.program, options.test, str(daemon.socket_path), str(expected)],
                              timeout=240)
        health = daemon.ask("health_check", "health_response", check_type=2)
        must(health["pid"] == daemon.process.pid, "another hearthd answers")
        must(health["worker_deaths"] == 0, f"{health['worker_deaths']} workers died")
        must(daemon.stop() == 0, "the daemon did not end well")
    return told.returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("test", choices=SETTINGS)
    options = parser.parse_args()
    numpy.seterr(all="raise", under="ignore")
    with tempfile.TemporaryDirectory(prefix="hearth-onnx-") as folder:
        return run(options, folder)


if __name__ == "__main__":
    sys.exit(main())
