#!/usr/bin/env python3
"""Runs stories: small scripts of what clients do and what they must see, through the real socket.

usage: story.py --bin FOLDER STORY...      prints one TAP line a story

A line is `who verb words…`; words are split like a shell's, KEY=VALUE words are arguments.

  daemon start [models=DIR] [preload=a,b] [expect_exit=N] [KEY=VALUE …]   other keys go to [daemon]
  daemon start-second expect_exit=N           another hearthd with the same configuration
  daemon signal NAME | expect exit N | expect log EVENT | never logs TEXT | stop
  client A connect [v1] [bare] [token=T] [name=N]     bare: without a handshake
  client A close | half-close | raw HEX | json TEXT | expect error NAME [SAYS] | expect closed
  client A negotiate json|binary MIN MAX -> V1|V2|ERROR      on a connection of its own
  client A submit model=M task=T text="…" [text="…"] [chat="user:…"] [priority=P] [timeout_ms=N]
           [stream] [logprobs] [n=N] [choices="a,b"] [tools=JSON] [grammar_type=T grammar=TEXT]
           [KEY=VALUE sampling] -> name
  client A first name                         waits for the first chunk of a streamed request
  client A expect name text "…" | failed ERROR | finish REASON | pieces N | results N | ok
  client A expect name error-says "…"
  client A expect name answers "…" "…"        the text of each answer, in their order
  client A expect name ends REASON …          how each answer ended
  client A expect name scores N N …           log-probabilities of each answer
  client A expect name calls NAME:ARGUMENTS … of tools, by the first answer
  client A expect name chooses "a,b"          the names of a choice, in any order, scores falling to 1
  client A expect name tells FIELD VALUE      a member of the terminal
  client A cancel name -> yes|no
  client A load M -> ok|ERROR      client A unload M -> ok|ERROR
  client A warmup M -> ok|ERROR
  client A lists N                            open requests that it may see
  client A cancel-listed N -> yes|no          by the ticket of the N-th of them, from 0
  client A takes N spans
  worker kill model=M | worker wait model=M state=S | worker same model=M
  health expect FIELD VALUE        models expect M FIELD VALUE
  metrics expect NAME VALUE                   a counter, a gauge, or the count of a histogram
  memory expect within PERCENT                what health and metrics tell, beside /proc
  order expect name name …         the terminals came in this order
"""

import argparse
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v1                                                           # noqa: E402
import v2                                                           # noqa: E402
from daemon import STATES, WAIT_SECONDS, Broken, Daemon, must, poll # noqa: E402


class Client:
    """One connection whose messages are collected by a thread of its own."""

    def __init__(self, world, name, kit=v2):
        self.world, self.name, self.version = world, name, 1 if kit is v1 else 2
        self.connection = kit.Connection(world.socket_path)
        self.listed = []
        self.chunks, self.terminals, self.replies, self.closed = {}, {}, [], False
        self.connection.socket.settimeout(None)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while True:
                kind, values = self.connection.receive()
                with self.world.changed:
                    self.take(kind, values)
                    self.world.changed.notify_all()
        except (OSError, ValueError, ConnectionError):
            with self.world.changed:
                self.closed = True
                self.world.changed.notify_all()

    def take(self, kind, values):
        if kind == "stream_chunk":
            self.chunks.setdefault(values["request_id"], []).append(values)
        elif kind == "inference_response":
            ids = values["request_id"]
            if ids in self.terminals:
                self.world.complaint = f"a second terminal for request {ids} of {self.name}"
            self.terminals[ids] = values
            self.world.ended.append((self.name, ids))
        else:
            self.replies.append((kind, values))

    def reply(self, kind):
        """Takes the oldest reply of a kind, waiting for it."""
        def find():
            return next((r for r in self.replies if r[0] == kind), None)
        found = self.world.wait(lambda: find() or self.closed, f"{self.name}: {kind}")
        found = find()
        must(found, f"{self.name}: the connection closed before {kind}")
        self.replies.remove(found)
        return found[1]


class World:
    """What one story has: a daemon, clients, requests by name."""

    def __init__(self, bin_folder):
        self.bin, self.daemon = bin_folder, None
        self.clients, self.requests, self.ended = {}, {}, []
        self.changed, self.complaint = threading.Condition(), None
        self.next_id, self.pids = 1, {}

    @property
    def socket_path(self):
        return self.daemon.socket_path

    def wait(self, condition, what):
        with self.changed:
            done = self.changed.wait_for(lambda: condition() or self.complaint, WAIT_SECONDS)
        must(not self.complaint, self.complaint)
        must(done, f"waited {WAIT_SECONDS:.0f} s for {what}")
        return condition()

    # ---- daemon
    def daemon_start(self, arguments):
        expect_exit = arguments.pop("expect_exit", None)
        preload = [name for name in arguments.pop("preload", "").split(",") if name]
        models = arguments.pop("models", "fixtures/models/echo")
        self.daemon = Daemon(self.bin, models, preload, **arguments)
        if expect_exit is not None:
            self.daemon.spawn()
            self.expect_exit(expect_exit)
            return
        self.daemon.start()
        self.pids = {name: self.daemon.model(name)["worker_pid"] for name in preload}

    def expect_exit(self, wanted):
        code = self.daemon.process.wait(WAIT_SECONDS)
        must(code == int(wanted), f"hearthd exited with {code}, not {wanted}")

    def daemon_verb(self, verb, words, arguments):
        if verb == "start":
            self.daemon_start(arguments)
        elif verb == "start-second":    # a second hearthd on the same socket
            second = subprocess.run([*self.daemon.command()], capture_output=True, check=False,
                                    timeout=WAIT_SECONDS)
            must(second.returncode == int(arguments["expect_exit"]),
                 f"the second hearthd exited with {second.returncode}")
        elif verb == "signal":
            self.daemon.process.send_signal(getattr(signal, "SIG" + words[0]))
        elif verb == "stop":
            code = self.daemon.stop()
            must(code == 0, f"hearthd exited with {code}")
        elif verb == "expect" and words[0] == "exit":
            self.expect_exit(words[1])
        elif verb == "expect" and words[0] == "log":
            poll(lambda: any(e.get("event") == words[1] for e in self.daemon.events()),
                 f"log event {words[1]}")
        elif verb == "never" and words[0] == "logs":
            must(words[1] not in self.daemon.log(), "the log holds content of a request")
        elif verb == "alive":
            must(self.daemon.process.poll() is None, "hearthd has ended")
        else:
            raise ValueError(f"daemon {verb} {words}")

    # ---- clients
    def submit(self, client, words, arguments, texts, chats):
        name = words[-1]
        sampling = {k: (float if isinstance(v, float) else int)(arguments.pop(k, v))
                    for k, v in v2.SAMPLING.items()}
        roles = {"system": 0, "user": 1, "assistant": 2}
        messages = [{"role": roles[role], "content": text}
                    for role, _, text in (c.partition(":") for c in chats)]
        identity = int(arguments.pop("id", self.next_id))
        self.next_id += 1
        flags = sum(bit for flag, bit in v2.FLAGS.items() if flag in words[:-1])
        client.connection.send(
            "inference_request", request_id=identity, model_id=arguments.pop("model"),
            task=v2.TASKS[arguments.pop("task", "generate")], flags=flags,
            **self.structure(arguments),
            priority=v2.PRIORITIES[arguments.pop("priority", "normal")],
            timeout_ms=int(arguments.pop("timeout_ms", 0)),
            texts=[{"text": t} for t in texts], messages=messages, **sampling)
        must(not arguments, f"unknown arguments {arguments}")
        self.requests[name] = (client, identity)

    @staticmethod
    def structure(arguments):
        """What a generator is asked for beside a text; the fields that are given."""
        fields = {}
        if "choices" in arguments:
            fields["choices"] = [{"text": text} for text in arguments.pop("choices").split(",")]
        if "grammar_type" in arguments:
            fields["grammar_type"] = v2.GRAMMARS[arguments.pop("grammar_type")]
        fields |= {name: arguments.pop(name) for name in ("tools", "grammar") if name in arguments}
        fields |= {field: int(arguments.pop(name)) for name, field in
                   (("n", "answers"), ("top_logprobs", "top_logprobs"), ("cache_domain", "cache_domain"))
                   if name in arguments}
        return fields

    def terminal(self, name):
        client, identity = self.requests[name]
        self.wait(lambda: identity in client.terminals or client.closed, f"the end of {name}")
        must(identity in client.terminals, f"{name}: the connection closed before its terminal")
        return client.terminals[identity], client.chunks.get(identity, [])

    def expect(self, name, what, words):
        answer, chunks = self.terminal(name)
        error = v2.ERRORS.get(answer["code"], "ok")
        results = answer["results"] or [r for c in chunks for r in c["results"]]
        text = "".join(r["text"] for r in results)
        finish = v2.FINISH
        if what == "failed":
            must(error == words[0], f"{name} ended with {error} ({answer['error']})")
        elif what == "error-says":
            must(words[0] in answer["error"], f"{name} says: {answer['error']}")
        elif what == "finish":
            seen = finish[answer["finish_reason"]]
            must(seen == words[0], f"{name} finished by {seen}")
        else:
            must(error == "ok", f"{name} failed: {error} ({answer['error']})")
            if what == "text":
                must(text == words[0], f"{name} answered {text!r}")
            elif what == "pieces":
                must(len(chunks) == int(words[0]), f"{name} came in {len(chunks)} pieces")
            elif what == "results":
                must(sorted(r["index"] for r in results) == list(range(int(words[0]))),
                     f"{name} has results {[r['index'] for r in results]}")
            elif what == "tells":
                must(str(answer[words[0]]) == words[1], f"{name} tells {words[0]} {answer[words[0]]}")
            elif what != "ok":
                self.expect_generated(name, what, words, results)

    @staticmethod
    def expect_generated(name, what, words, results):
        """Of several answers, pieces put together."""
        answers = [[r for r in results if r["index"] == i]
                   for i in range(1 + max(r["index"] for r in results))]
        if what == "answers":
            seen = ["".join(r["text"] for r in pieces) for pieces in answers]
        elif what == "ends":
            seen = [v2.FINISH[pieces[-1]["finish_reason"]] for pieces in answers]
        elif what == "scores":
            seen = [str(sum(len(r["logprobs"]) for r in pieces)) for pieces in answers]
        elif what == "calls":
            parts = [call for r in answers[0] for call in r["tool_calls"]]
            calls = [[p for p in parts if p["index"] == i] for i in range(1 + parts[-1]["index"])]
            seen = [f"{call[0]['name']}:{''.join(p['arguments'] for p in call)}" for call in calls]
        elif what == "chooses":
            labels = results[0]["labels"]
            scores = [label["score"] for label in labels]
            must(scores == sorted(scores, reverse=True) and abs(sum(scores) - 1) < 1e-5,
                 f"{name} has the scores {scores}")
            seen, words = sorted(label["name"] for label in labels), sorted(words[0].split(","))
        else:
            raise ValueError(f"unknown expectation {what}")
        must(seen == words, f"{name} {what}: {seen}")

    def connect(self, who, words, arguments):
        client = self.clients[who] = Client(self, who, v1 if "v1" in words else v2)
        if "bare" in words:
            return
        token = arguments.get("token", "")
        client.connection.send("handshake", version_min=client.version, version_max=client.version,
                               client=arguments.get("name", "story"),
                               token=token if client.version == 1 else token.encode())
        if "->" in words:
            seen = v2.ERRORS.get(client.reply("error")["code"])
            must(seen == words[-1], f"the handshake of {who} got error {seen}")
        else:
            client.reply("handshake_ack")

    def negotiate(self, words):
        """The answer comes in the encoding of the question, what follows in the version it names."""
        connection = (v1 if words[0] == "json" else v2).Connection(self.socket_path)
        if words[0] == "json":
            connection.send_frame(json.dumps({"type": "handshake", "version_min": int(words[1]),
                                              "protocol_version": int(words[2])}).encode())
        else:
            connection.send("handshake", version_min=int(words[1]), version_max=int(words[2]))
        kind, answer = connection.receive()
        seen = f"V{answer['version']}" if kind == "handshake_ack" else v2.ERRORS[answer["code"]]
        must(seen == words[-1], f"{words[:3]} was answered {seen}")
        if kind == "handshake_ack":
            kit = v1 if seen == "V1" else v2
            connection.send_frame(kit.encode("health_check", check_type=0))
            size = struct.unpack("<I", connection.read_exactly(4))[0]
            kind, _ = kit.decode(connection.read_exactly(size))
            must(kind == "health_response", f"{seen} is not spoken after that")
        connection.close()

    def more_verbs(self, client, verb, words):
        """What is asked about requests rather than of a model."""
        if verb == "half-close":
            client.connection.socket.shutdown(socket.SHUT_WR)
        elif verb == "json":
            client.connection.send_frame(words[0].encode())
        elif verb == "warmup":
            client.connection.send("warmup_request", request_id=0, model_id=words[0], tokens=3)
            answer = client.reply("warmup_response")
            seen = v2.ERRORS.get(answer["code"], "ok")
            must(seen == words[-1] and answer["success"] == (seen == "ok"),
                 f"warm-up was answered {answer}")
        elif verb == "lists":
            client.connection.send("requests_request")
            client.listed = client.reply("requests_response")["requests"]
            must(len(client.listed) == int(words[0]), f"{client.name} sees {client.listed}")
        elif verb == "cancel-listed":
            client.connection.send("cancel_request", request_id=0,
                                   ticket=client.listed[int(words[0])]["ticket"])
            answer = "yes" if client.reply("cancel_response")["cancelled"] else "no"
            must(answer == words[-1], f"cancel was answered {answer}")
        elif verb == "takes":
            client.connection.send("spans_request", max_count=0)
            spans = client.reply("spans_response")["spans"]
            must(len(spans) == int(words[0]), f"{client.name} took {len(spans)} spans")
        else:
            raise ValueError(f"client {verb} {words}")

    def client_verb(self, who, verb, words, arguments, texts, chats):
        if verb == "connect":
            self.connect(who, words, arguments)
            return
        if verb == "negotiate":
            self.negotiate(words)
            return
        client = self.clients[who]
        if verb == "submit":
            self.submit(client, words, arguments, texts, chats)
        elif verb == "close":
            client.connection.socket.shutdown(2)
            client.connection.close()
        elif verb == "raw":
            client.connection.socket.sendall(bytes.fromhex("".join(words)))
        elif verb == "first":
            owner, identity = self.requests[words[0]]
            self.wait(lambda: identity in owner.chunks or identity in owner.terminals, "a chunk")
            must(identity in owner.chunks, f"{words[0]} ended without a chunk")
        elif verb == "cancel":
            client.connection.send("cancel_request", request_id=self.requests[words[0]][1])
            answer = "yes" if client.reply("cancel_response")["cancelled"] else "no"
            must("->" not in words or answer == words[-1], f"cancel was answered {answer}")
        elif verb in ("load", "unload"):
            client.connection.send(f"{verb}_request", request_id=self.next_id, model_id=words[0])
            self.next_id += 1
            answer = client.reply(f"{verb}_response")
            seen = v2.ERRORS.get(answer["code"], "ok")
            must(seen == words[-1], f"{verb} was answered {seen} ({answer['error']})")
        elif verb == "expect" and words[0] == "error":
            answer = client.reply("error")
            seen = v2.ERRORS.get(answer["code"])
            must(seen == words[1], f"{who} got error {seen}")
            must(words[2:] == [] or words[2] in answer["message"], f"it says {answer['message']}")
        elif verb == "expect" and words[0] == "closed":
            self.wait(lambda: client.closed, f"the end of {who}'s connection")
        elif verb == "expect":
            self.expect(words[0], words[1], words[2:])
        else:
            self.more_verbs(client, verb, words)

    # ---- the rest
    def worker_verb(self, verb, words, arguments):
        name = arguments["model"]
        if verb == "kill":
            os.kill(self.daemon.model(name)["worker_pid"], signal.SIGKILL)
        elif verb == "wait":
            poll(lambda: self.daemon.state(name) == arguments["state"],
                      f"{name} to be {arguments['state']}")
        elif verb == "same":
            pid = self.daemon.model(name)["worker_pid"]
            must(pid == self.pids[name], f"the worker of {name} was {self.pids[name]}, now {pid}")
        else:
            raise ValueError(f"worker {verb}")

    def memory_misfit(self, part):
        """Resident memory of hearthd and its workers: between what the kernel counts before and
        after the question, but for a part of it. Returns what is otherwise."""
        models = [m for m in self.daemon.models() if m["worker_pid"]]
        pids = [self.daemon.process.pid, *(m["worker_pid"] for m in models)]

        def resident():
            pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
            return [count * os.sysconf("SC_PAGE_SIZE") for count in pages]
        before = resident()
        told = self.daemon.ask("health_check", "health_response", check_type=2)["memory_used_bytes"]
        metrics = self.daemon.ask("metrics_request", "metrics_response")
        gauge = next(g["value"] for g in metrics["gauges"] if g["name"] == "memory_used_bytes")
        listed = [self.daemon.model(m["name"])["memory_bytes"] for m in models]
        after = resident()
        seen = [(told, sum(before), sum(after)), (gauge, sum(before), sum(after)),
                *zip(listed, before[1:], after[1:])]
        return [(number, low, high) for number, low, high in seen
                if not min(low, high) * (1 - part) <= number <= max(low, high) * (1 + part)]

    def run_line(self, line):
        words = shlex.split(line, comments=True)
        if not words:
            return
        pairs = [w.partition("=") for w in words if "=" in w and not w.startswith("=")]
        plain = [w for w in words if "=" not in w or w.startswith("=")]
        texts = [v for k, _, v in pairs if k == "text"]
        chats = [v for k, _, v in pairs if k == "chat"]
        arguments = {k: v for k, _, v in pairs if k not in ("text", "chat")}
        who = plain[0]
        if who == "daemon":
            self.daemon_verb(plain[1], plain[2:], arguments)
        elif who == "client":
            if plain[2] in ("expect", "json"):  # a text may hold '='
                plain, arguments = words, {}
            self.client_verb(plain[1], plain[2], plain[3:], arguments, texts, chats)
        elif who == "worker":
            self.worker_verb(plain[1], plain[2:], arguments)
        elif who == "health":
            seen = self.daemon.ask("health_check", "health_response", check_type=2)[plain[2]]
            must(str(seen) == plain[3], f"health says {plain[2]} {seen}")
        elif who == "memory":
            poll(lambda: not self.memory_misfit(int(plain[-1]) / 100),  # a reading serves for 100 ms
                 f"memory within {plain[-1]} %, not {self.memory_misfit(0)}", 20)
        elif who == "metrics":
            metrics = self.daemon.ask("metrics_request", "metrics_response")
            seen = {m["name"]: m.get("value", m.get("count")) for kind in metrics.values()
                    for m in kind}[plain[2]]
            must(str(seen) == plain[3], f"{plain[2]} is {seen}")
        elif who == "models":
            model = self.daemon.model(plain[2])
            seen = STATES[model["state"]] if plain[3] == "state" else model[plain[3]]
            must(str(seen) == plain[4], f"{plain[2]} has {plain[3]} {seen}")
        elif who == "order":
            wanted = [(self.requests[n][0].name, self.requests[n][1]) for n in plain[2:]]
            for name in plain[2:]:
                self.terminal(name)
            seen = [e for e in self.ended if e in wanted]
            must(seen == wanted, f"the terminals came as {seen}")
        else:
            raise ValueError(f"unknown line: {line}")

    def finish(self):
        for client in self.clients.values():
            client.connection.close()
        if self.daemon:
            self.daemon.finish()


def run_story(path, bin_folder):
    world = World(bin_folder)
    line_number = 0
    try:
        for line_number, line in enumerate(path.read_text().splitlines(), 1):
            world.run_line(line.strip())
        return None
    except (Broken, OSError, ConnectionError, ValueError, KeyError, TypeError,
            subprocess.TimeoutExpired) as problem:
        tail = world.daemon.log()[-1500:] if world.daemon else ""
        return f"{path.name}:{line_number}: {type(problem).__name__}: {problem}\n{tail}"
    finally:
        world.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("stories", nargs="+", type=Path)
    options = parser.parse_args()
    print(f"1..{len(options.stories)}")
    failed = 0
    for number, path in enumerate(options.stories, 1):
        problem = run_story(path, options.bin)
        failed += problem is not None
        print(f"{'not ok' if problem else 'ok'} {number} - {path.stem}", flush=True)
        for line in (problem or "").splitlines():
            print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
