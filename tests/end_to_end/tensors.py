#!/usr/bin/env python3
"""Tensors in memfds, inputs and outputs, through the socket and the worker of the null engine: what
is right comes back as it went, what is wrong is refused by name, and no descriptor stays anywhere.
Streams in the order of their inputs, and what the daemon tells of one model. Prints TAP."""

import argparse
import fcntl
import functools
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v1                                                   # noqa: E402
import v2                                                   # noqa: E402
from daemon import Daemon, Skipped, must, poll, run_tests   # noqa: E402

CANARY = b"kanari-7f3a91"
MIB = 1 << 20
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
TENSORS, MEMFDS, STREAM, IN_ORDER = v2.TASKS["tensors"], v2.FLAGS["memfds"], 1, v2.FLAGS["in_order"]
UINT8 = v2.TENSOR_TYPES["uint8"]


def write_model(folder, name, capability, labels=(), told=(), **options):
    place = Path(folder) / name
    place.mkdir()
    (place / "manifest.json").write_text(json.dumps({
        "model_id": name, "name": name, "version": "1.2.3", "license": "MIT",
        "capabilities": [capability], "architecture": "echo", "files": [], "options": options,
        **({"labels": list(labels)} if labels else {}), **dict(told)}))


def sealed(data, seals=SEALS):
    fd = os.memfd_create("of-a-client", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data) if data else None
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals) if seals else None
    return fd


def large(name, size):
    return {"name": name, "type": UINT8, "shape": [size], "memfd_bytes": size}


def small(name, data):
    return {"name": name, "type": UINT8, "shape": [len(data)], "data": data}


def pattern(size, start):
    """Bytes that no shift of themselves equals."""
    return b"".join(struct.pack("<I", start + i) for i in range(size // 4)) + b"x" * (size % 4)


class Client:
    """A connection of either version that sends and takes descriptors."""

    def __init__(self, daemon, version=2):
        kind = v2 if version == 2 else v1
        self.connection = kind.Connection(daemon.socket_path, timeout=60.0)
        self.socket = self.connection.socket
        self.connection.handshake()
        self.fds = []
        self.bytes = b""

    def send(self, fds=(), message="inference_request", **values):
        if message == "inference_request":
            values = {"request_id": 1, "task": TENSORS, "model_id": "tensors", "priority": 1, **values}
        payload = self.connection.encode(message, **values)
        frame = struct.pack("<I", len(payload)) + payload
        sent = socket.send_fds(self.socket, [frame], fds) if fds else 0
        if sent < len(frame):       # even nothing is too much for a daemon that has hung up
            self.socket.sendall(frame[sent:])
        for fd in fds:
            os.close(fd)

    def take(self, size):
        while len(self.bytes) < size:
            data, fds, flags, _ = socket.recv_fds(self.socket, 1 << 20, 32)
            must(not flags & socket.MSG_CTRUNC, "descriptors were cut off")
            self.fds += fds
            if not data:
                raise ConnectionError("the daemon closed the connection")
            self.bytes += data
        taken, self.bytes = self.bytes[:size], self.bytes[size:]
        return taken

    def receive(self):
        return self.connection.decode(self.take(struct.unpack("<I", self.take(4))[0]))

    def answer(self):
        kind, answer = self.receive()
        must(kind == "inference_response", f"answered with {kind}: {answer}")
        return answer

    def outputs(self, answer):
        """The tensors of an answer as {name: bytes}; memfds must be sealed for good."""
        out = {}
        must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
        for tensor in answer["tensors"]:
            data = tensor["data"]
            if tensor["memfd_bytes"]:
                must(not data and self.fds, f"{tensor['name']}: no memfd came")
                fd = self.fds.pop(0)
                wanted = SEALS | fcntl.F_SEAL_SEAL
                must(fcntl.fcntl(fd, fcntl.F_GET_SEALS) & wanted == wanted, "an output is not sealed")
                must(os.fstat(fd).st_size == tensor["memfd_bytes"], "a memfd of another size")
                data = os.pread(fd, tensor["memfd_bytes"], 0)
                os.close(fd)
            out[tensor["name"]] = data
        must(not self.fds, f"{len(self.fds)} descriptors that no tensor claims")
        return out

    def ask(self, fds=(), **values):
        self.send(fds, **values)
        return self.answer()

    def works(self):
        """A request of the same connection is still right."""
        data = pattern(3 * MIB, 9)
        answer = self.ask([sealed(data)], request_id=99, flags=MEMFDS, tensors=[large("last", len(data))])
        must(self.outputs(answer) == {"last": data}, "the next request is not right")

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.socket.close()


def unread_bytes(connected):
    return struct.unpack("i", fcntl.ioctl(connected, termios.FIONREAD, bytes(4)))[0]


def looks_inside(test):
    """For tests that look into hearthd and its workers, which are not dumpable."""
    @functools.wraps(test)
    def run():
        if os.geteuid() != 0:
            raise Skipped("only root can see what hearthd holds")
        test()
    return run


def open_fds(pid):
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:   # closed meanwhile
            pass
    return sorted(names)


def maps_of(pid):
    return Path(f"/proc/{pid}/maps").read_text()


def memfds_of(pid):
    return [name for name in open_fds(pid) if "of-a-client" in name or "hearth-output" in name]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    folder = tempfile.TemporaryDirectory(prefix="hearth-tensors-")
    write_model(folder.name, "tensors", "tensors", capacity=2)
    write_model(folder.name, "one", "tensors", capacity=1)
    write_model(folder.name, "words", "text_classification", ["x", "y"], capacity=4)
    write_model(folder.name, "rank", "reranking")
    write_model(folder.name, "names", "named_entity_recognition", ["O", "B-X", "I-X"])
    agreement = {"mean_cosine": 0.9995, "min_cosine": 0.995, "texts": 300, "source_sha256": "0" * 64}
    write_model(folder.name, "vectors", "embedding", dimensions=8,
                told={"precision": "int8", "agreement": agreement})
    models = ["tensors", "one", "words", "rank", "names", "vectors"]

    with Daemon(options.bin, folder.name, models, log_level="debug") as daemon:
        pid = daemon.process.pid

        def worker(model):
            return daemon.model(model)["worker_pid"]

        def nothing_stays(*models):
            """Neither the daemon nor a worker holds or maps what a client sent or an engine gave."""
            poll(lambda: not memfds_of(pid), f"hearthd to let go of {memfds_of(pid)}", 10)
            for model in models or ("tensors",):
                one = worker(model)
                poll(lambda: not memfds_of(one), f"the worker to let go of {memfds_of(one)}", 10)
                poll(lambda: "of-a-client" not in maps_of(one),
                     "the worker to end its mappings", 10)

        @looks_inside
        def memfds_go_in_and_come_out_in_both_versions():
            first, second = pattern(5 * MIB + 3, 1), pattern(3 * MIB, 7 * MIB)
            for version in (2, 1):
                client = Client(daemon, version)
                answer = client.ask([sealed(first), sealed(second)], flags=MEMFDS, tensors=[
                    large("first", len(first)), small("between", b"inline"), large("second", len(second))])
                told = client.outputs(answer)
                must(told == {"first": first, "between": b"inline", "second": second},
                     f"V{version}: {[(name, len(data)) for name, data in told.items()]}")
                must("of-a-client" not in maps_of(pid), "hearthd maps a memfd")
                client.works()
                client.close()
            nothing_stays()

        def only_the_outputs_that_are_asked_for_come():
            client = Client(daemon)
            data = pattern(3 * MIB, 1)
            answer = client.ask([sealed(data)], flags=MEMFDS, outputs=[{"name": "b"}],
                                tensors=[large("a", len(data)), small("b", b"1")])
            must(client.outputs(answer) == {"b": b"1"}, "not what was asked for")
            client.close()

        def what_does_not_fit_into_a_message_is_refused_with_what_to_do():
            client = Client(daemon)
            data = pattern(2 * MIB, 1)
            answer = client.ask(tensors=[small("a", data), small("b", data)])
            must(v2.ERRORS.get(answer["code"]) == "too_large", f"code {answer['code']}")
            must("4194" in answer["error"] and "3145728" in answer["error"] and "memfds" in answer["error"],
                 answer["error"])
            answer = client.ask(request_id=2, model_id="vectors", task=1, dimensions=9, texts=[{"text": "x"}])
            must(answer["error"] == "dimensions: 9, \"vectors\" has 8", f"{answer}")
            client.works()
            client.close()

        @looks_inside
        def large_outputs_need_the_flag():
            client = Client(daemon)
            data = pattern(2 * MIB + 1, 1)
            answer = client.ask([sealed(data)], tensors=[large("a", len(data))])
            must(v2.ERRORS.get(answer["code"]) == "too_large", f"code {answer['code']}")
            must("\"a\" has 2097153 bytes" in answer["error"] and "flag 8" in answer["error"],
                 answer["error"])
            client.works()
            client.close()
            nothing_stays()

        @looks_inside
        def outputs_that_do_not_fit_together_come_apart():
            data = pattern(1_900_000, 1)
            tensors = [large("a", len(data)), large("b", len(data)), small("c", b"also")]
            # JSON takes half a megabyte, so there the first goes the other way too.
            for version, wanted in ((2, [0, len(data), 0]), (1, [len(data), len(data), 0])):
                client = Client(daemon, version)
                answer = client.ask([sealed(data), sealed(data[::-1])], flags=MEMFDS, tensors=tensors)
                ways = [tensor["memfd_bytes"] for tensor in answer["tensors"]]
                must(ways == wanted, f"V{version}: {ways}, {answer['error']}")
                must(client.outputs(answer) == {"a": data, "b": data[::-1], "c": b"also"}, "other data")
                client.close()
            client = Client(daemon)
            answer = client.ask([sealed(data), sealed(data)], tensors=tensors)
            must(v2.ERRORS.get(answer["code"]) == "too_large" and "\"b\" has 1900000" in answer["error"],
                 f"{answer['error']}")
            client.close()
            nothing_stays()

        @looks_inside
        def what_is_no_sealed_memfd_of_that_size_is_refused_by_name():
            data = pattern(3 * MIB, 1)
            pipe = os.pipe()
            file = tempfile.TemporaryFile()
            file.write(data)
            file.flush()
            rows = [
                ("is not a memfd", os.dup(pipe[0])),
                ("is not a memfd", socket.socket().detach()),
                ("is not ", os.dup(file.fileno())),
                ("is not sealed", sealed(data, 0)),
                ("is not sealed", sealed(data, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)),
                ("is not sealed", sealed(data, fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)),
                (f"has {len(data) - 1} bytes, not {len(data)}", sealed(data[1:])),
                (f"has {len(data) + 1} bytes, not {len(data)}", sealed(data + b"x")),
                (f"has 0 bytes, not {len(data)}", sealed(b"")),
            ]
            for version in (2, 1):
                client = Client(daemon, version)
                for text, fd in rows:
                    answer = client.ask([os.dup(fd)], tensors=[small("x", b"1"), large("a", len(data))])
                    must(v2.ERRORS.get(answer["code"]) == "input_invalid", f"{text}: {answer['code']}")
                    must("tensors[1]" in answer["error"] and text in answer["error"],
                         f"\"{answer['error']}\" does not say \"{text}\"")
                client.works()
                client.close()
            for _, fd in rows:
                os.close(fd)
            os.close(pipe[0]), os.close(pipe[1])
            nothing_stays()

        def nobody_shrinks_what_was_sent():
            data = pattern(3 * MIB, 1)
            fd = sealed(data)
            client = Client(daemon)
            client.send([os.dup(fd)], flags=MEMFDS, tensors=[large("a", len(data))])
            try:
                os.ftruncate(fd, 1)
                must(False, "a sealed memfd was cut")
            except PermissionError:
                pass
            must(client.outputs(client.answer()) == {"a": data}, "another answer")
            os.close(fd)
            client.close()

        @looks_inside
        def missing_ones_are_refused_and_strays_go_to_nobody():
            data = pattern(3 * MIB, 1)
            client = Client(daemon)
            for count in (0, 1):
                answer = client.ask([sealed(data) for _ in range(count)],
                                    tensors=[large("a", len(data)), large("b", len(data))])
                must(v2.ERRORS.get(answer["code"]) == "input_invalid", f"code {answer['code']}")
                must(f"2 memfds are claimed, {count} came" in answer["error"], answer["error"])
                client.works()
            answer = client.ask([sealed(data)], model_id="nobody", tensors=[large("a", len(data))])
            must(v2.ERRORS.get(answer["code"]) == "no_model", f"code {answer['code']}")
            client.works()      # it does not get the memfd of the refused one
            client.close()
            nothing_stays()

        @looks_inside
        def a_flood_of_descriptors_closes_the_connection_with_the_reason():
            client = Client(daemon)
            fd = sealed(b"x")
            for _ in range(3):      # of one frame that does not end
                socket.send_fds(client.socket, [b"\0\0\1\0" if _ == 0 else b"x"], [fd] * 16)
            kind, answer = client.receive()
            must(kind == "error" and v2.ERRORS.get(answer["code"]) == "input_invalid", f"{kind} {answer}")
            must("descriptors" in answer["message"], answer["message"])
            must(select.select([client.socket], [], [], 10)[0] and not client.socket.recv(1), "still open")
            client.close()
            many = Client(daemon)
            socket.send_fds(many.socket, [b"\0\0\1\0"], [fd] * 40)      # cut off by the kernel
            must(many.receive()[0] == "error", "not refused")
            many.close()
            os.close(fd)
            nothing_stays()

        @looks_inside
        def descriptors_of_a_frame_that_cannot_be_read_reach_no_other():
            data = pattern(3 * MIB, 1)
            client = Client(daemon)
            client.send([sealed(data)], texts=[{"text": "x"}] * 33, tensors=[large("a", len(data))])
            kinds = [client.receive() for _ in range(2)]
            must(v2.ERRORS.get(kinds[0][1]["code"]) == "too_large", f"{kinds[0]}")
            must(kinds[1][0] == "error" and "descriptors" in kinds[1][1]["message"], f"{kinds[1]}")
            client.close()
            nothing_stays()

        @looks_inside
        def descriptors_of_a_request_without_a_session_reach_no_other():
            client = Client(daemon)
            client.socket.close()
            client.connection = v2.Connection(daemon.socket_path, timeout=60.0)
            client.socket = client.connection.socket
            client.send([sealed(b"before")], tensors=[large("a", 6)])
            kinds = [client.receive() for _ in range(2)]
            must(v2.ERRORS.get(kinds[0][1]["code"]) == "unauthenticated", f"{kinds[0]}")
            must(kinds[1][0] == "error" and "descriptors" in kinds[1][1]["message"], f"{kinds[1]}")
            client.close()
            nothing_stays()

        @looks_inside
        def who_does_not_read_memfds_stops_no_worker():
            size, requests = 34 << 10, 4    # too much for one JSON answer, so each is moved into a memfd
            deaf = [Client(daemon, 1) for _ in range(6)]
            names = [f"t{i}" for i in range(16)]
            for client in deaf:
                seen = 0
                for i in range(requests):   # together more descriptors than a worker may have open
                    client.send([sealed(pattern(size, i)) for _ in names], request_id=i + 1, flags=MEMFDS,
                                tensors=[large(name, size) for name in names])
                    poll(lambda c=client, n=seen: unread_bytes(c.socket) > n, "its answer", 20)     # and left there
                    seen = unread_bytes(client.socket)
            before = daemon.model("tensors")["worker_pid"]
            reader = Client(daemon)
            reader.works()
            must(daemon.model("tensors")["worker_pid"] == before, "the worker has died")
            for client in deaf:
                for i in range(requests):
                    must(client.outputs(client.answer()) == {n: pattern(size, i) for n in names}, "other bytes")
                client.close()
            reader.close()
            nothing_stays()

        @looks_inside
        def a_connection_that_ends_takes_its_strays_along():
            client = Client(daemon)
            fd = sealed(b"x")
            socket.send_fds(client.socket, [b"\0"], [fd] * 16)
            os.close(fd)
            poll(lambda: len(memfds_of(pid)) == 16, "hearthd to have them", 10)
            client.close()
            nothing_stays()

        @looks_inside
        def many_in_a_row_find_each_its_own():
            client = Client(daemon)
            datas = [pattern(300_000 + 4096 * i, i << 20) for i in range(24)]
            for i, data in enumerate(datas):
                client.send([sealed(data), sealed(data[::-1])], request_id=i + 1, flags=MEMFDS, tensors=[
                    large("a", len(data)), large("b", len(data))])
            for _ in datas:
                answer = client.answer()
                data = datas[answer["request_id"] - 1]
                must(client.outputs(answer) == {"a": data, "b": data[::-1]}, "another's data")
            client.close()
            nothing_stays()

        @looks_inside
        def a_daemon_that_holds_enough_says_so_and_recovers():
            data = pattern(64, 1)
            busy = Client(daemon)
            busy.send(request_id=1000, model_id="one", tensors=[small("directives", b"slow:3600s")])
            for i in range(16):     # 16 in each wait behind that one
                busy.send([sealed(data) for _ in range(16)], request_id=i + 1, model_id="one", tensors=[
                    large(f"t{k}", len(data)) for k in range(16)])
            poll(lambda: len(memfds_of(pid)) == 256, "hearthd to hold 256", 10)
            other = Client(daemon)
            answer = other.ask([sealed(data)], tensors=[large("a", len(data))])
            must(v2.ERRORS.get(answer["code"]) == "queue_full" and "256" in answer["error"],
                 f"{answer['code']} {answer['error']}")
            busy.close()
            poll(lambda: not memfds_of(pid), "hearthd to let go", 10)
            other.works()
            other.close()

        @looks_inside
        def a_client_that_dies_leaves_nothing_behind():
            data = CANARY * 300_000
            for model in ("one", "tensors"):
                client = Client(daemon)
                for i in range(4):
                    client.send([sealed(data)], request_id=i + 1, model_id=model, tensors=[
                        large("a", len(data)), small("directives", b"slow:3600s")])
                poll(lambda: daemon.model(model)["running"] > 0, "a request to run", 10)
                client.close()
                poll(lambda: daemon.model(model)["running"] == 0, "the requests to end", 10)
            nothing_stays("one", "tensors")

        @looks_inside
        def a_worker_that_dies_ends_what_it_had_and_the_rest_keeps_its_memfds():
            data = pattern(3 * MIB, 5)
            client = Client(daemon)
            client.send([sealed(data)], request_id=1, model_id="one", tensors=[
                large("a", len(data)), small("directives", b"slow:3600s")])
            poll(lambda: daemon.model("one")["running"] == 1, "it to run", 10)
            client.send([sealed(data)], request_id=2, model_id="one", flags=MEMFDS,
                        tensors=[large("a", len(data))])
            poll(lambda: daemon.model("one")["queue_depth"] == 1, "the other to wait", 10)
            os.kill(worker("one"), signal.SIGKILL)
            first = client.answer()
            must(first["request_id"] == 1 and v2.ERRORS.get(first["code"]) == "worker_lost", f"{first}")
            must(client.outputs(client.answer()) == {"a": data}, "the one that waited")
            client.close()
            poll(lambda: daemon.state("one") == "ready", "the worker to be back")
            nothing_stays("one", "tensors")

        def results_come_in_the_order_of_the_inputs_if_asked():
            texts = [{"text": f"slow:{ms}ms text {ms}"} for ms in (900, 5, 200, 1)]
            orders = {}
            for flags in (STREAM, STREAM | IN_ORDER):
                client = Client(daemon)
                began = time.monotonic()
                client.send(model_id="words", task=0, flags=flags, texts=texts)
                indexes = []
                while True:
                    kind, answer = client.receive()
                    if kind == "inference_response":
                        break
                    indexes += [result["index"] for result in answer["results"]]
                must(answer["code"] == 0 and not answer["results"], f"{answer}")
                must(time.monotonic() - began >= 0.9, "the slowest was not waited for")
                orders[flags] = indexes
                client.close()
            must(sorted(orders[STREAM]) == [0, 1, 2, 3] and orders[STREAM][-1] == 0,
                 f"as they finish: {orders[STREAM]}")
            must(orders[STREAM | IN_ORDER] == [0, 1, 2, 3], f"in order: {orders[STREAM | IN_ORDER]}")

        def a_cancel_inside_a_stream_in_order_ends_it_at_once():
            client = Client(daemon)
            client.send(model_id="words", task=0, flags=STREAM | IN_ORDER,
                        texts=[{"text": "first"}, {"text": "slow:3600s"}, {"text": "third"}])
            kind, answer = client.receive()
            must(kind == "stream_chunk" and [r["index"] for r in answer["results"]] == [0], f"{answer}")
            client.send(message="cancel_request", request_id=1)
            kinds = {}
            for _ in range(2):
                kind, answer = client.receive()
                kinds[kind] = answer
            must(set(kinds) == {"cancel_response", "inference_response"}, f"{sorted(kinds)}")
            must(v2.ERRORS.get(kinds["inference_response"]["code"]) == "cancelled", "not cancelled")
            client.close()

        def a_model_is_described():
            for version in (2, 1):
                client = Client(daemon, version)
                client.send(message="model_request", request_id=5, model_id="words")
                kind, answer = client.receive()
                must(kind == "model_response" and answer["request_id"] == 5 and answer["code"] == 0, f"{answer}")
                told = answer["models"][0]
                must(told["name"] == "words" and [n["name"] for n in told["labels"]] == ["x", "y"], f"{told}")
                facts = {fact["key"]: fact["value"] for fact in answer["facts"]}
                must(facts.get("version") == "1.2.3" and facts.get("name") == "words"
                     and facts.get("license") == "MIT", f"{facts}")
                client.send(message="model_request", request_id=6, model_id="vectors")
                facts = {fact["key"]: fact["value"] for fact in client.receive()[1]["facts"]}
                must(facts.get("precision") == "int8" and facts.get("agreement_mean_cosine") == "0.9995"
                     and facts.get("agreement_min_cosine") == "0.995" and "agreement_labels" not in facts
                     and facts.get("agreement_texts") == "300", f"{facts}")
                client.send(message="model_request", request_id=7, model_id="tensors")
                ports = client.receive()[1]
                must([(port["name"], port["type"], port["shape"]) for port in ports["inputs"]] ==
                     [("x", 1, [v2.ANY_SIZE])] and len(ports["outputs"]) == 1, f"{ports}")
                client.send(message="model_request", request_id=6, model_id="nobody")
                kind, answer = client.receive()
                must(v2.ERRORS.get(answer["code"]) == "no_model" and not answer["models"], f"{answer}")
                client.close()

        def warm_ups_of_every_task_succeed():
            for model in models:
                client = Client(daemon)
                client.send(message="warmup_request", request_id=7, model_id=model)
                kind, answer = client.receive()
                must(kind == "warmup_response" and answer["success"] == 1, f"{kind}: {answer}")
                client.close()

        def content_is_in_no_log_and_hearthd_is_the_same():
            client = Client(daemon)
            data = CANARY * 200_000
            client.ask([sealed(data[:-1])], tensors=[large("a", len(data))])
            client.ask([sealed(data)], flags=MEMFDS, tensors=[large("a", len(data))])
            client.close()
            must(CANARY.decode() not in daemon.log(), "the log holds content")
            must("of-a-client" not in daemon.log(), "the log holds the name of a memfd")
            must(daemon.process.poll() is None and daemon.process.pid == pid, "hearthd has ended")
            rules = [e["rule"] for e in daemon.events() if e.get("event") == "worker.broke_rule"]
            must(not rules, f"workers broke rules: {rules}")

        code = run_tests([
            memfds_go_in_and_come_out_in_both_versions, only_the_outputs_that_are_asked_for_come,
            what_does_not_fit_into_a_message_is_refused_with_what_to_do,
            large_outputs_need_the_flag, outputs_that_do_not_fit_together_come_apart,
            what_is_no_sealed_memfd_of_that_size_is_refused_by_name, nobody_shrinks_what_was_sent, missing_ones_are_refused_and_strays_go_to_nobody,
            a_flood_of_descriptors_closes_the_connection_with_the_reason,
            descriptors_of_a_frame_that_cannot_be_read_reach_no_other,
            descriptors_of_a_request_without_a_session_reach_no_other, who_does_not_read_memfds_stops_no_worker,
            a_connection_that_ends_takes_its_strays_along, many_in_a_row_find_each_its_own,
            a_daemon_that_holds_enough_says_so_and_recovers, a_client_that_dies_leaves_nothing_behind,
            a_worker_that_dies_ends_what_it_had_and_the_rest_keeps_its_memfds,
            results_come_in_the_order_of_the_inputs_if_asked,
            a_cancel_inside_a_stream_in_order_ends_it_at_once, a_model_is_described,
            warm_ups_of_every_task_succeed, content_is_in_no_log_and_hearthd_is_the_same])
    folder.cleanup()
    return code


if __name__ == "__main__":
    sys.exit(main())
