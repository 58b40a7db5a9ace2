#!/usr/bin/env python3
"""Writes the seed inputs of the target wire: every message of messages.def, once with all its fields
zero or empty and once with all of them set. Run it when a message was added or has grown."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/kit"))
import v2       # noqa: E402

# A number of 1 is within the limits of every field.
VALUES = {"u8": 1, "u16": 1, "u32": 1, "u64": 1, "f32": 0.5, "str": "ab\u00e9", "bytes": b"\x00\xff",
          "f32s": [0.5, -1.0], "u32s": [1, 0xFFFFFFFF]}


def filled(fields):
    return {name: [filled(v2.RECORDS[record])] * 2 if kind == "list" else VALUES[kind]
            for kind, name, record in fields}


def main():
    for name, (_, fields) in v2.MESSAGES.items():
        folder = HERE / "corpus/wire"
        (folder / f"message-{name}").write_bytes(v2.encode(name, **filled(fields)))
        (folder / f"message-{name}-empty").write_bytes(v2.encode(name))


if __name__ == "__main__":
    main()
