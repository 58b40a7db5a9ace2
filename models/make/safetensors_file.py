"""Reads a .safetensors file: 8 bytes of length, a JSON table, then raw little-endian tensors.

Not here: writing, and every data type that no model of ours uses.
"""

import json
import struct

import numpy as np

MAX_HEADER_BYTES = 16 << 20
DTYPES = {"F32": "<f4", "I64": "<i8"}


class MalformedSafetensors(ValueError):
    """The bytes are not a safetensors file of a kind that this reader knows."""


def read(data, wanted=lambda name: True):
    """Returns {name: array} for the tensors that `wanted` accepts; arrays are views into `data`."""
    if len(data) < 8:
        raise MalformedSafetensors(f"{len(data)} bytes cannot hold the header length")
    (header_bytes,) = struct.unpack_from("<Q", data, 0)
    if header_bytes > MAX_HEADER_BYTES or 8 + header_bytes > len(data):
        raise MalformedSafetensors(f"header of {header_bytes} bytes does not fit the file")
    header = json.loads(bytes(data[8:8 + header_bytes]))
    body = memoryview(data)[8 + header_bytes:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or not wanted(name):
            continue
        tensors[name] = _tensor(name, entry, body)
    return tensors


def _tensor(name, entry, body):
    if entry["dtype"] not in DTYPES:
        raise MalformedSafetensors(f"{name}: data type {entry['dtype']} is not supported")
    dtype = np.dtype(DTYPES[entry["dtype"]])
    begin, end = entry["data_offsets"]
    count = int(np.prod(entry["shape"], dtype=np.int64))
    if not 0 <= begin <= end <= len(body) or end - begin != count * dtype.itemsize:
        raise MalformedSafetensors(f"{name}: bytes {begin}..{end} do not hold {entry['shape']}")
    return np.frombuffer(body[begin:end], dtype=dtype).reshape(entry["shape"])
