#!/usr/bin/env python3
"""WordPiece in depth against the reference `tokenizers` package: ids, types, places, counts, exactly.

    test_reference.py ENCODE_STREAM PROJECT_FOLDER

Prints TAP. Both read the same tokenizer.json in the same run; nothing here knows an expected id.
"""
import json
import pathlib
import random
import sys
import tempfile

from tokenizers import Tokenizer

import both

ENCODE, ROOT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
MINILM = ROOT / "models/store/all-minilm-l6-v2/tokenizer.json"
TINY = ROOT / "fixtures/models/onnx/tinybert-classifier.tokenizer.json"
NO_LIMIT = both.NO_LIMIT
SEED = 20240131
results = []


def own_limit(path):
    truncation = json.loads(path.read_text(encoding="utf-8")).get("truncation")
    return truncation["max_length"] if truncation else None


def compare(name, path, requests):
    """requests: (text, max_tokens, add_special); 0 tokens stand for the file's own limit."""
    groups, right, lines = {}, 0, []
    for text, most, special in requests:
        groups.setdefault((most, special), []).append(text)
    for (most, special), texts in groups.items():
        limit = own_limit(path) if most == both.FILE_LIMIT else None if most == NO_LIMIT else most
        equal, differing = both.compare(ENCODE, path, texts, bool(special), limit, most)
        right, lines = right + equal, lines + [f"# max={most} special={special}", *differing]
    count = sum(map(len, groups.values()))
    results.append(right == count and count > 0)
    print(f"{'ok' if results[-1] else 'not ok'} {len(results)} - {name}: "
          f"{right} of {count} equal", flush=True)
    if not results[-1]:
        print("\n".join(lines[:40]), flush=True)


def whole(texts):
    return [(text, NO_LIMIT, 1) for text in texts]


def code_points():
    return [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def telling_points():
    """Those of the planes that hold characters, and every 16th of the others, which are all alike
    (each of them is in code_points(), where sixteen make a text)."""
    return [c for c in code_points()
            if ord(c) < 0x40000 or 0xE0000 <= ord(c) < 0xE1000 or ord(c) % 16 == 0]


def joined(texts):
    """Sixteen of them a text, each a word of its own: a call of the reference costs more than a word."""
    texts = list(texts)
    return [" ".join(texts[i:i + 16]) for i in range(0, len(texts), 16)]


MARKS = [chr(c) for c in (0x300, 0x301, 0x323, 0x327, 0x334, 0x345, 0x5B0, 0x64B, 0x7FD, 0x898,
                          0x8CA, 0x93C, 0x94D, 0xC3C, 0xD3B, 0xE38, 0xF71, 0xF72, 0x1715, 0x1734,
                          0x1ABF, 0x1AC5, 0x1D165, 0x1D16D, 0x20D0, 0x302A, 0x302E, 0x3099,
                          0x10A0D, 0x11070, 0x1193D, 0x1193E, 0x16FF0, 0x1E944, 0x1E94A)]


def random_texts(count, seed):
    draw = random.Random(seed)
    planes = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF),
              (0x1E00, 0x206F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
              (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0, 0x10FFFF)]
    common = list("the of and un ##ing [SEP] [CLS]  \t\n.,!?-'ÅéİßǅΣσςΆfiヴー漢字한글") + MARKS
    texts = []
    for _ in range(count):
        chars = []
        for _ in range(draw.randrange(1, 40)):
            if draw.random() < 0.5:
                chars.append(draw.choice(common))
            else:
                c = draw.randint(*draw.choice(planes))
                chars.append("?" if 0xD800 <= c <= 0xDFFF else chr(c))
        texts.append("".join(chars))
    return texts


def words(count, seed):
    draw = random.Random(seed)
    vocabulary = [p.removeprefix("##") for p in Tokenizer.from_file(str(MINILM)).get_vocab()]
    return [" ".join("".join(draw.choices(vocabulary, k=draw.randrange(1, 4)))
                     for _ in range(draw.randrange(1, 30))) for _ in range(count)]


SPECIAL = ["[SEP]", "a[SEP]b", "[CLS] x [SEP] y [SEP]", "[sep]", "[MASK] of [MASK]", "[[SEP]]", "[SEP",
           "[ SEP ]", "[UNK][PAD][unused5]", "[SEP]\u0301", "\u200b[SEP]\u200b", "[SEP] [SEP][SEP]",
           "漢[SEP]字", "##ing ing", "#", "##", "", " ", "\n\t ", "\x00", "\ufffd", "\u00ad\u200d"]


def edited(folder, name, **parts):
    """The tiny tokenizer with other parts, as a file that both sides read."""
    spec = json.loads(TINY.read_text())
    for key, value in parts.items():
        spec[key] = {**spec[key], **value} if isinstance(value, dict) and spec[key] else value
    path = pathlib.Path(folder) / f"{name}.json"
    path.write_text(json.dumps(spec))
    return path


def added(content, id, **flags):
    defaults = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"id": id, "content": content, **{**defaults, **flags}}


def check_added_tokens(folder):
    spec = json.loads(TINY.read_text())
    vocab, base = spec["model"]["vocab"], spec["added_tokens"]
    contents = [("<one>", dict(single_word=True)), ("<left>", dict(lstrip=True)),
                ("<right>", dict(rstrip=True)), ("<both>", dict(lstrip=True, rstrip=True)),
                ("Café", dict(normalized=True)), ("aa", {}), ("aaa", dict(single_word=True)),
                ("word", dict(single_word=True, normalized=True)), ("  ", dict(rstrip=True)),
                ("<right>x", dict(normalized=True)), ("<SPEC>", dict(special=True, normalized=True)),
                ("éé", dict(normalized=True, lstrip=True, rstrip=True)), ("漢", dict(single_word=True))]
    tokens, following = list(base), len(vocab)
    for content, flags in contents:
        tokens.append(added(content, vocab.get(content, following), **flags))
        following += content not in vocab
    path = edited(folder, "added", added_tokens=tokens)
    draw = random.Random(SEED)
    parts = [c for c, _ in contents] + ["CAFÉ", "cafe", "Word", "a", " ", "  ", "\u3000", "\t", "_",
                                        "-", "x", "é", "\u0301", "1", "\u200d", "[SEP]", "<spec>"]
    texts = ["".join(draw.choices(parts, k=draw.randrange(1, 12))) for _ in range(8000)]
    compare("added tokens with every flag", path, whole(texts))
    # Every code point beside a token that must be a single word, and one that takes spaces.
    compare("single_word before each telling code point", path,
            whole(joined("<one>" + c for c in telling_points())))
    compare("lstrip and rstrip beside each telling code point", path,
            whole(joined("a" + c + "<both>" + c + "b" for c in telling_points())))


def check_normalizers(folder):
    texts = random_texts(1500, SEED + 1) + SPECIAL
    for clean in (True, False):
        for chinese in (True, False):
            for strip in (None, True, False):
                for lower in (True, False):
                    name = f"clean={clean} chinese={chinese} strip={strip} lower={lower}"
                    normalizer = dict(clean_text=clean, handle_chinese_chars=chinese,
                                      strip_accents=strip, lowercase=lower)
                    path = edited(folder, "normalizer", normalizer=normalizer)
                    compare("normalizer " + name, path, whole(texts))
    compare("no normalizer", edited(folder, "none", normalizer=None), whole(texts))


def check_every_character(folder):
    """Each code point is its own piece, so that an unknown word hides nothing of the normaliser."""
    known = json.loads(TINY.read_text())["model"]["vocab"]
    # Planes 4 to 13 hold nothing; 15 and 16 are private use: their ends stand for them.
    for first, last in ((1, 0x1FFFF), (0x20000, 0x3FFFF), (0xE0000, 0xF0FFF), (0x10F000, 0x10FFFF)):
        chars = [c for c in code_points() if first <= ord(c) <= last]
        vocab = dict(known)
        for c in chars + [chr(c) for c in range(0x20, 0x530)] + MARKS:
            vocab.setdefault(c, len(vocab))
            vocab.setdefault("##" + c, len(vocab))
        texts = joined(chars) + joined(f"a{c}b" for c in chars) + random_texts(3000, first)
        for lower in (True, False):
            path = edited(folder, "all", model=dict(vocab=vocab), normalizer=dict(lowercase=lower))
            compare(f"U+{first:04X} and on, each its own piece, lowercase={lower}", path,
                    whole(texts))


def main():
    print("# reference: tokenizers", both.VERSION)
    for path in (MINILM, TINY):
        if not path.exists():
            print(f"Bail out! {path} is missing; scripts/setup.sh makes it")
            return 1
    varied = ROOT / "fixtures/texts/varied200.json"
    if varied.exists():
        texts = json.loads(varied.read_text())
        texts = [t if isinstance(t, str) else t["text"] for t in
                 (texts["texts"] if isinstance(texts, dict) else texts)]
        for path in (MINILM, TINY):
            compare(f"{len(texts)} varied texts, {path.parent.name}", path,
                    [(t, most, 1) for t in texts for most in (0, NO_LIMIT)])
    for path in (MINILM, TINY):
        compare("special tokens in the text", path, whole(SPECIAL))
        compare("without special tokens", path, [(t, NO_LIMIT, 0) for t in SPECIAL])
    compare("each telling code point alone", MINILM, whole(telling_points()))
    compare("every code point as a word", MINILM, whole(joined(code_points())))
    compare("every code point between letters", MINILM, whole(joined(f"x{c}y" for c in code_points())))
    compare("20,000 random texts", MINILM, whole(random_texts(20000, SEED)))
    texts = words(500, SEED)
    compare("words of the vocabulary, joined", MINILM, whole(texts))
    compare("truncation", MINILM, [(t, most, special) for t in texts[:100] + SPECIAL
                                   for most in (2, 3, 4, 16, 128, 512, 0) for special in (0, 1)])
    compare("long words", MINILM, whole(
        ["a" * n for n in (99, 100, 101, 65536)] + ["é" * n for n in (99, 100, 101)]
        + ["a\u0301" * n for n in (50, 100, 101, 20000)] + ["\u0301" * 3000, "漢" * 300]
        + ["a" + "\u0301\u0323\u1ABF\u1AC5" * 3000, "[SEP]" * 5000, " " * 65536, "\u3000" * 9999]))
    with tempfile.TemporaryDirectory() as folder:
        check_added_tokens(folder)
        check_normalizers(folder)
        check_every_character(folder)
        bert = dict(type="BertProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2])
        spec = json.loads(TINY.read_text())
        spec["post_processor"] = bert
        path = pathlib.Path(folder) / "bert.json"
        path.write_text(json.dumps(spec))
        compare("BertProcessing", path, whole(SPECIAL) + [(t, 3, 1) for t in SPECIAL])
        spec["post_processor"] = None
        path.write_text(json.dumps(spec))
        compare("no post-processor", path, whole(SPECIAL))
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
