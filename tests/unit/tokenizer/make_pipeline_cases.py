#!/usr/bin/env python3
"""Prints tests/unit/tokenizer/pipeline_cases.json.

Each case is a few parts of a tokenizer.json and a text; what must come out is asked of the reference
`tokenizers` package. The model has a piece for each character, so every step shows in the tokens.
"""
import json
import sys

from tokenizers import Tokenizer

CHARS = sorted(set(map(chr, range(0x20, 0x7F))) | set(map(chr, range(0xA1, 0x144)))
               | set("▁\u0300\u0301\u0323\u1EA1\u1EBF가각ᄀ漢字½①ﬁ") | {"\n", "\t"})
VOCAB = {"<unk>": 0, "<s>": 1, "</s>": 2, **{c: i + 3 for i, c in enumerate(CHARS)}}
MODEL = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
         "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
         "ignore_merges": False, "vocab": VOCAB, "merges": []}


def seq(key, *members):
    return {"type": "Sequence", key: list(members)}


def norms(*members):
    return seq("normalizers", *members)


def replace(kind, pattern, content):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def split(kind, pattern, behavior, invert=False):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(scheme, **more):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True, **more}


def byte_level(prefix, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def added(content, id=None, **flags):
    token = {"id": VOCAB.get(content, id), "content": content, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": False}
    return {**token, **flags}


def template(single, pair):
    def parts(words):
        return [{"Sequence": {"id": w[1], "type_id": int(w[3])}} if w[0] == "$"
                else {"SpecialToken": {"id": w, "type_id": 0}} for w in words.split()]
    ids = {t: {"id": t, "ids": [VOCAB[t]], "tokens": [t]} for t in ("<s>", "</s>")}
    return {"type": "TemplateProcessing", "single": parts(single), "pair": parts(pair),
            "special_tokens": ids}


def cut(most, strategy="LongestFirst", direction="Right"):
    return {"direction": direction, "max_length": most, "strategy": strategy, "stride": 0}


ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True,
           "add_prefix_space": True}
BERT = {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}
PLAIN = template("<s> $A:0 </s>", "<s> $A:0 </s> $B:1 </s>")
MARKS = "e\u0301\u0323 \u1EBF\u0323 각\u1100\uAC00\u11A8 ﬁ½①"
FALLBACK = seq("decoders", replace("String", "▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"},
               {"type": "Strip", "content": " ", "start": 1, "stop": 0})

CASES = [
    ("nfc", dict(normalizer={"type": "NFC"}), MARKS),
    ("nfd", dict(normalizer={"type": "NFD"}), MARKS),
    ("nfkc", dict(normalizer={"type": "NFKC"}), MARKS),
    ("nfkd", dict(normalizer={"type": "NFKD"}), MARKS),
    ("lowercase", dict(normalizer={"type": "Lowercase"}), "ÀB \u0130x"),
    ("accents", dict(normalizer=norms({"type": "NFD"}, {"type": "StripAccents"})), "éa\u0323 \u0301b"),
    ("strip", dict(normalizer={"type": "Strip", "strip_left": True, "strip_right": True}), " \u3000é b \t"),
    ("strip_to_nothing", dict(normalizer={"type": "Strip", "strip_left": True, "strip_right": False}), "   "),
    ("replace_text", dict(normalizer=replace("String", "a", "<é>")), "banana"),
    ("replace_long", dict(normalizer=replace("String", "a", "<" + "-" * 62 + ">")), "xax"),
    ("replace_regex", dict(normalizer=replace("Regex", " {2,}", " ")), "a   b  é c"),
    ("prepend", dict(normalizer=norms({"type": "Prepend", "prepend": "▁"}, replace("String", " ", "▁"))), "é b"),
    ("nmt", dict(normalizer={"type": "Nmt"}), "a\u0001b\u200Bc\uFEFF"),
    ("byte_level_normalizer", dict(normalizer={"type": "ByteLevel"}), "é 漢"),
    ("bert", dict(normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                              "strip_accents": None, "lowercase": True},
                  pre_tokenizer={"type": "BertPreTokenizer"}), "É漢x\u0000 b!\u0301"),
    ("whitespace", dict(pre_tokenizer={"type": "Whitespace"}), "ab ¡!c\t é"),
    ("whitespace_split", dict(pre_tokenizer={"type": "WhitespaceSplit"}), " ab  é!\n"),
    ("digits", dict(pre_tokenizer=seq("pretokenizers", {"type": "Digits", "individual_digits": False},
                                      metaspace("always"))), "a12½b"),
    ("punctuation", dict(pre_tokenizer=seq("pretokenizers",
        {"type": "Punctuation", "behavior": "MergedWithPrevious"}, metaspace("always"))), "a!!b.?c"),
    ("delimiter", dict(pre_tokenizer=seq("pretokenizers", {"type": "CharDelimiterSplit", "delimiter": "é"},
                                         metaspace("always"))), "aébééc"),
    *[(f"split_{behavior}_{invert}", dict(pre_tokenizer=seq(
        "pretokenizers", split("Regex", "o+|x", behavior, invert), metaspace("always"))), "xfoo boxxo")
      for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
      for invert in (False, True)],
    ("metaspace_first", dict(pre_tokenizer=metaspace("first"), added_tokens=[added("<s>", special=True)]),
     "a b<s>c<s> d"),
    ("metaspace_always", dict(pre_tokenizer=metaspace("always"), added_tokens=[added("<s>", special=True)]),
     "a b<s>c<s> d"),
    ("metaspace_never", dict(pre_tokenizer=metaspace("never")), "a b"),
    ("metaspace_old", dict(pre_tokenizer={"type": "Metaspace", "replacement": "▁", "str_rep": "▁",
                                          "add_prefix_space": True}), "a b"),
    ("byte_level", dict(pre_tokenizer=byte_level(False)), "it's é  b"),
    ("byte_level_prefix", dict(pre_tokenizer=byte_level(True), added_tokens=[added("<s>", special=True)]),
     "é<s>b <s> c"),
    ("added_flags", dict(normalizer={"type": "Lowercase"}, added_tokens=[
        added("[L]", id=len(VOCAB), lstrip=True), added("[R]", id=len(VOCAB) + 1, rstrip=True),
        added("[W]", id=len(VOCAB) + 2, single_word=True),
        added("[É]", id=len(VOCAB) + 3, normalized=True)]), "a  [L] [R]  b[W] [W] [é][É]x"),
    ("added_white_space", dict(post_processor={"type": "ByteLevel", "add_prefix_space": False,
                                               "trim_offsets": True},
                               added_tokens=[
        added("\u3000", id=len(VOCAB), lstrip=True, rstrip=True),
        added("  ", id=len(VOCAB) + 1, rstrip=True)]), "a \u3000\u3000b     c\u3000  "),
    ("template_pair", dict(post_processor=PLAIN), ("ab", "é")),
    ("template_turned", dict(post_processor=template("$A:3 <s>", "$B:1 <s> $A:2 </s>")), ("ab", "é")),
    ("bert_pair", dict(post_processor=BERT), ("ab", "é")),
    ("roberta_pair", dict(post_processor=ROBERTA, pre_tokenizer=byte_level(True)), ("a é", " b")),
    ("no_template_pair", {}, ("ab", "é")),
    ("byte_level_trims", dict(pre_tokenizer=byte_level(False), post_processor=seq(
        "processors", {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}, PLAIN)),
     " a  é"),
    ("cut_right", dict(post_processor=PLAIN, truncation=cut(5)), "abcdef"),
    ("cut_left", dict(post_processor=PLAIN, truncation=cut(5, direction="Left")), "abcdef"),
    ("cut_longest", dict(post_processor=PLAIN, truncation=cut(8)), ("abcdef", "gh")),
    ("cut_both", dict(post_processor=PLAIN, truncation=cut(8)), ("abcdef", "ghijkl")),
    ("cut_both_left", dict(post_processor=PLAIN, truncation=cut(8, direction="Left")), ("abcdef", "ghijkl")),
    ("cut_first", dict(post_processor=PLAIN, truncation=cut(8, "OnlyFirst")), ("abcdef", "ghi")),
    ("cut_second", dict(post_processor=PLAIN, truncation=cut(8, "OnlySecond")), ("abc", "ghijkl")),
    ("decoder_wordpiece", dict(decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}), "a .b"),
    ("decoder_byte_level", dict(pre_tokenizer=byte_level(False), decoder=byte_level(True)), "é 漢!"),
    ("decoder_metaspace", dict(pre_tokenizer=metaspace("always"),
                               decoder=metaspace("always")), "a é b"),
    ("decoder_bpe", dict(decoder={"type": "BPEDecoder", "suffix": "!"}), "a!b!"),
    ("decoder_sequence", dict(normalizer=replace("String", " ", "▁"), decoder=FALLBACK), " a b",),
    ("no_decoder", {}, "abc"),
]


def compact(value):
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def bytes_of(text):
    places = [0]
    for c in text:
        places.append(places[-1] + len(c.encode()))
    return places


def case_of(name, parts, text):
    spec = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            **parts}
    tokenizer = Tokenizer.from_str(json.dumps({**spec, "model": MODEL}))
    texts = text if isinstance(text, tuple) else (text,)
    encoded = tokenizer.encode(*texts)
    rows = []
    for i, id in enumerate(encoded.ids):
        which = encoded.sequence_ids[i]
        place = [0, 0] if which is None else [bytes_of(texts[which])[p] for p in encoded.offsets[i]]
        rows.append([id, encoded.type_ids[i], 255 if which is None else which, *place])
    # With a normaliser, this version decodes an added token to its normal form, not to its content.
    plain = Tokenizer.from_str(json.dumps({**spec, "normalizer": None, "model": MODEL}))
    return {"name": name, "spec": compact(spec), "texts": texts, "tokens": rows,
            "decoded": plain.decode(encoded.ids, skip_special_tokens=True)}


def main():
    cases = ",\n".join(compact(case_of(*case)) for case in CASES)
    print(f'{{"model": {compact(compact(MODEL))},\n"cases": [\n{cases}\n]}}')
    return 0


if __name__ == "__main__":
    sys.exit(main())
