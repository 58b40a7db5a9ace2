"""Turns what onnx_engines.py found into docs/validation/onnx-engines.md."""

import statistics

ENGINES = {"ort": "ONNX Runtime, fp32", "ov-f32": "OpenVINO, f32", "ov-bf16": "OpenVINO, bf16"}
LENGTHS = ("1x16", "1x64", "1x128")
PADDED_TEXTS = 32


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def ms(values):
    return f"{1000 * statistics.median(values):.1f}"


def alone_rate(figures, threads):
    return figures["texts"] / statistics.median(figures[threads]["alone"])


def padded_rate(figures, threads):
    return PADDED_TEXTS / statistics.median(figures[threads]["padded"])


def padded_cell(figures, threads):
    return f"{padded_rate(figures, threads):.0f}" if "padded" in figures[threads] else "—"


def times(found):
    parts = []
    for model, engines in found["measured"].items():
        rows = []
        for engine, figures in engines.items():
            name = ENGINES[engine]
            for threads in (1, 4):
                here = figures[threads]
                rows.append([name, str(threads), *(ms(here[length]) for length in LENGTHS),
                             f"{alone_rate(figures, threads):.0f}",
                             padded_cell(figures, threads)])
        parts.append(f"**{model}**\n\n" + table(
            ["engine", "threads", "1×16, ms", "1×64, ms", "1×128, ms", "unpadded, texts/s",
             "padded 32×128, texts/s"], rows))
    return "\n".join(parts)


def memory(found):
    rows = []
    for model, engines in found["measured"].items():
        for engine, figures in engines.items():
            name, here, load = ENGINES[engine], figures[4], figures["load"]
            rows.append([model, name, f"{here['resident_mb']:.0f}", f"{here['peak_mb']:.0f}",
                         f"{load['load_ms']:.0f}", f"{load['first_answer_ms']:.0f}"])
    return table(["model", "engine", "resident after 1×128, MB", "peak after 32×128, MB", "load, ms",
                  "first answer after, ms"], rows)


def agreement(found):
    rows = []
    for model, engines in found["agreement"].items():
        for engine, here in engines.items():
            rows.append([model, ENGINES[engine], f"{here['mean']:.6f}", f"{here['least']:.6f}",
                         f"{100 * here['same_largest']:.1f} %" if "intent" in model else "—"])
    return table(["model", "engine", "mean cosine", "least cosine", "same label"], rows)


def operators(found):
    rows = []
    for model, here in found["operators"].items():
        names = ", ".join(sorted(here["counts"]))
        rows.append([model, names, ", ".join(here["unsupported"]) or "none"])
    return table(["model", "operators of the file", "not taken by OpenVINO's CPU device"], rows)


def sandbox(found):
    rows = [[ENGINES[engine], str(here["threads"]), str(here["network"]),
             ", ".join(here["beyond"]) or "none",
             f"{here['executable_load']} / {here['executable_run']}"]
            for engine, here in found["sandbox"].items()]
    files = "\n".join(f"- {ENGINES[engine]}: " + (", ".join(f"`{name}`" for name in here["opened"])
                                                   or "nothing")
                      for engine, here in found["sandbox"].items())
    return table(["engine", "threads", "network sockets", "system calls that our worker refuses",
                  "executable mappings while loading / running"], rows) + "\n" + files + "\n"


def conclusion(found):
    lines = []
    for model, engines in found["measured"].items():
        ort = engines["ort"]
        for engine in [engine for engine in engines if engine != "ort"]:
            here = engines[engine]
            lines.append(
                f"- {model}, {ENGINES[engine]}, 4 threads: unpadded "
                f"{alone_rate(here, 4) / alone_rate(ort, 4):.2f}× the texts of ONNX Runtime, padded "
                f"{padded_rate(here, 4) / padded_rate(ort, 4):.2f}×; 1×128 takes "
                f"{statistics.median(here[4]['1x128']) / statistics.median(ort[4]['1x128']):.2f} "
                f"of its time; memory {here[4]['resident_mb'] / ort[4]['resident_mb']:.2f}×.")
    if "ov-bf16" not in found["sandbox"]:
        lines.append("- bf16 could not be measured: this processor has no instructions for it. Asked for "
                     "it, OpenVINO computes in f32 here, which only a look at the compiled model shows.")
    jit = found["sandbox"]["ov-f32"]
    lines.append(
        f"- OpenVINO compiles code for the processor at run time: {jit['executable_load']} executable "
        f"mappings while it loads and {jit['executable_run']} while it runs. Our worker forbids new "
        "code once its door is closed, before a byte of the model is read; OpenVINO cannot live "
        "behind that door." if jit["executable_load"] + jit["executable_run"] else
        "- OpenVINO maps no executable memory after its library is loaded.")
    return "\n".join(lines)


def write(found):
    ort, openvino = found["versions"]
    noise = found["noise"]
    quiet = "" if noise["is_quiet"] else (
        "**INCONCLUSIVE: the machine was not quiet.** The figures below are of no use but to see "
        "that the command works.\n\n")
    return f"""# ONNX Runtime and OpenVINO on the same files

Written by `bench/engines/onnx_engines.py`; every figure is its own. {quiet}ONNX Runtime {ort}, OpenVINO
{openvino}, both from their Python wheels; {found['cpu']}, {noise['cores']} cores; other programs computed
on {noise['foreign_cores']:.2f} cores, steal {100 * noise['steal']:.1f} %; {noise['seconds']:.0f} s of measuring.

Each figure is from a process of its own; engines take turns forth and back (BERT-base: once), the median counts.
*Unpadded*: the lengths of `bench/texts/lognormal256.json` (the first 128; 32 for BERT-base), each alone, as many at
once as there are threads, longest first: one shared session of single-threaded runs, or as many streams. *Padded*:
32 × 128 tokens in one run. Back to back, so both engines spin as they like.

## Latency and throughput

{times(found)}
## Memory and loading

{memory(found)}
Python and numpy are in these figures, alike for both. *Load* is from the file on disk in memory to a session.

## Agreement

With ONNX Runtime in fp32, on the first 64 of the committed texts; the mean of the token vectors, or the scores.

{agreement(found)}
## Operators

{operators(found)}
## What a sandbox would have to allow

After the library is opened: loading MiniLM, then three runs. `strace -f`; calls are compared with the list of
`src/shared/sandbox/seccomp.c` for the ONNX worker.

{sandbox(found)}
## Conclusion

{conclusion(found)}
- No second engine is shipped. What bf16 gains is a matter of the processor (it needs AVX-512 BF16 or AMX). A worker that may map executable memory would be a weaker
  wall around the one process that reads untrusted files. Should a bf16 engine be wanted, it belongs into a worker of its
  own with a door of its own; the engine table (`src/worker/engine/hearth_engine.h`) has room for it.
"""
