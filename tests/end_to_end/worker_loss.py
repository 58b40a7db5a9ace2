#!/usr/bin/env python3
"""kill -9 of a real worker costs its own running requests and nothing else; kill -9 of hearthd leaves
no process and no obstacle behind. Prints TAP."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                               # noqa: E402
from daemon import WAIT_SECONDS, Daemon, must, poll, run_tests      # noqa: E402

GENERATOR, CLASSIFIER = "tiny-llama", "tinybert-classifier"
STREAMS, WAITING = 4, 3
GREEDY = {**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0}
# As long as the context allows: the streams are still running when the worker is killed.
LONG = {**GREEDY, "task": 2, "priority": 1, "model_id": GENERATOR, "max_tokens": 3900}
SHORT = {**GREEDY, "task": 2, "model_id": GENERATOR, "max_tokens": 16,
         "texts": [{"text": "the small house"}]}


def text_of(answer):
    must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
    return answer["results"][0]["text"]


def classes_of(answer):
    must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
    return [(label["name"], label["score"]) for label in answer["results"][0]["labels"]]


class Classifying:
    """A client of the other model that asks without a pause and must not notice anything."""

    def __init__(self, daemon):
        self.daemon, self.stop, self.count, self.problem = daemon, False, 0, None
        self.wanted = classes_of(self.ask())
        self.thread = threading.Thread(target=self.work)

    def ask(self, connection=None):
        return self.daemon.infer(connection, model_id=CLASSIFIER, task=0, texts=[{"text": "hello"}])

    def work(self):
        try:
            connection = self.daemon.connect()
            while not self.stop:
                must(classes_of(self.ask(connection)) == self.wanted, "another answer")
                self.count += 1
            connection.close()
        except Exception as problem:    # carried to the main thread
            self.problem = problem

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()


def read_to_the_ends(connection, identities):
    """Returns {identity: terminal}; fails on a second terminal."""
    ends = {}
    while set(ends) != set(identities):
        kind, message = connection.receive()
        if kind == "inference_response":
            must(message["request_id"] not in ends, "a second terminal")
            ends[message["request_id"]] = message
    connection.send("health_check", check_type=0)
    kind, _ = connection.receive()
    must(kind == "health_response", f"after the last terminal came {kind}")
    return ends


def start_streams(daemon, connection):
    """As many as the worker takes at a time: all of them have answered a piece."""
    for identity in range(1, STREAMS + 1):
        connection.send("inference_request", request_id=identity, flags=1,
                        **{**LONG, "texts": [{"text": f"story {identity}"}]})
    begun = set()
    while len(begun) < STREAMS:
        kind, message = connection.receive()
        must(kind == "stream_chunk", f"{kind}: {message}")
        begun.add(message["request_id"])
    must(daemon.model(GENERATOR)["running"] == STREAMS, "they do not all run")


def is_alive(pid):
    """A zombie that nobody has read yet is no process any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid):
    """All processes below @pid."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children_of(child)]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    folders = ["fixtures/models/gguf", "fixtures/models/onnx"]
    section = f"\n[model {GENERATOR}]\nsequences = {STREAMS}\n"

    def the_death_of_a_worker_ends_its_streams_and_nothing_else():
        with Daemon(options.bin, folders, [GENERATOR, CLASSIFIER], sections=section) as daemon:
            alone = text_of(daemon.infer(**SHORT))
            connection = daemon.connect()
            with Classifying(daemon) as other:
                other_pid = daemon.model(CLASSIFIER)["worker_pid"]
                pid = daemon.model(GENERATOR)["worker_pid"]
                start_streams(daemon, connection)
                for identity in range(STREAMS + 1, STREAMS + WAITING + 1):
                    connection.send("inference_request",
                                    **{"request_id": identity, "priority": 1, **SHORT})
                poll(lambda: daemon.model(GENERATOR)["queue_depth"] == WAITING, "the queue")
                before = other.count
                os.kill(pid, signal.SIGKILL)
                ends = read_to_the_ends(connection, range(1, STREAMS + WAITING + 1))
                poll(lambda: other.count > before or other.problem, "the classifier to go on")
            must(other.problem is None, f"the other model noticed: {other.problem}")
            for identity in range(1, STREAMS + 1):
                error = v2.ERRORS.get(ends[identity]["code"])
                must(error == "worker_lost", f"stream {identity} ended with {error}")
            for identity in range(STREAMS + 1, STREAMS + WAITING + 1):
                must(text_of(ends[identity]) == alone, f"request {identity} answers otherwise")
            model = daemon.model(GENERATOR)
            must(model["restarts"] == 1 and model["worker_pid"] not in (0, pid), f"{model}")
            must(daemon.model(CLASSIFIER)["worker_pid"] == other_pid, "another classifier")
            health = daemon.ask("health_check", "health_response", check_type=2)
            must((health["worker_deaths"], health["running"], health["queue_depth"]) == (1, 0, 0),
                 f"{health}")
            connection.close()

    def the_death_of_hearthd_ends_all_its_processes_and_the_next_one_starts():
        with Daemon(options.bin, folders, [GENERATOR, CLASSIFIER], sections=section) as daemon:
            wanted = text_of(daemon.infer(**SHORT))
            start_streams(daemon, connection := daemon.connect())
            processes = children_of(daemon.process.pid)
            workers = {daemon.model(name)["worker_pid"] for name in (GENERATOR, CLASSIFIER)}
            must(workers < set(processes) and len(processes) == 3,
                 f"{processes} are not spawner and workers {workers}")
            daemon.process.kill()
            daemon.process.wait(WAIT_SECONDS)
            try:
                while True:
                    connection.receive()
            except ConnectionError:
                connection.close()
            poll(lambda: not any(is_alive(pid) for pid in processes), f"{processes} to end", 10)
            daemon.start()      # on the same socket, whose file the dead one could not remove
            must(text_of(daemon.infer(**SHORT)) == wanted, "another answer than before")
            must(daemon.stop() == 0, "the next one did not stop in order")
            left = [p.name for p in daemon.socket_path.parent.iterdir()]
            must(not [n for n in left if not n.endswith(".lock")], f"left in the folder: {left}")

    return run_tests([the_death_of_a_worker_ends_its_streams_and_nothing_else,
                      the_death_of_hearthd_ends_all_its_processes_and_the_next_one_starts])


if __name__ == "__main__":
    sys.exit(main())
