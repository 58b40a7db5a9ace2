#!/usr/bin/env python3
"""Measures the daemon as a whole and prints figures; asserts nothing.

usage: run.py --bin FOLDER [health] [idle]        (both by default)

health  probes while all cores compute 2,000-token prompts, a raw ping-pong beside them
idle    processor time of daemon, spawner and workers with three models loaded and nothing to do
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/kit"))
import v2                               # noqa: E402
from daemon import Daemon, must         # noqa: E402

MODELS = ["hearth-intent", "all-minilm-l6-v2", "smollm2-135m-instruct"]
HEALTH_CALLS, IDLE_SECONDS = 3000, 30
PROMPT = "the quick brown fox jumps over the lazy dog and runs away " * 166     # about 2,000 tokens


def processes_of(daemon):
    """hearthd and everything below it."""
    found, queue = [], [daemon.process.pid]
    while queue:
        pid = queue.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").iterdir():
            queue += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_seconds(pids):
    """CPU time by the scheduler's own count (nanoseconds), all threads."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def wakeups(pids):
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(int(line.split()[1]) for line in (task / "status").read_text().splitlines()
                         if "ctxt_switches" in line)
    return total


def keep_busy(daemon, stop, tokens):
    connection = daemon.connect()
    while not stop.is_set():
        answer = daemon.infer(connection, model_id="smollm2-135m-instruct", task=2, max_tokens=1,
                              texts=[{"text": f"{time.monotonic_ns()} {PROMPT}"}])
        must(answer["code"] == 0, answer["error"])
        tokens.append(answer["prompt_tokens"])
    connection.close()


def measure_health(options):
    with Daemon(options.bin, "models/store", MODELS) as daemon:
        stop, tokens = threading.Event(), []
        threads = [threading.Thread(target=keep_busy, args=(daemon, stop, tokens)) for _ in range(2)]
        for thread in threads:
            thread.start()
        began, pids = time.monotonic(), processes_of(daemon)
        before = cpu_seconds(pids)
        line = subprocess.run([Path(options.bin) / "bench-health", daemon.socket_path,
                               str(HEALTH_CALLS)], capture_output=True, text=True, check=True).stdout
        spent, took = cpu_seconds(pids) - before, time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
        return {**json.loads(line), "busy_cores": round(spent / took, 2), "cores": os.cpu_count(),
                "prompt_tokens": tokens[-1], "prompts_computed": len(tokens)}


def measure_idle(options):
    with Daemon(options.bin, "models/store", MODELS) as daemon:
        for model, task, message in (("hearth-intent", 0, {"texts": [{"text": "hello"}]}),
                                     ("all-minilm-l6-v2", 1, {"texts": [{"text": "hello"}]}),
                                     ("smollm2-135m-instruct", 2, {"texts": [{"text": "hello"}]})):
            answer = daemon.infer(model_id=model, task=task, **{**message, "max_tokens": 8})
            must(answer["code"] == 0, answer["error"])
        time.sleep(2)
        pids = processes_of(daemon)
        cpu, switches = cpu_seconds(pids), wakeups(pids)
        time.sleep(IDLE_SECONDS)
        cpu, switches = cpu_seconds(pids) - cpu, wakeups(pids) - switches
        return {"seconds": IDLE_SECONDS, "processes": len(pids), "cpu_ms": round(cpu * 1e3, 3),
                "percent_of_one_core": round(100 * cpu / IDLE_SECONDS, 5),
                "context_switches": switches}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("what", nargs="*", default=["health", "idle"])
    options = parser.parse_args()
    for what in options.what:
        print(json.dumps({what: {"health": measure_health, "idle": measure_idle}[what](options)}),
              flush=True)


if __name__ == "__main__":
    main()
