#!/usr/bin/env python3
"""Wrong GGUF files end in an error, never in a dead or hanging process.

    test_mutated.py LOAD_MANY [--count 200] [--first 0] [--keep DIR] [--show]

Each file is made from a tiny model of one architecture (mutations.py), then inspected, loaded and
asked for four tokens or a vector in a process of its own (load_many.c). Printed: how many were
refused by our inspection, how many by the library, how many loaded and answered or failed with an
error. A process that dies or takes more than five seconds makes the test fail; a worker that dies
so costs the daemon a restart, so each such case becomes a check of the inspection.
"""

import argparse
import collections
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import mutations  # noqa: E402

BATCH = 250
BAD = ("died", "hung")


def task_of(architecture):
    return "embed" if architecture in mutations.gguf_architectures.ENCODERS else "generate"


def outcomes(program, paths):
    """[(outcome, what is known)] for [(path, task)]"""
    lines = "".join(f"{path} {task}\n" for path, task in paths)
    run = subprocess.run([program], input=lines, capture_output=True, text=True, errors="replace",
                         check=False, timeout=30 + 6 * len(paths))
    told = [line.split("\t", 1) for line in run.stdout.splitlines()]
    if run.returncode != 0 or len(told) != len(paths):
        raise SystemExit(f"load_many ended with {run.returncode} after {len(told)} of {len(paths)}"
                         f" files: {run.stderr[-500:]}")
    return told


def check_sound(program, folder, sources):
    """Unchanged, each of them loads: so what is refused below is refused for its change."""
    paths = []
    for architecture, data in sources.items():
        path = folder / f"{architecture}.gguf"
        path.write_bytes(data)
        paths.append((path, task_of(architecture)))
    wrong = [(path.stem, *told) for (path, _), told in zip(paths, outcomes(program, paths))
             if told[0] != "loaded"]
    if wrong:
        raise SystemExit(f"sound files do not load: {wrong}")
    print(f"{len(paths)} sound files of {len(paths)} architectures load and answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for files that end badly")
    parser.add_argument("--show", action="store_true", help="a line for each file")
    options = parser.parse_args()
    make = mutations.gguf_architectures.make
    sources = {name: make(name) for name in mutations.gguf_architectures.ARCHITECTURES}
    counts, bad = collections.Counter(), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        check_sound(options.program, folder, sources)
        for first in range(options.first, options.first + options.count, BATCH):
            made = []
            for number in range(first, min(first + BATCH, options.first + options.count)):
                architecture, done, data = mutations.mutate(number, sources)
                path = folder / f"{number}.gguf"
                path.write_bytes(data)
                made.append((number, architecture, done, path))
            told = outcomes(options.program, [(path, task_of(name)) for _, name, _, path in made])
            for (number, architecture, done, path), (outcome, known) in zip(made, told):
                counts[outcome] += 1
                if options.show:
                    print(number, architecture, done, outcome, known)
                if outcome in BAD:
                    bad.append(f"{number} ({architecture}, {done}): {outcome} {known}")
                    if options.keep:
                        (options.keep / path.name).write_bytes(path.read_bytes())
                path.unlink()
    print(f"{options.count} files: {counts['refused']} refused by the inspection, "
          f"{counts['rejected']} by the library, {counts['loaded']} loaded and answered, "
          f"{counts['failed']} answered with an error, {counts['died']} died, {counts['hung']} hung")
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
