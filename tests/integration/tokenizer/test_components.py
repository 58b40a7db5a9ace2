#!/usr/bin/env python3
"""Each component that a tokenizer.json may name answers as in the reference package or is refused by
its name; so do truncation, pairs and decoders. Prints TAP.

    test_components.py ENCODE_STREAM PROJECT_FOLDER [NAME]     (only those whose name contains NAME)
"""

import json
import os
import random
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["RUST_BACKTRACE"] = "0"

import both         # noqa: E402
import decoders     # noqa: E402
import texts        # noqa: E402
import variants     # noqa: E402

PROGRAM, ROOT = Path(sys.argv[1]), Path(sys.argv[2])
WANTED = sys.argv[3] if len(sys.argv) > 3 else ""
FILES = ROOT / "fixtures/tokenizers"
# What no family of encoders uses: refused at load, by a text that names it.
REFUSED = {"pre-tokeniser: UnicodeScripts": "UnicodeScripts", "pre-tokeniser: FixedLength": "FixedLength",
           "decoder: CTC": "CTC"}
# What Oniguruma means otherwise than PCRE2 may be refused too, never answered otherwise.
A_REGEX = "the regular expression"
POOL = []
PLAIN = 450     # texts that a component is given alone; the pairs are others
STRATEGIES = {"LongestFirst": "longest_first", "OnlyFirst": "only_first", "OnlySecond": "only_second"}
LENGTHS = (2, 3, 4, 5, 6, 13)


def written(folder, base, edit):
    file = json.loads((FILES / f"{base}.json").read_text(encoding="utf-8"))
    edit(file)
    path = Path(folder) / "tokenizer.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def judge(name, path, check):
    """(is it right, words, lines)"""
    try:
        equal, count, lines = check(path)
    except both.Refused as refusal:
        wanted = A_REGEX if name.startswith("expression") else REFUSED.get(name)
        return wanted is not None and wanted in str(refusal), f"refused: {refusal}", []
    if name in REFUSED:
        return False, "taken, although it was to be refused", []
    return equal == count and count > 0, f"{equal} of {count} equal", lines


def component(name):
    base, edit = variants.ALL[name]

    def check(path):
        if name.startswith("expression"):
            equal, lines = both.compare(PROGRAM, path, POOL[:PLAIN:2])
            return equal, len(POOL[:PLAIN:2]), lines
        equal, lines = both.compare(PROGRAM, path, POOL[:PLAIN])
        pairs = list(zip(POOL[PLAIN:PLAIN + 50], POOL[PLAIN + 50:]))
        also, more = both.compare(PROGRAM, path, pairs)
        return equal + also, PLAIN + len(pairs), lines + more
    with tempfile.TemporaryDirectory() as folder:
        return judge(name, written(folder, base, edit), check)


def truncation(name):
    """Every strategy, direction and length; the limit of the file, and a smaller one of the caller."""
    base, strategy, direction = name.removeprefix("truncation: ").split(", ")

    def edit(file):
        file["truncation"] = {"max_length": 9, "stride": 0, "strategy": strategy, "direction": direction}
    given = [text for text in POOL if 0 < len(text) < 40][:16]
    given += [" ".join(POOL[i:i + 4]) for i in range(0, 24, 4)]
    pairs = list(zip(given, given[7:] + given[:7]))

    def check(path):
        equal, lines, count, tokenizer = 0, [], 0, both.reference(path)
        for some in (given, pairs):
            tokenizer.no_truncation()
            full = both.theirs(tokenizer, some).counts
            for limit in (None, *LENGTHS):
                tokenizer.enable_truncation(limit or 9, strategy=STRATEGIES[strategy],
                                            direction=direction.lower())
                right, more = truncated(path, tokenizer, some, full, limit)
                equal, lines, count = equal + right, lines + more, count + len(some)
        return equal, count, lines
    with tempfile.TemporaryDirectory() as folder:
        return judge(name, written(folder, base, edit), check)


def truncated(path, tokenizer, given, full, limit):
    """Where the special tokens alone are more than the limit, the reference does not cut and we refuse;
    so do both where the text that may be cut is too short."""
    special = tokenizer.num_special_tokens_to_add(isinstance(given[0], tuple))
    takes = [(limit or 9) >= special and is_taken(tokenizer, text) for text in given]
    got = both.ours(PROGRAM, path, given, limit or both.FILE_LIMIT)
    right, lines = sum(got.codes[i] != 0 for i, is_one in enumerate(takes) if not is_one), []
    kept = [i for i, is_one in enumerate(takes) if is_one]
    if not kept:
        return right, lines
    wanted = both.theirs(tokenizer, [given[i] for i in kept])
    wanted.full = full[kept]
    for number, i in enumerate(kept):
        if got.codes[i] == 0 and wanted.of(number) == got.of(i):
            right += 1
        elif len(lines) < 9:
            lines += [f"# limit {limit}: {ascii(given[i])[:200]}",
                      f"#   reference {str(wanted.of(number))[:300]}",
                      f"#   ours      {str(int(got.codes[i]) or got.of(i))[:300]}"]
    return right, lines


def is_taken(tokenizer, text):
    try:
        tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text)
    except Exception:       # the package has no type of its own for it
        return False
    return True


def decoded(tokenizer, ids, skips):
    """None where the reference breaks down (a Strip longer than its token); we must not."""
    try:
        return tokenizer.decode(ids, skip_special_tokens=skips)
    except BaseException as found:
        if type(found).__name__ != "PanicException":
            raise
        return None


def as_written(path):
    """The reference, told that no added token is normalised: else this version of it decodes one to
    what its content is normalised to ("ete" for "Été"), and we to the content. The ids to be decoded
    then come from other places of a text, which is all the same."""
    file = json.loads(path.read_text(encoding="utf-8"))
    for token in file["added_tokens"]:
        token["normalized"] = False
    other = path.with_name("as_written.json")
    other.write_text(json.dumps(file), encoding="utf-8")
    return both.reference(other)


def decoding(name):
    base, edit = decoders.ALL[name]

    def check(path):
        tokenizer = as_written(path)
        draw = random.Random(texts.SEED)
        size = tokenizer.get_vocab_size()
        lists = [encoding.ids for encoding in tokenizer.encode_batch(POOL[:400])]
        lists += [draw.choices(range(size), k=draw.randrange(12)) for _ in range(500)]
        equal, lines = 0, []
        for skips in (True, False):
            wanted = [decoded(tokenizer, ids, skips) for ids in lists]
            got = both.ours_decoded(PROGRAM, path, lists, skips)
            for ids, theirs, ours in zip(lists, wanted, got):
                if theirs is None:
                    equal += isinstance(ours, bytes)
                    continue
                equal += ours == theirs.encode()
                if ours != theirs.encode() and len(lines) < 15:
                    lines += [f"# {ids} skips={skips}", f"#   reference {theirs.encode()!r}",
                              f"#   ours      {ours!r}"]
        return equal, 2 * len(lists), lines
    with tempfile.TemporaryDirectory() as folder:
        return judge(name, written(folder, base, edit), check)


def jobs():
    """[(name, function)]"""
    found = [(name, component) for name in variants.ALL]
    found += [(f"truncation: {base}, {strategy}, {direction}", truncation)
              for base in ("bert-uncased", "roberta", "llama", "xlm-roberta")
              for strategy in STRATEGIES
              for direction in ("Right", "Left")]
    found += [(name, decoding) for name in decoders.ALL]
    return [(name, function) for name, function in found if WANTED in name]


def main():
    variants.add_tokens(json.loads((FILES / "many-added.json").read_text(encoding="utf-8")))
    tokenizers = [both.reference(path) for path in sorted(FILES.glob("*.json"))]
    POOL.extend(texts.make(2000, texts.words_of(ROOT / "fixtures/texts"), texts.pieces_of(tokenizers),
                           texts.SEED + 1))
    todo, good = jobs(), True
    print(f"1..{len(todo)}")
    with ProcessPoolExecutor(2) as pool:
        answers = [pool.submit(function, name) for name, function in todo]
        for number, ((name, _), answer) in enumerate(zip(todo, answers), 1):
            is_right, words, lines = answer.result()
            good = good and is_right
            print(f"{'ok' if is_right else 'not ok'} {number} - {name}: {words}", flush=True)
            if not is_right and lines:
                print("\n".join(lines[:25]), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
