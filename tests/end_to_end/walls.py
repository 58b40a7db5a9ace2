#!/usr/bin/env python3
"""The walls around each process of a daemon with real models, as the kernel tells them. Prints TAP."""

import argparse
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                       # noqa: E402
from daemon import Daemon, Skipped, must, run_tests      # noqa: E402

WORK = {"hearth-intent": (0, 40, 8), "all-minilm-l6-v2": (1, 40, 8),    # task, rounds, texts
        "smollm2-135m-instruct": (2, 1, 1)}
MODELS = list(WORK)
SENTENCE = "the small grey cat sat down "
ENVIRONMENT = {"LC_ALL", "HOME", "TZ", "ORT_DISABLE_TELEMETRY", "GGML_NO_BACKTRACE"}
LEAST_NICE = 10
OPENED = {"smollm2-135m-instruct": ["/proc/loadavg"]}     # beside files of the model


def status(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def core_limit(pid):
    return re.search(r"Max core file size\s+(\S+)\s+(\S+)", Path(f"/proc/{pid}/limits").read_text())


def descriptors(pid):
    folder = Path(f"/proc/{pid}/fd")
    return {int(f.name): os.readlink(f) for f in folder.iterdir()}


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def threads(pid):
    """Yields (tid, name, nice, processor ticks) of each thread."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, rest = re.match(r"\d+ \((.*)\) (.*)", (task / "stat").read_text()).groups()
        fields = rest.split()
        yield int(task.name), name, int(fields[16]), int(fields[11]) + int(fields[12])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    with Daemon(options.bin, "models/store", MODELS) as daemon:
        hearthd = daemon.process.pid
        spawner, = children(hearthd)
        workers = {m["name"]: m["worker_pid"] for m in daemon.models() if m["worker_pid"] != 0}

        def hearthd_starts_the_spawner_and_the_spawner_one_worker_a_model():
            must(set(workers) == set(MODELS), f"workers of {sorted(workers)}")
            must(sorted(children(spawner)) == sorted(workers.values()),
                 f"children of the spawner {children(spawner)}, workers {workers}")
            for pid in workers.values():
                must(children(pid) == [], f"worker {pid} has children")

        def every_process_is_without_new_rights_and_core_dumps():
            for pid in (hearthd, spawner, *workers.values()):
                must(status(pid)["NoNewPrivs"] == "1", f"{pid}: NoNewPrivs")
                must(core_limit(pid).groups() == ("0", "0"), f"{pid}: {core_limit(pid).group()}")

        def hearthd_and_workers_are_filtered_and_workers_have_no_capability():
            for pid in (hearthd, *workers.values()):
                must(status(pid)["Seccomp"] == "2", f"{pid}: Seccomp {status(pid)['Seccomp']}")
            for pid in workers.values():
                for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                    must(int(status(pid)[kind], 16) == 0, f"{pid}: {kind} {status(pid)[kind]}")

        def a_worker_sees_nothing_of_the_environment():
            if os.geteuid() != 0:   # nobody else may look into a process that is not dumpable
                raise Skipped("only root can read it")
            for pid in workers.values():
                names = {entry.split(b"=")[0].decode()
                         for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if entry}
                must(names == ENVIRONMENT, f"{pid}: {sorted(names)}")

        def open_descriptors_are_what_each_process_needs():
            if os.geteuid() != 0:
                raise Skipped("only root can list them")
            store = str(Path(__file__).resolve().parents[2] / "models")
            for name, pid in workers.items():
                files = [t for fd, t in descriptors(pid).items() if fd > 2 and t.startswith("/")]
                others = [f for f in files if not f.startswith(store)]
                must(others == OPENED.get(name, []) and len(files) > len(others), f"{name}: {files}")
                sockets = [t for t in descriptors(pid).values() if t.startswith("socket:")]
                must(len(sockets) == 2,
                     f"{name}: {len(sockets)} sockets; the wake-up of its ring and the channel beside it are two")
            for pid in (hearthd, spawner):
                opened = [t for fd, t in descriptors(pid).items() if fd > 2 and t.startswith("/")
                          and not t.startswith("/memfd:")]
                must(not [t for t in opened if t.startswith(store)], f"{pid} has a model open: {opened}")

        def threads_that_compute_are_niced():
            for name, pid in workers.items():
                before = {tid: ticks for tid, _, _, ticks in threads(pid)}
                task, rounds, texts = WORK[name]
                for _ in range(rounds):
                    answer = daemon.infer(model_id=name, task=task, max_tokens=96,
                                          texts=[{"text": SENTENCE * 20}] * texts)
                    must(answer["code"] == 0, f"{name}: {v2.ERRORS.get(answer['code'])}")
                worked = [(tid, nice, ticks - before.get(tid, 0)) for tid, _, nice, ticks in threads(pid)]
                total = sum(ticks for _, _, ticks in worked)
                niced = sum(ticks for _, nice, ticks in worked if nice >= LEAST_NICE)
                must(total >= 20, f"{name}: {total} ticks are too little to tell")
                must(niced >= total * 0.9, f"{name}: {niced} of {total} ticks in niced threads: {worked}")

        return run_tests([hearthd_starts_the_spawner_and_the_spawner_one_worker_a_model,
                          every_process_is_without_new_rights_and_core_dumps,
                          hearthd_and_workers_are_filtered_and_workers_have_no_capability,
                          a_worker_sees_nothing_of_the_environment,
                          open_descriptors_are_what_each_process_needs,
                          threads_that_compute_are_niced])


if __name__ == "__main__":
    sys.exit(main())
