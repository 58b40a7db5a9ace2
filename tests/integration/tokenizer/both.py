"""Our tokenizer and the reference package on the same texts and the same tokenizer.json: columns of
numbers on both sides, so that hundreds of thousands of texts are compared in seconds.

Nothing here knows an expected id. The reference counts its offsets in characters, we in bytes; what
is ours is left alone and the reference is converted.
"""

import struct
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import chain

import numpy
import tokenizers

VERSION = tokenizers.__version__

ENCODE, PAIR, DECODE = 0, 1, 2
FILE_LIMIT, NO_LIMIT = 0, 0xFFFFFFFF
NO_SEQUENCE = 255
SHOWN = 5       # differences of one comparison that are printed
NAMES = ("id", "type", "sequence", "start", "end")


class Refused(Exception):
    """Our tokenizer does not take the file; the text says which part."""


@dataclass
class Answers:
    """Of many texts: tokens of each, tokens there would be without a limit, and five columns."""
    codes: numpy.ndarray
    counts: numpy.ndarray
    full: numpy.ndarray
    rows: numpy.ndarray     # [tokens of all texts, 5]

    def __post_init__(self):
        self.ends = numpy.cumsum(self.counts)

    def of(self, index):
        end = int(self.ends[index])
        return int(self.full[index]), self.rows[end - int(self.counts[index]):end].tolist()


# ---- ours ------------------------------------------------------------------------------------------

def request(what, first, second=b"", most=FILE_LIMIT, flags=1):
    return struct.pack("<5I", what, len(first), len(second), most, flags) + first + second


def run(program, path, requests):
    with tempfile.TemporaryFile() as given:
        given.writelines(requests)
        given.seek(0)
        done = subprocess.run([str(program), str(path)], stdin=given, capture_output=True, check=False)
    if done.returncode == 3:
        raise Refused(done.stdout.decode().strip())
    if done.returncode != 0:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr[:500]!r}")
    return done.stdout


def ours(program, path, texts, most=FILE_LIMIT, special=True):
    """@texts: strings, or pairs of strings."""
    out = run(program, path, (
        request(PAIR, text[0].encode(), text[1].encode(), most, special) if isinstance(text, tuple)
        else request(ENCODE, text.encode(), b"", most, special) for text in texts))
    words = numpy.frombuffer(out, "<u4")
    numbers, heads, at = memoryview(out).cast("I"), [], 0
    while at < len(numbers):
        heads.append(at)
        at += 3 + 5 * numbers[at + 1]
    if len(heads) != len(texts):
        raise RuntimeError(f"{len(heads)} answers to {len(texts)} texts")
    heads = numpy.array(heads, numpy.int64)
    is_row = numpy.ones(len(words), bool)
    for place in range(3):
        is_row[heads + place] = False
    return Answers(words[heads].astype(numpy.int32), words[heads + 1].astype(numpy.int64),
                   words[heads + 2].astype(numpy.int64), words[is_row].reshape(-1, 5))


def ours_decoded(program, path, lists, skips_special):
    out = run(program, path, (request(DECODE, numpy.array(ids, "<i8").tobytes(), b"", 0, skips_special)
                              for ids in lists))
    texts, at = [], 0
    for _ in lists:
        code, count, size = struct.unpack_from("<iII", out, at)
        texts.append(code if code else out[at + 12:at + 12 + size])
        at += 12 + 4 * count
    return texts


# ---- theirs ----------------------------------------------------------------------------------------

def numbers(lists, kind=numpy.int64):
    return numpy.fromiter(chain.from_iterable(lists), kind)


class Places:
    """From characters of one of many texts to bytes of it."""

    def __init__(self, texts):
        blob = numpy.frombuffer("".join(texts).encode(), numpy.uint8)
        self.first = numpy.append(numpy.flatnonzero((blob & 0xC0) != 0x80), len(blob))
        self.base = numpy.cumsum([0, *map(len, texts)])[:-1]

    def bytes_of(self, which, char):
        base = self.base[which]
        return self.first[base + char] - self.first[base]


def sequences_of(encoding):
    return (NO_SEQUENCE if sequence is None else sequence for sequence in encoding.sequence_ids)


def theirs(tokenizer, texts, special=True):
    encodings = tokenizer.encode_batch(texts, add_special_tokens=special)
    is_pair = bool(texts) and isinstance(texts[0], tuple)
    counts = numpy.array([len(encoding) for encoding in encodings], numpy.int64)
    rows = numpy.empty((int(counts.sum()), 5), numpy.int64)
    rows[:, 0] = numbers(encoding.ids for encoding in encodings)
    rows[:, 1] = numbers(encoding.type_ids for encoding in encodings)
    rows[:, 2] = numbers(sequences_of(encoding) for encoding in encodings)
    chars = numbers(chain.from_iterable(encoding.offsets for encoding in encodings)).reshape(-1, 2)
    which = numpy.repeat(numpy.arange(len(texts)), counts)
    places = [Places([text[0] if is_pair else text for text in texts])]
    if is_pair:
        places.append(Places([text[1] for text in texts]))
    rows[:, 3:] = 0
    for number, place in enumerate(places):
        own = rows[:, 2] == number
        for column in (0, 1):
            rows[own, 3 + column] = place.bytes_of(which[own], chars[own, column])
    if chars[rows[:, 2] == NO_SEQUENCE].any():
        raise RuntimeError("the reference gives a place to a token that no text has")
    return Answers(numpy.zeros(len(texts), numpy.int32), counts, counts, rows)


def reference(path, limit=None):
    """The reference tokenizer of a file without padding, and with no limit but @limit."""
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if limit is not None:
        tokenizer.enable_truncation(limit)
    return tokenizer


# ---- the comparison ---------------------------------------------------------------------------------

def differences(wanted, got):
    """Numbers of the texts that are answered otherwise."""
    bad = (got.codes != 0) | (wanted.counts != got.counts) | (wanted.full != got.full)
    if (wanted.counts == got.counts).all():
        rows = (wanted.rows != got.rows).any(axis=1)
        which = numpy.repeat(numpy.arange(len(wanted.counts)), wanted.counts)
        bad[which[rows]] = True
        return numpy.flatnonzero(bad).tolist()
    return [index for index in range(len(bad)) if bad[index] or wanted.of(index) != got.of(index)]


def show(texts, wanted, got, bad):
    lines = []
    for index in bad[:SHOWN]:
        lines.append(f"# {ascii(texts[index])[:300]}")
        code = int(got.codes[index])
        answers = (("reference", wanted.of(index)), ("ours", code if code else got.of(index)))
        if not code and wanted.of(index)[0] == got.of(index)[0]:
            first = next((i for i, rows in enumerate(zip(wanted.of(index)[1], got.of(index)[1]))
                          if rows[0] != rows[1]), 0)
            lines.append(f"#   from token {first} on; a token is {NAMES}")
            answers = [(name, answer[1][first:first + 6]) for name, answer in answers]
        lines += [f"#   {name:9} {str(answer)[:400]}" for name, answer in answers]
    return lines


def compare(program, path, texts, special=True, limit=None, most=NO_LIMIT):
    """Returns (how many texts were equal, lines about those that were not). @limit is what the
    reference is told, @most what we are."""
    wanted = theirs(reference(path, limit), texts, special)
    if limit is not None:
        wanted.full = theirs(reference(path), texts, special).counts
    got = ours(program, path, texts, most, special)
    bad = differences(wanted, got)
    return len(texts) - len(bad), show(texts, wanted, got, bad)
