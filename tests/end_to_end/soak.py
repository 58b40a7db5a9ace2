#!/usr/bin/env python3
"""Thousands of mixed requests from eight connections: each gets exactly one terminal, and the memory
of the daemon and its workers is at the end what it was after the first tenth, within 2 %. Prints TAP.

    soak.py --bin BUILD/bin [--requests 400] [--minutes 0] [--seed N] [--long]

--long: 10,000 requests and at least 15 minutes. Kinds of requests that an engine does not support are
asked once, left out and named.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                   # noqa: E402
from daemon import Daemon, must, poll, run_tests            # noqa: E402
from load_cycles import children, descriptors               # noqa: E402

CONNECTIONS, IN_FLIGHT = 8, 4
GROWTH = 0.02
SLACK = 1 << 20             # two readings of the same are that far apart
GENERATOR, REAL = "tiny-llama", "smollm2-135m-instruct"
GENERATE, CHAT, CHOICE = 2, 3, 7
STREAM, IDS, LOGPROBS, EXACT, SHIFT = 1, 2, 16, 32, 64
CANCELLED, EXPIRED, UNSUPPORTED = 14, 5, 18
PROMPTS = ["the small house", "a river runs", "once there was", "in the morning", "two birds",
           "the old man", "she said that", "rain fell", "hello"]
SCHEMA = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}},
                     "required": ["a", "b"], "additionalProperties": False})
RULES = 'root ::= "yes" | "no" | "per" [a-z] "ps"'
TOOLS = json.dumps([{"type": "function", "function": {
    "name": "look", "description": "looks", "parameters": {
        "type": "object", "properties": {"where": {"type": "string"}}, "required": ["where"]}}}])


def generated(lot, **values):
    return {**v2.SAMPLING, "model_id": GENERATOR, "task": GENERATE, "max_tokens": lot.randrange(1, 40),
            "texts": [{"text": " ".join(lot.choices(PROMPTS, k=lot.randrange(1, 30)))}],
            "seed": lot.randrange(1 << 32), "flags": STREAM * lot.randrange(2), **values}


def chat(lot, **values):
    turns = [{"role": 1, "content": lot.choice(PROMPTS)}]
    return {**generated(lot), "texts": [], "task": CHAT, "messages": turns, **values}


def classified(lot, model):
    return {**v2.SAMPLING, "model_id": model, "task": 0,
            "texts": [{"text": lot.choice(PROMPTS)} for _ in range(lot.randrange(1, 9))]}


# Name: what makes one by lot.
GENERATING = {
    "generate": lambda lot: generated(lot),
    "greedy": lambda lot: generated(lot, temperature=0.0, repetition_penalty=1.0),
    "ids": lambda lot: generated(lot, flags=STREAM | IDS),
    "shared beginning": lambda lot: generated(lot, texts=[{"text": "the old man said that " * 40
                                                           + lot.choice(PROMPTS)}]),
    "stops": lambda lot: generated(lot, stops=[{"text": " the"}, {"text": "er"}]),
    "min_p, penalties": lambda lot: generated(lot, min_p=0.05, typical_p=0.9, frequency_penalty=0.5,
                                              presence_penalty=-0.5),
    "bias": lambda lot: generated(lot, logit_bias=[{"token": 20, "bias": -100.0},
                                                   {"token": 30, "bias": 5.0}]),
    "log-probabilities": lambda lot: generated(lot, flags=STREAM | LOGPROBS, top_logprobs=5),
    "several answers": lambda lot: generated(lot, answers=3),
    "exact": lambda lot: generated(lot, flags=EXACT),
    "shift": lambda lot: generated(lot, flags=SHIFT, max_tokens=700),
    "schema": lambda lot: generated(lot, grammar_type=1, grammar=SCHEMA),
    "rules": lambda lot: generated(lot, grammar_type=2, grammar=RULES),
    "chat": lambda lot: chat(lot),
    "tools": lambda lot: chat(lot, tools=TOOLS, flags=STREAM),
    "a tool for sure": lambda lot: chat(lot, tools=TOOLS, tool_choice=2, flags=STREAM, max_tokens=300),
    "choice": lambda lot: generated(lot, task=CHOICE, flags=0, choices=[{"text": t} for t in PROMPTS]),
}


class Kinds:
    """What is asked, by weight; what the engine does not support is left out."""

    def __init__(self, daemon, seed):
        lot = random.Random(seed)
        self.makers, self.left_out = {}, []
        for name, maker in GENERATING.items():
            code = daemon.infer(**{**maker(lot), "flags": maker(lot)["flags"] & ~STREAM})["code"]
            if code == UNSUPPORTED:
                self.left_out.append(name)
            else:
                must(code == 0, f"{name}: {v2.ERRORS.get(code, code)}")
                self.makers[name] = maker
        for model in ("classifier", "embedder"):
            self.makers[model] = lambda lot, m=model: {**classified(lot, m), "task": m == "embedder"}

    def draw(self, lot):
        name = lot.choice(list(self.makers))
        return name, self.makers[name](lot)


class Talk:
    """One connection that keeps several requests open and keeps count of every end."""

    def __init__(self, daemon, kinds, budget, seed):
        self.connection, self.kinds, self.budget = daemon.connect(), kinds, budget
        self.lot, self.open, self.last_id = random.Random(seed), {}, 0
        self.tally = Counter()

    def send(self):
        kind, values = self.kinds.draw(self.lot)
        self.last_id += 1
        may_expire = self.lot.random() < 0.02
        self.open[self.last_id] = kind, may_expire
        self.connection.send("inference_request", request_id=self.last_id, priority=self.lot.randrange(4),
                             timeout_ms=1 if may_expire else 0, **values)
        if self.lot.random() < 0.05:
            self.connection.send("cancel_request", request_id=self.last_id)
            self.open[self.last_id] = kind, True

    def take(self):
        message, values = self.connection.receive()
        if message == "stream_chunk":
            must(values["request_id"] in self.open, "a piece of a request that is over")
            return
        if message == "cancel_response":
            return
        must(message == "inference_response", f"{message}: {values}")
        must(values["request_id"] in self.open, "a second end, or one of a stranger's request")
        kind, may_end_early = self.open.pop(values["request_id"])
        code = values["code"]
        must(code == 0 or (may_end_early and code in (CANCELLED, EXPIRED)),
             f"{kind}: {v2.ERRORS.get(code, code)}: {values['error']}")
        self.tally[kind if code == 0 else v2.ERRORS[code]] += 1

    def run(self, problems):
        try:
            while self.budget.take():
                self.send()
                while len(self.open) >= IN_FLIGHT:
                    self.take()
            while self.open:
                self.take()
            # Whatever came twice would stand before this answer.
            self.connection.send("health_check", check_type=0)
            must(self.connection.receive()[0] == "health_response", "something followed the last end")
        except Exception as problem:        # carried to the main thread
            problems.append(f"{type(problem).__name__}: {problem}")


class Budget:
    """So many requests, and on until so much time has passed."""

    def __init__(self, requests, seconds):
        self.left, self.end, self.lock = requests, time.monotonic() + seconds, threading.Lock()
        self.given = 0

    def take(self):
        with self.lock:
            self.left -= 1
            self.given += 1
            return self.left >= 0 or time.monotonic() < self.end


def processes(pid):
    return [pid] + [process for child in children(pid) for process in processes(child)]


def private_bytes(pid):
    """Without the rings: shared memory of a fixed size, whose pages count when first written to."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def shared_bytes(pid):
    """What it has mapped of memory files, whether touched or not: the rings, and nothing that stays."""
    size = 0
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "/memfd:" in line:
            begin, end = line.split(maxsplit=1)[0].split("-")
            size += int(end, 16) - int(begin, 16)
    return size


def memory_of(daemon):
    return sum(map(private_bytes, processes(daemon.process.pid)))


def soak(daemon, kinds, requests, seconds, seed):
    """Runs all connections; returns the sum of their tallies and what went wrong."""
    budget, problems = Budget(requests, seconds), []
    talks = [Talk(daemon, kinds, budget, seed * CONNECTIONS + i) for i in range(CONNECTIONS)]
    threads = [threading.Thread(target=talk.run, args=(problems,)) for talk in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for talk in talks:
        talk.connection.close()
    return sum((talk.tally for talk in talks), Counter()), problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    if options.long:
        options.requests, options.minutes = 10000, 15
    models = [GENERATOR, "classifier", "embedder"]
    sections = f"[model {GENERATOR}]\nsequences = 8\ncontext_tokens = 512\ncache_mb = 1\n"
    with Daemon(options.bin, ["fixtures/models/gguf", "fixtures/models/echo"], models,
                sections=sections, log_level="error") as daemon:
        kinds = Kinds(daemon, options.seed)
        print("# not supported here: " + (", ".join(kinds.left_out) or "nothing"))
        first = max(options.requests // 10, 5 * len(kinds.makers) * CONNECTIONS // 4)
        _, problems = soak(daemon, kinds, first, 0, options.seed)
        before, held = memory_of(daemon), descriptors(processes(daemon.process.pid))
        mapped = sum(map(shared_bytes, processes(daemon.process.pid)))
        begin = time.monotonic()
        tally, more = soak(daemon, kinds, options.requests - first, 60 * options.minutes,
                           options.seed + 1)
        seconds = time.monotonic() - begin

        def every_request_has_exactly_one_end():
            print(f"# {sum(tally.values())} requests in {seconds:.0f} s: "
                  + ", ".join(f"{name} {count}" for name, count in sorted(tally.items())))
            must(not problems + more, "; ".join((problems + more)[:5]))
            must(sum(tally.values()) >= options.requests - first, "requests are missing")

        def memory_does_not_grow():
            must(poll(lambda: daemon.ask("health_check", "health_response", check_type=2)["running"]
                      == 0, "the end of all"), "")
            allowed = before * (1 + GROWTH) + SLACK
            after = memory_of(daemon)
            print(f"# {before / 1e6:.2f} MB after {first} requests, {after / 1e6:.2f} MB at the end")
            must(after <= allowed, f"it has grown by {after / before - 1:.1%}")
            poll(lambda: sum(map(shared_bytes, processes(daemon.process.pid))) <= mapped,
                 "memory files to be unmapped", 20)

        def no_descriptor_stays():
            poll(lambda: descriptors(processes(daemon.process.pid)) <= held, "descriptors to be closed",
                 20)

        def no_worker_was_lost():
            answer = daemon.ask("health_check", "health_response", check_type=2)
            rules = {event["rule"] for event in daemon.events() if event["event"] == "worker.broke_rule"}
            must(answer["worker_deaths"] == 0, f"{answer['worker_deaths']} died; rules broken: {rules}")

        return run_tests([every_request_has_exactly_one_end, memory_does_not_grow,
                          no_descriptor_stays, no_worker_was_lost])


if __name__ == "__main__":
    sys.exit(main())
