#!/usr/bin/env python3
"""hearthd as a service: what a manager hands over and hears, reloads, the environment, the log.

usage: test_service.py --bin FOLDER      prints TAP

The manager is played here with bare sockets, by what systemd documents of its two protocols.
"""

import argparse
import fcntl
import functools
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                           # noqa: E402
from daemon import ROOT, WAIT_SECONDS, Daemon, must, poll, run_tests    # noqa: E402

MODELS = "fixtures/models/echo"
BIN = None
OURS = re.compile(r"HEARTH_|LISTEN_|NOTIFY_SOCKET|WATCHDOG_")


def environment(**more):
    """Without what the caller of this test may have set for a daemon of its own."""
    return {**{k: v for k, v in os.environ.items() if not OURS.match(k)}, **more}


class Service(Daemon):
    """A hearthd with an environment, and with descriptors from 3 on."""

    made = []   # by the test that runs

    def __init__(self, *, env=None, fds=(), log=None, through=(), **settings):
        super().__init__(BIN, MODELS, **settings)
        Service.made.append(self)
        self.env, self.fds, self.log_to = env or {}, list(fds), log
        self.through = list(through)    # a program that becomes hearthd

    def command(self):
        # LISTEN_PID must name hearthd itself, which exec makes of this shell.
        wrapper = ["sh", "-c", 'exec env LISTEN_PID=$$ "$@"', "sh"] if self.fds else []
        return [*wrapper, *self.through, *super().command()]

    def spawn(self):
        def place_fds():
            copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in self.fds]
            for number, fd in enumerate(copies, 3):
                os.dup2(fd, number)
        passed = {"LISTEN_FDS": str(len(self.fds))} if self.fds else {}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=self.log_to or log,
                env=environment(**passed, **self.env), close_fds=not self.fds,
                preexec_fn=place_fds if self.fds else None)

    def has_event(self, name, **fields):
        return any(e["event"] == name and all(e.get(k) == v for k, v in fields.items())
                   for e in self.events())

    def await_event(self, name, **fields):
        poll(lambda: self.has_event(name, **fields), f"log event {name} {fields}")

    def write_config(self, change):
        """As an editor saves: a new file takes the name."""
        new = self.config.with_suffix(".new")
        new.write_text(change(self.config.read_text()))
        new.rename(self.config)

    def reload(self):
        before = sum(e["event"].startswith("config.re") for e in self.events())
        self.process.send_signal(signal.SIGHUP)
        poll(lambda: sum(e["event"].startswith("config.re") for e in self.events()) > before,
             "the end of a reload")

    def metrics(self):
        connection = self.connect(handshake=False)
        try:
            connection.send("metrics_request")
            kind, answer = connection.receive()
            must(kind == "metrics_response", f"the answer was {kind}: {answer}")
            return {m["name"]: m["value"] for m in answer["counters"] + answer["gauges"]}
        finally:
            connection.close()


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.bind(address)

    def hear(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def await_news(self, key, value="1"):
        while True:
            news = self.hear()
            if news.get(key) == value:
                return news

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def listening_socket(path):
    path.parent.mkdir(mode=0o700, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o640)
    listener.listen(8)
    return listener


# ---- sockets that are handed over

def a_client_that_came_before_the_daemon_is_served():
    service = Service(preload=["tiny"])
    listener = listening_socket(service.socket_path)
    service.fds = [listener.fileno()]
    early = v2.Connection(service.socket_path, timeout=WAIT_SECONDS)
    early.send("health_check", check_type=0)
    with service:
        must(early.receive()[1]["ok"], "the early client got another answer")
        early.close()
        answer = service.infer(model_id="tiny", task=2, texts=[{"text": "abc"}])
        must(answer["results"][0]["text"] == "cba", f"the answer was {answer}")
        must(service.has_event("daemon.listening", socket=str(service.socket_path),
                               inherited=True), "the log tells of another socket")
        must(service.stop() == 0, "hearthd failed")
        must(service.socket_path.stat().st_mode & 0o7777 == 0o640, "the mode was changed")
        must([p.name for p in service.socket_path.parent.iterdir()] == ["hearthd.sock"],
             "the folder of the manager's socket was changed")
    listener.close()


def what_is_no_listening_unix_socket_ends_the_start_and_is_named():
    network = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    network.bind(("127.0.0.1", 0))
    network.listen(1)
    with open("/dev/null", "rb") as file:
        cases = [([network], "descriptor 3 is no Unix socket"), ([file], "3 is not a socket"),
                 ([network, network], "2 sockets were handed over")]
        for fds, text in cases:
            service = Service(fds=[f.fileno() for f in fds])
            service.spawn()
            code = service.process.wait(WAIT_SECONDS)
            must(code == 2, f"hearthd exited with {code} for {text}")
            must(text in service.log() and "what to do" in service.log(), service.log())
    network.close()


def a_promise_to_a_parent_is_no_socket_of_ours():
    with Service(env={"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}) as service:
        must(service.has_event("daemon.listening", inherited=False), service.log())


# ---- news for the manager

def readiness_is_told_when_requests_are_taken():
    service = Service(preload=["tiny"])
    address = str(service.home / "notify")
    service.env["NOTIFY_SOCKET"] = address
    with Manager(address) as manager:
        service.spawn()
        news = manager.hear()
        must(news.pop("READY") == "1", f"the first news were {news}")
        must(news == {"STATUS": f"Listening on {service.socket_path}"}, f"told was {news}")
        # Nothing is waited for: the request comes while the model may still be loading.
        answer = service.infer(model_id="tiny", task=2, texts=[{"text": "abc"}])
        must(answer["code"] == 0, f"a request after READY=1 was answered {answer}")
        service.process.send_signal(signal.SIGTERM)
        must(manager.hear()["STOPPING"] == "1", "the end was not told")
        must(service.process.wait(WAIT_SECONDS) == 0, "hearthd failed")


def an_abstract_address_is_served_and_a_dead_one_is_only_logged():
    service = Service()
    service.env["NOTIFY_SOCKET"] = f"@{service.home}/notify"
    with Manager(f"\0{service.home}/notify") as manager, service:
        manager.await_news("READY")
    service = Service(env={"NOTIFY_SOCKET": "/nonexistent/notify"})
    with service:
        must(service.has_event("service.unreachable"), service.log())


def the_watchdog_is_fed_by_the_loop_and_by_nothing_else():
    service = Service()
    address = str(service.home / "notify")
    service.env |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    with Manager(address) as manager:
        service.spawn()
        manager.await_news("READY")
        began = time.monotonic()
        for _ in range(3):
            must(manager.hear() == {"WATCHDOG": "1"}, "something else was told")
        took = time.monotonic() - began
        must(took > 0.25, f"three signs of life came within {took:.3f} s, every 0.1 s was due")
        service.process.send_signal(signal.SIGSTOP)
        manager.socket.settimeout(0.4)
        try:
            manager.hear()      # one may have been on its way
            manager.hear()
            raise AssertionError("a stopped loop fed the watchdog")
        except socket.timeout:
            pass
        manager.socket.settimeout(WAIT_SECONDS)
        service.process.send_signal(signal.SIGCONT)
        manager.await_news("WATCHDOG")
        must(service.stop() == 0, "hearthd failed")


def without_a_watchdog_an_idle_daemon_is_not_woken():
    def wakes():
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        return re.findall(r"ctxt_switches:\s+(\d+)", status)[0]
    with Service(preload=["tiny"]) as service:
        service.await_event("daemon.ready")
        time.sleep(0.15)    # the end of the last connection
        before = wakes()
        time.sleep(0.5)
        must(wakes() == before, f"the idle daemon slept {before} and then {wakes()} times")


# ---- reload

def a_reload_takes_limits_from_a_file_that_was_replaced():
    service = Service(preload=["tiny"], max_connections=1, queue_limit=1, memory_limit="64M",
                      drain_timeout_ms=0)
    address = str(service.home / "notify")
    service.env["NOTIFY_SOCKET"] = address
    with Manager(address) as manager, service:
        manager.await_news("READY")
        first = service.connect()
        second = service.connect(handshake=False)
        kind, answer = second.receive()
        must(v2.ERRORS[answer["code"]] == "too_many_connections", f"{kind} {answer}")
        second.close()
        service.write_config(lambda text: text.replace("max_connections = 1", "max_connections = 3")
                             .replace("queue_limit = 1", "queue_limit = 2")
                             .replace("64M", "128M") + "threads = 1\nlog_level = debug\n")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        service.process.send_signal(signal.SIGHUP)
        news = manager.await_news("RELOADING")
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        must(before <= int(news["MONOTONIC_USEC"]) <= after, f"told was {news}")
        manager.await_news("READY")
        must(service.has_event("config.needs_restart", key="threads"), "threads: not told")
        must(not service.has_event("config.needs_restart", key="queue_limit"), "told too much")
        must(service.metrics()["memory_limit_bytes"] == 128 << 20, "memory_limit is as before")
        check_queue_limit(service, first, 2)
        first.close()


def check_queue_limit(service, connection, limit):
    """The echo model holds every request; what it has not taken waits in the queue."""
    capacity = next(e for e in service.events() if e["event"] == "model.ready")["capacity"]
    for number in range(1, capacity + limit + 2):
        connection.send("inference_request", request_id=number, model_id="tiny", task=2, flags=0,
                        priority=1, texts=[{"text": "hang: x"}], **v2.SAMPLING)
    kind, answer = connection.receive()
    must(kind == "inference_response" and v2.ERRORS[answer["code"]] == "queue_full"
         and answer["request_id"] == capacity + limit + 1, f"the queue took another number: {answer}")


def a_token_that_a_reload_brings_is_asked_of_new_sessions():
    def handshake(**token):
        connection = service.connect(handshake=False)
        connection.send("handshake", version_min=2, version_max=2, client="test", **token)
        kind, answer = connection.receive()
        connection.close()
        return "ok" if kind == "handshake_ack" else v2.ERRORS[answer["code"]]
    with Service(preload=["tiny"]) as service:
        old = service.connect()
        without = service.config.read_text()
        for token in ("first", "second"):
            digest = hashlib.sha256(token.encode()).hexdigest()
            service.write_config(lambda _: without + f"token_sha256 = {digest}\n")
            service.reload()
            must(handshake(token=token.encode()) == "ok", f"{token}: the right token was refused")
            must(handshake(token=b"third") == "unauthenticated", f"{token}: a wrong token was taken")
            must(handshake() == "unauthenticated", f"{token}: none was asked")
        answer = service.infer(old, model_id="tiny", task=2, texts=[{"text": "abc"}])
        must(answer["code"] == 0, f"a session of before was cut: {answer}")
        service.write_config(lambda _: without)
        service.reload()
        must(handshake() == "ok", "a token is still asked")
        old.close()


def a_file_with_a_mistake_changes_nothing_and_is_told():
    with Service(max_connections=2) as service:
        service.write_config(lambda text: text.replace("= 2", "= 1") + "queue_limit = many\n")
        service.reload()
        refused = next(e for e in service.events() if e["event"] == "config.refused")
        place = f"{service.config}:5: queue_limit: \"many\" must be a whole number"
        must(place in refused["error"]["text"] and refused["remedy"], f"the log says {refused}")
        service.config.unlink()
        service.reload()
        both = [service.connect() for _ in range(2)]
        for connection in both:
            connection.close()


def a_hang_up_without_a_file_ends_the_daemon():
    service = Service(env={"HEARTH_MODELS": str(ROOT / MODELS)})
    service.env["HEARTH_SOCKET"] = str(service.socket_path)
    service.command = lambda: [str(BIN / "hearthd")]
    with service:
        service.process.send_signal(signal.SIGHUP)
        must(service.process.wait(WAIT_SECONDS) == 0, service.log())


# ---- configuration

VARIABLES = {
    "socket": "/run/x.sock", "models": "/a:/b", "preload": "x, y", "workers": "/w",
    "max_connections": "3", "queue_limit": "4", "memory_limit": "5368709120", "threads": "6",
    "worker_nice": "7", "drain_timeout_ms": "8", "request_timeout_ms": "9", "load_timeout_ms": "10",
    "swap": "drain-first", "hang_timeout_ms": "11", "handshake_timeout_ms": "12",
    "frame_timeout_ms": "13",
    "idle_timeout_ms": "14", "token_sha256": "ab" * 32, "containment": "strict",
    "queue_limit_critical": "15", "queue_limit_high": "16", "queue_limit_normal": "17",
    "queue_limit_low": "18", "client_queue_limit": "19", "eviction": "idle",
    "per_call_memory": "4096", "total_call_memory": "8192", "concurrent_requests": "20",
    "progress_timeout_ms": "21", "ready_models": "2", "worker_headroom": "1048576",
    "log_level": "error"}


def printed(*arguments, code=0, **env):
    run = subprocess.run([BIN / "hearthd", *map(str, arguments)], env=environment(**env),
                         capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    must(run.returncode == code, f"hearthd exited with {run.returncode}: {run.stderr}")
    return run.stdout if code == 0 else run.stderr


def keys_of(text):
    pairs = [line.partition(" = ") for line in text.splitlines() if " = " in line]
    return {key: value for key, _, value in pairs}


def every_variable_has_an_effect_over_the_file_and_under_the_command_line():
    defaults = keys_of(printed("--check-config"))
    must(set(defaults) == set(VARIABLES), "the table of this test lacks a key, or has one too many")
    service = Service()
    service.config.write_text("[daemon]\n" + "".join(f"{k} = {v}\n" for k, v in defaults.items()))
    for key, value in VARIABLES.items():
        seen = keys_of(printed("--config", service.config, "--check-config",
                               **{"HEARTH_" + key.upper(): value}))
        must(seen == {**defaults, key: value}, f"HEARTH_{key.upper()}: {seen}")
    seen = keys_of(printed("--socket", "/run/line.sock", "--check-config",
                           HEARTH_SOCKET="/run/x.sock"))
    must(seen["socket"] == "/run/line.sock", f"the command line lost: {seen['socket']}")
    said = printed("--check-config", code=2, HEARTH_IDLE_TIMEOUT_MS="soon")
    must('HEARTH_IDLE_TIMEOUT_MS: "soon" must be a whole number' in said, said)


def printed_defaults_are_a_file_that_changes_nothing():
    service = Service()
    service.config.write_text(printed("--print-defaults"))
    must(keys_of(service.config.read_text())["socket"] == "auto", "defaults are of this machine")
    for _ in range(2):  # available memory moves between two runs
        with_file = keys_of(printed("--config", service.config, "--check-config"))
        without = keys_of(printed("--check-config"))
        for seen in (with_file, without):
            must(int(seen.pop("memory_limit")) > 1 << 20, "no memory")
        must(with_file == without, f"{with_file} is not {without}")
    service.config.write_text("[daemon]\nqueue_limits = 1\n")
    said = printed("--config", service.config, "--check-config", code=2)
    must(f"{service.config}:2: queue_limits: no such key" in said and "what to do" in said, said)


def output_that_cannot_be_written_is_told():
    for option in ("--print-defaults", "--check-config", "--version", "--help"):
        with open("/dev/full", "wb") as full:
            run = subprocess.run([BIN / "hearthd", option], env=environment(), stdout=full,
                                 stderr=subprocess.PIPE, text=True, check=False,
                                 timeout=WAIT_SECONDS)
        must(run.returncode == 1 and "No space left" in run.stderr,
             f"{option}: {run.returncode}, {run.stderr!r}")


def a_variable_that_is_nearly_one_of_ours_is_told():
    with Service(env={"HEARTH_QEUE_LIMIT": "7", "HEARTH_CACHE": "/x"}) as service:
        told = [e for e in service.events() if e["event"] == "config.unknown_variable"]
        must([(e["variable"], e["meant"]) for e in told]
             == [("HEARTH_QEUE_LIMIT", "HEARTH_QUEUE_LIMIT")], f"told was {told}")


# ---- the log

def malformed_frames(service, count):
    """Each is worth a line in the log."""
    for _ in range(count):
        connection = service.connect(handshake=False)
        connection.send_frame(b"\xff" * 8)
        try:
            while True:
                connection.receive()
        except (ConnectionError, OSError):
            connection.close()


def serves_without_a_log(sink):
    service = Service(preload=["tiny"], log=sink, log_level="debug")
    with service:
        malformed_frames(service, 30)
        answer = service.infer(model_id="tiny", task=2, texts=[{"text": "abc"}])
        must(answer["results"][0]["text"] == "cba", f"the answer was {answer}")
        dropped = service.metrics()["log_lines_dropped"]
        must(dropped > 0, "no line was lost, so this test shows nothing")
        must(service.stop() == 0, "hearthd failed")


def a_log_whose_reader_stalls_never_stops_the_loop():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 4096)     # F_SETPIPE_SZ
    try:
        serves_without_a_log(writer)
        os.set_blocking(reader, False)
        lines = os.read(reader, 65536).decode().splitlines()
        must(lines and all(line.startswith('{"time"') for line in lines), f"the pipe holds {lines}")
        must(os.get_blocking(writer), "the shared end was made non-blocking")
    finally:
        os.close(reader)
        os.close(writer)


def a_log_whose_reader_is_gone_costs_only_lines():
    reader, writer = os.pipe()
    os.close(reader)
    serves_without_a_log(writer)
    os.close(writer)


def a_log_on_a_full_disk_costs_only_lines():
    with open("/dev/full", "wb") as full:
        serves_without_a_log(full)


# ---- priority

def a_daemon_that_is_nicer_than_its_workers_are_to_be_serves():
    with Service(preload=["tiny"], through=["nice", "-n", "15"]) as service:
        answer = service.infer(model_id="tiny", task=2, texts=[{"text": "abc"}])
        must(answer["results"][0]["text"] == "cba", f"the answer was {answer}")
        must(service.stop() == 0, "hearthd failed")


# ---- resources

def resident_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def reported_memory_is_what_proc_says_of_daemon_and_workers():
    with Service(preload=["tiny", "other"]) as service:
        pids = [service.process.pid] + [service.model(n)["worker_pid"] for n in ("tiny", "other")]
        must(all(pids) and len(set(pids)) == 3, f"the processes are {pids}")
        time.sleep(0.15)    # a reading serves for 100 ms: the next question makes a new one
        wanted = sum(resident_bytes(pid) for pid in pids)
        seen = service.ask("health_check", "health_response", check_type=2)["memory_used_bytes"]
        must(abs(seen - wanted) <= 0.05 * wanted, f"reported {seen}, /proc says {wanted}")
        seen = service.metrics()["memory_used_bytes"]
        must(abs(seen - wanted) <= 0.05 * wanted, f"the gauge is {seen}, /proc says {wanted}")


def alone(test):
    """@test, after which none of its daemons is left, however it ended."""
    @functools.wraps(test)
    def run():
        try:
            test()
        finally:
            while Service.made:
                Service.made.pop().finish()
    return run


def main():
    global BIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=Path)
    BIN = parser.parse_args().bin.resolve()
    return run_tests([alone(test) for test in (
        a_client_that_came_before_the_daemon_is_served,
        what_is_no_listening_unix_socket_ends_the_start_and_is_named,
        a_promise_to_a_parent_is_no_socket_of_ours,
        readiness_is_told_when_requests_are_taken,
        an_abstract_address_is_served_and_a_dead_one_is_only_logged,
        the_watchdog_is_fed_by_the_loop_and_by_nothing_else,
        without_a_watchdog_an_idle_daemon_is_not_woken,
        a_reload_takes_limits_from_a_file_that_was_replaced,
        a_token_that_a_reload_brings_is_asked_of_new_sessions,
        a_file_with_a_mistake_changes_nothing_and_is_told,
        a_hang_up_without_a_file_ends_the_daemon,
        every_variable_has_an_effect_over_the_file_and_under_the_command_line,
        printed_defaults_are_a_file_that_changes_nothing,
        output_that_cannot_be_written_is_told,
        a_variable_that_is_nearly_one_of_ours_is_told,
        a_log_whose_reader_stalls_never_stops_the_loop,
        a_log_whose_reader_is_gone_costs_only_lines,
        a_log_on_a_full_disk_costs_only_lines,
        a_daemon_that_is_nicer_than_its_workers_are_to_be_serves,
        reported_memory_is_what_proc_says_of_daemon_and_workers,
    )])


if __name__ == "__main__":
    sys.exit(main())
