"""What a badly behaved peer does to a daemon of its own, and what it is told; rows of bad_input.py."""

import hashlib
import os
import resource
import select
import socket
import struct
import time
from pathlib import Path

import v1
import v2
from daemon import Daemon, must, poll

PATIENCE_MS = 1000      # of the daemons here: short, so that a test can see the end of it
TOKEN = "correct horse"
GIVE_UP = 60.0


def a_daemon(world, prefix=(), preload=("tiny",), **settings):
    return Daemon(world.bin, "fixtures/models/echo", preload, prefix=prefix, **settings)


def everything_until_the_end(connection):
    """All messages until the daemon closes the connection; it must close it."""
    messages = []
    try:
        while True:
            messages.append(connection.receive())
    except ConnectionError:
        return messages


def must_be_told(row, kind, message):
    must(kind == "error", f"answered with {kind}: {message}")
    must(v2.ERRORS.get(message["code"]) == row.error, f"the error is {message}")
    for part in row.what:
        must(part in message["message"], f"the error does not say {part!r}: {message['message']}")


def must_be_cut(row, connection):
    """The last word is an error with the reason, then the connection is closed."""
    messages = everything_until_the_end(connection)
    must(messages, "closed without a word")
    must_be_told(row, *messages[-1])


def must_serve(connection, text="abc"):
    """A connection that did nothing wrong is answered."""
    connection.send("inference_request", request_id=77, model_id="tiny", task=2, priority=1,
                    texts=[{"text": text}], **v2.SAMPLING)
    kind, answer = connection.receive()
    must(kind == "inference_response" and answer["code"] == 0, f"{kind}: {answer}")
    must(answer["results"][0]["text"] == text[::-1], f"{answer}")


def must_be_alone(daemon):
    """Nothing is left of anybody: connections, requests that run, requests that wait."""
    def is_alone():
        health = daemon.ask("health_check", "health_response", check_type=2)
        return (health["connections"], health["running"], health["queue_depth"]) == (1, 0, 0)
    poll(is_alone, "connections and requests to be gone", GIVE_UP)


# ---- frames ------------------------------------------------------------------------------------

def sends_a_frame_of_17_mib(world, row):
    other, connection = world.daemon.connect(), world.daemon.connect()
    connection.socket.sendall(struct.pack("<I", 17 << 20) + bytes(1000))
    must_be_cut(row, connection)
    must_serve(other)


def sends_5000_bytes_before_the_handshake(world, row):
    connection = world.daemon.connect(handshake=False)
    connection.socket.sendall(struct.pack("<I", 5000) + bytes(100))
    must_be_cut(row, connection)


def sends_json_over_its_limit(world, row):
    """The frame is sound, so the connection goes on."""
    connection = v1.Connection(world.daemon.socket_path, timeout=GIVE_UP)
    connection.handshake()
    text = '{"type":"health_check","check_type":"Liveness","more":"%s"}'
    connection.send_frame((text % ("x" * (262144 - len(text) + 2))).encode())
    must(connection.receive()[0] == "health_response", "the largest JSON message is not accepted")
    connection.send_frame((text % ("x" * (262145 - len(text) + 2))).encode())
    must_be_told(row, *connection.receive())
    connection.send("health_check", check_type=0)
    must(connection.receive()[0] == "health_response", "the connection does not go on")


def stops_in_mid_frame(world, row):
    with a_daemon(world, frame_timeout_ms=PATIENCE_MS) as daemon:
        other, connection = daemon.connect(), daemon.connect()
        connection.socket.sendall(struct.pack("<I", 1000) + b"\x03\x00")
        must_be_cut(row, connection)
        must_serve(other)


def sends_a_frame_byte_by_byte(world, row):
    """Each byte comes in time, and yet the frame does not."""
    with a_daemon(world, frame_timeout_ms=PATIENCE_MS) as daemon:
        connection, end = daemon.connect(), time.monotonic() + GIVE_UP
        connection.socket.sendall(struct.pack("<I", 100000))
        while not select.select([connection.socket], [], [], PATIENCE_MS / 1000 / 10)[0]:
            must(time.monotonic() < end, "it is never cut")
            try:
                connection.socket.sendall(b"\x03")
            except BrokenPipeError:     # closed, after its last word
                break
        must_be_cut(row, connection)


# ---- who comes in ------------------------------------------------------------------------------

def shows_a_token(token):
    """A wrong one is refused, the right one is not, and neither is in the log."""
    def act(world, row):
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        with a_daemon(world, preload=(), token_sha256=digest) as daemon:
            for kind, version in ((v1, 1), (v2, 2)):
                for shown in (token, TOKEN):
                    connection = kind.Connection(daemon.socket_path, timeout=GIVE_UP)
                    connection.send("handshake", version_min=version, version_max=version,
                                    client="t", token=shown)
                    if shown != TOKEN:
                        must_be_cut(row, connection)
                must(connection.receive()[0] == "handshake_ack", "the right token is refused")
            must(TOKEN not in daemon.log() and (not token or token not in daemon.log()),
                 "a token is in the log")
    return act


def is_the_65th(world, row):
    with a_daemon(world) as daemon:
        connections = [daemon.connect() for _ in range(64)]
        must_be_cut(row, daemon.connect(handshake=False))
        as_json = v1.Connection(daemon.socket_path, timeout=GIVE_UP)
        must_be_told(row, *as_json.handshake())
        must_serve(connections[0])
        must_serve(connections[-1])
        connections.pop().close()

        def gets_in():
            connection = daemon.connect(handshake=False)
            try:
                return connection.handshake()[0] == "handshake_ack"
            except ConnectionError:
                return False
        poll(gets_in, "the place of one that left", GIVE_UP)


def says_nothing(world, row):
    with a_daemon(world, handshake_timeout_ms=PATIENCE_MS) as daemon:
        must_be_cut(row, daemon.connect(handshake=False))


# ---- readers -----------------------------------------------------------------------------------

def reads_nothing(world, row):
    """Answers pile up; who does not read them is cut, and another is served meanwhile."""
    with a_daemon(world, frame_timeout_ms=PATIENCE_MS) as daemon:
        slow, other = daemon.connect(), daemon.connect()
        slow.socket.settimeout(0.2)
        try:
            for request_id in range(1, 2000):
                slow.send("models_request")
                slow.send("inference_request", request_id=request_id, model_id="tiny", task=2,
                          priority=1, texts=[{"text": "x" * 60000}],
                          **{**v2.SAMPLING, "max_tokens": 100000})
                if request_id % 50 == 0:
                    must_serve(other)
        except (TimeoutError, ConnectionError):
            pass                        # the daemon stopped reading, or has cut it already

        def is_cut():
            must_serve(other)
            return any(event.get("event") == "connection.cut" for event in daemon.events())
        poll(is_cut, "the slow reader to be cut", GIVE_UP)
        slow.socket.settimeout(GIVE_UP)
        must_be_cut(row, slow)
        must_serve(other)


def closes_its_sending_half(world, _):
    """It asks nothing more, and is still told what it asked; then the daemon closes, too."""
    with a_daemon(world) as daemon:
        connection = daemon.connect()
        for request_id, directive in ((1, "slow:300ms "), (2, "")):
            connection.send("inference_request", request_id=request_id, model_id="tiny", task=2,
                            priority=1, texts=[{"text": directive + "abc"}], **v2.SAMPLING)
        connection.socket.shutdown(socket.SHUT_WR)
        answers = everything_until_the_end(connection)
        must([kind for kind, _ in answers] == ["inference_response"] * 2, f"{answers}")
        must(sorted(answer["request_id"] for _, answer in answers) == [1, 2], f"{answers}")
        must(all(answer["results"][0]["text"] == "cba" for _, answer in answers), f"{answers}")
        must_be_alone(daemon)


def closes_its_sending_half_in_a_frame(world, row):
    connection = world.daemon.connect()
    connection.socket.sendall(struct.pack("<I", 1000) + bytes(10))
    connection.socket.shutdown(socket.SHUT_WR)
    must_be_cut(row, connection)


def vanishes_with_requests_open(world, _):
    with a_daemon(world) as daemon:
        connection = daemon.connect()
        for request_id in range(1, 6):
            connection.send("inference_request", request_id=request_id, model_id="tiny", task=2,
                            priority=1, texts=[{"text": "slow:60s abc"}], **v2.SAMPLING)
        connection.send("cancel_request", request_id=99)
        must(connection.receive()[0] == "cancel_response", "the requests have not arrived")
        connection.close()
        must_be_alone(daemon)
        must_serve(daemon.connect())


# ---- a machine without room --------------------------------------------------------------------

def logs_to_a_full_disk(world, _):
    """Nothing can be written; it serves and ends as ever."""
    prefix = ["sh", "-c", 'exec "$0" "$@" 2>/dev/full']
    with a_daemon(world, prefix=prefix) as daemon:
        must_serve(daemon.connect())
        must(daemon.stop() == 0, f"it ended with {daemon.process.returncode}")


def writes_to_a_full_disk(world, row):
    with open("/dev/full", "wb") as full:
        done = world.hearth(*row.command, stdout=full)
    text = done.stderr.decode()
    must(done.returncode == row.exit_code, f"exit code {done.returncode}: {text}")
    for part in [*row.what, row.remedy]:
        must(part in text, f"standard error does not say {part!r}: {text}")


def processor_seconds(pid):
    times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def uses_up_all_descriptors(world, _):
    """Who is connected is served, who has to wait is let in when there is room; it does not spin."""
    with a_daemon(world) as daemon:
        first, crowd, pid = daemon.connect(), [], daemon.process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (48, 48))   # it has about 20; only root can count
        for _ in range(40):
            crowd.append(daemon.connect(handshake=False))
        poll(lambda: "connection.failed" in daemon.log(), "descriptors to be used up", GIVE_UP)
        begun = processor_seconds(pid)
        time.sleep(0.5)                         # long enough to see it spin
        must(processor_seconds(pid) - begun < 0.25, "it spins")
        must_serve(first)
        first.send("load_request", request_id=1, model_id="other")
        kind, answer = first.receive()
        must(kind == "load_response" and answer["code"] != 0 and answer["error"],
             f"a load without descriptors: {kind} {answer}")
        for connection in crowd[:-1]:
            connection.close()
        must(crowd[-1].handshake()[0] == "handshake_ack", "who waited is not let in")
        must_serve(crowd[-1])
        first.send("load_request", request_id=2, model_id="other")
        kind, answer = first.receive()
        must(kind == "load_response" and answer["code"] == 0, f"a load afterwards: {answer}")
