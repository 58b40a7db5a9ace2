#!/usr/bin/env python3
"""libhearth and the program `hearth` against the real daemon with echo models: a thousand requests
over one connection, connections that end, files of vectors as NumPy reads them, probes, the examples.
Prints TAP.

usage: client_library.py --bin FOLDER --programs FOLDER [--requests N] [--seed N]
"""

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
from daemon import WAIT_SECONDS, Daemon, must, poll, run_tests, write_echo_model    # noqa: E402

MODELS = "fixtures/models/echo"
TOKEN = "sesame-7f3a91"

parser = argparse.ArgumentParser()
parser.add_argument("--bin", required=True)
parser.add_argument("--programs", required=True, help="folder of many_requests and the examples")
parser.add_argument("--requests", type=int, default=1000)
parser.add_argument("--seed", type=int, default=0)
OPTIONS = parser.parse_args()


def run(daemon, *command, program="hearth", env=None, **more):
    """A program beside @daemon; `hearth` itself if no other is named."""
    folder = OPTIONS.bin if program == "hearth" else OPTIONS.programs
    return subprocess.run([Path(folder) / program, *map(str, command)], timeout=WAIT_SECONDS,
                          env={**os.environ, "HEARTH_SOCKET": str(daemon.socket_path), **(env or {})},
                          **{"capture_output": True, "text": True, **more})


def said(daemon, *command, **more):
    ran = run(daemon, *command, **more)
    must(ran.returncode == 0, f"{command} ended with {ran.returncode}: {ran.stderr}")
    return ran.stdout


def metrics(daemon):
    return json.loads(said(daemon, "metrics", "--json"))


# ---- many at once ------------------------------------------------------------------------------

def a_thousand_requests_on_one_connection_end_once_each_and_are_counted():
    with Daemon(OPTIONS.bin, MODELS, ["tiny", "classifier", "embedder"], queue_limit=4096) as daemon:
        before = metrics(daemon)["counters"]
        counts = json.loads(said(daemon, OPTIONS.requests, OPTIONS.seed, program="many_requests"))
        must(counts["once"] == OPTIONS.requests and counts["wrong"] == counts["open"] == 0, f"{counts}")
        must(counts["cancelled"] > 0 and counts["right"] > 0, f"not both kinds: {counts}")
        must(counts["spans"] == OPTIONS.requests, f"not each is told once: {counts}")
        must(counts["spans_cancelled"] == counts["cancelled"] or OPTIONS.requests > 1000, f"{counts}")
        grown = {k: v - before[k] for k, v in metrics(daemon)["counters"].items()}
        must(grown["requests_total"] == OPTIONS.requests, f"counted {grown}")
        must(grown["requests_succeeded"] == counts["right"], f"{counts}, counted {grown}")
        must(grown["requests_cancelled"] == counts["cancelled"], f"{counts}, counted {grown}")
        must(json.loads(said(daemon, "requests", "--json")) == {"requests": [], "total": 0}, "some are open")
        times = json.loads(said(daemon, "status", "--json"))["times"]["total_us"]
        must(0 < times["p50"] <= times["p95"] <= times["p99"] <= times["max"] * 1.25, f"times {times}")
        must(sum(b["count"] for b in times["buckets"]) == times["count"], f"buckets of {times}")


# ---- connections that end ----------------------------------------------------------------------

class Talk:
    """`hearth chat`, which keeps one connection for all its lines."""

    def __init__(self, daemon):
        self.process = subprocess.Popen(
            [Path(OPTIONS.bin) / "hearth", "--socket", str(daemon.socket_path), "chat", "--model", "tiny"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def end(self):
        _, err = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, err


def a_restarted_daemon_is_found_again_by_the_next_call():
    with Daemon(OPTIONS.bin, MODELS, ["tiny"]) as daemon:
        talk = Talk(daemon)
        must(talk.ask("abc") == "cba", "the first answer")
        must(daemon.stop() == 0, "the daemon did not end well")
        daemon.start()
        must(talk.ask("def") == "fed", "the answer after the restart")
        must(talk.end() == (0, ""), "the talk did not end in silence")


def an_idle_close_is_not_noticed():
    with Daemon(OPTIONS.bin, MODELS, ["tiny"], idle_timeout_ms=200) as daemon:
        talk = Talk(daemon)
        must(talk.ask("abc") == "cba", "the first answer")
        # The one connection that is left is the one that asks.
        poll(lambda: metrics(daemon)["gauges"]["connections"] == 1, "the daemon to close the idle one")
        must(talk.ask("def") == "fed", "the answer on the second connection")
        must(talk.end() == (0, ""), "the talk did not end in silence")


# ---- one user's requests -----------------------------------------------------------------------

def requests_of_other_programs_are_listed_and_cancelled():
    with Daemon(OPTIONS.bin, MODELS, ["one"]) as daemon:
        waiting = [subprocess.Popen([Path(OPTIONS.bin) / "hearth", "--socket", str(daemon.socket_path),
                                     "generate", "--model", "one", "slow:60000ms x"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for _ in range(3)]
        poll(lambda: json.loads(said(daemon, "requests", "--json"))["total"] == 3, "three open requests")
        rows = json.loads(said(daemon, "requests", "--json"))["requests"]
        must(sorted(r["state"] for r in rows) == ["queued", "queued", "running"], f"{rows}")
        must({r["pid"] for r in rows} == {w.pid for w in waiting}, f"{rows}")
        last = next(r for r in rows if r["state"] == "queued")
        must(said(daemon, "cancel", last["ticket"]) == f"request {last['ticket']} is cancelled\n", "the text")
        again = run(daemon, "cancel", last["ticket"])
        must(again.returncode == 1 and "no such request" in again.stderr, f"{again}")
        must(len(said(daemon, "cancel", "--all", "--model", "one").splitlines()) == 2, "two were left")
        for process in waiting:
            _, err = process.communicate(timeout=WAIT_SECONDS)
            must(process.returncode == 1 and "cancelled" in err, f"{process.returncode}: {err}")
        must(said(daemon, "cancel", "--all") == "no such request is open\n", "none is left")


# ---- files of vectors --------------------------------------------------------------------------

def vectors_are_what_numpy_reads():
    texts = [f"text number {i}" for i in range(70)]     # three batches
    with Daemon(OPTIONS.bin, MODELS, ["embedder"]) as daemon, tempfile.TemporaryDirectory() as folder:
        lines = "\n".join(texts)
        printed = json.loads(said(daemon, "embed", "--json", input=lines))["results"]
        wanted = numpy.array([r["vector"] for r in printed], dtype=numpy.float32)
        must(wanted.shape == (70, 8), f"shape {wanted.shape}")
        target = Path(folder) / "vectors.npy"
        target.write_text("old")
        out = said(daemon, "embed", "--output", target, input=lines)
        must(out == f"{target}: 70 vectors of 8 dimensions\n", out)
        found = numpy.load(target, allow_pickle=False)
        must(found.dtype == numpy.dtype("<f4") and numpy.array_equal(found, wanted), "npy differs")
        raw = Path(folder) / "vectors.f32"
        answer = json.loads(said(daemon, "embed", "--output", raw, "--json", input=lines))
        must((answer["format"], answer["vectors"], answer["dimensions"]) == ("f32", 70, 8), f"{answer}")
        found = numpy.fromfile(raw, dtype="<f4").reshape(70, 8)
        must(numpy.array_equal(found, wanted), "f32 differs")
        piped = run(daemon, "embed", "--output", "-", "--format", "npy", input=lines.encode(), text=False)
        must(piped.stdout == target.read_bytes(), "standard output differs from the file")
        must(sorted(p.name for p in Path(folder).iterdir()) == ["vectors.f32", "vectors.npy"], "left over")


def packed_vectors_are_what_numpy_reads():
    """float16 and int8 of what float32 says: rounded to the nearest half; within half a step."""
    texts = [f"text number {i}" for i in range(40)]
    lines = "\n".join(texts)
    with Daemon(OPTIONS.bin, MODELS, ["embedder"]) as daemon, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "vectors.npy"

        def written(*options):
            said(daemon, "embed", "--output", target, *options, input=lines)
            return numpy.load(target, allow_pickle=False)

        wanted = written()
        half = written("--type", "float16")
        must(half.dtype == numpy.dtype("<f2"), f"{half.dtype}")
        must(numpy.array_equal(half, wanted.astype("<f2")), "float16 is not the nearest")
        small = written("--type", "int8")
        must(small.dtype == numpy.int8 and small.shape == wanted.shape, f"{small.dtype} {small.shape}")
        told = json.loads(said(daemon, "embed", "--output", target, "--type", "int8", "--json", input=lines))
        scales = numpy.array(told["scales"], dtype=numpy.float32)[:, None]
        must(numpy.all(numpy.abs(small * scales - wanted) <= 0.500001 * scales), "int8 is off by more than half")
        printed = json.loads(said(daemon, "embed", "--type", "int8", "--json", input=lines))["results"]
        must([r["vector"] for r in printed] == small.tolist(), "--json differs from the file")
        short = written("--dimensions", "3", "--no-normalize")
        must(short.shape == (40, 3), f"{short.shape}")
        raw = Path(folder) / "vectors.f16"
        said(daemon, "embed", "--output", raw, "--type", "float16", "--format", "f16", input=lines)
        must(numpy.array_equal(numpy.fromfile(raw, dtype="<f2").reshape(40, 8), half), "raw float16 differs")


def arrays_of_numpy_go_in_and_come_out():
    """The null engine gives inputs back: every type, every rank, small and large."""
    random = numpy.random.default_rng(OPTIONS.seed)
    types = ["<f4", "|u1", "|i1", "<u2", "<i2", "<i4", "<i8", "|b1", "<f2", "<f8", "<u4", "<u8"]
    with tempfile.TemporaryDirectory() as folder:
        write_echo_model(Path(folder) / "models", "scorer", "tensors")
        arrays = {f"t{i}": (random.random((i % 4 + 1, 3)) * 100).astype(kind) for i, kind in enumerate(types)}
        arrays |= {"scalar": numpy.float32(1.5).reshape(()), "empty": numpy.zeros((0, 4), "<f4"),
                   "large": random.integers(0, 255, (3, 1 << 20), dtype=numpy.uint8),
                   "deep": numpy.arange(2, dtype="<i8").reshape(1, 1, 1, 1, 1, 1, 1, 2)}
        for name, array in arrays.items():
            numpy.save(Path(folder) / f"{name}.npy", array)
        inputs = [word for name in arrays for word in ("--input", f"{name}={folder}/{name}.npy")]
        out = Path(folder) / "out"
        out.mkdir()
        with Daemon(OPTIONS.bin, [f"{folder}/models"], ["scorer"]) as daemon:
            told = json.loads(said(daemon, "tensors", *inputs, "--output-dir", out, "--json"))
            must({o["name"] for o in told["outputs"]} == set(arrays), f"{told}")
            for name, array in arrays.items():
                found = numpy.load(out / f"{name}.npy", allow_pickle=False)
                must(found.dtype == array.dtype and numpy.array_equal(found, array), f"{name} differs")
                must((out / f"{name}.npy").read_bytes() == (Path(folder) / f"{name}.npy").read_bytes(),
                     f"{name}: not the bytes that NumPy writes")
            told = json.loads(said(daemon, "tensors", *inputs[:24], "--json"))
            must({o["name"]: o["data"] for o in told["outputs"]} ==
                 {n: a.ravel().tolist() for n, a in list(arrays.items())[:12]}, "the numbers differ")
            numpy.save(Path(folder) / "fortran.npy", numpy.asfortranarray(numpy.ones((2, 3))))
            ran = run(daemon, "tensors", "--input", f"x={folder}/fortran.npy")
            must(ran.returncode == 1 and "Fortran order" in ran.stderr, f"{ran}")
            numpy.save(Path(folder) / "big.npy", numpy.ones(3, ">f4"))
            ran = run(daemon, "tensors", "--input", f"x={folder}/big.npy")
            must(ran.returncode == 1 and "big-endian" in ran.stderr, f"{ran}")


def encoders_rank_name_and_tell_of_themselves():
    """The null engine: a score is 1 / (1 + difference of the lengths); capitals are entities."""
    with tempfile.TemporaryDirectory() as folder:
        write_echo_model(folder, "ranker", "reranking")
        write_echo_model(folder, "namer", "named_entity_recognition", ["B-PER", "B-LOC"])
        with Daemon(OPTIONS.bin, [folder], ["ranker", "namer"]) as daemon:
            texts = [f"{'x' * n}" for n in (9, 3, 5, 4)]
            out = said(daemon, "rerank", "xxxx", *texts)
            must([line.split() for line in out.splitlines()] ==
                 [["1.0000", "xxxx"], ["0.5000", "xxx"], ["0.5000", "xxxxx"], ["0.1667", "xxxxxxxxx"]], out)
            text = "\u00e4 Zoe met B in Z\u00fcrich"
            found = json.loads(said(daemon, "entities", "--json", text))["results"][0]["entities"]
            must([e["text"] for e in found] == ["Zoe", "B", "Z\u00fcrich"], f"{found}")
            for entity in found:
                must(text[entity["start_char"]:entity["end_char"]] == entity["text"], f"{entity}")
                must(text.encode()[entity["start_byte"]:entity["end_byte"]].decode() == entity["text"], f"{entity}")
            must([e["label"] for e in found] == ["PER", "PER", "LOC"], f"{found}")
            told = json.loads(said(daemon, "models", "show", "namer", "--json"))
            must(told["model"]["name"] == "namer" and told["model"]["labels"], f"{told}")


def no_half_file_is_left_when_the_disk_is_full():
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    lines = "\n".join(f"text {i}" for i in range(70))
    with Daemon(OPTIONS.bin, MODELS, ["embedder"]) as daemon, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "vectors.npy"
        target.write_text("old")
        ran = run(daemon, "embed", "--output", target, input=lines, preexec_fn=small_files,
                  restore_signals=False)
        must(ran.returncode == 1 and "File too large" in ran.stderr, f"{ran}")
        must(target.read_text() == "old", "the old file is gone")
        must([p.name for p in Path(folder).iterdir()] == ["vectors.npy"], "something is left over")
        ran = run(daemon, "embed", "--output", "/dev/full", input=lines)
        must(ran.returncode == 1 and "No space left on device" in ran.stderr, f"{ran}")
        ran = run(daemon, "embed", "--output", f"{folder}/nowhere/x.npy", input=lines)
        must(ran.returncode == 1 and "nowhere/x.npy" in ran.stderr, f"{ran}")


def an_interrupted_embed_leaves_nothing_behind():
    texts = [f"text {i}" for i in range(32)] + ["slow:60000ms last"]    # the second batch is waited for
    with Daemon(OPTIONS.bin, MODELS, ["embedder"]) as daemon, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "vectors.npy"
        target.write_text("old")
        with subprocess.Popen([Path(OPTIONS.bin) / "hearth", "--socket", str(daemon.socket_path), "embed",
                               "--output", target, *texts]) as process:
            poll(lambda: [r for r in json.loads(said(daemon, "requests", "--json"))["requests"]
                          if r["age_ms"] > 100], "the slow request")
            process.send_signal(signal.SIGINT)
            must(process.wait(WAIT_SECONDS) == -signal.SIGINT, f"ended with {process.returncode}")
        must(target.read_text() == "old", "the old file is gone")
        must([p.name for p in Path(folder).iterdir()] == ["vectors.npy"], "something is left over")
        poll(lambda: json.loads(said(daemon, "requests", "--json"))["total"] == 0, "the request to end")


def a_model_is_warmed_up():
    with Daemon(OPTIONS.bin, MODELS, ["tiny"]) as daemon:
        must("tiny is warm, " in said(daemon, "models", "warmup", "tiny", "--tokens", "3"), "the text")
        must(metrics(daemon)["counters"]["warmups"] == 1, "it is not counted")
        ran = run(daemon, "models", "warmup", "classifier")
        must(ran.returncode == 1 and "the model is not ready" in ran.stderr, f"not loaded: {ran}")


# ---- probes, token -----------------------------------------------------------------------------

def probes_and_metrics_need_no_token_and_all_else_does():
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    with Daemon(OPTIONS.bin, MODELS, token_sha256=digest) as daemon:
        must(said(daemon, "status", "--check", "live") == "alive\n", "live")
        must(run(daemon, "status", "--check", "ready").returncode in (0, 1), "ready")
        must("hearth_requests_total 0\n" in said(daemon, "metrics", "--prometheus"), "metrics")
        ran = run(daemon, "status")
        must(ran.returncode == 1 and "no session" in ran.stderr, f"without a token: {ran}")
        ran = run(daemon, "models", env={"HEARTH_TOKEN": "other"})
        must(ran.returncode == 1 and TOKEN not in ran.stderr, f"with a wrong one: {ran}")
        must("hearthd" in said(daemon, "status", env={"HEARTH_TOKEN": TOKEN}), "from the environment")
        path = daemon.home / "token"
        path.write_text(TOKEN + "\n")
        must("tiny" in said(daemon, "models", "--token-file", path), "from a file")


def a_probe_of_no_daemon_is_no():
    with Daemon(OPTIONS.bin, MODELS) as daemon:
        must(daemon.stop() == 0, "the daemon did not end well")
        must(run(daemon, "status", "--check", "live").returncode == 1, "live")
        must(run(daemon, "status", "--check", "ready").returncode == 1, "ready")


# ---- run ---------------------------------------------------------------------------------------

def run_says_why_a_preload_failed():
    with tempfile.TemporaryDirectory() as folder:
        manifest = json.loads((Path(__file__).parents[2] / MODELS / "tiny.manifest.json").read_text())
        manifest["files"] = [{"role": "model", "path": "weights.bin", "sha256": "0" * 64, "size_bytes": 4}]
        (Path(folder) / "weights.bin").write_bytes(b"abcd")
        (Path(folder) / "tiny.manifest.json").write_text(json.dumps(manifest))
        ran = subprocess.run([Path(OPTIONS.bin) / "hearth", "run", "--models", folder, "--preload", "tiny",
                              "--", "true"], capture_output=True, text=True, timeout=WAIT_SECONDS)
        must(ran.returncode == 1 and "hearth: a model file is not the one recorded" in ran.stderr, f"{ran}")


# ---- examples ----------------------------------------------------------------------------------

def the_examples_do_what_they_say():
    with Daemon(OPTIONS.bin, MODELS, ["tiny", "classifier", "embedder"]) as daemon:
        lines = said(daemon, "classifier", "one", "two", program="example_classify").splitlines()
        must([line.rsplit("  ", 1)[1] for line in lines] == ["one", "two"], f"{lines}")
        must(all(line.split()[0] in ("red", "green", "blue") for line in lines), f"{lines}")
        lines = said(daemon, "tiny", "slow:60ms abc", program="example_event_loop").splitlines()
        must(sorted(lines) == [f"{i}: cba" for i in range(7)] + ["7: cancelled"], f"{lines}")
        out = said(daemon, "tiny", "abc", program="example_chat_stream")
        must(out == "cba\n(3 tokens, the end was: stop)\n", out)
        with tempfile.TemporaryDirectory() as folder:
            write_echo_model(folder, "ranker", "reranking")
            write_echo_model(folder, "scorer", "tensors")
            with Daemon(OPTIONS.bin, [folder], ["ranker", "scorer"]) as other:
                out = said(other, "ranker", "abc", "a", "abcd", "xyz", program="example_rerank")
                must(out == "1.000  xyz\n0.500  abcd\n0.333  a\n", out)
                out = said(other, "scorer", program="example_tensors")
                must(out == "x float32: 0 1\n", out)
        must(said(daemon, "embedder", "one", "one", program="example_embed") == "1.0000\n", "the same text")


if __name__ == "__main__":
    sys.exit(run_tests([
        a_thousand_requests_on_one_connection_end_once_each_and_are_counted,
        a_restarted_daemon_is_found_again_by_the_next_call,
        an_idle_close_is_not_noticed,
        requests_of_other_programs_are_listed_and_cancelled,
        vectors_are_what_numpy_reads,
        packed_vectors_are_what_numpy_reads,
        arrays_of_numpy_go_in_and_come_out,
        encoders_rank_name_and_tell_of_themselves,
        no_half_file_is_left_when_the_disk_is_full,
        an_interrupted_embed_leaves_nothing_behind,
        a_model_is_warmed_up,
        probes_and_metrics_need_no_token_and_all_else_does,
        a_probe_of_no_daemon_is_no,
        run_says_why_a_preload_failed,
        the_examples_do_what_they_say,
    ]))
