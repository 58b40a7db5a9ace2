"""Every component that a tokenizer.json may name, one by one, put into a fixture of the right kind.

ALL is {name: (base file, function that edits the file's object)}. The bases are chosen so that ids
show all: a BPE with byte fallback spells every byte of what a normaliser made of the text.
"""

import base64
import sys
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures"))
import charsmap     # noqa: E402

SPACE = "▁"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
GPT_4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN_2 = GPT_4.replace(r"\p{N}{1,3}", r"\p{N}")
# Expressions that a tokenizer.json may hold: equal answers, or refused by what is not supported.
EXPRESSIONS = [
    r"[a-z]+", r"[^a-z\s]+", r"[[:alpha:]]+", r"[[:^alpha:]]", r"[[:punct:]]", r"[[:space:]]+", r"[[:upper:]]",
    r"[[:word:]]+", r"[[:alnum:]]+", r"[[:cntrl:]]", r"[[:xdigit:]]{2}", r"\d+", r"\D+", r"\s", r"\S+", r"\w+", r"\W",
    r"\h+", r"\H", r"\R", r"\X", r".", r"..", r"\p{Lu}\p{Ll}*", r"\p{^L}+", r"\P{L}+", r"\p{Han}", r"\p{Hiragana}|\p{Katakana}",
    r"\p{Latin}+", r"\p{M}", r"\p{Nd}{1,3}", r"\p{So}", r"\p{Cn}", r"\p{Cf}", r"\p{Co}", r"\p{Zs}", r"\p{P}", r"\p{Alphabetic}+",
    r"a+?", r"a*?b", r"a{2,3}", r"a{,2}b", r"a{2}+", r"a++", r"(?>a+)b", r"(?i)the", r"(?i:SS|ß)", r"(?-i:T)he", r"(?m:.+)",
    r"(?x: a b )", r"\bthe\b", r"\Bin", r"^.", r".$", r"\A\w", r"\w\z", r"\w\Z", r"(?=\s)", r"(?!\w)", r"(?<=a)n", r"(?<!a)n", r"(?<=\s|^)t",
    r"(a)(n)\1", r"(?<x>a)\k<x>", r"[a-c&&[b-z]]", r"[\p{L}&&[^a-z]]", r"[\]a]", r"[]a]", r"\x{4E00}", r"\u00e9", r"\t|\n|\e|\0",
    r"\Qa.b\E", r"a|", r"|a", r"(a|b)*c", r"(?:in|ing|g)", r"(ing|in|i)", r"[A-ZÀ-Ý]+", r"[一-龥]", r"漢|字", r"🙂+", r"\G\w",
    r"e\u0301", "e\u0301", r"[e\x{301}]", r"\.", r"[.]", r"\-", r"[\-a]", r"{", r"}", r"a{", r"a{1", r"]", r"\z", r"\K", r"(?~ab)", r"(*FAIL)"]
ALL = {}


def variant(name, base, **parts):
    """Parts take the place of the file's; None is a component that is not there."""
    def edit(file):
        file.update(parts)
    ALL[name] = base, edit


def model_variant(name, base, **settings):
    def edit(file):
        file["model"].update(settings)
    ALL[name] = base, edit


def regex(pattern):
    return {"Regex": pattern}


def string(pattern):
    return {"String": pattern}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def chain(kind, *parts):
    return {"type": "Sequence", kind: list(parts)}


def metaspace(scheme="always", split=True, replacement=SPACE):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": split}


def byte_level(prefix=False, uses_regex=True, trims=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trims,
            "use_regex": uses_regex}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def strip(left, right):
    return {"type": "Strip", "strip_left": left, "strip_right": right}


def bert(clean=False, chinese=False, accents=False, lower=False):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese,
            "strip_accents": accents, "lowercase": lower}


NORMALIZERS = {
    "none": None,
    **{form: {"type": form} for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")},
    "NFD and StripAccents": chain("normalizers", {"type": "NFD"}, {"type": "StripAccents"}),
    "NFKD, Lowercase, StripAccents, NFC": chain(
        "normalizers", *({"type": t} for t in ("NFKD", "Lowercase", "StripAccents", "NFC"))),
    "Lowercase before NFKC": chain("normalizers", {"type": "Lowercase"}, {"type": "NFKC"}),
    **{f"Strip {left} {right}": strip(left, right) for left, right in ((True, True), (True, False), (False, True))},
    "Replace a string by a longer one": replace(string("a"), "bcd"),
    "Replace a string by nothing": replace(string("ss"), ""),
    "Replace a string by many bytes": replace(string(" "), "漢字"),
    "Replace a string of many bytes": replace(string("字"), "x"),
    "Replace runs of spaces": replace(regex(r"\s+"), " "),
    "Replace two spaces and more": replace(regex(" {2,}"), SPACE),
    "Replace all but letters": replace(regex(r"[^\p{L}]+"), "_"),
    "Replace by what looks like a group": replace(regex("(a)(b)?"), "$1\\2"),
    "Replace where nothing is": replace(regex("x*"), "-"),
    "Prepend": {"type": "Prepend", "prepend": SPACE},
    "Prepend of several": {"type": "Prepend", "prepend": "xy漢"},
    "Prepend twice": chain("normalizers", {"type": "Prepend", "prepend": "ab"},
                           {"type": "Prepend", "prepend": "c"}),
    "ByteLevel": {"type": "ByteLevel"},
    "BertNormalizer cleans": bert(clean=True), "BertNormalizer, Chinese": bert(chinese=True),
    "BertNormalizer strips": bert(accents=True), "BertNormalizer lowers": bert(lower=True),
    "BertNormalizer, all": bert(True, True, None, True),
    "empty chain": chain("normalizers"),
    "chain in a chain": chain("normalizers", chain("normalizers", {"type": "NFD"}, strip(True, True)),
                              replace(string("\u0301"), ""), {"type": "Lowercase"}),
    "chain that grows and shrinks": chain(
        "normalizers", replace(string("e"), "eee"), {"type": "NFKC"}, replace(regex("e{2}"), "é"),
        {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Prepend", "prepend": " "}),
}
PRE_TOKENIZERS = {
    "BertPreTokenizer": {"type": "BertPreTokenizer"},
    "Whitespace": {"type": "Whitespace"}, "WhitespaceSplit": {"type": "WhitespaceSplit"},
    "Digits": {"type": "Digits", "individual_digits": False},
    "Digits one by one": {"type": "Digits", "individual_digits": True},
    "CharDelimiterSplit": {"type": "CharDelimiterSplit", "delimiter": "-"},
    "UnicodeScripts": {"type": "UnicodeScripts"},
    "FixedLength": {"type": "FixedLength", "length": 3},
    **{f"Punctuation {b}": {"type": "Punctuation", "behavior": b} for b in BEHAVIORS},
    **{f"Split {b}": split(regex(r"[aeiou]+|\s"), b) for b in BEHAVIORS},
    **{f"Split inverted {b}": split(regex(r"\w+"), b, True) for b in BEHAVIORS},
    "Split at a string": split(string(" "), "MergedWithPrevious"),
    "Split at many bytes": split(string("漢"), "MergedWithNext"),
    "Split where nothing is": split(regex("(?=e)"), "Isolated"),
    "chain": chain("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True},
                   {"type": "Punctuation", "behavior": "Isolated"}),
    "empty chain": chain("pretokenizers"),
    **{f"Metaspace {scheme} split={cut}": metaspace(scheme, cut)
       for scheme in ("always", "first", "never") for cut in (True, False)},
    "Metaspace of another sign": metaspace(replacement="_"),
    "Punctuation, then Metaspace": chain("pretokenizers", {"type": "Punctuation", "behavior": "Isolated"},
                                         metaspace("first")),
}
for label, part in NORMALIZERS.items():
    variant(f"normaliser: {label}", "llama", normalizer=part)
    if label in ("NFKC", "NFD and StripAccents", "Strip True True", "Prepend", "Lowercase",
                 "chain that grows and shrinks", "Replace a string by many bytes"):
        variant(f"normaliser before ByteLevel: {label}", "roberta", normalizer=part)
        variant(f"normaliser before Metaspace: {label}", "xlm-roberta", normalizer=part)
for label, part in PRE_TOKENIZERS.items():
    variant(f"pre-tokeniser: {label}", "llama", normalizer=None, pre_tokenizer=part)
for label, part in {"NFC": {"type": "NFC"}, "Lowercase": {"type": "Lowercase"},
                    "Replace": replace(string("t"), "tt")}.items():
    variant(f"{label}, then pairs of Split", "llama", normalizer=part,
            pre_tokenizer=split(regex(r"\s+"), "MergedWithNext"))

for prefix in (False, True):
    for uses_regex in (False, True):
        variant(f"ByteLevel prefix={prefix} regex={uses_regex}", "roberta",
                pre_tokenizer=byte_level(prefix, uses_regex))
    for trims in (False, True):
        variant(f"RobertaProcessing trims={trims} prefix={prefix}", "roberta", post_processor={
            "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
            "trim_offsets": trims, "add_prefix_space": prefix})
        variant(f"ByteLevel as post-processor trims={trims} prefix={prefix}", "roberta",
                pre_tokenizer=byte_level(prefix), post_processor=byte_level(prefix, True, trims))
for label, expression in {"GPT-2": GPT_2, "GPT-4": GPT_4, "Qwen2": QWEN_2}.items():
    for kind, text in {"": expression, ", not recognised": f"(?:{expression})"}.items():
        variant(f"Split of {label}{kind}, then ByteLevel", "modernbert", pre_tokenizer=chain(
            "pretokenizers", split(regex(text)), byte_level(False, False)))
for expression in EXPRESSIONS:
    variant(f"expression {ascii(expression)}", "llama", normalizer=None, pre_tokenizer=split(regex(expression)))
variant("Digits, then ByteLevel", "modernbert", pre_tokenizer=chain(
    "pretokenizers", {"type": "Digits", "individual_digits": True}, byte_level()))
variant("ByteLevel as normaliser", "modernbert", normalizer=chain(
    "normalizers", {"type": "NFC"}, {"type": "ByteLevel"}), pre_tokenizer=None)
variant("no pre-tokeniser at all", "xlm-roberta", pre_tokenizer=None)
variant("Metaspace in front only", "xlm-roberta", pre_tokenizer=metaspace("first"))
variant("Metaspace never", "deberta-v2", pre_tokenizer=metaspace("never"))

variant("BertProcessing", "bert-uncased", post_processor={
    "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
variant("no post-processor", "bert-uncased", post_processor=None)
variant("ByteLevel, then a template", "modernbert", post_processor=chain(
    "processors", byte_level(trims=True), {
        "type": "TemplateProcessing", "special_tokens": {"[CLS]": {
            "id": "[CLS]", "ids": [1026], "tokens": ["[CLS]"]}},
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 3}}, {"Sequence": {"id": "A", "type_id": 2}}],
        "pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}]}))
variant("template of several ids", "bert-uncased", post_processor={
    "type": "TemplateProcessing", "special_tokens": {"X": {
        "id": "X", "ids": [2, 3, 4], "tokens": ["[CLS]", "[SEP]", "[MASK]"]}},
    "single": [{"SpecialToken": {"id": "X", "type_id": 1}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "X", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "X", "type_id": 0}},
             {"Sequence": {"id": "B", "type_id": 1}}]})

model_variant("BPE without byte fallback", "llama", byte_fallback=False)
model_variant("BPE that does not fuse the unknown", "llama", byte_fallback=False, fuse_unk=False)
model_variant("BPE without an unknown token", "llama", byte_fallback=False, unk_token=None)
model_variant("BPE that prefers whole words", "llama-metaspace", ignore_merges=True)
model_variant("byte-level BPE that prefers whole words", "modernbert", ignore_merges=True)
model_variant("Unigram with byte fallback", "xlm-roberta", byte_fallback=True)
model_variant("WordPiece of short words", "bert-uncased", max_input_chars_per_word=5)
model_variant("WordPiece without a prefix", "bert-uncased", continuing_subword_prefix="")
model_variant("WordPiece of another prefix", "bert-cased", continuing_subword_prefix="@@")


def all_of_nfkc():
    """A table as large as those of published models."""
    rules = {}
    for char in (chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF):
        target, parts = unicodedata.normalize("NFKC", char), unicodedata.normalize("NFD", char)
        if target != char:
            rules[char] = target
        if parts not in (char, target):
            rules.setdefault(parts, target)
    return charsmap.build(rules)


def precompiled(rules_of):
    def edit(file):
        table = base64.b64encode(rules_of()).decode()
        file["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": table}
    return edit


SMALL_RULES = {"a": "", "b": "\u0301", "e\u0301": "E", "🙂": "smile", "👩‍👩": "two", "\r\n": "n", "ab": "X",
               "abc": "Y", "漢": "字字", "한": "han", "\u0301": "'", " ": "  "}
ALL["Precompiled: all of NFKC"] = "llama", precompiled(all_of_nfkc)
ALL["Precompiled: all of NFKC, Unigram"] = "xlm-roberta", precompiled(all_of_nfkc)
ALL["Precompiled: rules that no standard has"] = "llama", precompiled(lambda: charsmap.build(SMALL_RULES))


def affixed(prefix, suffix):
    """Merges over pieces with a prefix inside of words and a suffix at their end, as GPT-1 has them."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocab = {"<unk>": 0}
    for text in letters:
        for piece in (text, prefix + text, text + suffix, prefix + text + suffix):
            vocab.setdefault(piece, len(vocab))
    merges = []
    for first, second in ("th", "he", "in", "er", "an", "re", "on", "at", "en", "es"):
        for end in dict.fromkeys(("", suffix)):
            for begin in dict.fromkeys(("", prefix)):
                merges.append([begin + first, prefix + second + end])
                vocab.setdefault(begin + first + second + end, len(vocab))

    def edit(file):
        file["model"] = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": False,
                         "continuing_subword_prefix": prefix or None, "byte_fallback": False,
                         "end_of_word_suffix": suffix or None, "vocab": vocab, "merges": merges}
        file.update(added_tokens=[], normalizer={"type": "Lowercase"}, post_processor=None,
                    pre_tokenizer={"type": "BertPreTokenizer"}, decoder=None)
    return edit


ALL["BPE with a prefix inside of words"] = "llama", affixed("##", "")
ALL["BPE with a suffix at the end of words"] = "llama", affixed("", "</w>")
ALL["BPE with both"] = "llama", affixed("@", "</w>")


def every_added_token(also):
    """The added tokens of many-added in a file of another kind."""
    def edit(file):
        count = max([len(file["model"]["vocab"]), *(t["id"] + 1 for t in file["added_tokens"])])
        known = {token["content"] for token in file["added_tokens"]}
        known |= set(file["model"]["vocab"]) if isinstance(file["model"]["vocab"], dict) else \
            {text for text, _ in file["model"]["vocab"]}
        for token in also:
            if token["content"] not in known:
                file["added_tokens"].append({**token, "id": count})
                count += 1
    return edit


def add_tokens(many_added):
    """Adds what needs the object of many-added.json."""
    for base in ("roberta", "roberta-prefix-space", "modernbert", "llama", "llama-metaspace",
                 "xlm-roberta", "bge-m3", "deberta-v2", "bert-cased"):
        ALL[f"added tokens with every flag: {base}"] = base, every_added_token(
            many_added["added_tokens"][5:])
