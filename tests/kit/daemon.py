"""A hearthd of its own for one test: started on a fresh socket, stopped with the test."""

import json
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import v2

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 120.0    # bounds a broken daemon; every wait ends when the thing happens
STATES = ["absent", "loading", "ready", "draining", "failed", "restarting"]


class Broken(Exception):
    """What a test found to be otherwise."""


class Skipped(Exception):
    """Why a test cannot be run here; counted by its name, never as passed."""


def must(claim, text):
    if not claim:
        raise Broken(text)


def poll(condition, what, seconds=WAIT_SECONDS):
    """Waits for a fact that nobody announces (a state, a file); raises Broken when it never comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Broken(f"waited {seconds:.0f} s for {what}")


def write_echo_model(folder, name, capability, labels=(), **options):
    """A model of the null engine, in a folder that a daemon may be given."""
    place = Path(folder) / name
    place.mkdir(parents=True)
    (place / "manifest.json").write_text(json.dumps({
        "model_id": name, "name": name, "version": "1.0.0", "license": "MIT", "files": [],
        "capabilities": [capability], "architecture": "echo", "options": options,
        **({"labels": list(labels)} if labels else {})}))


class Daemon:
    """Starts hearthd with a configuration file made from keywords; a context manager."""

    def __init__(self, bin_folder, models, preload=(), sections="", prefix=(), **settings):
        self.bin = Path(bin_folder)
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-test-")
        self.home = Path(self.folder.name)
        self.socket_path = self.home / "run" / "hearthd.sock"
        self.log_path = self.home / "log"
        self.preload, self.prefix = list(preload), list(prefix)
        roots = ":".join(str(ROOT / m) for m in ([models] if isinstance(models, str) else models))
        lines = ["[daemon]", f"socket = {self.socket_path}", f"models = {roots}"]
        lines += [f"preload = {', '.join(preload)}"] if preload else []
        lines += [f"{key} = {value}" for key, value in settings.items()]
        self.config = self.home / "hearthd.conf"
        self.config.write_text("\n".join(lines) + "\n" + sections)
        self.process = None

    def start(self):
        """Starts it and waits until it answers and every preloaded model is ready."""
        self.spawn()
        poll(self.is_listening, "the socket of hearthd")
        for name in self.preload:
            state = poll(lambda n=name: self.state_if_settled(n), f"{name} to settle")
            must(state == "ready", f"preloaded {name} is {state}: {self.model(name)['error']}")
        return self

    def command(self):
        return [*self.prefix, str(self.bin / "hearthd"), "--config", str(self.config)]

    def spawn(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:   # no __exit__ follows: it must not outlive the test
            self.finish()
            raise

    def __exit__(self, *_):
        self.finish()

    def is_listening(self):
        must(self.process.poll() is None, f"hearthd exited with {self.process.returncode}: "
             + self.log()[-600:])
        try:
            return self.ask("health_check", "health_response", check_type=0)["ok"]
        except (OSError, ConnectionError):
            return False

    def connect(self, handshake=True):
        connection = v2.Connection(self.socket_path, timeout=WAIT_SECONDS)
        if handshake:
            kind, answer = connection.handshake()
            must(kind == "handshake_ack", f"the handshake was answered with {kind}: {answer}")
        return connection

    def ask(self, request, reply, **values):
        connection = self.connect(handshake=request != "health_check")
        try:
            connection.send(request, **values)
            kind, answer = connection.receive()
            must(kind == reply, f"{request} was answered with {kind}: {answer}")
            return answer
        finally:
            connection.close()

    def models(self):
        return self.ask("models_request", "models_response")["models"]

    def model(self, name):
        return next((m for m in self.models() if m["name"] == name), None)

    def state(self, name):
        model = self.model(name)
        return STATES[model["state"]] if model else None

    def state_if_settled(self, name):
        state = self.state(name)
        return state if state in ("ready", "failed") else None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def events(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def infer(self, connection=None, **values):
        """One request, not streamed; returns its terminal message."""
        own = connection or self.connect()
        try:
            own.send("inference_request", **{"request_id": 1, **v2.SAMPLING, "priority": 1, **values})
            kind, answer = own.receive()
            must(kind == "inference_response", f"the request was answered with {kind}: {answer}")
            return answer
        finally:
            if connection is None:
                own.close()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)

    def finish(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.folder.cleanup()


def run_tests(tests):
    """Runs functions and prints TAP; the name of a function is its claim. Returns the exit code."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name, problem, skip = test.__name__.replace("_", " "), None, ""
        try:
            test()
        except Skipped as reason:
            skip = f" # SKIP {reason}"
        except Exception as found:      # a test may break in any way; it must not stop the others
            problem = f"{type(found).__name__}: {found}"
        failed += problem is not None
        print(f"{'not ok' if problem else 'ok'} {number} - {name}{skip}", flush=True)
        for line in (problem or "").splitlines():
            print("# " + line)
    return 1 if failed else 0
