#!/usr/bin/env python3
"""How runs are made, seen from outside: cancel and deadline inside a run and inside a batch, memory
by length, models that the library does not know, wide runs that leave no CPU time behind, and
loading again and again.

    test_runs.py --bin FOLDER
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
for folder in ("tests/kit", "fixtures", "models/make"):
    sys.path.insert(0, str(ROOT / folder))

import onnx                         # noqa: E402
from onnx import helper             # noqa: E402

import daemon                       # noqa: E402
import endless_onnx                 # noqa: E402
import v2                           # noqa: E402
from daemon import Skipped, must    # noqa: E402

CODES = {name: number for number, name in v2.ERRORS.items()}
CANCELLED, EXPIRED, TOO_LARGE = CODES["cancelled"], CODES["expired"], CODES["too_large"]
MODEL_INVALID, UNSUPPORTED = CODES["model_invalid"], CODES["unsupported"]
CLASSIFY, EMBED = v2.TASKS["classify"], v2.TASKS["embed"]
MINILM = "all-minilm-l6-v2"
CYCLES = 100
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
bin_folder = None
server = None       # one daemon for the tests that need only the endless model
models = None


def close_to(left, right):
    return all(abs(a - b) <= 1e-5 for a, b in zip(left, right, strict=True))


def scores_of(result):
    by_name = {label["name"]: label["score"] for label in result["labels"]}
    return [by_name[name] for name in endless_onnx.LABELS]


def ask(texts, connection=None, **values):
    return server.infer(connection, model_id="endless", task=CLASSIFY,
                        texts=[{"text": text} for text in texts], **values)


def must_answer(text="good film"):
    answer = ask([text])
    must(answer["code"] == 0 and close_to(scores_of(answer["results"][0]),
                                          endless_onnx.scores(text)), f"{text}: {answer}")


def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


def resident_kb(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


def must_be_idle(pid, what):
    """The worker used a core until now; from now on it uses none."""
    time.sleep(0.05)    # its threads may spin for a moment, which is what is measured not to last
    before = cpu_ms(pid)
    time.sleep(0.5)
    must(cpu_ms(pid) - before <= TICK_MS, f"{what}: {cpu_ms(pid) - before:.0f} ms of CPU in 500 ms")


def worker_pid(model="endless"):
    return server.model(model)["worker_pid"]


def await_busy():
    """Until the worker computes: the run is under way."""
    start = cpu_ms(worker_pid())
    daemon.poll(lambda: cpu_ms(worker_pid()) >= start + 2 * TICK_MS, "a run to be under way")


# ---- cancel and deadline ----------------------------------------------------------------------


def every_text_scores_as_its_words_say():
    for text in ("good good film", "bad film", "the film was not good and not bad", "moment bad"):
        must_answer(text)


def a_cancel_ends_a_run_that_never_ends_and_frees_its_core():
    connection = server.connect()
    connection.send("inference_request", request_id=7, **{**v2.SAMPLING, "priority": 1,
                    "model_id": "endless", "task": CLASSIFY, "texts": [{"text": "slow"}]})
    await_busy()
    connection.send("cancel_request", request_id=7)
    answers = [connection.receive(), connection.receive()]
    must(sorted(kind for kind, _ in answers) == ["cancel_response", "inference_response"], answers)
    ended = next(answer for kind, answer in answers if kind == "inference_response")
    must(ended["code"] == CANCELLED, ended)
    must_be_idle(worker_pid(), "after the cancel")
    must_answer()
    connection.close()


def a_deadline_ends_a_run_that_never_ends():
    start = time.monotonic()
    answer = ask(["slow"], timeout_ms=300)
    took = time.monotonic() - start
    must(answer["code"] == EXPIRED, answer)
    must(0.3 <= took, f"ended {took * 1000:.0f} ms after it began, before its time")
    must_be_idle(worker_pid(), "after the deadline")
    must_answer()


def a_cancel_inside_a_batch_ends_what_runs_and_what_waits():
    connection = server.connect()
    texts = ["slow slow slow good"] * 8 + ["good"]      # the longest first: all threads are taken
    connection.send("inference_request", request_id=8, **{**v2.SAMPLING, "priority": 1,
                    "model_id": "endless", "task": CLASSIFY,
                    "texts": [{"text": text} for text in texts]})
    await_busy()
    connection.send("cancel_request", request_id=8)
    answers = dict([connection.receive(), connection.receive()])
    must(answers["inference_response"]["code"] == CANCELLED, answers)
    must(len(answers["inference_response"]["results"]) == 0, answers)
    must_be_idle(worker_pid(), "after the cancel of a batch")
    connection.close()
    must_answer()


def a_deadline_inside_a_batch_keeps_what_was_ready():
    answer = ask(["slow", "bad"], timeout_ms=500)
    must(answer["code"] == EXPIRED, answer)
    must([result["index"] for result in answer["results"]] == [1], answer)
    must(close_to(scores_of(answer["results"][0]), endless_onnx.scores("bad")), answer)


def an_endless_run_leaves_the_other_cores_to_others():
    """Two threads at least: one counts for ever, the others answer."""
    must(server.model("endless")["threads"] >= 2, "this needs two threads")
    connection = server.connect()
    connection.send("inference_request", request_id=9, **{**v2.SAMPLING, "priority": 1,
                    "model_id": "endless", "task": CLASSIFY, "texts": [{"text": "slow"}]})
    await_busy()
    for _ in range(20):
        must_answer()
    connection.send("cancel_request", request_id=9)
    answers = dict([connection.receive(), connection.receive()])
    must(answers["inference_response"]["code"] == CANCELLED, answers)
    connection.close()


def a_client_that_hangs_up_frees_the_core():
    connection = server.connect()
    connection.send("inference_request", request_id=10, **{**v2.SAMPLING, "priority": 1,
                    "model_id": "endless", "task": CLASSIFY, "texts": [{"text": "slow"}]})
    await_busy()
    connection.close()
    daemon.poll(lambda: server.model("endless")["running"] == 0, "the run to be given up")
    must_be_idle(worker_pid(), "after the hang-up")


# ---- models that the library does not take ----------------------------------------------------


def change(name, edit, labels=None):
    """A copy of the endless model with its graph changed."""
    folder = endless_onnx.write(models, name)
    model = onnx.load(folder / "model.onnx")
    edit(model)
    data = model.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entry = next(entry for entry in manifest["files"] if entry["role"] == "model")
    entry.update(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
    manifest["labels"] = labels or manifest["labels"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def concat(model):
    return next(node for node in model.graph.node if node.op_type == "Concat")


def use_operator(name, domain=""):
    def edit(model):
        node = concat(model)
        node.op_type, node.domain = name, domain
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 1))
    return edit


def need_kernel(model):
    """An operator that the library knows and has for graphics cards only."""
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node.append(helper.make_node(
        "GroupNorm", ["float_counts"] * 3, ["unused"], domain="com.microsoft", groups=1,
        activation=0, epsilon=1e-5))


def use_opset(version):
    def edit(model):
        model.opset_import[0].version = version
    return edit


def leave_dangling(model):
    concat(model).input[0] = "nowhere"


BROKEN = [
    ("unknown-operator", use_operator("FooBar"), UNSUPPORTED, "No Op registered for FooBar"),
    ("unknown-extension", use_operator("NoSuchThing", "com.microsoft"), UNSUPPORTED,
     "com.microsoft:NoSuchThing"),
    ("foreign-domain", use_operator("Thing", "org.example"), UNSUPPORTED, '"org.example"'),
    ("no-kernel", need_kernel, UNSUPPORTED, "GroupNorm"),
    ("new-opset", use_opset(99), UNSUPPORTED, "opset 99"),
    ("dangling", leave_dangling, MODEL_INVALID, "'nowhere'"),
]


def load(name):
    connection = server.connect()
    connection.send("load_request", model_id=name)
    kind, answer = connection.receive()
    connection.close()
    must(kind == "load_response", f"load was answered with {kind}: {answer}")
    return answer


def unload(name):
    connection = server.connect()
    connection.send("unload_request", model_id=name)
    kind, answer = connection.receive()
    connection.close()
    must(kind == "unload_response" and answer["code"] == 0, f"unload: {kind} {answer}")


def a_model_that_cannot_be_run_is_refused_by_name():
    for name, _, code, part in BROKEN:
        answer = load(name)
        must(answer["code"] == code and part in answer["error"], f"{name}: {answer}")
        must(str(models) not in answer["error"], f"{name}: a path in {answer['error']}")


def labels_that_do_not_match_the_output_are_refused_with_both_numbers():
    answer = load("wrong-labels")
    must(answer["code"] == MODEL_INVALID and "3" in answer["error"] and "2" in answer["error"],
         answer)


# ---- memory, threads, life ----------------------------------------------------------------------


def memory_comes_back_after_a_hundred_loads():
    for _ in range(5):      # what the daemon keeps for good is there by then
        load("again")
        unload("again")
    before = resident_kb(server.process.pid)
    for _ in range(CYCLES):
        must(load("again")["code"] == 0, "load")
        unload("again")
    grown = resident_kb(server.process.pid) - before
    print(f"# {CYCLES} cycles: the daemon grew by {grown} kB", flush=True)
    must(grown <= 2048, f"the daemon grew by {grown} kB")
    must(server.model("again")["worker_pid"] == 0, "a worker is left")


def store_model(out, name, **options):
    """The real model with other options, its files linked."""
    source = ROOT / "models/store" / MINILM
    if not source.is_dir():
        raise Skipped(f"models/store/{MINILM} is not there; scripts/setup.sh fetches it")
    folder = Path(out) / name
    folder.mkdir()
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["files"]:
        try:
            os.link(source / entry["path"], folder / entry["path"])
        except OSError:     # another file system
            (folder / entry["path"]).write_bytes((source / entry["path"]).read_bytes())
    manifest.update(model_id=name, name=name)
    manifest["options"].update(options)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@contextlib.contextmanager
def minilm(**options):
    with tempfile.TemporaryDirectory(prefix="hearth-runs-") as out:
        store_model(out, "minilm", **options)
        with daemon.Daemon(bin_folder, out, preload=["minilm"], threads=4) as own:
            yield own


def embed(own, *texts):
    return own.infer(model_id="minilm", task=EMBED, texts=[{"text": text} for text in texts])


def what_cannot_fit_is_refused_with_need_and_have_and_the_next_is_served():
    with minilm(compute_mb=3) as own:
        refused = embed(own, "word " * 250)
        must(refused["code"] == TOO_LARGE, refused)
        must("needs" in refused["error"] and "has 3145728" in refused["error"], refused)
        must(embed(own, "a word")["code"] == 0, "a short text")
        # Each fits alone: they wait for each other, and none fails.
        must(embed(own, *["word " * 40] * 16)["code"] == 0, "many that fit one by one")


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def wide_runs_give_the_same_vectors_and_leave_no_cpu_time():
    texts = ["a word", "a longer text of a few words " * 4, "house " * 200]
    with minilm(wide="always") as own:
        pid = own.model("minilm")["worker_pid"]
        wide = [embed(own, text)["results"][0]["vector"] for text in texts for _ in range(4)]
        must_be_idle(pid, "after wide runs")
        threads = threads_of(pid)
    with minilm(wide="never") as own:
        narrow = [embed(own, text)["results"][0]["vector"] for text in texts]
        fewer = threads_of(own.model("minilm")["worker_pid"])
    must(fewer == threads - 3, f"{threads} threads with and {fewer} without a pool for 4 cores")
    for i, vector in enumerate(wide):
        worst = max(abs(a - b) for a, b in zip(vector, narrow[i // 4], strict=True))
        must(worst <= 1e-5, f"text {i // 4}: they differ by {worst}")


def an_option_that_is_none_is_refused_by_name():
    with tempfile.TemporaryDirectory(prefix="hearth-runs-") as out:
        store_model(out, "minilm", wide="sometimes")
        with daemon.Daemon(bin_folder, out) as own:
            connection = own.connect()
            connection.send("load_request", model_id="minilm")
            _, answer = connection.receive()
            connection.close()
            must("sometimes" in answer["error"] and "always" in answer["error"], answer)


def a_model_that_is_not_calibrated_answers_too():
    with minilm(calibrate=False) as own:
        facts = {fact["key"]: fact["value"] for fact in own.ask(
            "model_request", "model_response", request_id=1, model_id="minilm")["facts"]}
        must(facts["wide_from_tokens"] == "learned", facts)
        first = embed(own, "a word " * 20)["results"][0]["vector"]
        for _ in range(12):     # narrow and wide are both tried
            again = embed(own, "a word " * 20)["results"][0]["vector"]
            must(max(abs(a - b) for a, b in zip(first, again, strict=True)) <= 1e-5, "it differs")


TESTS = [
    every_text_scores_as_its_words_say,
    a_cancel_ends_a_run_that_never_ends_and_frees_its_core,
    a_deadline_ends_a_run_that_never_ends,
    a_cancel_inside_a_batch_ends_what_runs_and_what_waits,
    a_deadline_inside_a_batch_keeps_what_was_ready,
    an_endless_run_leaves_the_other_cores_to_others,
    a_client_that_hangs_up_frees_the_core,
    a_model_that_cannot_be_run_is_refused_by_name,
    labels_that_do_not_match_the_output_are_refused_with_both_numbers,
    memory_comes_back_after_a_hundred_loads,
    what_cannot_fit_is_refused_with_need_and_have_and_the_next_is_served,
    wide_runs_give_the_same_vectors_and_leave_no_cpu_time,
    an_option_that_is_none_is_refused_by_name,
    a_model_that_is_not_calibrated_answers_too,
]


def main():
    global bin_folder, models, server
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True)
    bin_folder = parser.parse_args().bin
    with tempfile.TemporaryDirectory(prefix="hearth-runs-") as out:
        models = Path(out)
        endless_onnx.write(models)
        endless_onnx.write(models, "again")
        for name, edit, _, _ in BROKEN:
            change(name, edit)
        change("wrong-labels", lambda model: None, ["a", "b", "c"])
        with daemon.Daemon(bin_folder, out, preload=["endless"], threads=4) as started:
            server = started
            return daemon.run_tests(TESTS)


if __name__ == "__main__":
    sys.exit(main())
