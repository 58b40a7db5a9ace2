"""A V2 connection that sends and takes tensors in sealed memfds."""

import fcntl
import os
import socket
import struct

import v2

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
MOST_AT_ONCE = 16


def sealed(data, seals=SEALS):
    fd = os.memfd_create("tensor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    at = 0
    while at < len(data):
        at += os.write(fd, memoryview(data)[at:])
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def content(fd):
    """The bytes of a memfd, which must be sealed; closes it."""
    try:
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
            raise ValueError("a memfd came without its seals")
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


class Connection(v2.Connection):
    """Descriptors that come are kept in their order in @fds."""

    def __init__(self, path):
        super().__init__(path)
        self.fds = []

    def send_with(self, name, fds, **values):
        """The frame, with descriptors beside its first byte; they are closed here."""
        payload = v2.encode(name, **values)
        frame = struct.pack("<I", len(payload)) + payload
        sent = socket.send_fds(self.socket, [frame], fds)
        self.socket.sendall(frame[sent:])
        for fd in fds:
            os.close(fd)

    def read_exactly(self, size):
        parts = []
        while size > 0:
            part, fds, flags, _ = socket.recv_fds(self.socket, min(size, 1 << 20), MOST_AT_ONCE)
            self.fds += fds
            if flags & socket.MSG_CTRUNC:
                raise ConnectionError("descriptors were lost")
            if not part:
                raise ConnectionError("the daemon closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self):
        for fd in self.fds:
            os.close(fd)
        super().close()
