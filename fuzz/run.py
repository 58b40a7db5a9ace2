#!/usr/bin/env python3
"""Runs the fuzz targets, records what came of it in fuzz/results.json, and judges the records.

usage: scripts/fuzz.sh [--minutes N] [--most N] [--jobs N] [TARGET...]     (all targets by default)
       scripts/fuzz.sh --list | --check [TARGET...]

  --minutes N   every target runs at least so long (10), and goes on until 5 minutes have passed
                without a new edge of its code
  --most N      but not longer than this (30)
  --jobs N      targets that run at the same time (2)
  --list        says which files each target is about, and runs nothing
  --check       says of every recorded result whether it still counts, and runs nothing

What a run finds is minimised into fuzz/corpus/TARGET. A finding (a crash, a leak, a hang) is kept
in the build folder and named. A result counts while the sources of the target and of the rooms it
links are what they were. It is good if the target ran 10 minutes and 5 without a new edge, found
nothing, and its corpus reaches 80 % of the lines of the files that it is about. Ends with 0 only
if all of the targets asked for are good.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
MINUTES, QUIET_SECONDS, LINES_PERCENT = 10, 300, 80
CORPUS_BYTES = 512 << 10
WIRE = [f"src/shared/wire/{name}.c" for name in ("check", "check_generation", "decode", "encode", "layout",
                                                   "patch")]
PATTERN, NORMAL, SUBWORD = "src/worker/pattern", "src/worker/normal", "src/worker/subword"
TOKENIZER = "src/worker/tokenizer"
TEXT_TO_TOKENS = [
    *(f"{PATTERN}/{name}.c" for name in ("categories", "split", "split_known", "unicode")),
    *(f"{NORMAL}/{name}.c" for name in (
        "byte_level", "marks", "normalize", "normalize_bert", "normalize_form", "pretokenize", "segments",
        "text")),
    *(f"{SUBWORD}/{name}.c" for name in (
        "bpe", "bpe_merge", "tokens", "trie", "unigram", "vocab", "wordpiece")),
    *(f"{TOKENIZER}/{name}.c" for name in (
        "added", "decode", "encode", "encoding", "scratch", "template", "tokenizer", "trim"))]
TOKENIZER_FILE = [
    *(f"{PATTERN}/{name}.c" for name in ("json", "split_regex")),
    *(f"{NORMAL}/{name}.c" for name in ("charsmap", "normalizer_load", "pretokenizer_load")),
    *(f"{SUBWORD}/{name}.c" for name in ("bpe_load", "unigram_load")),
    *(f"{TOKENIZER}/{name}.c" for name in ("decoder_load", "load", "postprocessor_load"))]
INSPECT = "src/worker/inspect"

# The files that each target is about, and the longest input that it is given.
ABOUT = {
    "wire": (WIRE, 8192),
    "wire_json": ([f"src/shared/wire/json_{name}.c" for name in
                   ("base64", "decode", "encode", "room", "shape", "values", "write")], 8192),
    "frames": (["src/shared/transport/frames.c"], 8192),
    "ring": (["src/shared/transport/ring.c"], 4096),
    "gguf_header": ([f"{INSPECT}/{name}.c" for name in
                     ("gguf", "gguf_hyper", "gguf_read", "gguf_tensors", "shown")], 8192),
    "onnx_header": ([f"{INSPECT}/{name}.c" for name in
                     ("onnx", "onnx_function", "onnx_tensor", "onnx_value", "proto", "shown")], 4096),
    "pooling_config": ([f"{INSPECT}/pooling.c"], 1024),
    "tensors": (["src/shared/wire/check_tensors.c"], 2048),
    "tokenizer_json": ([*TEXT_TO_TOKENS, *TOKENIZER_FILE], 8192),
    "tokenizer_text": (TEXT_TO_TOKENS, 2048),
    "manifest": (["src/broker/registry/manifest.c"], 4096),
    "golden": ([f"src/broker/registry/golden{part}.c" for part in ("", "_compare")], 4096),
    "config": ([f"src/broker/config/config{part}.c" for part in
                ("", "_alias", "_defaults", "_file", "_values")], 4096),
    "npy": (["src/cli/npy.c"], 1024),
    "pull_head": (["src/pull/head.c"], 2048),
    "pull_catalogue": (["src/pull/catalogue.c", "src/pull/source.c"], 4096),
    "grammar": ([f"src/worker/grammar/{name}.c" for name in (
        "characters", "compile", "draft", "gbnf", "grammar", "machine", "mask", "matcher", "measure",
        "pattern", "schema", "schema_array", "schema_number", "schema_object", "schema_string")], 2048),
    "template": ([f"src/worker/template/{name}.c" for name in (
        "call", "context", "date", "dict", "eval", "filter", "filter_list", "global", "json", "lex",
        "lex_literal", "method", "node", "operate", "parse", "parse_expression", "render", "show", "template",
        "test", "text", "text_edit", "value")], 4096),
    "stops": (["src/worker/answer/stops.c"], 1024),
    "sse": (["bench/sse/sse.c"], 4096),
    "tool_calls": ([f"src/worker/answer/{name}.c" for name in ("json_scan", "tool_calls")], 2048),
}


# ---- what is recorded, and whether it counts -----------------------------------------------------

def rooms_of_targets(top=TOP):
    """{target: rooms that it links}, as fuzz/CMakeLists.txt says."""
    text = (top / "fuzz/CMakeLists.txt").read_text()
    return {name: rooms.split() for name, rooms in
            re.findall(r"^hearth_fuzz_if_present\((\w+) USES ([^)]*?)(?: PACKAGES [^)]*)?\)", text, re.M)
            if (top / f"fuzz/fuzz_{name}.c").exists()}


def room_folder(room, top):
    """The folder that declares the room."""
    for path in (*top.glob("src/**/CMakeLists.txt"), *top.glob("bench/**/CMakeLists.txt")):
        if re.search(rf"^hearth_room\({room}\b", path.read_text(), re.M):
            return path.parent
    raise LookupError(f"no room {room}")


def digest_of(target, rooms, top=TOP):
    """SHA-256 over names and bytes of the target's own sources and of all sources of its rooms."""
    folders = {room_folder(room, top) for room in rooms}
    own = top / f"fuzz/fuzz_{target}.c"
    headers = re.findall(r'^#include "(.*)"$', own.read_text(), re.M)
    paths = [own, *(top / "fuzz" / name for name in headers if (top / "fuzz" / name).exists())]
    for folder in sorted(folders):
        paths += sorted(p for p in folder.glob("*") if p.suffix in (".c", ".h", ".def"))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(top)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def complaints(record, digest):
    """Why a record does not meet the bar; an empty list if it does."""
    if record is None:
        return ["never ran"]
    found = []
    if record["rooms_digest"] != digest:
        found.append("its rooms have changed since")
    if record["findings"]:
        found.append(f"{len(record['findings'])} findings")
    if record["seconds"] < MINUTES * 60:
        found.append(f"ran {record['seconds']} s only")
    quiet = record["seconds"] - record["last_new_edge_at_seconds"]
    if quiet < QUIET_SECONDS:
        found.append(f"new edges until {quiet} s before its end")
    if record["lines_percent"] < LINES_PERCENT:
        found.append(f"reaches {record['lines_percent']} % of the lines")
    return found


def check(names, results, top=TOP):
    rooms, bad = rooms_of_targets(top), 0
    print(f"{'target':15} {'commit':9} {'seconds':>7} {'quiet':>5} {'executions':>11} {'edges':>6} "
          f"{'lines':>6}  judgement")
    for name in names:
        record = results.get(name)
        found = complaints(record, digest_of(name, rooms[name], top))
        bad += bool(found)
        facts = " " * 51 if record is None else (
            f"{record['commit']:9} {record['seconds']:7} "
            f"{record['seconds'] - record['last_new_edge_at_seconds']:5} {record['executions']:11} "
            f"{record['edges']:6} {record['lines_percent']:5}%")
        print(f"{name:15} {facts}  {'; '.join(found) or 'good'}")
    return 1 if bad else 0


class Results:
    """fuzz/results.json; a record is written when its target is done, by one run at a time."""

    def __init__(self, path=TOP / "fuzz/results.json"):
        self.path = path

    def read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def write(self, name, record):
        with open(__file__, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            results = {**self.read(), name: record}
            text = json.dumps(dict(sorted(results.items())), indent=1) + "\n"
            self.path.with_suffix(".new").write_text(text)
            os.replace(self.path.with_suffix(".new"), self.path)


# ---- one run ---------------------------------------------------------------------------------------

class Watch:
    """Follows what libFuzzer says and decides when it is enough."""

    def __init__(self, least_seconds, most_seconds):
        self.least, self.most = least_seconds, most_seconds
        self.edges, self.last_new, self.executions = 0, 0.0, 0

    def read(self, line, elapsed):
        """Takes one line of standard error that came @elapsed seconds after the start."""
        if (seen := re.search(r"^#\d+\s.*\bcov: (\d+)", line)) and int(seen[1]) > self.edges:
            self.edges, self.last_new = int(seen[1]), elapsed
        if seen := re.search(r"^stat::number_of_executed_units:\s*(\d+)", line):
            self.executions = int(seen[1])

    def is_enough(self, elapsed):
        if elapsed >= self.most:
            return True
        return elapsed >= self.least and elapsed - self.last_new >= QUIET_SECONDS


class Run:
    """One target: fuzz, minimise, measure, record."""

    def __init__(self, name, build, options):
        self.name, self.options = name, options
        self.program = build / "fuzz/fuzz" / f"fuzz_{name}"
        self.replayer = build / "cover/fuzz" / f"fuzz_{name}"
        self.corpus = TOP / "fuzz/corpus" / name
        self.work, self.log = build / "work" / name, build / "work" / f"{name}.log"
        self.findings = build / "findings"
        for folder in (self.work, self.findings, self.corpus):
            folder.mkdir(parents=True, exist_ok=True)

    def command(self, *flags):
        dictionary = TOP / "fuzz/dictionaries" / self.name
        own = [f"-dict={dictionary}"] if dictionary.exists() else []
        return [str(self.program), f"-max_len={ABOUT[self.name][1]}", "-timeout=10",
                "-rss_limit_mb=4096", f"-artifact_prefix={self.findings}/{self.name}-", *own, *flags]

    def found(self):
        """Names of this target's findings; others may run at the same time."""
        return {p.name for p in self.findings.glob(f"{self.name}-*")}

    def fuzz(self):
        watch = Watch(self.options.minutes * 60, self.options.most * 60)
        before, begun = self.found(), time.monotonic()
        command = self.command("-print_final_stats=1", "-reload=0", str(self.work), str(self.corpus))
        with open(self.log, "w", encoding="utf-8") as log, subprocess.Popen(
                command, stderr=subprocess.PIPE, stdout=log, text=True, errors="replace") as process:
            bell = threading.Thread(target=self.stop_when_enough, args=(process, watch, begun),
                                    daemon=True)
            bell.start()
            for line in process.stderr:
                log.write(line)
                watch.read(line, time.monotonic() - begun)
        seconds = time.monotonic() - begun
        return watch, seconds, sorted(self.found() - before)

    @staticmethod
    def stop_when_enough(process, watch, begun):
        while process.poll() is None:
            if watch.is_enough(time.monotonic() - begun):
                process.send_signal(2)      # libFuzzer then prints its figures and ends
                return
            time.sleep(1)

    def minimise(self):
        """Adds to the corpus what reaches edges that it does not reach, smallest first, up to its limit."""
        new = self.work.parent / f"{self.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for path in self.corpus.iterdir():
            shutil.copy(path, new)
        own = {path.name for path in new.iterdir()}
        subprocess.run(self.command("-merge=1", "-use_counters=0", str(new), str(self.work)),
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        room = CORPUS_BYTES - sum(path.stat().st_size for path in self.corpus.iterdir())
        for path in sorted((p for p in new.iterdir() if p.name not in own),
                           key=lambda p: p.stat().st_size):
            room -= path.stat().st_size
            if room >= 0:
                shutil.copy(path, self.corpus)
        shutil.rmtree(new)

    def measure(self):
        """Percent of the lines of the files it is about that the corpus reaches."""
        raw, merged = self.work.parent / f"{self.name}.raw", self.work.parent / f"{self.name}.profile"
        subprocess.run([self.replayer, self.corpus], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "LLVM_PROFILE_FILE": str(raw)})
        subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", merged], check=True)
        out = subprocess.run(["llvm-cov", "export", "-summary-only", self.replayer,
                              f"-instr-profile={merged}"], check=True, capture_output=True).stdout
        lines = {str(Path(entry["filename"]).relative_to(TOP)): entry["summary"]["lines"]
                 for entry in json.loads(out)["data"][0]["files"]
                 if Path(entry["filename"]).is_relative_to(TOP)}
        # A file that has only tables has no lines that could run, and is not listed.
        about = [lines[path] for path in ABOUT[self.name][0] if path in lines]
        covered, count = (sum(entry[key] for entry in about) for key in ("covered", "count"))
        return round(100 * covered / count, 1)

    def go(self, begun_at, digest, results):
        watch, seconds, findings = self.fuzz()
        if watch.executions == 0 and not findings:
            raise RuntimeError(f"{self.name} did not run; its words are in {self.log}")
        self.minimise()
        record = {"commit": begun_at, "rooms_digest": digest, "executions": watch.executions,
                  "edges": watch.edges, "lines_percent": self.measure(), "seconds": int(seconds),
                  "last_new_edge_at_seconds": int(watch.last_new), "findings": findings}
        results.write(self.name, record)
        print(f"{self.name}: {'; '.join(complaints(record, digest)) or 'good'}"
              + "".join(f"\n  {self.findings}/{name}" for name in findings), flush=True)


def commit():
    done = subprocess.run(["git", "-C", TOP, "rev-parse", "--short=9", "HEAD"], text=True,
                          capture_output=True, check=False)
    return done.stdout.strip() or "unknown"


# ---- builds ----------------------------------------------------------------------------------------

def missing_tools():
    """Debian packages to install."""
    missing = []
    for program, package in (("clang", "clang"), ("llvm-cov", "llvm"), ("llvm-profdata", "llvm"),
                             ("cmake", "cmake"), ("ninja", "ninja-build")):
        if shutil.which(program) is None:
            missing.append(package)
    if "clang" not in missing:
        version = subprocess.run(["clang", "-dumpversion"], check=True, capture_output=True,
                                 text=True).stdout.split(".")[0]
        library = subprocess.run(["clang", "-print-file-name=libclang_rt.fuzzer-x86_64.a"], check=True,
                                 capture_output=True, text=True).stdout.strip()
        if not Path(library).is_file():
            missing.append(f"libclang-rt-{version}-dev")
    return sorted(set(missing))


def build(folder, names):
    """The libFuzzer programs, and replayers that count the lines they reach."""
    engines = ["-DHEARTH_ONNX=OFF", "-DHEARTH_GGUF=OFF"]
    count = "-fprofile-instr-generate -fcoverage-mapping"
    configure = {
        "fuzz": ["--preset", "fuzz"],
        "cover": ["-S", ".", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang",
                  "-DCMAKE_CXX_COMPILER=clang++", f"-DCMAKE_C_FLAGS={count}"],
    }
    for part, words in configure.items():
        log = folder / f"{part}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w", encoding="utf-8") as out:
            for command in (["cmake", *words, "-B", folder / part, *engines],
                            ["cmake", "--build", folder / part, "--target",
                             *(f"fuzz_{name}" for name in names)]):
                if subprocess.run(command, cwd=TOP, stdout=out, stderr=out, check=False).returncode:
                    sys.exit(f"fuzz.sh: the build failed\n  log: {log}\n  remedy: see the log: the "
                             "first error counts; scripts/setup.sh gets what a build needs")


def parse():
    if "-h" in sys.argv or "--help" in sys.argv:
        print(__doc__)
        sys.exit(0)
    parser = argparse.ArgumentParser(prog="fuzz.sh")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--most", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--build", type=Path, default=TOP / "build/fuzzing", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    options.most = max(options.most, options.minutes)
    known = rooms_of_targets()
    if strange := sorted(set(options.targets) - set(known)):
        sys.exit(f"fuzz.sh: no target {strange[0]!r}; there are {', '.join(known)}")
    options.targets = options.targets or list(known)
    return options


def main():
    options, results, rooms = parse(), Results(), rooms_of_targets()
    if options.list:
        for name in options.targets:
            print(f"{name}: {' '.join(ABOUT[name][0])}")
        return 0
    if options.check:
        return check(options.targets, results.read())
    if missing := missing_tools():
        sys.exit("fuzz.sh: programs are missing\n  remedy: as root, apt-get install -y "
                 f"--no-install-recommends {' '.join(missing)}")
    begun_at = commit()
    digests = {name: digest_of(name, rooms[name]) for name in options.targets}
    build(options.build, options.targets)
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(Run(name, options.build, options).go, begun_at, digests[name],
                            results)
                for name in options.targets]
    for run in runs:
        run.result()
    return check(options.targets, results.read())


if __name__ == "__main__":
    sys.exit(main())
