#!/usr/bin/env python3
"""Makes an int8 model of an fp32 one and measures how far the two agree.

    quantize.py [--models DIR] [--recipe NAME] MODEL    writes DIR/MODEL-int8/
    quantize.py [--models DIR] --default MODEL          MODEL is served in int8, fp32 as MODEL-fp32
    quantize.py [--models DIR] --revert MODEL           MODEL is served in fp32 again

MODEL is a folder of DIR (models/store) with a manifest.json, an ONNX model that classifies or
embeds. Weights become 8-bit integers with a scale a column, activations are measured while it runs
(ONNX Runtime's dynamic quantisation). Recipes, fastest first:

    signed        signed weights
    unsigned      unsigned weights
    evened        unsigned; the channels of each product's input are evened out first, so that one
                  large channel does not take the bits of all (Xiao et al., SmoothQuant, 2023)
    evened-kept   the same, and products that narrow (the second of a feed-forward) stay fp32

Without --recipe it takes the first that is good enough for a default, or else the one that agrees
best. Measured, not on the texts that evening looks at: fixtures/texts/varied200.json, for a
classifier also the held-out texts of models/intent. The manifest tells the figures. The same files
and machine give the same bytes.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import tokenizers  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: E402

import catalogue  # noqa: E402
from make_models import digest  # noqa: E402

ROOT = catalogue.MODELS_DIR.parent
# As src/broker/registry/manifest.h has them: the daemon refuses a default below these.
MEAN_COSINE, MIN_COSINE, LABELS = 0.999, 0.99, 0.99
RECIPES = ("signed", "unsigned", "evened", "evened-kept")
EVENING = 0.8   # how much of a channel's size moves into the weights; 0.5 and 0.65 agreed less
TASKS = ("embedding", "text-classification")


class Refused(Exception):
    """What was wrong, where, and what to do: printed as it is."""


# --- a model and its answers --------------------------------------------------------------------

class Model:
    def __init__(self, folder):
        self.folder = folder
        try:
            self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Refused(f"{folder}: there is no manifest.json. Remedy: name the folder of a model "
                          "in --models") from None
        self.task = self.manifest.get("task")
        if self.manifest.get("architecture") != "onnx" or self.task not in TASKS:
            raise Refused(f"{folder.name}: only ONNX models that embed or classify can be compared "
                          "text by text. Remedy: use it as it is")
        self.options = self.manifest.get("options", {})

    @property
    def classifies(self):
        return self.task == "text-classification"

    def file(self, role):
        return next((self.folder / entry["path"] for entry in self.manifest["files"]
                     if entry["role"] == role), None)

    def tokenizer(self):
        tokenizer = tokenizers.Tokenizer.from_file(str(self.file("tokenizer")))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.options.get("max_tokens", 512))
        return tokenizer


def open_session(path_or_bytes):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1    # the order of sums, and so the bytes, do not depend on cores
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path_or_bytes, options, providers=["CPUExecutionProvider"])


def feeds_of(session, ids):
    values = {"input_ids": np.array([ids], np.int64)}
    values["attention_mask"] = np.ones_like(values["input_ids"])
    values["token_type_ids"] = np.zeros_like(values["input_ids"])
    return {port.name: values[port.name] for port in session.get_inputs()}


def pool(rows, pooling):
    return {"mean": lambda: rows.mean(0), "cls": lambda: rows[0], "max": lambda: rows.max(0),
            "lasttoken": lambda: rows[-1]}[pooling]()


def answers(model, path, encodings):
    """One row a text: the vector, or the score of each label before the softmax."""
    session = open_session(str(path))
    names = [port.name for port in session.get_outputs()]
    known = ("logits",) if model.classifies else ("sentence_embedding", "last_hidden_state")
    name = next((wanted for wanted in known if wanted in names), names[0])
    rows = []
    for ids in encodings:
        found = session.run([name], feeds_of(session, ids))[0][0].astype(np.float64)
        rows.append(pool(found, model.options.get("pooling", "mean")) if found.ndim == 2 else found)
    return np.array(rows)


def agreement_of(model, wanted, found, source_sha256):
    length = np.linalg.norm(wanted, axis=1) * np.linalg.norm(found, axis=1)
    cosines = (wanted * found).sum(1) / np.maximum(length, 1e-30)
    result = {"mean_cosine": round(float(min(cosines.mean(), 1.0)), 9),
              "min_cosine": round(float(min(cosines.min(), 1.0)), 9)}
    if model.classifies:
        result["label_agreement"] = round(float((wanted.argmax(1) == found.argmax(1)).mean()), 9)
    return {**result, "texts": len(wanted), "source_sha256": source_sha256}


def is_good(agreement):
    return (agreement["mean_cosine"] >= MEAN_COSINE and agreement["min_cosine"] >= MIN_COSINE
            and agreement.get("label_agreement", 1.0) >= LABELS)


def shown(agreement):
    labels = agreement.get("label_agreement")
    return (f"mean cosine {agreement['mean_cosine']:.6f}, minimum {agreement['min_cosine']:.6f}"
            + ("" if labels is None else f", same label {100 * labels:.2f} %")
            + f" on {agreement['texts']} texts")


# --- texts --------------------------------------------------------------------------------------

def sentences(*names):
    for name in names:
        for line in (ROOT / "models" / "intent" / name).read_text(encoding="utf-8").splitlines():
            yield line.split("\t")[-1]


def texts_to_measure(model):
    varied = ROOT / "fixtures" / "texts" / "varied200.json"
    texts = [entry["text"] for entry in json.loads(varied.read_text(encoding="utf-8"))]
    return texts + (list(sentences("heldout.tsv", "final50.tsv")) if model.classifies else [])


def texts_to_even_out():
    corpora = [(ROOT / "fixtures" / "texts" / name).read_text(encoding="utf-8").splitlines()[:60]
               for name in ("tiny-corpus.txt", "tiny-corpus-utf8.txt")]
    return [text for text in [*sentences("train.tsv")][::9] + sum(corpora, []) if text]


# --- making it ----------------------------------------------------------------------------------

def products(graph):
    """{name of the input: its MatMuls with constant weights}"""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            found.setdefault(node.input[0], []).append(node)
    return found, weights


def largest_of_channels(model, graph_model, names):
    watched = onnx.ModelProto()
    watched.CopyFrom(graph_model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
                                for name in names)
    session = open_session(watched.SerializeToString())
    tokenizer, most = model.tokenizer(), dict.fromkeys(names, 0.0)
    for text in texts_to_even_out():
        values = session.run(names, feeds_of(session, tokenizer.encode(text).ids))
        for name, value in zip(names, values):
            most[name] = np.maximum(most[name], np.abs(value.reshape(-1, value.shape[-1])).max(0))
    return most


def even_out(model, path):
    """Divides each input of a product by a factor a channel, and multiplies the weights by it."""
    whole = onnx.load(str(path))
    groups, weights = products(whole.graph)
    most = largest_of_channels(model, whole, sorted(groups))
    for name, nodes in groups.items():
        rows = [numpy_helper.to_array(weights[node.input[1]]) for node in nodes]
        size = np.maximum(np.max([np.abs(row).max(1) for row in rows], 0), 1e-5)
        factor = np.maximum(most[name], 1e-5) ** EVENING / size ** (1 - EVENING)
        for node, row in zip(nodes, rows):
            scaled = (row * factor[:, None]).astype(np.float32)
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(scaled, node.input[1]))
        whole.graph.initializer.append(
            numpy_helper.from_array((1 / factor).astype(np.float32), name + "/evening"))
        first = min(index for index, node in enumerate(whole.graph.node) if node in nodes)
        whole.graph.node.insert(first, helper.make_node(
            "Mul", [name, name + "/evening"], [name + "/evened"], name=name + "/evened"))
        for node in nodes:
            node.input[0] = name + "/evened"
    evened = path.with_name("fp32-evened.onnx")
    onnx.save(whole, str(evened))
    return evened


def narrowing(path):
    """Names of products that answer with fewer columns than they take."""
    groups, weights = products(onnx.load(str(path), load_external_data=False).graph)
    return [node.name for nodes in groups.values() for node in nodes
            if weights[node.input[1]].dims[0] > weights[node.input[1]].dims[1]]


def make_int8(model, recipe, work):
    """Returns the path of the file that the recipe makes. `work` holds copies of the fp32 files."""
    path = work / model.file("model").name
    if recipe.startswith("evened"):
        evened = work / "fp32-evened.onnx"
        path = evened if evened.exists() else even_out(model, path)
    target = work / f"{recipe}.onnx"
    kind = QuantType.QInt8 if recipe == "signed" else QuantType.QUInt8
    quantize_dynamic(str(path), str(target), per_channel=True, weight_type=kind,
                     nodes_to_exclude=narrowing(path) if recipe.endswith("kept") else [])
    return target


def choose(model, recipes, work, source_sha256):
    """Returns (path, agreement, recipe) of the first that is good, or of the one that agrees best."""
    encodings = [encoding.ids for encoding in model.tokenizer().encode_batch(texts_to_measure(model))]
    wanted = answers(model, work / model.file("model").name, encodings)
    best = None
    for recipe in recipes:
        path = make_int8(model, recipe, work)
        found = agreement_of(model, wanted, answers(model, path, encodings), source_sha256)
        print(f"  {recipe}: {path.stat().st_size / 1e6:.1f} MB, {shown(found)}", flush=True)
        if best is None or found["mean_cosine"] > best[1]["mean_cosine"]:
            best = path, found, recipe
        if is_good(found):
            return path, found, recipe
    return best


def entry_of(role, path):
    return {"role": role, "path": path.name, "sha256": digest(path),
            "size_bytes": path.stat().st_size}


def put(folder, manifest):
    (folder / "manifest.json").write_text(catalogue.manifest_text(manifest), encoding="utf-8")


def quantize(models, name, recipes):
    model = Model(models / name)
    target, partial = models / f"{name}-int8", models / f".{name}-int8.partial"
    if model.manifest.get("precision") == "int8":
        raise Refused(f"{name} is int8 already. Remedy: name the model that it was made of")
    if target.exists():
        raise Refused(f"{target}: it is there already. Remedy: delete it first")
    with tempfile.TemporaryDirectory(dir=models, prefix=".quantize-") as room:
        work = Path(room)
        for role in ("model", "weights"):
            if model.file(role) is not None:    # a copy: the library refuses files with hard links
                shutil.copyfile(model.file(role), work / model.file(role).name)
        path, agreement, recipe = choose(model, recipes, work, digest(model.file("model")))
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        os.replace(path, partial / "model.onnx")
    shutil.copyfile(model.file("tokenizer"), partial / "tokenizer.json")
    manifest = dict(model.manifest, model_id=target.name, name=target.name, precision="int8",
                    recipe=recipe, agreement=agreement,
                    files=[entry_of("model", partial / "model.onnx"),
                           entry_of("tokenizer", partial / "tokenizer.json")])
    put(partial, manifest)
    partial.rename(target)
    size = sum(entry["size_bytes"] for entry in model.manifest["files"])
    ours = sum(entry["size_bytes"] for entry in manifest["files"])
    print(f"{target}: {recipe}, {ours / 1e6:.1f} MB instead of {size / 1e6:.1f}; {shown(agreement)}")
    if not is_good(agreement):
        print(f"  good under a name of its own; a default needs mean {MEAN_COSINE}, minimum "
              f"{MIN_COSINE}, same label {100 * LABELS:.0f} %")


# --- which file serves the name -----------------------------------------------------------------

def make_default(models, name):
    """Links the int8 files under the name. Whenever it is killed, both kinds are there somewhere."""
    folder, kept, made = models / name, models / f"{name}-fp32", models / f"{name}-int8"
    if not made.exists():
        raise Refused(f"{made}: there is no such model. Remedy: run scripts/quantize.sh {name} first")
    model = Model(made)
    agreement = model.manifest["agreement"]
    if not is_good(agreement):
        raise Refused(f"{made.name} does not agree well enough to take the name {name}: "
                      f"{shown(agreement)}; wanted are mean {MEAN_COSINE}, minimum {MIN_COSINE}, "
                      f"same label {100 * LABELS:.0f} %. Remedy: use it as {made.name}")
    source = Model(kept if kept.exists() else folder)
    if digest(source.file("model")) != agreement["source_sha256"]:
        raise Refused(f"{made.name} was made of another {name}. Remedy: delete it and run "
                      f"scripts/quantize.sh {name} again")
    if kept.exists() and folder.exists():
        raise Refused(f"{kept}: it is there already: {name} is the default in int8. Remedy: "
                      f"scripts/quantize.sh --revert {name} goes back")
    partial = models / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for role in ("model", "tokenizer"):
        os.link(model.file(role), partial / model.file(role).name)
    put(partial, dict(model.manifest, model_id=name, name=name, default=True))
    if not kept.exists():
        put(folder, dict(source.manifest, model_id=kept.name, name=kept.name))
        folder.rename(kept)
    partial.rename(folder)
    print(f"{name} is int8 now ({shown(agreement)}); {kept.name} is what it was")
    print("  the daemon sees it when the model is loaded again")


def revert(models, name):
    folder, kept = models / name, models / f"{name}-fp32"
    if not kept.exists():
        raise Refused(f"{kept}: there is no such model: {name} is as it was made. Remedy: none needed")
    if folder.exists():
        if not Model(folder).manifest.get("default"):
            raise Refused(f"{folder} is not an int8 default. Remedy: look at both, delete one")
        shutil.rmtree(folder)
    put(kept, dict(Model(kept).manifest, model_id=name, name=name))
    kept.rename(folder)
    print(f"{name} is fp32 again")
    print("  the daemon sees it when the model is loaded again")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--models", type=Path, default=catalogue.MODELS_DIR / "store")
    parser.add_argument("--recipe", choices=RECIPES)
    parser.add_argument("--default", action="store_true")
    parser.add_argument("--revert", action="store_true")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)    # of the library: that one may prepare the graph, and so on
    if options.default + options.revert + bool(options.recipe) > 1:
        parser.error("--recipe, --default and --revert exclude each other")
    try:
        if options.default:
            make_default(options.models, options.model)
        elif options.revert:
            revert(options.models, options.model)
        else:
            quantize(options.models, options.model, [options.recipe] if options.recipe else RECIPES)
    except Refused as error:
        print(f"quantize: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"quantize: {error.filename}: {error.strerror}. Remedy: free some space or make the "
              "folder writable, then run it again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
