"""Frames on a Unix socket, for the clients of both versions: a length and that many bytes."""

import socket
import struct


class Framed:
    """One connection to a daemon, nothing hidden. Who speaks a version gives encode and decode."""

    def __init__(self, path, timeout=30.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))

    def send_frame(self, payload):
        self.socket.sendall(struct.pack("<I", len(payload)) + payload)

    def send(self, name, /, **values):
        self.send_frame(self.encode(name, **values))

    def read_exactly(self, size):
        parts = []
        while size > 0:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError("the daemon closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self):
        size = struct.unpack("<I", self.read_exactly(4))[0]
        return self.decode(self.read_exactly(size))

    def close(self):
        self.socket.close()
