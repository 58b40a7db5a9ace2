#!/usr/bin/env python3
"""Ids, types, sequences and byte offsets of 100,000 random Unicode texts of each kind of tokenizer
equal those of the reference package, text by text. Prints TAP.

    test_random.py ENCODE_STREAM PROJECT_FOLDER [TEXTS_OF_A_KIND]
"""

import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"      # two processes of one thread each

import both         # noqa: E402
import real_vocabulary  # noqa: E402
import texts        # noqa: E402

PROGRAM, ROOT = Path(sys.argv[1]), Path(sys.argv[2])
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
CHUNK = 5_000
FILES = ROOT / "fixtures/tokenizers"
KINDS = {
    "WordPiece": ["bert-uncased", "bert-cased", "mpnet", "bge", "many-added"],
    "byte-level BPE": ["roberta", "roberta-prefix-space", "modernbert"],
    "byte-fallback BPE": ["llama", "llama-metaspace"],
    "Unigram": ["xlm-roberta", "multilingual-e5", "bge-m3", "deberta-v2"],
}
POOL = []


def compare(name, start, end, is_pair, special):
    """Runs in a process of its own; POOL came with the fork."""
    path = FILES / f"{name}.json"
    some = POOL[start:end]
    if is_pair:
        some = list(zip(some, some[1:] + some[:1]))
    equal, lines = both.compare(PROGRAM, path, some, special)
    return equal, len(some), lines


def compare_real(count):
    """The same with a vocabulary of real size, which the fixtures do not have."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        real_vocabulary.write(ROOT / "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf", path)
        equal, lines = both.compare(PROGRAM, path, POOL[:count])
        return equal, len(POOL[:count]), lines


def compare_xlm_roberta(source, count):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        real_vocabulary.write_xlm_roberta(source, FILES / "xlm-roberta.json", path)
        equal, lines = both.compare(PROGRAM, path, POOL[:count])
        return equal, len(POOL[:count]), lines


def tell_xlm_roberta(number, future):
    name = "Unigram: 250,048 pieces and the table of XLM-R"
    if future is None:
        print(f"ok {number} - {name} # SKIP the locked source of llama.cpp was not fetched")
        return True
    return tell(number, name, [future])[0]


def parts_of(kind):
    """(file, first text, end): each text of the pool once, each file an equal share."""
    names = KINDS[kind]
    for number, name in enumerate(names):
        first, end = number * COUNT // len(names), (number + 1) * COUNT // len(names)
        for start in range(first, end, CHUNK):
            yield name, start, min(start + CHUNK, end)


def jobs_of(kind, pool):
    jobs = {name: [] for name in KINDS[kind]}
    for name, start, end in parts_of(kind):
        jobs[name].append(pool.submit(compare, name, start, end, False, True))
    for name in KINDS[kind]:
        jobs[name, "pairs"] = [pool.submit(compare, name, 0, min(2000, COUNT), True, True)]
        jobs[name, "no special tokens"] = [pool.submit(compare, name, 0, min(1000, COUNT), False, False)]
    return jobs


def tell(number, name, futures):
    """One line of TAP; returns (is it right, how many texts)."""
    try:
        results = [future.result() for future in futures]
    except both.Refused as refusal:
        print(f"not ok {number} - {name}: the file is refused\n# {refusal}", flush=True)
        return False, 0
    equal, count = sum(result[0] for result in results), sum(result[1] for result in results)
    is_right = equal == count and count > 0
    print(f"{'ok' if is_right else 'not ok'} {number} - {name}: {equal} of {count} equal", flush=True)
    for line in [line for result in results for line in result[2]][:40]:
        print(line)
    return is_right, count


def main():
    tokenizers = [both.reference(path) for path in sorted(FILES.glob("*.json"))]
    known = sorted(name for names in KINDS.values() for name in names)
    there = sorted(path.stem for path in FILES.glob("*.json"))
    if known != there:
        print(f"Bail out! the files are {there}, this test knows {known}")
        return 1
    words = texts.words_of(ROOT / "fixtures/texts")
    POOL.extend(texts.make(COUNT, words, texts.pieces_of(tokenizers)))
    number, good = 1, len(set(POOL)) == COUNT
    print(f"{'ok' if good else 'not ok'} 1 - {len(set(POOL))} different texts")
    with ProcessPoolExecutor(2) as pool:
        real = pool.submit(compare_real, 10_000)
        source = real_vocabulary.archive()
        xlm = pool.submit(compare_xlm_roberta, source, 10_000) if source else None
        jobs = {kind: jobs_of(kind, pool) for kind in KINDS}
        for kind, of_kind in jobs.items():
            total = 0
            for name, futures in of_kind.items():
                number += 1
                shown = name if isinstance(name, str) else ", ".join(name)
                is_right, count = tell(number, f"{kind}: {shown}", futures)
                good, total = good and is_right, total + count * isinstance(name, str)
            print(f"# {kind}: {total} texts against tokenizers {both.VERSION}", flush=True)
        number += 1
        good = tell(number, "byte-level BPE: 49,152 pieces of a published model", [real])[0] and good
        number += 1
        good = tell_xlm_roberta(number, xlm) and good
    print(f"1..{number}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
