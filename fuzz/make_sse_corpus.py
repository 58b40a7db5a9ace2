#!/usr/bin/env python3
"""Writes the seed inputs of the target sse: answers of HTTP servers that stream events, and near misses."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "corpus/sse"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = b"".join(b"data: " + json.dumps({"content": text, "tokens": [5], "stop": text == ""}).encode() + b"\n\n"
                  for text in ("a", " \u00e9", "\U0001f98a", ""))


def chunks(body, size):
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


ANSWERS = {
    "plain": HEAD + b"\r\n" + EVENTS,
    "plain-crlf": HEAD + b"\r\n" + EVENTS.replace(b"\n", b"\r\n"),
    "chunked": CHUNKED + chunks(EVENTS, 1000),
    "chunks-cut-lines": CHUNKED + chunks(EVENTS, 7),
    "other-fields": HEAD + b"\r\n: a comment\nid: 7\nevent: x\ndata: 1\n\ndata:2\n\n",
    "behind-the-end": CHUNKED + chunks(b"data: 1\n\n", 99) + b"HTTP/1.1 200 OK\r\n",
    "error": b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"error\":\"loading\"}\n",
    "no-http": b"FTP ready\r\n",
    "no-status": b"HTTP/1.1 OK, fine\r\n\r\n",
    "long-head": HEAD + b"X: " + b"a" * 1100 + b"\r\n\r\n",
    "no-size": CHUNKED + b"none\r\n",
    "negative-size": CHUNKED + b"-1\r\ndata: 1\n\n",
    "spaces-before-size": CHUNKED + b"  9\r\ndata: 1\n\n\r\n",
    "prefixed-size": CHUNKED + b"0x9\r\ndata: 1\n\n\r\n",
    "long-size": CHUNKED + b"00000000000000009\r\ndata: 1\n\n\r\n",
    "largest-size": CHUNKED + b"ffffffffffffffff\r\ndata: 1\n\n",
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, (name, answer) in enumerate(ANSWERS.items()):
        (FOLDER / name).write_bytes(bytes([number % 5, 3 * number]) + answer)


if __name__ == "__main__":
    main()
