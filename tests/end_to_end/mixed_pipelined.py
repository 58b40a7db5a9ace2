#!/usr/bin/env python3
"""Many connections at once, each with many requests in flight, in both encodings, with cancels and
disconnects at random: every request ends exactly once and rightly, nothing is left behind, and the
daemon's own numbers add up. Prints TAP.

usage: mixed_pipelined.py --bin FOLDER [--seconds N] [--connections N] [--seed N]

A few seconds are enough for a test run; `--seconds 300` on a sanitizer build is the soak.
"""

import argparse
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v1                                           # noqa: E402
import v2                                           # noqa: E402
from daemon import Daemon, Skipped, must, poll, run_tests    # noqa: E402

MODELS = {"tiny": "generate", "other": "generate", "one": "chat", "classifier": "classify",
          "embedder": "embed"}
WINDOW = 16                             # most requests that a connection has in flight
ASIDES = ["models_request", "metrics_request", "prometheus_request", "requests_request",
          "spans_request"]
DIRECTIVES = ["", "", "", "slow:1ms ", "slow:15ms ", "pace:1ms "]


class Asked:
    """A request in flight."""

    def __init__(self, rng):
        self.model = rng.choice(list(MODELS))
        self.task = MODELS[self.model]
        self.is_streamed = rng.random() < 0.4
        self.inputs = ["".join(rng.choices("abcdefgé漢", k=rng.randint(1, 12)))
                       for _ in range(1 if self.task in ("generate", "chat") else rng.randint(1, 3))]
        self.directive = rng.choice(DIRECTIVES)
        self.was_cancelled = False
        self.pieces = {}

    def fields(self):
        texts = [self.directive + text for text in self.inputs]
        fields = {**v2.SAMPLING, "model_id": self.model, "task": v2.TASKS[self.task], "priority": 1,
                  "flags": int(self.is_streamed)}
        if self.task == "chat":
            return {**fields, "messages": [{"role": 1, "content": texts[0]}]}
        return {**fields, "texts": [{"text": text} for text in texts]}

    def take(self, results):
        for result in results:
            self.pieces.setdefault(result["index"], []).append(result)

    def must_be_right(self):
        """All inputs were answered: generated text is the input reversed, classes and vectors are there."""
        must(sorted(self.pieces) == list(range(len(self.inputs))), f"results {sorted(self.pieces)}")
        for index, text in enumerate(self.inputs):
            pieces = self.pieces[index]
            if self.task in ("generate", "chat"):
                said = "".join(piece["text"] for piece in pieces)
                must(said == text[::-1], f"{text!r} was answered {said!r}")
            else:
                key = "labels" if self.task == "classify" else "vector"
                must(len(pieces) == 1 and len(pieces[0][key]) > 0, f"{self.task}: {pieces}")


class Client(threading.Thread):
    """One connection after the other, with requests, cancels and disconnects as its seed says."""

    def __init__(self, daemon, seed, until):
        super().__init__()
        self.daemon_under_test, self.rng, self.until = daemon, random.Random(seed), until
        self.counts, self.problem, self.next_id = Counter(), None, 1
        self.connection, self.open, self.cancels, self.asides = None, {}, Counter(), 0

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.one_connection()
        except Exception as problem:    # carried to the main thread
            self.problem = f"{type(problem).__name__}: {problem}"

    def one_connection(self):
        kind = self.rng.choice([v1, v2])
        self.connection = kind.Connection(self.daemon_under_test.socket_path, timeout=120.0)
        name, ack = self.connection.handshake()
        must(name == "handshake_ack", f"the handshake was answered {name}: {ack}")
        self.open, self.cancels, self.asides = {}, Counter(), 0
        self.counts["sessions " + kind.__name__] += 1
        for _ in range(self.rng.randint(1, 60)):
            self.act()
            while len(self.open) >= self.rng.randint(1, WINDOW):
                self.take_one()
            if time.monotonic() > self.until:
                break
        if self.rng.random() < 0.5:
            self.finish_all()
        else:
            self.counts["left in flight"] += len(self.open)
            if self.rng.random() < 0.5:
                self.connection.socket.sendall(b"\x64\x00\x00\x00\x03\x00")     # a frame's beginning
        self.connection.close()

    def act(self):
        choice = self.rng.random()
        if choice < 0.15 and self.open:
            self.cancel(self.rng.choice(list(self.open)))
        elif choice < 0.17:
            self.cancel(self.next_id + 1000)                # never asked
        elif choice < 0.22:
            self.connection.send("health_check", check_type=self.rng.randint(0, 2))
            self.asides += 1
        elif choice < 0.24:
            self.connection.send(self.rng.choice(ASIDES))
            self.asides += 1
        else:
            asked = Asked(self.rng)
            self.connection.send("inference_request", request_id=self.next_id, **asked.fields())
            self.open[self.next_id] = asked
            self.counts["sent"] += 1
            self.next_id += 1

    def cancel(self, request_id):
        self.connection.send("cancel_request", request_id=request_id)
        self.cancels[request_id] += 1
        if request_id in self.open:
            self.open[request_id].was_cancelled = True

    def finish_all(self):
        while self.open or self.cancels or self.asides:
            self.take_one()

    def take_one(self):
        kind, message = self.connection.receive()
        if kind == "stream_chunk":
            must(message["request_id"] in self.open, "a chunk of no open request")
            asked = self.open[message["request_id"]]
            must(asked.is_streamed, "a chunk of a request that is not streamed")
            asked.take(message["results"])
        elif kind == "inference_response":
            must(message["request_id"] in self.open, "a terminal of no open request")
            self.end(self.open.pop(message["request_id"]), message)
        elif kind == "cancel_response":
            must(self.cancels[message["request_id"]] > 0, "an answer to no cancel")
            self.cancels[message["request_id"]] -= 1
            self.cancels += Counter()       # forgets what is zero
        else:
            must(kind == "health_response" or kind.replace("response", "request") in ASIDES,
                 f"got {kind}: {message}")
            self.asides -= 1
            must(self.asides >= 0, f"a {kind} that nobody asked for")

    def end(self, asked, message):
        error = v2.ERRORS.get(message["code"], "succeeded")
        self.counts[error] += 1
        if error == "succeeded":
            asked.take(message["results"])
            asked.must_be_right()
        else:
            must(error == "cancelled" and asked.was_cancelled, f"{error}: {message['error']}")


def counters_of(daemon):
    answer = daemon.ask("metrics_request", "metrics_response")
    return {entry["name"]: entry["value"] for entry in answer["counters"]}


def descriptors_of(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def memory_of(daemon):
    """Private memory of hearthd and all that it started (the rings are shared). For a person:
    sanitizers keep what was freed, so no limit would mean anything."""
    queue, kib = [daemon.process.pid], 0
    while queue:
        process = Path(f"/proc/{queue.pop()}")
        kib += int(re.search(r"^RssAnon:\s*(\d+)", (process / "status").read_text(), re.M)[1])
        for task in (process / "task").iterdir():
            queue += [int(child) for child in (task / "children").read_text().split()]
    return f"{kib} KiB"


def is_quiet(daemon):
    """Nobody is connected but who asks, nothing waits and nothing runs."""
    health = daemon.ask("health_check", "health_response", check_type=2)
    return (health["connections"], health["queue_depth"], health["running"]) == (1, 0, 0)


def soak(daemon, options):
    """Runs all clients to the end of their time; returns what they counted."""
    until, counts = time.monotonic() + options.seconds, Counter()
    clients = [Client(daemon, options.seed * 1000 + n, until) for n in range(options.connections)]
    for client in clients:
        client.start()
    time.sleep(options.seconds / 2)
    print(f"# private memory at half time: {memory_of(daemon)}", flush=True)
    for client in clients:
        client.join()
        counts += client.counts
    problems = [client.problem for client in clients if client.problem]
    must(not problems, f"{len(problems)} of {len(clients)} clients: {problems[0] if problems else ''}")
    return counts


def tests_of(daemon, options):
    before, counts = {}, Counter()

    def every_request_ends_once_and_rightly():
        if os.geteuid() == 0:
            before.update(descriptors=descriptors_of(daemon))
        counts.update(soak(daemon, options))
        print("# " + ", ".join(f"{counts[key]} {key}" for key in sorted(counts)), flush=True)
        for key in ("succeeded", "cancelled", "left in flight", "sessions v1", "sessions v2"):
            must(counts[key] > 0, f"no request was {key}: the test has shown nothing")

    def connections_and_requests_are_back_to_zero():
        poll(lambda: is_quiet(daemon), "connections, queue and running to be back to zero")
        print(f"# private memory at the end: {memory_of(daemon)}", flush=True)
        for model in daemon.models():
            must((model["queue_depth"], model["running"]) == (0, 0), f"{model['name']}: {model}")

    def descriptors_are_given_back():
        if os.geteuid() != 0:
            raise Skipped("only root can list those of hearthd")
        poll(lambda: descriptors_of(daemon) <= before["descriptors"], "descriptors to be given back")

    def the_counters_add_up():
        now = counters_of(daemon)
        ends = [now[f"requests_{end}"] for end in ("succeeded", "failed", "cancelled")]
        must(now["requests_total"] == sum(ends), f"{now['requests_total']} began, {ends} ended")
        told = counts["succeeded"] + counts["cancelled"]
        must(told <= now["requests_total"] <= counts["sent"],
             f"{told} ends told, {counts['sent']} sent, {now['requests_total']} counted")
        must(counts["succeeded"] <= now["requests_succeeded"], f"{now}")
        must(counts["cancelled"] <= now["requests_cancelled"], f"{now}")
        must(now["requests_failed"] == 0 and now["worker_deaths"] == 0, f"{now}")

    def it_ends_in_order_and_no_sanitizer_spoke():
        must(daemon.stop() == 0, f"exit code {daemon.process.returncode}: {daemon.log()[-2000:]}")
        log = daemon.log()
        for word in ("Sanitizer", "runtime error", "not true:"):
            at = log.find(word)
            must(at < 0, f"the log says: {log[max(0, at - 200):at + 3000]}")

    return [every_request_ends_once_and_rightly, connections_and_requests_are_back_to_zero,
            descriptors_are_given_back, the_counters_add_up, it_ends_in_order_and_no_sanitizer_spoke]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Daemon(options.bin, "fixtures/models/echo", list(MODELS), queue_limit=1024) as daemon:
        return run_tests(tests_of(daemon, options))


if __name__ == "__main__":
    sys.exit(main())
