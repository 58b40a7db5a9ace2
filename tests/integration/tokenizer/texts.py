"""Random Unicode texts for the comparison with the reference: seeded, of many kinds, some hostile."""

import json
import random

SEED = 20240131

PLANES = [(0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF),
          (0x900, 0xDFF), (0xE00, 0xEFF), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x13A0, 0x13FF),
          (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x214F), (0x2460, 0x24FF), (0x2E80, 0x2FDF),
          (0x3000, 0x30FF), (0x3130, 0x318F), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0xAB70, 0xABBF),
          (0xAC00, 0xD7FB), (0xE000, 0xF8FF), (0xF900, 0xFB4F), (0xFB50, 0xFDFF), (0xFE00, 0xFE2F),
          (0xFF00, 0xFFEF), (0x10000, 0x1FFFF), (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF),
          (0x1F000, 0x1FAFF), (0x20000, 0x3FFFF), (0xE0000, 0xE01FF), (0xF0000, 0x10FFFF)]

SPACES = list(" \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f"
              "\u3000\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e") + ["  ", "   ", "\r\n", "\n\n", " " * 9]
CONTROLS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0))]
NEIGHBOURS = [chr(c) for c in (0xD7FF, 0xE000, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFE,
                               0x1FFFF, 0x10FFFD, 0x10FFFF, 0x378, 0x9FFF, 0x0, 0x7F, 0x80, 0x7FF,
                               0x800, 0xFDD0, 0x2FFFF, 0xE0FFF)]
CASES = list("ßẞİıſÅåǅΣσςΆΐΰŉǰﬀﬁﬃﬅKÅⱭᲀꭰᏰЀѐԱևᾳᾼὖΩµıi̇ﬓǋ") + ["SS", "ss", "i̇", "İi", "ΑΣ", "ΑΣΑ", "ŉa"]
MARKS = [chr(c) for c in (0x300, 0x301, 0x302, 0x303, 0x308, 0x30A, 0x323, 0x327, 0x328, 0x334, 0x345,
                          0x5B0, 0x5BF, 0x64B, 0x651, 0x7FD, 0x93C, 0x94D, 0xE38, 0xE48, 0xF71, 0xF72,
                          0x1AB0, 0x1DC0, 0x20D0, 0x20DD, 0x302A, 0x3099, 0x309A, 0xFE0F, 0xFE20,
                          0x1D165, 0x1D16D, 0xE0100, 0x1E944)]
EMOJI = ["👩‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇩🇪", "🇩🇪🇫", "1️⃣", "❤️", "🙂", "👩🏽‍🚒", "😀😀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☺︎", "🧑‍🤝‍🧑"]
JAMO = ["\u1112\u1161\u11ab", "\u1100\u1161", "한", "각", "\u1100", "\u1161", "\u11a8", "ㅎㅏㄴ", "가\u11a8",
        "\uac01\u11a8", "ﾡ", "\ud7b0", "\ua960"]
WIDE = list("ＡＢｃ１２！？～　｡｢ｱｲｶｷﾊﾞﾟﾞ￥￦") + ["ｶﾞ", "ﾊﾟ", "㍿", "㌔", "①", "⑳", "㈱", "Ⅷ", "ⅸ", "½", "²", "ℌ",
                                                   "𝔘𝕟", "ﷺ", "ﷲ", "…", "‥", "ﬄ", "Ĳ", "ŀ", "㎏", "㏂"]
INDIC = ["क्षि", "नी", "กำ", "ကြ", "ක්‍ය", "ഫ്‌ല", "ஸ்ரீ", "བོད་", "ខ្មែរ", "لا", "الله", "שָׁלוֹם", "ﻼ", "ـــ"]
DIGITS = list("0123456789٠١٢३४५๓〇零九Ⅳ¼௰𝟙") + ["12,345.67", "3.14", "1e-9", "0x1F", "1234567890123"]
MARKUP = ["'s", "'re", "'ll", "’s", "'S", " 'd", "--", "...", "://", "@", "#", "$", "€", "£", "°", "±", "«", "»",
          "“", "”", "„", "¿", "¡", "、", "。", "‚", "—", "–", "_", "^", "`", "~", "|", "+", "=", "<", ">", "§",
          "http://x.y/z?q=1", "a.b@c.de", "C++", "can't", "I'm", "rock'n'roll", "it''s", "' s"]
SPECIAL = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>",
           "<0x41>", "<0xE2>", "<0x0A>", "<|endoftext|>", "<|padding|>", "|||IP_ADDRESS|||", "[sep]", "[Mask]",
           "[SEP", "SEP]", "[ SEP ]", "<s", "s>", "< s>", "<MASK>", "##", "##ing", "▁", "▁▁", "▁the",
           "Ġ", "Ġthe", "Ċ", "</w>", "<t0>", "<t1>", "<t5>", "<t9>", "<t15>", "word3", "Word7", "été2",
           "ÉTÉ12", "aa", "aaa", "aaaa", "\ufffd", "?"]
CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
RANGES = [[chr(c) for c in range(first, last + 1) if not 0xD800 <= c <= 0xDFFF]
          for first, last in PLANES]
HOSTILE = [SPACES, CONTROLS, NEIGHBOURS, CASES, MARKS, EMOJI, JAMO, WIDE, INDIC, DIGITS, MARKUP, SPECIAL]


def words_of(texts_folder):
    """The words that the vocabularies were learned from, and others like them."""
    found = set()
    for path in sorted(texts_folder.iterdir()):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            text = " ".join(row.get("text") or row.get("prompt") or "" for row in json.loads(text)
                            if isinstance(row, dict))
        found.update(word for word in text.split() if len(word) <= 30)
    return sorted(found)


def cut(draw, elements, count, most, joiners=("",)):
    """@count texts of 1 to @most elements each, drawn in one go: quick in Python."""
    sizes = draw.choices(range(1, most + 1), k=count)
    drawn = iter(draw.choices(elements, k=sum(sizes)))
    joins = draw.choices(joiners, k=count)
    return [join.join(next(drawn) for _ in range(size)) for size, join in zip(sizes, joins)]


def pieces_of(tokenizers):
    """Pieces of all vocabularies: glued together they make words that nearly fit."""
    found = set()
    for tokenizer in tokenizers:
        found.update(tokenizer.get_vocab())
    clean = (piece.removeprefix("##").replace("▁", " ").replace("Ġ", " ") for piece in found)
    return sorted(piece for piece in set(clean) if 0 < len(piece) < 20)


def make(count, words, pieces, seed=SEED):
    """@count different texts in a random order; each kind of text is a fixed share of them."""
    draw = random.Random(seed)
    found = dict.fromkeys(["", " ", "\n", "\0", "\u0301", "▁", " a", "a "][:count])
    while len(found) < count:
        found |= dict.fromkeys(some_of_each_kind(draw, max(1000, count - len(found)), words, pieces))
    texts = list(found)[:count]
    draw.shuffle(texts)
    return texts


def some_of_each_kind(draw, count, words, pieces):
    hostile = [element for kind in HOSTILE for element in kind]
    joiners = ["", "", " ", " ", "  ", "\n", "\u00a0", "\u3000"]
    latin = list("etaoinshrdlucmfwypvbgkjqxzETAOIN  ''-.,0123éüß")
    shares = [
        (0.08, lambda n: cut(draw, CODE_POINTS, n, 16)),
        (0.14, lambda n: one_range(draw, n)),
        (0.12, lambda n: cut(draw, [c for r in RANGES[:-1] for c in r[:400]], n, 20)),
        (0.20, lambda n: cut(draw, words, n, 9, [" ", " ", " ", "  ", "\n", "-", "", "\t"])),
        (0.12, lambda n: cut(draw, pieces, n, 12, ["", "", " "])),
        (0.08, lambda n: cut(draw, latin, n, 30)),
        (0.20, lambda n: cut(draw, hostile + words[:200], n, 10, joiners)),
        (0.05, lambda n: few_kinds(draw, n, words)),
        (0.01, lambda n: long_words(draw, n, words)),
    ]
    return [text for share, generate in shares for text in generate(max(1, int(share * count)))]


def one_range(draw, count):
    """Each text of one block, as people write: with spaces."""
    texts = []
    for _ in range(40):
        block = draw.choice(RANGES)
        texts += cut(draw, block + [" "] * (1 + len(block) // 6), count // 40 + 1, 18)
    return texts[:count]


def few_kinds(draw, count, words):
    """A handful of elements again and again: runs and repetitions."""
    texts = []
    for _ in range(50):
        some = [draw.choice(draw.choice(HOSTILE)) for _ in range(3)] + [draw.choice(words), "a"]
        texts += cut(draw, some, count // 50 + 1, 24)
    return texts[:count]


def long_words(draw, count, words):
    """Beyond the 100 characters of a word of WordPiece, and runs that nothing breaks."""
    texts = []
    for _ in range(count):
        element = draw.choice([*(draw.choice(kind) for kind in HOSTILE), draw.choice(words), "ab", "é"])
        size = draw.choice([95, 99, 100, 101, 120, 260])
        texts.append((draw.choice(["", "x ", " "]) + element * size)[:size + draw.choice([0, 1])])
    return texts
