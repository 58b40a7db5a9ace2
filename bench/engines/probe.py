"""One engine, one model, one number of threads, in a process of its own; prints JSON.

    probe.py {"engine": "ort" | "ov-f32" | "ov-bf16", "model": PATH, "threads": N, "what": [...],
              "lengths": [...], "repeats": N}

`what`: load, latency, alone (the lengths unpadded, as many at once as there are threads, longest
first), padded (32 x 128), answers (vectors of given ids, for the agreement), trace (marks for strace).
"""

import json
import os
import re
import sys
import threading
import time
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy  # noqa: E402

LATENCY_LENGTHS = (16, 64, 128)
PADDED = (32, 128)
LARGEST_ID = 1000


def memory(key):
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"^{key}:\s+(\d+)", status, re.M)[1]) / 1024


def feeds(names, shape, ids=None):
    ids = numpy.full(shape, LARGEST_ID, numpy.int64) if ids is None else numpy.array([ids], numpy.int64)
    values = {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
              "token_type_ids": numpy.zeros_like(ids)}
    return {name: values[name] for name in names}


class Ort:
    """Two sessions as the worker has them would share weights; here the wanted one is opened."""

    def __init__(self, task):
        import onnxruntime
        self.library, self.task = onnxruntime, task

    def load(self, is_shared):
        options = self.library.SessionOptions()
        options.intra_op_num_threads = 1 if is_shared else self.task["threads"]
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        self.session = self.library.InferenceSession(self.task["model"], options,
                                                     providers=["CPUExecutionProvider"])
        self.names = [port.name for port in self.session.get_inputs()]

    def run(self, shape, ids=None):
        return self.session.run(None, feeds(self.names, shape, ids))[0]

    def run_all(self, shapes):
        todo = iter(sorted(shapes, key=lambda shape: -shape[1]))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    shape = next(todo, None)
                if shape is None:
                    return
                self.run(shape)

        threads = [threading.Thread(target=work) for _ in range(self.task["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class OpenVino:
    def __init__(self, task):
        import openvino
        self.library, self.task = openvino, task
        self.core = openvino.Core()

    def load(self, is_shared):
        threads = self.task["threads"]
        kind = {"ov-f32": "f32", "ov-bf16": "bf16"}[self.task["engine"]]
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads if is_shared else 1,
                    "INFERENCE_PRECISION_HINT": kind,
                    "PERFORMANCE_HINT": "THROUGHPUT" if is_shared else "LATENCY"}
        self.model = self.core.read_model(self.task["model"])
        self.compiled = self.core.compile_model(self.model, "CPU", settings)
        self.names = [port.get_any_name() for port in self.compiled.inputs]
        self.request = self.compiled.create_infer_request()

    def run(self, shape, ids=None):
        return next(iter(self.request.infer(feeds(self.names, shape, ids)).values()))

    def run_all(self, shapes):
        queue = self.library.AsyncInferQueue(self.compiled, self.task["threads"])
        for shape in sorted(shapes, key=lambda shape: -shape[1]):
            queue.start_async(feeds(self.names, shape))
        queue.wait_all()

    def unsupported(self):
        """Operators of the graph that the CPU device does not take."""
        known = self.core.query_model(self.model, "CPU")
        return sorted({node.get_type_name() for node in self.model.get_ops()
                       if node.get_friendly_name() not in known
                       and node.get_type_name() not in ("Parameter", "Result", "Constant")})


def timed(call, repeats):
    took = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
    return took


def measure(engine, task, found):
    what, repeats = task["what"], task["repeats"]
    if "latency" in what:
        engine.load(False)
        for length in LATENCY_LENGTHS:
            timed(lambda: engine.run((1, length)), 2)
            found[f"1x{length}"] = sorted(timed(lambda: engine.run((1, length)), repeats))
        found["resident_mb"] = memory("VmRSS")
    if "padded" in what:
        engine.run(PADDED)
        found["padded"] = sorted(timed(lambda: engine.run(PADDED), max(2, repeats // 8)))
        found["peak_mb"] = memory("VmHWM")
    if "alone" in what:
        engine.load(True)
        shapes = [(1, length) for length in task["lengths"]]
        engine.run_all(shapes[:len(shapes) // 4])
        found["alone"] = sorted(timed(lambda: engine.run_all(shapes), 2))
    if "answers" in what:
        engine.load(False)
        rows = [engine.run(None, ids)[0] for ids in task["ids"]]
        found["answers"] = [(row.mean(0) if row.ndim == 2 else row).astype(float).tolist()
                            for row in rows]


def load_cold(engine, found):
    begin = time.perf_counter()
    engine.load(False)
    found["load_ms"] = 1000 * (time.perf_counter() - begin)
    engine.run((1, 16))
    found["first_answer_ms"] = 1000 * (time.perf_counter() - begin)
    if isinstance(engine, OpenVino):
        found["unsupported"] = engine.unsupported()
        found["precision"] = str(engine.compiled.get_property("INFERENCE_PRECISION_HINT"))


def mark(name):
    """Seen by strace and by nobody else."""
    try:
        os.stat(f"/hearth-mark-{name}")
    except FileNotFoundError:
        pass


def trace(engine, found):
    mark("load")
    engine.load(False)
    mark("run")
    for length in LATENCY_LENGTHS:
        engine.run((1, length))
    mark("end")
    found["threads"] = len(os.listdir("/proc/self/task"))


def main():
    task = json.loads(sys.argv[1])
    found = {"before_mb": memory("VmRSS")}
    engine = (Ort if task["engine"] == "ort" else OpenVino)(task)
    if "trace" in task["what"]:
        trace(engine, found)
    if "load" in task["what"]:
        load_cold(engine, found)
    measure(engine, task, found)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
