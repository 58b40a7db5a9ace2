#!/usr/bin/env python3
"""Writes the seed inputs of the target npy: what NumPy itself writes, of each type and kind."""

import io
from pathlib import Path

import numpy
from numpy.lib import format as npy

FOLDER = Path(__file__).resolve().parent / "corpus/npy"
TYPES = ["<f4", "|u1", "|i1", "<u2", "<i2", "<i4", "<i8", "|b1", "<f2", "<f8", "<u4", "<u8", ">f4", "<c8",
         "<U2", "|S3"]


def write(name, array, version=(1, 0)):
    room = io.BytesIO()
    npy.write_array(room, array, version=version, allow_pickle=False)
    (FOLDER / name).write_bytes(room.getvalue())


def main():
    for kind in TYPES:
        write(f"type-{kind.strip('<>|')}{'-big' if kind[0] == '>' else ''}", numpy.zeros((2, 3), kind))
    for rank in range(9):
        write(f"rank-{rank}", numpy.ones([1] * rank, "<i2"))
    for version in (2, 3):
        write(f"version-{version}", numpy.ones((1, 2), "<f4"), (version, 0))
    write("empty", numpy.zeros((0, 4), "<f4"))
    write("fortran", numpy.asfortranarray(numpy.ones((2, 3), "<f4")))
    write("record", numpy.zeros(2, [("a", "<f4"), ("b", "<i8")]))


if __name__ == "__main__":
    main()
