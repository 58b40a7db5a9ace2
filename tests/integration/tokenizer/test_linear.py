#!/usr/bin/env python3
"""A text of 1 MiB takes no more than four times as long as sixteen texts of 64 KiB, whatever it holds.
Prints TAP.

    test_linear.py ENCODE_STREAM PROJECT_FOLDER

Time is processor time of the program alone and the least of several passes, so that a busy machine
does not count; what is quadratic takes sixteen times as long, not four. The four are for caches that
the larger text does not fit into, and for the logarithm that BPE is allowed.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"

import both         # noqa: E402

PROGRAM, ROOT = Path(sys.argv[1]), Path(sys.argv[2])
FILES = ROOT / "fixtures/tokenizers"
SMALL, TIMES, FACTOR = 64 << 10, 16, 4.0
SHAPES = {
    "one letter": "a", "two letters": "ab", "words": "the quick brown fox ", "spaces": " ",
    "marks": "\u0301", "letter and mark": "a\u0301", "marks out of order": "\u0301\u0323", "NUL": "\0",
    "unknown": "\U0001F9FF", "joined emoji": "👩‍", "flags": "🇩", "ideographs": "漢字", "jamo": "\u1100\u1161\u11a8",
    "full width": "Ａｶﾞ", "ligatures": "ﬃﷺ", "punctuation": "'", "new lines": "\r\n", "digits": "12345",
    "nearly a token": "[SEP", "tokens": "[SEP]</s>", "nearly two": "<t1<t1<t", "▁": "▁", "continued": "##a",
    "a piece and a half": "ingin",
}
KINDS = ["bert-uncased", "many-added", "roberta", "llama", "xlm-roberta"]


def text_of(element, size):
    """Nearly @size bytes; a letter in front, so that a run of marks has something to stand on."""
    return ("x" + element * (size // len(element.encode())))[:size]


def passes(path, texts, count):
    """The least nanoseconds of a pass over all @texts."""
    with tempfile.TemporaryFile() as given:
        given.writelines(both.request(both.ENCODE, text.encode(), most=both.NO_LIMIT) for text in texts)
        given.seek(0)
        done = subprocess.run([PROGRAM, "--passes", str(count), path], stdin=given, check=True,
                              capture_output=True, timeout=120)
    return min(map(int, done.stdout.split()))


def ratio(kind, element):
    """Looked at more closely if one pass says that it may be too much."""
    path = FILES / f"{kind}.json"
    for count in (1, 4):
        small = passes(path, [text_of(element, SMALL)], 4 * count)
        large = passes(path, [text_of(element, SMALL * TIMES)], count)
        if large <= FACTOR / 2 * small * TIMES:
            break
    return large / (small * TIMES), large


def same_as_reference(kind):
    """Long texts are also right, those that break into no short words included."""
    texts = [text_of(element, 3000) for element in SHAPES.values()]
    equal, lines = both.compare(PROGRAM, FILES / f"{kind}.json", texts)
    return equal == len(texts), lines


def main():
    print(f"1..{2 * len(KINDS)}")
    good, number = True, 0
    with ProcessPoolExecutor(2) as pool:
        ratios = {kind: {shape: pool.submit(ratio, kind, element) for shape, element in SHAPES.items()}
                  for kind in KINDS}
        right = {kind: pool.submit(same_as_reference, kind) for kind in KINDS}
        for kind, shapes in ratios.items():
            found = {shape: future.result() for shape, future in shapes.items()}
            worst = max(found, key=lambda shape: found[shape][0])
            slowest = max(found, key=lambda shape: found[shape][1])
            number, is_linear = number + 1, found[worst][0] <= FACTOR
            print(f"{'ok' if is_linear else 'not ok'} {number} - {kind}: linear in {len(found)} shapes; "
                  f"worst {found[worst][0]:.2f} ({worst}); slowest {slowest}, "
                  f"{found[slowest][1] / 1e6:.0f} ms a MiB", flush=True)
            is_equal, lines = right[kind].result()
            number += 1
            print(f"{'ok' if is_equal else 'not ok'} {number} - {kind}: texts of 3,000 letters are equal")
            if not is_equal:
                print("\n".join(lines))
            good = good and is_linear and is_equal
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
