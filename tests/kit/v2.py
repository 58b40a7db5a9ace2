"""The V2 encoding in Python, for tests: written from docs/protocol.md, shares no code with src/.

The field lists come from messages.def, so a message that is added there can be spoken here; the
bytes (struct, little-endian) are this file's own reading of the protocol.
"""

import re
import struct
from pathlib import Path

from framed import Framed

NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "f32": "<f"}
DEFINITION = Path(__file__).resolve().parents[2] / "src/shared/wire/messages.def"


def read_definition(path=DEFINITION):
    """Returns ({record: fields}, {message: (number, fields)}); a field is (kind, name, record)."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S).replace("\\\n", " ")
    layouts = {}
    for name, body in re.findall(r"#define HEARTH_FIELDS_(\w+)\(F, L\)([^\n]*)", text):
        fields = []
        for macro, first, second in re.findall(r"\b([FL])\(\s*(\w+),\s*(\w+),", body):
            fields.append(("list", second, first) if macro == "L" else (first, second, None))
        layouts[name] = fields
    messages = {name: (int(number), layouts[name])
                for name, number in re.findall(r"\bM\((\w+), (\d+),", text)}
    records = {name: layouts[name] for name in re.findall(r"\bR\((\w+),", text)}
    return records, messages


RECORDS, MESSAGES = read_definition()
NAMES = {number: name for name, (number, _) in MESSAGES.items()}


def encode_fields(fields, values):
    unknown = set(values) - {name for _, name, _ in fields}
    if unknown:
        raise KeyError(f"no such field: {sorted(unknown)}")
    out = bytearray()
    for kind, name, record in fields:
        value = values.get(name)
        if kind in NUMBERS:
            out += struct.pack(NUMBERS[kind], value or 0)
        elif kind in ("str", "bytes"):
            data = value.encode() if isinstance(value, str) else bytes(value or b"")
            out += struct.pack("<I", len(data)) + data
        elif kind in ("f32s", "u32s"):
            letter = "f" if kind == "f32s" else "I"
            out += struct.pack(f"<I{len(value or [])}{letter}", len(value or []), *(value or []))
        else:
            body = bytearray()
            for element in value or []:
                fields_of_it = encode_fields(RECORDS[record], element)
                body += struct.pack("<I", len(fields_of_it)) + fields_of_it
            out += struct.pack("<II", len(value or []), len(body)) + body
    return bytes(out)


def encode(name, /, **values):
    number, fields = MESSAGES[name]
    return struct.pack("<HH", number, 0) + encode_fields(fields, values)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise ValueError("cut short")
        piece = self.data[self.at:self.at + size]
        self.at += size
        return piece

    def number(self, kind):
        form = NUMBERS[kind]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]


def zero(kind):
    return 0 if kind in NUMBERS else {"str": "", "bytes": b""}.get(kind, [])


def decode_fields(fields, cursor):
    values = {}
    for kind, name, record in fields:
        if cursor.at == len(cursor.data):       # from an older peer
            values[name] = zero(kind)
        elif kind in NUMBERS:
            values[name] = cursor.number(kind)
        elif kind == "str":
            values[name] = cursor.take(cursor.number("u32")).decode()
        elif kind == "bytes":
            values[name] = cursor.take(cursor.number("u32"))
        elif kind in ("f32s", "u32s"):
            count, letter = cursor.number("u32"), "f" if kind == "f32s" else "I"
            values[name] = list(struct.unpack(f"<{count}{letter}", cursor.take(4 * count)))
        else:
            count, size = cursor.number("u32"), cursor.number("u32")
            inner = Cursor(cursor.take(size))
            values[name] = [decode_fields(RECORDS[record], Cursor(inner.take(inner.number("u32"))))
                            for _ in range(count)]
    return values


def decode(payload):
    cursor = Cursor(payload)
    number = cursor.number("u16")
    cursor.number("u16")
    return NAMES[number], decode_fields(MESSAGES[NAMES[number]][1], cursor)


class Connection(Framed):
    """One connection to a daemon that is spoken to in V2."""

    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def handshake(self, client="test"):
        self.send("handshake", version_min=2, version_max=2, client=client)
        return self.receive()


def read_errors():
    """Returns {number: name} from the one list of errors."""
    path = DEFINITION.parents[3] / "include/hearth/errors.h"
    return {int(number): name
            for number, name in re.findall(r"X\(\w+, (\d+), \"(\w+)\"", path.read_text())}


ERRORS = read_errors()
TASKS = {"classify": 0, "embed": 1, "generate": 2, "chat": 3, "rerank": 4, "entities": 5, "tensors": 6,
         "choice": 7}
FLAGS = {"stream": 1, "return_token_ids": 2, "in_order": 4, "memfds": 8, "logprobs": 16, "exact": 32,
         "shift": 64, "no_cache": 128}
FINISH = ["none", "stop", "max_tokens", "timeout", "cancelled", "failed", "tool_calls", "context_full"]
GRAMMARS = {"none": 0, "json_schema": 1, "gbnf": 2}
NORMALIZE = {"default": 0, "yes": 1, "no": 2}
VECTOR_TYPES = {"float32": 0, "float16": 1, "int8": 2}
# As ONNX numbers them; the letters are those of struct and numpy.
TENSOR_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7,
                "bool": 9, "float16": 10, "float64": 11, "uint32": 12, "uint64": 13}
ANY_SIZE = 0xFFFFFFFF       # in the shape of a port
PRIORITIES = {"low": 0, "normal": 1, "high": 2, "critical": 3}
SAMPLING = {"max_tokens": 256, "temperature": 0.7, "top_k": 40, "top_p": 0.9, "min_p": 0.0,
            "repetition_penalty": 1.1, "repetition_window": 64, "seed": 42}
