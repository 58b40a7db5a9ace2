#!/usr/bin/env python3
"""Trains the head of hearth-intent on the MiniLM encoder and says how good it is.

    train.py [--store models/store]            trains, prints the figures, writes head.json
    train.py [--store models/store] --check    trains, and compares with the committed head.json

Each sentence becomes the means of its token vectors after the encoder layers LAYERS, each scaled to
length one, side by side. The head is multinomial logistic regression with L2 decay, from zero, by a
fixed number of steps: the problem is convex, and the seed is only the order of the folds.

Layers and decay were chosen by cross-validation inside train.tsv (the last layer alone gave 0.91;
the decay is chosen anew at each run). heldout.tsv is looked at with the finished head; final50.tsv
was never used for any choice and is reported apart.
"""

import argparse
import json
import os
import sys
from pathlib import Path

# The matrices are small: threads would only get in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402

import sentences  # noqa: E402

sys.path.insert(0, str(sentences.FOLDER.parent / "make"))

import bert_onnx  # noqa: E402

SEED = 7
FOLDS = 5
LAYERS = (1, 3, 5)   # counted from 0: the second, the fourth and the last
STEPS = 300
DECAYS = (1e-3, 3e-4, 1e-4)
UNIT = 0.01          # weights are committed as whole multiples of this
HEAD_PATH = sentences.FOLDER / "head.json"
STORE = sentences.FOLDER.parent / "store"
F1_LEAST = 0.90


class Encoder:
    """The exported MiniLM, run by ONNX Runtime on one thread, one sentence at a time."""

    def __init__(self, folder):
        import onnx
        import onnxruntime
        import tokenizers
        model = onnx.load(str(folder / "model.onnx"), load_external_data=False)
        self.names = [bert_onnx.state_name(layer) for layer in LAYERS]
        model.graph.output.extend(onnx.helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, None) for name in self.names)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # A model handed over as bytes has no folder of its own to find its weights in.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path",
                                         str(folder.resolve()))
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                    providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(manifest["options"]["max_tokens"])

    def features(self, text):
        ids = np.array([self.tokenizer.encode(text).ids], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids),
                 "token_type_ids": np.zeros_like(ids)}
        states = self.session.run(self.names, feeds)
        means = [state[0].astype(np.float64).mean(0) for state in states]
        return np.concatenate([mean / np.linalg.norm(mean) for mean in means])


class Part:
    """One file of sentences as feature rows and class numbers."""

    def __init__(self, name, encoder, labels):
        rows = sentences.read(sentences.FOLDER / f"{name}.tsv")
        self.texts = [text for _, text in rows]
        self.features = np.array([encoder.features(text) for text in self.texts])
        self.classes = np.array([labels.index(label) for label, _ in rows])


def fit(features, classes, label_count, decays):
    """Returns [(weight [features, labels], bias [labels])], one a decay: accelerated gradient steps.

    Every step adds multiples of feature rows to the weight. So the steps are taken on those
    multiples (`factors`), which takes one product with the likeness of the rows instead of two with
    the rows themselves; and all decays are stepped side by side.
    """
    wanted = np.eye(label_count)[classes][:, None, :]
    decays = np.array(decays)[:, None]
    middle = features.mean(0)
    centred = features - middle
    likeness = centred @ centred.T
    # The curvature is at most half the largest eigenvalue of the covariance, and a half for the
    # bias; the two are independent because the features are centred.
    rates = 1 / (np.linalg.eigvalsh(likeness)[-1] / len(centred) / 2 + decays)
    factors, bias = np.zeros((len(centred), len(decays), label_count)), np.zeros(label_count)
    factors_before, bias_before = factors, bias
    for step in range(STEPS):
        momentum = step / (step + 3)
        ahead = factors + momentum * (factors - factors_before)
        bias_ahead = bias + momentum * (bias - bias_before)
        scores = (likeness @ ahead.reshape(len(centred), -1)).reshape(ahead.shape) + bias_ahead
        wrong = (softmax(scores) - wanted) / len(centred)
        factors_before, bias_before = factors, bias
        factors = ahead - rates / 2 * (wrong + decays * ahead)
        bias = bias_ahead - wrong.sum(0)
    weights = [centred.T @ factors[:, index] for index in range(len(decays))]
    return [(weight, bias[index] - middle @ weight) for index, weight in enumerate(weights)]


def softmax(scores):
    chances = np.exp(scores - scores.max(-1, keepdims=True))
    return chances / chances.sum(-1, keepdims=True)


def predict(features, head):
    return (features @ head[0] + head[1]).argmax(-1)


def macro_f1(wanted, found, label_count):
    scores = []
    for label in range(label_count):
        hits = np.sum((wanted == label) & (found == label))
        involved = np.sum(wanted == label) + np.sum(found == label)
        scores.append(2 * hits / involved if involved else 1.0)
    return float(np.mean(scores))


def choose_decay(train, label_count):
    """The decay with the best mean macro-F1 over the folds of train.tsv."""
    order = np.random.Generator(np.random.PCG64(SEED)).permutation(len(train.classes))
    folds = np.array_split(order, FOLDS)
    scores = {decay: [] for decay in DECAYS}
    for fold in folds:
        kept = np.setdiff1d(order, fold)
        heads = fit(train.features[kept], train.classes[kept], label_count, DECAYS)
        for decay, head in zip(DECAYS, heads):
            found = predict(train.features[fold], head)
            scores[decay].append(macro_f1(train.classes[fold], found, label_count))
    results = {decay: float(np.mean(scores[decay])) for decay in DECAYS}
    for decay in DECAYS:
        print(f"  decay {decay:g}: cross-validated macro-F1 {results[decay]:.4f}", flush=True)
    return max(DECAYS, key=lambda decay: results[decay])


def report(name, part, head, labels, mistakes):
    """Prints accuracy and macro-F1, and the mistakes if asked; returns the macro-F1."""
    found = predict(part.features, head)
    score = macro_f1(part.classes, found, len(labels))
    right = int((found == part.classes).sum())
    print(f"{name}: {len(found)} sentences, accuracy {right / len(found):.4f}, "
          f"macro-F1 {score:.4f}")
    for text, wanted, got in zip(part.texts, part.classes, found):
        if mistakes and wanted != got:
            print(f"  {labels[got]} instead of {labels[wanted]}: {text}")
    return score


def train_head(parts, labels):
    decay = choose_decay(parts["train"], len(labels))
    print(f"chosen decay: {decay:g}")
    (weight, bias), = fit(parts["train"].features, parts["train"].classes, len(labels), [decay])
    return (weight / UNIT).round() * UNIT, (bias / UNIT).round() * UNIT


def head_text(head, labels):
    """One row a label, so that a change shows as a change of lines."""
    def row(values):
        return "[" + ",".join(str(round(value / UNIT)) for value in values) + "]"

    rows = ",\n".join("  " + row(column) for column in head[0].T)
    return (f'{{\n "labels": {json.dumps(labels)},\n "layers": {json.dumps(LAYERS)},\n'
            f' "unit": {UNIT},\n "bias": {row(head[1])},\n'
            f' "weight": [\n{rows}\n ]\n}}\n')


def read_head():
    data = json.loads(HEAD_PATH.read_text(encoding="utf-8"))
    unit = data["unit"]
    return (np.array(data["weight"]).T * unit, np.array(data["bias"]) * unit), data["labels"]


def compare(parts, labels, head):
    """Says whether the committed head predicts what the head trained just now predicts."""
    committed, committed_labels = read_head()
    if committed_labels != labels:
        print("head.json has other labels. Remedy: run train.py and make_models.py --accept")
        return False
    differing = sum(int((predict(part.features, head) != predict(part.features, committed)).sum())
                    for part in parts.values())
    gap = max(np.abs(head[0] - committed[0]).max(), np.abs(head[1] - committed[1]).max())
    print(f"head.json: {differing} predictions differ, largest difference of a weight {gap:.2f}")
    return differing == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=STORE, help="holds all-minilm-l6-v2/")
    parser.add_argument("--check", action="store_true", help="compare with the committed head")
    options = parser.parse_args()
    folder = options.store / "all-minilm-l6-v2"
    if not (folder / "model.onnx").is_file():
        print(f"{folder}: the encoder is not there. Remedy: run scripts/setup.sh", file=sys.stderr)
        return 1

    encoder = Encoder(folder)
    rows = sentences.read(sentences.FOLDER / "train.tsv")
    labels = list(dict.fromkeys(label for label, _ in rows))
    parts = {name: Part(name, encoder, labels) for name in sentences.PARTS}
    head = train_head(parts, labels)
    good = report("held-out", parts["heldout"], head, labels, mistakes=True) >= F1_LEAST
    # Which of these are wrong stays unsaid, so that nobody is led to write sentences for them.
    report("final 50, used for no choice", parts["final50"], head, labels, mistakes=False)
    if options.check:
        return 0 if compare(parts, labels, head) and good else 1
    HEAD_PATH.write_text(head_text(head, labels), encoding="utf-8")
    print(f"head.json: {HEAD_PATH.stat().st_size} bytes")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
