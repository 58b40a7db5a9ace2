#!/usr/bin/env python3
"""Writes lognormal256.json: the texts of the ONNX benchmarks, whose lengths are exact.

    .deps/venv/bin/python bench/texts/make_texts.py [--check]

256 lengths in tokens of all-MiniLM-L6-v2, [CLS] and [SEP] included: lognormal with sigma 0.7, drawn
again while above 128 or below 4, with a mean of 40 (the texts of searches and messages look so: many
short, few long). Each is filled with whole words of the committed texts of models/intent and
fixtures/texts, from a place drawn by lot on, and is checked by the reference tokenizer. The
entries are {"text", "ids"}; their order is drawn by lot as well. --check compares and writes nothing.
"""

import json
import math
import random
import sys
from pathlib import Path

import tokenizers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = HERE / "lognormal256.json"
COUNT, MEAN, SIGMA, LEAST, MOST = 256, 40, 0.7, 4, 128


def draw_lengths(lot):
    """Draws with a rising mu until the mean of all is the wanted one within half a token."""
    mu = math.log(MEAN) - SIGMA ** 2 / 2
    while True:
        lengths = []
        while len(lengths) < COUNT:
            length = round(lot.lognormvariate(mu, SIGMA))
            if LEAST <= length <= MOST:
                lengths.append(length)
        if abs(sum(lengths) / COUNT - MEAN) < 0.5:
            return lengths
        mu += 0.001 if sum(lengths) / COUNT < MEAN else -0.001


def words():
    found = []
    for name in ("train.tsv", "heldout.tsv"):
        for line in (ROOT / "models" / "intent" / name).read_text(encoding="utf-8").splitlines():
            found += line.split("\t")[-1].split()
    return found + (ROOT / "fixtures/texts/tiny-corpus.txt").read_text(encoding="utf-8").split()


def fill(tokenizer, length, all_words, lot):
    """Words from a drawn place on; the last ones are chosen so that the length is met."""
    while True:
        at, text = lot.randrange(len(all_words)), ""
        for word in all_words[at:] + all_words[:at]:
            longer = f"{text} {word}".strip()
            ids = tokenizer.encode(longer).ids
            if len(ids) <= length:
                text = longer
            if len(ids) == length:
                return {"text": text, "ids": ids}


def make():
    lot = random.Random(40)
    tokenizer = tokenizers.Tokenizer.from_file(
        str(ROOT / "models" / "store" / "all-minilm-l6-v2" / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    all_words = words()
    texts = [fill(tokenizer, length, all_words, lot) for length in draw_lengths(lot)]
    return "[\n" + ",\n".join(json.dumps(text, separators=(",", ":")) for text in texts) + "\n]\n"


def main():
    made = make()
    if "--check" in sys.argv[1:]:
        is_same = TARGET.read_text(encoding="utf-8") == made
        print("the same" if is_same else f"{TARGET.name} is not what make_texts.py writes")
        return 0 if is_same else 1
    TARGET.write_text(made, encoding="utf-8")
    lengths = sorted(len(text["ids"]) for text in json.loads(made))
    print(f"{TARGET.name}: {COUNT} texts of {lengths[0]} to {lengths[-1]} tokens, mean "
          f"{sum(lengths) / COUNT:.2f}, median {lengths[COUNT // 2]}, {len(made)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
