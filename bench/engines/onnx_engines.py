#!/usr/bin/env python3
"""Compares ONNX Runtime with OpenVINO on the same files and writes docs/validation/onnx-engines.md.

    bench/engines/onnx_engines.py [--quick] [--model PART] [--out FILE] [--json FILE] [--accept-noise]

Needs .deps/bench (deps/bench), the default models and strace; takes about five minutes. A run on a
machine that was not quiet is printed and not written, unless told so. Every figure of the document
comes from here; --json keeps all measured values.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PYTHON = ROOT / ".deps/bench/venv/bin/python"
MAKER = ROOT / ".deps/venv/bin/python"
TARGET = ROOT / "docs/validation/onnx-engines.md"
RAW = ROOT / "build/bench/onnx-engines.json"
ENGINES = {"ort": "ONNX Runtime, fp32", "ov-f32": "OpenVINO, f32", "ov-bf16": "OpenVINO, bf16"}
LENGTHS = ("1x16", "1x64", "1x128")
FOREIGN_LIMIT, STEAL_LIMIT = 0.10, 0.01    # as bench/harness has them
PADDED_TEXTS = 32
BERT = "BERT-base shape, random weights (fp32)"


class Refused(Exception):
    """What is missing and what to do: printed as it is."""


# --- the machine ----------------------------------------------------------------------------------

def cpu_times():
    fields = [int(x) for x in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, irq, soft, steal = fields
    own = sum(sum(resource.getrusage(who)[:2]) for who in
              (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"busy": (user + nice + system + irq + soft) / tick, "steal": steal / tick, "own": own,
            "wall": time.monotonic()}


def noise_between(before, after):
    cores = len(os.sched_getaffinity(0))
    wall = after["wall"] - before["wall"]
    foreign = ((after["busy"] - before["busy"]) - (after["own"] - before["own"])) / wall
    steal = (after["steal"] - before["steal"]) / wall / cores
    return {"foreign_cores": max(0.0, foreign), "steal": steal, "cores": cores, "seconds": wall,
            "is_quiet": foreign <= FOREIGN_LIMIT * cores and steal <= STEAL_LIMIT}


def cpu_name():
    return re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1]


# --- probing --------------------------------------------------------------------------------------

def probe(prefix=(), **task):
    task = {"repeats": 20, "lengths": [], **task}
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    said = subprocess.run([*prefix, str(PYTHON), str(HERE / "probe.py"), json.dumps(task)],
                          capture_output=True, text=True, env=environment)
    if said.returncode != 0:
        raise Refused(f"{task['engine']} on {task['model']}: {said.stderr.strip()[-400:]}")
    return json.loads(said.stdout)


def texts():
    return [entry["ids"] for entry in json.loads(
        (ROOT / "bench/texts/lognormal256.json").read_text(encoding="utf-8"))]


def engines_here(path):
    """Without bf16 where the processor has none: OpenVINO takes f32 then and does not say so."""
    taken = probe(engine="ov-bf16", model=path, threads=1, what=["load"])["precision"]
    return [engine for engine in ENGINES if engine != "ov-bf16" or "bfloat16" in taken]


def measure_model(path, is_large, threads, quick, engines):
    """{engine: {threads: figures}}; the engines take turns, forth and back (once if it is large)."""
    ids = texts()[:32 if is_large or quick else 128]
    repeats = 8 if is_large or quick else 24
    found = {engine: {} for engine in engines}
    for count in threads:
        for engine in [*engines, *([] if is_large or quick else reversed(engines))]:
            what = ["latency", "alone"] + (["padded"] if count > 1 or not is_large else [])
            once = probe(engine=engine, model=path, threads=count, repeats=repeats,
                         lengths=[len(one) for one in ids], what=what)
            before = found[engine].setdefault(count, once)
            for key in before:
                both = [before[key], once[key]]
                before[key] = sorted(both[0] + both[1]) if isinstance(both[0], list) else max(both)
        print(f"  {Path(path).parent.name}: {count} threads done", flush=True)
    for engine in engines:
        found[engine]["texts"] = len(ids)
        found[engine]["load"] = probe(engine=engine, model=path, threads=max(threads), what=["load"])
    return found


def agreement(path, engines):
    """Least and mean cosine of each engine with ONNX Runtime in fp32, on the committed texts."""
    ids = texts()[:64]
    rows = {engine: probe(engine=engine, model=path, threads=4, ids=ids, what=["answers"])["answers"]
            for engine in engines}
    result = {}
    for engine in engines[1:]:
        cosines = [cosine(a, b) for a, b in zip(rows["ort"], rows[engine])]
        alike = [argmax(a) == argmax(b) for a, b in zip(rows["ort"], rows[engine])]
        result[engine] = {"mean": statistics.fmean(cosines), "least": min(cosines),
                          "same_largest": sum(alike) / len(alike), "texts": len(ids)}
    return result


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (sum(x * x for x in a) ** 0.5 * sum(y * y for y in b) ** 0.5)


def argmax(row):
    return max(range(len(row)), key=row.__getitem__)


# --- what a sandbox would have to allow -----------------------------------------------------------

def allowed_calls():
    """The system calls that the ONNX worker may make (src/shared/sandbox/seccomp.c)."""
    text = (ROOT / "src/shared/sandbox/seccomp.c").read_text(encoding="utf-8")
    rows = re.findall(r"\{SCMP_SYS\((\w+)\), ([A-Z| ]+),", text)
    return {name for name, who in rows if {"ALL", "ONNX", "TENSORS"} & set(re.split(r"[ |]+", who))}


def trace(engine, path):
    with tempfile.NamedTemporaryFile(prefix="hearth-trace-") as log:
        found = probe(prefix=["strace", "-f", "-qq", "-o", log.name], engine=engine, model=path,
                      threads=4, what=["trace"])
        lines = Path(log.name).read_text(encoding="utf-8", errors="replace").splitlines()
    phases, phase = {"load": [], "run": []}, None
    for line in lines:
        seen = re.search(r"hearth-mark-(\w+)", line)
        if seen:
            phase = seen[1]
        elif phase in phases:
            phases[phase].append(line)
    calls = {name: sorted(set(re.findall(r"^\d+\s+(\w+)\(", "\n".join(rows), re.M)))
             for name, rows in phases.items()}
    everything = phases["load"] + phases["run"]
    everything = [line for line in everything if "/usr/lib/python3" not in line]    # modules
    opened = re.findall(r'open(?:at)?\([^"]*"([^"]+)"(?:[^)\n]*\) = \d+|[^)\n]*<unfinished)',
                        "\n".join(everything))
    return {
        "threads": found["threads"],
        "beyond": sorted((set(calls["load"]) | set(calls["run"])) - allowed_calls()),
        "executable_load": sum("PROT_EXEC" in line for line in phases["load"]),
        "executable_run": sum("PROT_EXEC" in line for line in phases["run"]),
        "opened": sorted({general(name) for name in opened}),
        "network": sum(bool(re.search(r"socket\(AF_INET", line)) for line in everything),
    }


def general(path):
    """Without what is of this machine."""
    path = re.sub(r"^.*/site-packages/", "(wheel)/", os.path.normpath(path))
    path = re.sub(r"^.*/models/store/", "(model)/", path)
    return re.sub(r"^(/sys/devices/system/(cpu|node)|/sys/kernel/mm/hugepages)/.*", r"\1/…", path)


def operators(path):
    """{operator: how many}, by the onnx package; graph only."""
    code = ("import sys, json, onnx, collections; print(json.dumps(collections.Counter("
            "(n.domain + '.' if n.domain else '') + n.op_type for n in "
            "onnx.load(sys.argv[1], load_external_data=False).graph.node)))")
    said = subprocess.run([str(PYTHON), "-c", code, path], capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


def versions():
    code = ("import json, onnxruntime, openvino; print(json.dumps([onnxruntime.__version__, "
            "openvino.__version__.split('-')[0]]))")
    return json.loads(subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True,
                                     check=True).stdout)


# --- all of it ------------------------------------------------------------------------------------

def make_synthetic(folder, shape, quant):
    subprocess.run([str(MAKER), str(ROOT / "fixtures/make_synthetic_model.py"), "--shape", shape,
                    "--quant", quant, "--out", str(folder)], check=True, capture_output=True)
    return next((folder / f"synthetic-{shape}-{quant}").glob("*.onnx")).as_posix()


def gather(quick, part, folder):
    store = ROOT / "models/store"
    models = {"MiniLM-L6 (fp32)": str(store / "all-minilm-l6-v2/model.onnx"),
              "hearth-intent (fp32)": str(store / "hearth-intent/model.onnx")}
    if part in BERT:
        models[BERT] = make_synthetic(folder, "bert-base", "f32")
    models = {name: path for name, path in models.items() if part in name}
    if not models:
        raise Refused(f"--model {part}: no model of the comparison has such a name")
    int8 = make_synthetic(folder, "minilm", "int8")
    engines = engines_here(str(store / "all-minilm-l6-v2/model.onnx"))
    before = cpu_times()
    measured = {name: measure_model(path, name == BERT, (1, 4), quick, engines)
                for name, path in models.items()}
    noise = noise_between(before, cpu_times())
    every = {**models, "MiniLM shape, random weights (int8)": int8}
    return {
        "cpu": cpu_name(), "versions": versions(), "noise": noise, "measured": measured,
        "agreement": {name: agreement(path, engines) for name, path in models.items()},
        "operators": {name: {"counts": operators(path), "unsupported":
                             probe(engine="ov-f32", model=path, threads=4,
                                   what=["load"])["unsupported"]} for name, path in every.items()},
        "sandbox": {engine: trace(engine, str(store / "all-minilm-l6-v2/model.onnx"))
                    for engine in engines},
    }


def main():
    import report
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs: a look, never written")
    parser.add_argument("--model", default="", help="only models with PART in the name; never written")
    parser.add_argument("--accept-noise", action="store_true", help="writes a noisy run, marked so")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--json", type=Path, default=RAW)
    options = parser.parse_args()
    try:
        if not PYTHON.exists():
            raise Refused(".deps/bench is missing. Remedy: run deps/bench")
        with tempfile.TemporaryDirectory(prefix="hearth-engines-") as folder:
            found = gather(options.quick, options.model, Path(folder))
    except Refused as error:
        print(f"onnx_engines: {error}", file=sys.stderr)
        return 1
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    text = report.write(found)
    print(text)
    noise = found["noise"]
    is_partial = options.quick or options.model
    if is_partial or not (noise["is_quiet"] or options.accept_noise):
        why = "a look" if is_partial else (
            f"INCONCLUSIVE: other programs computed on {noise['foreign_cores']:.2f} cores, steal "
            f"{100 * noise['steal']:.1f} %")
        print(f"onnx_engines: {why}; {options.out.name} is not written", file=sys.stderr)
        return 0 if is_partial else 4
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
