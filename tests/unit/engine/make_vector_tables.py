#!/usr/bin/env python3
"""Prints tests/unit/engine/vector_tables.inc: halves from Python's struct module, bytes from numpy.

usage: make_vector_tables.py > vector_tables.inc"""

import random
import struct
import textwrap

import numpy

SEED = 20261123


def float_of_bits(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def half_bits(value):
    """IEEE round to nearest even; struct refuses what becomes infinite, numpy does not."""
    try:
        return struct.unpack("<H", struct.pack("<e", value))[0]
    except OverflowError:
        return 0xFC00 if value < 0 else 0x7C00


def halves():
    """Borders of every binade of halves, below, at and above the middle, and random floats."""
    rng = random.Random(SEED)
    bits = [0, 1, 0x7F7FFFFF, 0x477FEFFF, 0x477FF000, 0x477FE000]
    for exponent in range(127 - 27, 127 + 17):
        for mantissa in (0, 1, 0xFFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFFFF, 0x7FF000, 0x7FEFFF):
            bits.append(exponent << 23 | mantissa)
    bits += [rng.randrange(100, 145) << 23 | rng.randrange(1 << 23) for _ in range(200)]
    bits += [b | 0x80000000 for b in bits[::7]]
    return [(b, half_bits(float_of_bits(b))) for b in bits]


def bytes_of(vector):
    x = numpy.array(vector, numpy.float32)
    scale = numpy.abs(x).max() / numpy.float32(127)
    return x, scale, numpy.rint(x / scale).astype(numpy.int8)


def print_rows(items):
    print(textwrap.fill(", ".join(items), 98, initial_indent="    ", subsequent_indent="    "))


def main():
    rng = numpy.random.default_rng(SEED)
    print("/* vector_tables.inc, printed by make_vector_tables.py: what struct and numpy answer. */\n")
    print("/* The bits of a float and of its half. */\nstatic const uint32_t halves[][2] = {")
    print_rows(f"{{0x{bits:08x}, 0x{half:04x}}}" for bits, half in halves())
    print("};\n\n/* The bits of 24 floats, then of their scale. */\nstatic const uint32_t spread[][25] = {")
    vectors = [rng.normal(size=24) * s for s in (1, 1e-3, 1e4, 1e-30)]
    vectors.append(numpy.concatenate([[127.0], numpy.arange(-11.5, 11.5)]))    # ties
    answers = [bytes_of(v) for v in vectors]
    print_rows(f"{{{', '.join(hex(v) for v in x.view(numpy.uint32))}, {hex(scale.view(numpy.uint32))}}}"
               for x, scale, _ in answers)
    print("};\n\n/* Their int8. */\nstatic const int8_t steps[][24] = {")
    print_rows(f"{{{', '.join(map(str, q))}}}" for _, _, q in answers)
    print("};")


if __name__ == "__main__":
    main()
