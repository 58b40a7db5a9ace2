#!/usr/bin/env python3
"""Checks that held-out and final sentences share no pattern with the sentences trained on.

    check_split.py [--folder models/intent]

A sentence is reduced to its words in lower case, without punctuation, with every number, weekday,
month and time of day replaced by a mark. Two sentences share a pattern if

  - they have a run of four such words in common, or
  - they are the same after the reduction (this catches those of three words or less), or
  - they share a third or more of all their runs of two words (so that word swaps inside one
    sentence frame do not count as a new sentence).

Held-out is compared with train; final50 with train and held-out. No label may lack sentences.
"""

import argparse
import functools
import re
import sys
from collections import Counter
from pathlib import Path

import sentences

RUN_WORDS = 4
SHARED_PAIRS_LIMIT = 1 / 3
TRAIN_LEAST = 600
FINAL_COUNT = 50
HELDOUT_LEAST_PER_LABEL = 15
LABELS_LEAST = 9

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
MASKS = {
    "<number>": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
                "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
                "seventy eighty ninety hundred thousand million billion half quarter dozen",
    "<day>": "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays "
             "thursdays fridays saturdays sundays today tomorrow tonight yesterday weekend",
    "<month>": "january february march april may june july august september october november "
               "december",
    "<time>": "morning noon afternoon evening night midnight dawn dusk am pm",
}
MASK_OF_WORD = {word: mask for mask, words in MASKS.items() for word in words.split()}


@functools.cache
def reduced(sentence):
    words = []
    for word in WORD.findall(sentence.lower()):
        word = "<number>" if any(letter.isdigit() for letter in word) else word
        words.append(MASK_OF_WORD.get(word, word))
    return tuple(words)


@functools.cache
def runs(words, length):
    return {words[start:start + length] for start in range(len(words) - length + 1)}


def shared_pattern(left, right):
    """Returns why two reduced sentences count as one pattern, or None."""
    if left == right:
        return "the same sentence"
    common = runs(left, RUN_WORDS) & runs(right, RUN_WORDS)
    if common:
        return "both have “" + " ".join(min(common)) + "”"
    pairs, others = runs(left, 2), runs(right, 2)
    if pairs and others:
        part = len(pairs & others) / len(pairs | others)
        if part >= SHARED_PAIRS_LIMIT:
            return f"{part:.0%} of their word pairs are common"
    return None


def keys(text):
    """Two sentences that share a pattern share one of these: a run of four words holds runs of two,
    and a sentence of a single word can only be the same."""
    return runs(reduced(text), 2) or {reduced(text)}


def sentences_by_run(rows):
    found = {}
    for _, text in rows:
        for key in keys(text):
            found.setdefault(key, []).append(text)
    return found


def suspects(text, by_run):
    """The sentences that `text` could share a pattern with, each once."""
    return dict.fromkeys(other for key in sorted(keys(text)) for other in by_run.get(key, ()))


def check(parts):
    """Returns the list of complaints about {part: [(label, sentence)]}."""
    complaints = check_counts(parts)
    by_run = {part: sentences_by_run(rows) for part, rows in parts.items()}
    for part, against in (("heldout", "train"), ("final50", "train"), ("final50", "heldout")):
        for _, text in parts[part]:
            for other in suspects(text, by_run[against]):
                why = shared_pattern(reduced(text), reduced(other))
                if why:
                    complaints.append(f"{part}: “{text}” and {against}: “{other}”: {why}")
    for part, rows in parts.items():
        counts = Counter(text.lower() for _, text in rows)
        complaints += [f"{part}: “{text}” occurs twice" for text in counts if counts[text] > 1]
    return complaints


def check_counts(parts):
    complaints = []
    counts = {part: Counter(label for label, _ in rows) for part, rows in parts.items()}
    if len(parts["train"]) < TRAIN_LEAST:
        complaints.append(f"train: {len(parts['train'])} sentences, fewer than {TRAIN_LEAST}")
    if len(parts["final50"]) != FINAL_COUNT:
        complaints.append(f"final50: {len(parts['final50'])} sentences, not {FINAL_COUNT}")
    if len(counts["train"]) < LABELS_LEAST or "other" not in counts["train"]:
        complaints.append(f"train: labels are {sorted(counts['train'])}")
    for part in ("heldout", "final50"):
        if set(counts[part]) != set(counts["train"]):
            complaints.append(f"{part}: its labels are not those of train")
    for label, count in counts["heldout"].items():
        if count < HELDOUT_LEAST_PER_LABEL:
            complaints.append(f"heldout: {label} has {count} sentences")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=sentences.FOLDER)
    folder = parser.parse_args().folder
    parts = {part: sentences.read(folder / f"{part}.tsv") for part in sentences.PARTS}
    complaints = check(parts)
    for complaint in complaints:
        print(complaint)
    sizes = ", ".join(f"{part} {len(rows)}" for part, rows in parts.items())
    print(f"{sizes}: " + (f"{len(complaints)} complaints" if complaints else "no shared pattern"))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
