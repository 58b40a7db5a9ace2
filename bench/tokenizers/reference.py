#!/usr/bin/env python3
"""The reference tokenizer as the other side of a benchmark: one thread, on a Unix socket.

    reference.py SOCKET TOKENIZER.JSON TEXTS.JSON fast|places

A client sends a little-endian uint32, how many times all texts shall be encoded; the answer is two
uint64: the nanoseconds that the calls took, and FNV-1a over the ids of one pass (0 if not asked for:
the highest bit of the number asks). What the calls return is freed outside of the time.
"""

import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer    # noqa: E402

WANTS_DIGEST = 1 << 31


def digest(encodings):
    value = 0xCBF29CE484222325
    for encoding in encodings:
        for id in encoding.ids:
            value = (value ^ id) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def main():
    path, tokenizer_path, texts_path, kind = sys.argv[1:]
    tokenizer = Tokenizer.from_file(tokenizer_path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = [row["text"] for row in json.loads(Path(texts_path).read_text(encoding="utf-8"))]
    encode = tokenizer.encode_batch_fast if kind == "fast" else tokenizer.encode_batch
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(4)
    while True:     # whoever looks whether it serves connects and leaves
        client, _ = server.accept()
        while asked := client.recv(4, socket.MSG_WAITALL):
            asked, took = struct.unpack("<I", asked)[0], 0
            for _ in range(asked & ~WANTS_DIGEST):
                begun = time.perf_counter_ns()
                encodings = encode(texts)
                took += time.perf_counter_ns() - begun
            client.sendall(struct.pack("<QQ", took, digest(encodings) if asked & WANTS_DIGEST else 0))


if __name__ == "__main__":
    sys.exit(main())
