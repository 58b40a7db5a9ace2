#!/usr/bin/env python3
"""The benchmarks' reader of HTTP event streams finds the same events as Python's json, whatever pieces
they come in, and refuses what is no such stream. Prints TAP.

    test_sse.py PROGRAM    (sse_events)
"""

import json
import random
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
from daemon import must, run_tests      # noqa: E402

LINE_LIMIT = 256 << 10


def read(stream, piece):
    """(status, output lines)"""
    done = subprocess.run([sys.argv[1], str(piece)], input=stream, capture_output=True, timeout=20)
    return done.returncode, done.stdout.decode().rstrip("\n").split("\n")


def events_by_lot(lot):
    letters = "aé漢🦙 \\\"{}[]:,\t\u2028"
    return [{"content": "".join(lot.choices(letters, k=lot.randrange(30))), "index": 0,
             "tokens": [lot.randrange(150000) for _ in range(lot.randrange(3))],
             "stop": lot.random() < 0.1} for _ in range(lot.randrange(1, 12))]


def body_of(events, lot):
    end = lot.choice(["\n", "\r\n"])
    return "".join(f"data: {json.dumps(event, ensure_ascii=lot.random() < 0.5)}{end}{end}"
                   for event in events).encode()


def chunked(body, lot):
    out, at = b"", 0
    while at < len(body):
        size = lot.randrange(1, 60)
        part = body[at:at + size]
        out += b"%x\r\n%s\r\n" % (len(part), part)
        at += size
    return out + b"0\r\n\r\n"


def events_are_those_of_python_whatever_the_pieces():
    lot = random.Random(7)
    for _ in range(60):
        events = events_by_lot(lot)
        is_chunked = lot.random() < 0.7
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        head += b"transfer-encoding: chunked\r\n\r\n" if is_chunked else b"\r\n"
        body = body_of(events, lot)
        stream = head + (chunked(body, lot) if is_chunked else body)
        code, lines = read(stream, lot.choice([1, 2, 7, 64, 65536]))
        must(code == 0, f"refused: {lines}")
        must(lines[-1] == ("200 whole" if is_chunked else "200 open"), lines[-1])
        must([json.loads(line) for line in lines[:-1]] == events, "other events were found")


def an_error_tells_its_body():
    code, lines = read(b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"error":"loading"}\n', 5)
    must((code, lines) == (0, ['{"error":"loading"}', "503 open"]), f"{code} {lines}")


def what_is_no_http_is_refused():
    for stream in (b"FTP ready\r\n", b"HTTP/1.1\r\n\r\n", b"a" * 5000, b"HTTP/1.1 OK, fine\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 40 + b"\r\n"):
        must(read(stream, 3)[0] == 1, f"accepted: {stream[:60]}")


def a_line_without_end_is_refused():
    head = b"HTTP/1.1 200 OK\r\n\r\ndata: "
    must(read(head + b"x" * (LINE_LIMIT - 6) + b"\n", 65536)[0] == 0, "a line at the limit is refused")
    must(read(head + b"x" * LINE_LIMIT, 65536)[0] == 1, "a line over the limit is taken")


if __name__ == "__main__":
    sys.exit(run_tests([events_are_those_of_python_whatever_the_pieces, an_error_tells_its_body,
                        what_is_no_http_is_refused, a_line_without_end_is_refused]))
