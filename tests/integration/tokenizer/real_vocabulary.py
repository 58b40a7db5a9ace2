"""A tokenizer.json of real size: the 49,152 pieces and the merges of SmolLM2, out of its GGUF file."""

import json

import gguf


def strings(reader, key):
    field = reader.get_field(key)
    return [bytes(field.parts[place]).decode() for place in field.data]


def numbers(reader, key):
    field = reader.get_field(key)
    return [int(field.parts[place][0]) for place in field.data]


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
