"""What the anomaly tests share: a hearthd with the hook, and requests that are watched to their end."""

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                       # noqa: E402
from daemon import Broken, Daemon, must, poll, run_tests        # noqa: E402,F401

PATIENCE_SECONDS = 30.0


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--anomaly", required=True)
    return parser.parse_args()


class HookedDaemon(Daemon):
    """hearthd-anomaly: its n-th allocation can be told to fail."""

    def __init__(self, options, models, preload=(), environment=None, **settings):
        super().__init__(options.bin, models, preload, workers=options.bin, **settings)
        self.program = Path(options.anomaly) / "hearthd"
        self.environment = environment or {}
        self.hook, self.far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.hook.settimeout(PATIENCE_SECONDS)

    def command(self):
        return [str(self.program), "--config", str(self.config)]

    def spawn(self):
        number = self.far_end.fileno()
        environment = {**os.environ, "HEARTH_ANOMALY_FD": str(number), **self.environment}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                            env=environment, pass_fds=[number])
        self.far_end.close()    # so that the hook tells when hearthd ends

    def tell(self, text):
        """Returns (allocations, live, has_failed) as they were before @text took effect."""
        self.hook.send(text.encode())
        answer = self.hook.recv(96)
        if not answer:
            raise EOFError("hearthd has gone")
        count, live, failed = answer.split()
        return int(count), int(live), failed == b"1"

    def fail_at(self, nth):
        self.tell(str(nth))

    def facts(self):
        return self.tell("?")

    def finish(self):
        super().finish()
        self.hook.close()
        self.far_end.close()


class Exchange:
    """One connection whose requests are watched: one terminal each, or the end of the connection."""

    def __init__(self, daemon, handshake=True):
        self.connection = v2.Connection(daemon.socket_path, timeout=PATIENCE_SECONDS)
        self.terminals, self.chunks, self.replies, self.asked = {}, {}, [], []
        self.is_closed, self.last_error = False, None
        if handshake:
            self.send("handshake", version_min=2, version_max=2, client="test")
            self.receive_until(lambda: self.replies)

    def has(self, kind):
        return any(k == kind for k, _ in self.replies)

    def send(self, name, **values):
        try:
            if not self.is_closed:
                self.connection.send(name, **values)
        except (BrokenPipeError, ConnectionResetError):
            pass        # the end is read where the last words are

    def submit(self, identity, **values):
        self.asked.append(identity)
        self.send("inference_request",
                  **{"request_id": identity, "priority": 1, **v2.SAMPLING, **values})

    def receive_one(self):
        try:
            kind, values = self.connection.receive()
        except (ConnectionError, BrokenPipeError):
            self.is_closed = True
            return
        identity = values.get("request_id")
        if kind == "stream_chunk":
            must(identity in self.asked and identity not in self.terminals,
                 f"a chunk for request {identity}, which is not open")
            self.chunks.setdefault(identity, []).append(values)
        elif kind == "inference_response":
            must(identity in self.asked, f"a terminal for request {identity}, never asked")
            must(identity not in self.terminals, f"a second terminal for request {identity}")
            self.terminals[identity] = values
        else:
            if kind == "error":
                self.last_error = v2.ERRORS.get(values["code"], values["code"])
            self.replies.append((kind, values))

    def receive_until(self, condition):
        while not self.is_closed and not condition():
            self.receive_one()

    def take(self, kind):
        """Waits for a reply of this kind; None if an error or the end of the connection comes."""
        self.receive_until(lambda: self.has(kind) or self.has("error"))
        for reply in self.replies:
            if reply[0] == kind:
                self.replies.remove(reply)
                return reply[1]
        return None

    def end_of(self, identity):
        self.receive_until(lambda: identity in self.terminals)
        return self.terminals.get(identity)

    def error_of(self, identity):
        """The name of the error that ended it, "ok", or "closed"."""
        terminal = self.end_of(identity)
        return v2.ERRORS.get(terminal["code"], "ok") if terminal else "closed"

    def text_of(self, identity):
        results = self.end_of(identity)["results"]
        results = results or [r for c in self.chunks.get(identity, []) for r in c["results"]]
        return "".join(r["text"] for r in results)

    def wait_for_first(self, identity):
        self.receive_until(lambda: identity in self.chunks or identity in self.terminals)

    def finish(self):
        """Waits for the end of every request, sees that nothing follows, and closes."""
        for identity in self.asked:
            self.end_of(identity)
        self.replies.clear()
        self.send("health_check", check_type=0)
        answer = self.take("health_response")   # whatever was sent before it has been looked at
        must(answer or self.is_closed, "no answer to a health check")
        self.connection.close()


def is_quiet(daemon):
    health = daemon.ask("health_check", "health_response", check_type=2)
    return health["queue_depth"] == 0 and health["running"] == 0


def must_be_quiet(daemon):
    poll(lambda: is_quiet(daemon), "queue_depth 0 and running 0", PATIENCE_SECONDS)


def must_answer(daemon, model, text, wanted):
    answer = daemon.infer(model_id=model, task=2, texts=[{"text": text}])
    must(answer["code"] == 0, f"{model}: {v2.ERRORS.get(answer['code'])}: {answer['error']}")
    must(answer["results"][0]["text"] == wanted, f"{model} answered {answer['results']}")


def write_model(folder, name, **options):
    """A generator of the echo kind, with load options."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    manifest = {"model_id": name, "name": name, "version": "1.0.0", "task": "text-generation",
                "capabilities": ["text_generation"], "architecture": "echo",
                "license": "Apache-2.0", "files": [], "options": options}
    (Path(folder) / f"{name}.manifest.json").write_text(json.dumps(manifest))


def ask_to(daemon, verb, name):
    """Loads or unloads; returns the name of the error, or "ok", and its text."""
    answer = daemon.ask(f"{verb}_request", f"{verb}_response", request_id=1, model_id=name)
    return v2.ERRORS.get(answer["code"], "ok"), answer["error"]


def reload(daemon, name):
    """A fresh load also forgets how often the worker died."""
    ask_to(daemon, "unload", name)
    error, text = ask_to(daemon, "load", name)
    must(error == "ok", f"load {name}: {error}: {text}")
