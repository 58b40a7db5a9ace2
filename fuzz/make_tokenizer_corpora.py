#!/usr/bin/env python3
"""Writes the seeds of the targets tokenizer_json and tokenizer_text: the fixtures with a vocabulary of
some dozen pieces, every component that the comparison with the reference knows, a text behind each.
Needs the locked Python packages no more than Python itself does; the output is the same each time."""

import base64
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "fixtures"), str(ROOT / "tests/integration/tokenizer")]

import charsmap     # noqa: E402
import decoders     # noqa: E402
import variants     # noqa: E402

FILES = ROOT / "fixtures/tokenizers"
KEPT = set("aeist 1▁Ġ.") | {"##s", "##t", "is", "▁t", "Ġt"}
MOST_BYTES = 6000
WORDS = ("type", "behavior", "prepend_scheme", "strategy", "direction")
OTHERS = {"UnicodeScripts", "FixedLength", "CTC", "WordLevel", "dropout", "[UNK]", "<0x41>", "A", "B"}
PIECES = ["##", "<0x", "\\xe2\\x96\\x81", "\\xc4\\xa0", "\\\\p{L}", "\\\\s+", "(?!\\\\S)", "(?i:", "[^", "]{2,}", "null",
          "true", "false", "-1.5", "\\x00"]
TEXTS = ["a test, it's 12  is\n", "[SEP] <s> e\u0301 ﬁ 漢 🙂", "\u00a0\u0301\u200d\0x", "İß ſ ΑΣ ａ ﾊﾟ 각"]
TABLE = base64.b64encode(charsmap.build({"ﬁ": "fi", "ａ": "a", "e\u0301": "é", "\u00a0": " ", "\x01": "",
                                         "\u200d": " ", "ﾊﾟ": "パ"})).decode()


def shrunk(part):
    """Any Precompiled inside gets a table of seven rules."""
    if isinstance(part, dict):
        if part.get("type") == "Precompiled":
            return {**part, "precompiled_charsmap": TABLE}
        return {key: shrunk(value) for key, value in part.items()}
    return [shrunk(value) for value in part] if isinstance(part, list) else part


def cut(file):
    """The same file over few pieces, with new ids and every part that names one told of them."""
    model, added = file["model"], file["added_tokens"][:12]
    named = {token["content"] for token in added} | {"[UNK]", "<unk>", "[CLS]", "[SEP]", "<s>", "</s>"}
    listed = model["vocab"] if isinstance(model["vocab"], list) else \
        [[text, 0] for text in sorted(model["vocab"], key=model["vocab"].get)]
    falls_back = model.get("byte_fallback")
    kept = [row for row in listed if row[0] in KEPT | named or falls_back and row[0].startswith("<0x")]
    ids = {text: number for number, (text, _) in enumerate(kept)}
    for token in added:
        token["id"] = ids.setdefault(token["content"], len(ids))
    model["vocab"] = kept if model["type"] == "Unigram" else {text: ids[text] for text, _ in kept}
    if model["type"] == "Unigram":
        model["unk_id"] = next(number for number, (text, _) in enumerate(kept) if "unk" in text.lower())
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if is_known(merge, ids)]
    text = json.dumps(file["post_processor"])
    post = json.loads(text) or {}
    for part in [post, *post.get("processors", [])]:
        for end in ("sep", "cls"):
            if end in part:
                part[end][1] = ids.get(part[end][0], 0)
        for special in part.get("special_tokens", {}).values():
            special["ids"] = [ids.get(token, 0) for token in special["tokens"]]
    return {**shrunk(file), "added_tokens": added, "model": model, "post_processor": post or None}


def is_known(merge, ids):
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return {left, right, left + right} <= set(ids)


def settings(part, kind=""):
    """What a file says about its components, apart from texts of its own: "Strip.strip_left=True"."""
    if isinstance(part, list):
        return {name for value in part for name in settings(value, kind)}
    if not isinstance(part, dict):
        return set()
    kind = part.get("type", kind)
    own = {f"{kind}.{key}={value if isinstance(value, bool | None) or key in WORDS else ''}"
           for key, value in part.items() if key not in ("vocab", "merges")}
    return own.union(*(settings(value, kind) for key, value in part.items() if key != "vocab"))


def seeds():
    """{name: object}; no variant that says nothing new."""
    found, said = {}, set()
    edits = {path.stem: (path.stem, lambda file: None) for path in sorted(FILES.glob("*.json"))}
    for name, (base, edit) in {**edits, **variants.ALL, **decoders.ALL}.items():
        if name.startswith(("Precompiled: all", "expression")):
            continue
        file = json.loads((FILES / f"{base}.json").read_text(encoding="utf-8"))
        edit(file)
        # The byte tokens of a fallback would be most of every file: two of the variants keep them.
        if file["model"].get("byte_fallback") and name not in ("llama", "Unigram with byte fallback"):
            file["model"]["byte_fallback"] = False
        file = cut(file)
        new = settings({**file, "added_tokens": file["added_tokens"][:3]}) - said
        if new:
            said |= new
            found[name] = file
    return found


def words_in(part):
    """Keys, and values that are words of the format."""
    if isinstance(part, list):
        return {word for value in part for word in words_in(value)}
    if not isinstance(part, dict):
        return set()
    own = {key for key in part} | {part[key] for key in WORDS if isinstance(part.get(key), str)}
    return own.union(*(words_in(value) for key, value in part.items() if key not in ("vocab", "special_tokens")))


def expressions():
    """The smallest file that has a pattern, for every expression of the comparison."""
    vocab = {text: number for number, text in enumerate(("u", "a", "n", "t", "h", "e", " ", "an"))}
    for expression in variants.EXPRESSIONS:
        yield {"version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None, "decoder": None, "truncation": None, "padding": None,
               "pre_tokenizer": variants.split(variants.regex(expression)),
               "model": {"type": "BPE", "unk_token": "u", "vocab": vocab, "merges": ["a n"]}}


def write_dictionary(files):
    words = {word for file in files for word in words_in(file)} | OTHERS
    lines = ["# words of tokenizer_json's inputs; written by make_tokenizer_corpora.py"]
    lines += [f'"\\"{word}\\""' for word in sorted(words) if word.isascii()]
    lines += [f'"{piece}"' for piece in PIECES]
    (HERE / "dictionaries/tokenizer_json").write_text("\n".join(lines) + "\n")


def write(target, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{hashlib.sha1(data).hexdigest()[:12]}").write_bytes(data)


def main():
    write_dictionary(seeds().values())
    for file in expressions():
        write("tokenizer_json", json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode())
    for number, (name, file) in enumerate(seeds().items()):
        data = json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode()
        data += b"\0" + TEXTS[number % len(TEXTS)].encode()
        if len(data) > MOST_BYTES:
            sys.exit(f"{name}: {len(data)} bytes, at most {MOST_BYTES}")
        write("tokenizer_json", data)
    for choice in range(16, 23):
        for number, text in enumerate(TEXTS):
            write("tokenizer_text", bytes([choice, 32 * (2 * number + choice % 2) + number]) + text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
