#!/usr/bin/env python3
"""Compares the locked llama.cpp with another release from a package registry (xllamacpp) on the same
GGUF files and writes docs/validation/gguf-engines.md.

    bench/engines/gguf_engines.py [--quick] [--threads N] [--out FILE] [--json FILE] [--accept-noise]

Needs .deps/bench (deps/bench) and the default models; takes about six minutes on 4 cores. A run on a machine
that was not quiet is printed and not written, unless told so. Every figure of the document comes from
here; --json keeps all measured values. --quick takes one look at the small model, for trying it out;
with --threads 1 that works on a busy machine as well, where threads that wait for each other hardly do.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import onnx_engines as machine
from report import table

ROOT, PYTHON = machine.ROOT, machine.PYTHON
PROBE = Path(__file__).resolve().parent / "gguf_probe.py"
PROGRAM = ROOT / ".deps/bench/llama/llama-server"
TARGET, RAW = ROOT / "docs/validation/gguf-engines.md", ROOT / "build/bench/gguf-engines.json"
TINY = ROOT / "fixtures/models/gguf/tiny-llama.gguf"
MODELS = {"SmolLM2-135M (Q4_0)": "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf",
          "0.5B shape, random weights (Q4_0)": "fixtures/models/gguf/half-billion-q4_0.gguf",
          "Phi-3-mini shape, random weights (Q4_K_M)": "fixtures/models/gguf/phi3-mini-q4km.gguf"}
ENGINES = ("llama-server", "xllamacpp")
PROMPT, TOKENS, PROMPTS, ROUNDS, CONTEXT, THREADS = 146, 64, 4, 4, 1024, 4
SLOW, SLOW_ROUNDS, SLOW_PROMPTS = "Phi-3-mini shape, random weights (Q4_K_M)", 2, 2
MUTATED, CHANGES, HANG_SECONDS = 200, 3, 20
HEADER_BYTES = 4096


def task_of(engine, model, **values):
    return json.dumps({"engine": engine, "model": str(model), "program": str(PROGRAM), "threads": THREADS,
                       "context": CONTEXT, "prompts": [], "tokens": TOKENS, **values})


def run_probe(task, seconds=1200):
    """subprocess.run(), but a probe that takes too long ends with the server that it started."""
    with subprocess.Popen([str(PYTHON), str(PROBE), task], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True,
                          env={"PYTHONDONTWRITEBYTECODE": "1", "GGML_NO_BACKTRACE": "1"}) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def probe(engine, model, prompts, threads):
    done = run_probe(task_of(engine, model, prompts=prompts, threads=threads))
    if done.returncode != 0:
        raise machine.Refused(f"{engine} on {model} ends with {done.returncode}: "
                              f"{done.stderr.decode(errors='replace')[-300:]}")
    return json.loads(done.stdout)


# ---- speed, memory, agreement -------------------------------------------------------------------

def measure(models, rounds, threads):
    """{model: {engine: [a probe, ...]}}; engines take turns forth and back."""
    lot = random.Random(1)
    prompts = [[lot.randrange(300, 29300) for _ in range(PROMPT)] for _ in range(PROMPTS)]
    found = {}
    for name, path in models.items():
        found[name] = {engine: [] for engine in ENGINES}
        asked = prompts[:SLOW_PROMPTS] if name == SLOW else prompts
        for turn in range(min(rounds, SLOW_ROUNDS) if name == SLOW else rounds):
            for engine in ENGINES if turn % 2 == 0 else reversed(ENGINES):
                found[name][engine].append(probe(engine, ROOT / path, asked, threads))
    return found


def median_of(runs, key):
    return statistics.median(prompt[key] for run in runs for prompt in run["prompts"])


def common_share(one, other):
    """How much of the longer text both begin with."""
    same = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return same / max(len(one), len(other), 1)


def speed(found):
    rows = []
    for model, engines in found.items():
        for engine, runs in engines.items():
            rows.append([model, engine, f"{median_of(runs, 'prompt_rate'):.0f}",
                         f"{median_of(runs, 'rate'):.1f}", f"{median_of(runs, 'first_ms'):.0f}",
                         f"{statistics.median(run['peak_mb'] for run in runs):.0f}",
                         f"{statistics.median(run['load_s'] for run in runs):.2f}"])
    return table(["model", "engine", "prompt, tokens/s", "answer, tokens/s", "first token, ms",
                  "peak resident, MB", "load and first answer, s"], rows)


def agreement(found):
    rows = []
    for model, engines in found.items():
        one, other = ([prompt["text"] for prompt in engines[engine][0]["prompts"]] for engine in ENGINES)
        equal = sum(a == b for a, b in zip(one, other))
        share = statistics.mean(common_share(a, b) for a, b in zip(one, other))
        rows.append([model, f"{equal} of {len(one)}", f"{share:.0%}"])
    return table(["model", "equal answers", "mean common beginning"], rows)


# ---- wrong files --------------------------------------------------------------------------------

def mutants(count):
    """Copies of the tiny model with a few bytes of its head changed, or cut off: the same for all."""
    lot, whole = random.Random(2), TINY.read_bytes()
    for number in range(count):
        data = bytearray(whole)
        if number % 8 == 7:
            del data[lot.randrange(len(data)):]
        else:
            for _ in range(lot.randrange(1, CHANGES + 1)):
                at = lot.randrange(HEADER_BYTES)
                data[at] = lot.choice([0, 1, 127, 128, 255, data[at] ^ 1 << lot.randrange(8)])
        yield bytes(data)


def outcome(engine, path):
    try:
        done = run_probe(task_of(engine, path, prompts=[[10, 11, 12]], tokens=2, context=256, threads=1),
                         HANG_SECONDS)
    except subprocess.TimeoutExpired:
        return "hung"
    if done.returncode < 0:
        return f"killed by {signal.Signals(-done.returncode).name}"
    return "answered" if done.returncode == 0 else "refused"


def wrong_files(count):
    """Several probes at once: each has one thread, and nothing is timed."""
    with tempfile.TemporaryDirectory(prefix="hearth-mutants-") as folder:
        paths = [Path(folder) / f"{number}.gguf" for number in range(count)]
        for path, data in zip(paths, mutants(count)):
            path.write_bytes(data)
        with ThreadPoolExecutor(THREADS) as pool:
            return {engine: Counter(pool.map(lambda path: outcome(engine, path), paths))
                    for engine in ENGINES}


def wrong_table(found):
    kinds = sorted({kind for counts in found.values() for kind in counts})
    return table(["engine", *kinds], [[engine, *(str(counts[kind]) for kind in kinds)]
                                      for engine, counts in found.items()])


# ---- the page -----------------------------------------------------------------------------------

def page(found):
    noise = found["noise"]
    quiet = "" if noise["is_quiet"] else (
        "**INCONCLUSIVE: the machine was not quiet.** The figures below are of no use but to see that "
        "the command works.\n\n")
    return f"""# Two releases of llama.cpp on the same GGUF files

Written by `bench/engines/gguf_engines.py`; every figure is its own. {quiet}*llama-server* is built from the locked
source with the compiler and the options of the library that the worker links, for this processor. *xllamacpp*
{found['version']} is another release of llama.cpp, compiled by others for many processors, from its wheel.
{found['cpu']}, {noise['cores']} cores; other programs computed on {noise['foreign_cores']:.2f} cores, steal
{100 * noise['steal']:.1f} %; {noise['seconds']:.0f} s.

## Speed, memory, loading

{PROMPTS} prompts of {PROMPT} tokens and {TOKENS} of an answer, one after the other, {found['threads']} threads, a context of {CONTEXT};
each engine in {found['rounds']} processes that take turns (with Phi-3 {SLOW_PROMPTS} prompts in {SLOW_ROUNDS}); medians. Times are those that
the engines tell. Python is in the memory of xllamacpp.

{speed(found['measured'])}
## Greedy agreement

The same prompts, temperature 0, beside each other.

{agreement(found['measured'])}
## Wrong files

{found['mutants']} copies of `tiny-llama.gguf` with one to {CHANGES} bytes of its first {HEADER_BYTES} changed, every eighth cut off;
each in a process of its own, {HANG_SECONDS} s at most. hearthd never gives such a file to the engine: it reads the head itself first
(`src/worker/inspect`).

{wrong_table(found['wrong'])}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--json", type=Path, default=RAW)
    parser.add_argument("--accept-noise", action="store_true")
    options = parser.parse_args()
    models = dict(list(MODELS.items())[:1]) if options.quick else MODELS
    for path in (PYTHON, PROGRAM, *(ROOT / path for path in models.values())):
        if not path.exists():
            raise machine.Refused(f"{path} is missing: run scripts/setup.sh and deps/bench")
    before = machine.cpu_times()
    count, rounds = (8, 1) if options.quick else (MUTATED, ROUNDS)
    found = {"measured": measure(models, rounds, options.threads), "threads": options.threads,
             "rounds": rounds, "mutants": count,
             "wrong": wrong_files(count), "cpu": machine.cpu_name(), "version": version()}
    found["noise"] = machine.noise_between(before, machine.cpu_times())
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    text = page(found)
    if options.quick or not (found["noise"]["is_quiet"] or options.accept_noise):
        print(text)
        print("gguf_engines: printed and not written: a quick look, or the machine was not quiet",
              file=sys.stderr)
        return 4
    options.out.write_text(text, encoding="utf-8")
    print(f"{options.out} written")
    return 0


def version():
    site = next((PYTHON.parent.parent / "lib").glob("python3*")) / "site-packages"
    return next(d.version for d in metadata.distributions(path=[str(site)]) if d.name == "xllamacpp")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.Refused as refused:
        print(f"gguf_engines: {refused}", file=sys.stderr)
        sys.exit(1)
