#!/usr/bin/env python3
"""Models are loaded, asked and unloaded again and again: the memory of the daemon and of the machine
is then what it was at the start, within 2 MB, and no descriptor stays. Prints TAP and the figures.

    load_cycles.py --bin BUILD/bin [--cycles 100] [--models a,b]

The daemon: what hearthd and its spawner have resident and mapped of memory files. The machine: what
the kernel charges to a memory cgroup that holds the daemon and its workers alone (anonymous memory,
shared memory, kernel memory; not the cache of files). Where no such group can be made, that part is
skipped by its name: what is free of the machine is everybody's.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                               # noqa: E402
from daemon import Daemon, Skipped, must, poll, run_tests, write_echo_model  # noqa: E402

ROOTS = ["fixtures/models/onnx", "models/store", "fixtures/models/echo"]
ALLOWED = 2_000_000
CGROUPS = Path("/sys/fs/cgroup")


# ---- what is measured --------------------------------------------------------------------------

class Group:
    """A memory cgroup for one daemon, of either version; None in @folder if there can be none."""

    def __init__(self):
        self.folder = None
        for root in (CGROUPS / "memory", CGROUPS):
            folder = root / f"hearth-test-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            if any((folder / name).exists() for name in ("memory.usage_in_bytes", "memory.current")):
                self.folder = folder
                return
            folder.rmdir()

    def prefix(self):
        """Puts the program that follows into the group."""
        enter = f'echo $$ > "{self.folder}/cgroup.procs"; exec "$@"'
        return ["sh", "-c", enter, "sh"] if self.folder else []

    def bytes(self):
        if self.folder is None:
            return None
        stat = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        current = self.folder / "memory.current"
        if current.exists():
            files = int(stat["file"]) - int(stat["shmem"])
        else:
            current = self.folder / "memory.usage_in_bytes"
            files = int(stat["cache"]) - int(stat["shmem"])
        return int(current.read_text()) - files

    def remove(self):
        if self.folder is not None:
            poll(lambda: not (self.folder / "cgroup.procs").read_text().strip(), "the group to be empty")
            self.folder.rmdir()


def children(pid):
    return [int(word) for task in Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text().split()]


def resident(pid):
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return 1024 * (int(status["RssAnon"].split()[0]) + int(status["RssShmem"].split()[0]))


def descriptors(pids):
    if os.geteuid() != 0:   # nobody else may look into a process that is not dumpable
        return None
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


class Measured:
    """The daemon without workers, and with no connection but the one that asks."""

    def __init__(self, daemon, group, connection, before=None):
        def is_alone():
            connection.send("health_check", check_type=2)
            return connection.receive()[1]["connections"] == 1

        poll(is_alone, "other connections to be closed")
        pids = [daemon.process.pid, *children(daemon.process.pid)]
        must(len(pids) == 2, f"hearthd and its spawner are {pids}")
        if before and before.descriptors is not None:   # what is closed behind an answer may still be on its way; what stays, stays
            poll(lambda: descriptors(pids) <= before.descriptors, "descriptors to be closed", 20)
        self.daemon = sum(map(resident, pids))
        self.descriptors = descriptors(pids)
        self.machine = group.bytes()


# ---- cycles ------------------------------------------------------------------------------------

def ask_once(daemon, name):
    model = daemon.model(name)
    answer = daemon.infer(model_id=name, task=model["task"], texts=[{"text": "the quick fox"}] * 4)
    must(answer["code"] == 0 and len(answer["results"]) == 4, f"{name}: {answer}")


def cycle(daemon, names, group, seen):
    for name in names:
        loaded = daemon.ask("load_request", "load_response", request_id=1, model_id=name)
        must(loaded["code"] == 0, f"{name}: {loaded}")
        ask_once(daemon, name)
        while_loaded = group.bytes()
        unloaded = daemon.ask("unload_request", "unload_response", request_id=2, model_id=name)
        must(unloaded["code"] == 0, f"{name}: {unloaded}")
        seen.append(while_loaded)
    # The answer to the unload comes when the worker has ended; the spawner reaps it, and is alone again.
    poll(lambda: len(children(children(daemon.process.pid)[0])) == 0, "the workers to be reaped")


def measure(options):
    group, seen = Group(), []
    try:
        with Daemon(options.bin, ROOTS, prefix=group.prefix(), log_level="error") as daemon:
            connection = daemon.connect()
            before = Measured(daemon, group, connection)
            for _ in range(options.cycles):
                cycle(daemon, options.models.split(","), group, seen)
            return before, Measured(daemon, group, connection, before), seen
    finally:
        group.remove()


# ---- evictions ---------------------------------------------------------------------------------

def evict_cycles(bin_folder, cycles=100):
    """Two models share a place: each load has the other evicted. The budget returns to zero."""
    with tempfile.TemporaryDirectory() as folder:
        for name in "ab":
            write_echo_model(folder, name, "text_generation", need_bytes=100 << 20)
        with Daemon(bin_folder, folder, memory_limit="150M", eviction="idle", log_level="error") as daemon:
            pids = [daemon.process.pid, *children(daemon.process.pid)]
            for number in range(cycles):
                answer = daemon.ask("load_request", "load_response", request_id=1, model_id="ab"[number % 2])
                gone = [eviction["name"] for eviction in answer["evictions"]]
                must(answer["code"] == 0 and gone == (["ab"[1 - number % 2]] if number else []), answer)
                if number == 9:
                    before = sum(map(resident, pids))
            after = sum(map(resident, pids))
            last = "ab"[(cycles - 1) % 2]
            daemon.ask("unload_request", "unload_response", request_id=1, model_id=last)
            gauges = daemon.ask("metrics_request", "metrics_response")["gauges"]
            must(grown("daemon and spawner while models evict each other", before, after) <= ALLOWED, "grown")
            must({g["name"]: g["value"] for g in gauges}["memory_reserved_bytes"] == 0, gauges)
            poll(lambda: len(children(pids[1])) == 0, "the workers to be reaped")


def grown(what, before, after):
    print(f"# {what}: {before / 1e6:.2f} MB at the start, {after / 1e6:.2f} MB at the end")
    return after - before


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--models", help="default: those of the engines that are built")
    options = parser.parse_args()
    has_onnx = (Path(options.bin) / "hearth-worker-onnx").exists()
    options.models = options.models or \
        ("tinybert-classifier,all-minilm-l6-v2" if has_onnx else "classifier,embedder")
    before, after, seen = measure(options)
    print(f"# {options.cycles} cycles of {options.models}")

    def the_memory_of_the_daemon_is_back():
        must(grown("daemon", before.daemon, after.daemon) <= ALLOWED, "it has grown")

    def the_memory_of_the_machine_is_back():
        if before.machine is None:
            raise Skipped("no memory cgroup can be made here")
        print(f"# with a model loaded: {min(seen) / 1e6:.2f} to {max(seen) / 1e6:.2f} MB")
        must(min(seen) > before.machine + ALLOWED, "a loaded model is not seen: this measures nothing")
        must(grown("machine", before.machine, after.machine) <= ALLOWED, "it has grown")

    def no_descriptor_stays():
        if before.descriptors is None:
            raise Skipped("only root can count them")
        must(after.descriptors <= before.descriptors, f"{before.descriptors}, then {after.descriptors}")

    def a_hundred_evictions_leave_nothing_held():
        evict_cycles(options.bin)

    return run_tests([a_hundred_evictions_leave_nothing_held, the_memory_of_the_daemon_is_back, the_memory_of_the_machine_is_back,
                      no_descriptor_stays])


if __name__ == "__main__":
    sys.exit(main())
