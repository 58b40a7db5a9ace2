#!/usr/bin/env python3
"""Prints src/worker/pattern/unicode_differences.h (then: clang-format -i).

Asks the reference `tokenizers` package and libutf8proc about every code point and writes down where
they disagree. Run it again when either moves; the sweep of test_reference.py fails if it was due.
"""
import ctypes
import ctypes.util
import sys

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


class Utf8proc:
    def __init__(self):
        lib = ctypes.CDLL(ctypes.util.find_library("utf8proc") or "libutf8proc.so.2")
        lib.utf8proc_category_string.restype = ctypes.c_char_p
        lib.utf8proc_decompose_char.restype = ctypes.c_ssize_t
        lib.utf8proc_decompose_char.argtypes = [
            ctypes.c_int32, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p]
        lib.utf8proc_get_property.restype = ctypes.POINTER(ctypes.c_int16)
        lib.utf8proc_grapheme_break.restype = ctypes.c_bool
        lib.utf8proc_grapheme_break.argtypes = [ctypes.c_int32, ctypes.c_int32]
        self.breaks = lib.utf8proc_grapheme_break
        lib.utf8proc_unicode_version.restype = ctypes.c_char_p
        self.version = lib.utf8proc_unicode_version().decode()
        room, last = (ctypes.c_int32 * 32)(), ctypes.c_int()
        self.category, self.lower, self.nfd, self.nfkd, self.ccc = {}, {}, {}, {}, {}
        for c in ALL:
            self.category[c] = lib.utf8proc_category_string(c).decode()
            self.lower[c] = chr(lib.utf8proc_tolower(c))
            n = lib.utf8proc_decompose_char(c, room, 32, 1 << 4, ctypes.byref(last))
            self.nfd[c] = "".join(map(chr, room[:n]))
            n = lib.utf8proc_decompose_char(c, room, 32, 1 << 4 | 1 << 2, ctypes.byref(last))
            self.nfkd[c] = "".join(map(chr, room[:n]))
            # struct utf8proc_property_t starts with category, combining_class (both 16 bits).
            self.ccc[c] = lib.utf8proc_get_property(c)[1]


def ranges(points):
    found = []
    for c in sorted(points):
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def show(name, why, points):
    print(f"\n/* {why} */\nstatic const struct range {name}[] = {{")
    line = "   "
    for low, high in ranges(points) or [[0x110000, 0x110000]]:
        item = f" {{ 0x{low:04X}, 0x{high:04X} }},"
        if len(line) + len(item) > 98:
            print(line)
            line = "   "
        line += item
    print(line + "\n};")


def reference_combines(nfd, c):
    """Whether canonical ordering moves the character over a neighbour, so its class is not 0."""
    text = "a" + "\u0345" + chr(c), "a" + chr(c) + "\u0334"
    return any(nfd.normalize_str(t) != t for t in text)


def one_flag(**flags):
    wanted = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**wanted, **flags}).normalize_str


def clusters():
    """Which characters continue a grapheme cluster, and which start one that takes in the next: a
    map of sentencepiece that knows only q replaces a short cluster with q at its start by r."""
    units = [0] * 1024
    units[0] = 256 << 10
    units[256 ^ ord("q")] = 512 << 10 | 1 << 8 | ord("q")
    units[256 ^ ord("q") ^ 512] = 1 << 31
    trie = b"".join(u.to_bytes(4, "little") for u in units)
    run = normalizers.Precompiled(len(trie).to_bytes(4, "little") + trie + b"r\0").normalize_str
    return ({c for c in ALL if run("q" + chr(c)) == "r" and c != ord("q")},
            {c for c in ALL if run(chr(c) + "q\u0301") == chr(c) + "r\u0301"})


def words():
    tokenizer = Tokenizer(models.WordLevel({"u": 0, "[X]": 1}, unk_token="u"))
    tokenizer.add_tokens([AddedToken("[X]", single_word=True, normalized=False)])
    return {c for c in ALL if tokenizer.encode(chr(c) + "[X]").ids == [0]}


def show_lower(lower, u8):
    moved = {c: lower(chr(c)) for c in ALL if c != 0x130 and lower(chr(c)) != u8.lower[c]}
    runs = []
    for c, to in moved.items():
        assert len(to) == 1, hex(c)
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == ord(to) - c:
            runs[-1][1] = c
        else:
            runs.append([c, c, ord(to) - c])
    print("\n/* Lower case that is newer than utf8proc: first, last, distance. */")
    print("static const struct lower_run newer_lower[] = {")
    for low, high, by in runs:
        print(f"    {{ 0x{low:04X}, 0x{high:04X}, {by} }},")
    print("};")


def main():
    u8 = Utf8proc()
    clean, strip = one_flag(clean_text=True), one_flag(strip_accents=True)
    lower, nfd = one_flag(lowercase=True), normalizers.NFD()
    nfkd, accents = normalizers.NFKD(), normalizers.StripAccents()
    digits = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    removed = {c for c in ALL if clean(chr(c)) == ""}
    marks = {c for c in ALL if strip(chr(c)) == ""}
    punctuation = {c for c in ALL if len(split("a" + chr(c) + "b")) == 3}
    word = words()
    in_category = lambda *names: {c for c in ALL if u8.category[c] in names}
    p = in_category("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")
    combining = {c for c in ALL if u8.ccc[c] and u8.nfd[c] == chr(c)}
    our_word = {c for c in ALL if u8.category[c][0] in "LM"} | in_category("Nl", "Nd", "Pc")
    print("/* unicode_differences.h — where the reference tokenizer and utf8proc disagree.")
    print(" *\n * Written by tests/integration/tokenizer/unicode_differences.py; do not edit.")
    print(" * The reference takes categories from tables of Unicode 8, decomposition from newer ones and")
    print(f" * case from newer ones still; utf8proc here knows Unicode {u8.version}."
          "                           */")
    print("\n#ifndef HEARTH_UNICODE_DIFFERENCES_H\n#define HEARTH_UNICODE_DIFFERENCES_H")
    show("not_removed", "Cc, Cf or Co for utf8proc, kept by the reference.",
         {c for c in in_category("Cc", "Cf", "Co") - removed if c not in (9, 10, 13)})
    show("not_mark", "Mn for utf8proc, kept by the reference.", in_category("Mn") - marks)
    show("old_mark", "Mn for the reference alone.", marks - in_category("Mn"))
    show("not_punctuation", "P* for utf8proc, a letter like any other for the reference.",
         p - punctuation)
    show("old_punctuation", "Punctuation for the reference alone, beyond ASCII.",
         {c for c in punctuation - p if c > 127})
    show("not_decomposed", "The reference leaves these as they are.",
         {c for c in ALL if nfd.normalize_str(chr(c)) != u8.nfd[c]})
    show("not_combining", "The reference takes these for starters (combining class 0).",
         {c for c in combining if not reference_combines(nfd, c)})
    show("not_compatible", "The reference leaves these as they are when it decomposes compatibly.",
         {c for c in ALL if nfkd.normalize_str(chr(c)) != u8.nfkd[c]})
    assert not [c for c in ALL if nfkd.normalize_str(chr(c)) not in (u8.nfkd[c], chr(c))]
    combining_mark = {c for c in ALL if accents.normalize_str(chr(c)) == ""}
    m, n = in_category("Mn", "Mc", "Me"), in_category("Nd", "Nl", "No")
    show("not_combining_mark", "M* for utf8proc, no mark for StripAccents.", m - combining_mark)
    show("old_combining_mark", "A mark for StripAccents alone.", combining_mark - m)
    numeric = {c for c in ALL if len(digits("a" + chr(c) + "b")) == 3}
    show("not_numeric", "N* for utf8proc, no number for the reference.", n - numeric)
    show("newer_numeric", "A number for the reference alone.", numeric - n)
    continues, takes = clusters()
    known = {c for c in ALL if not u8.breaks(ord("q"), c)}
    show("more_extending", "Continues a grapheme cluster for the reference alone.", continues - known)
    assert not known - continues, ranges(known - continues)
    known = {c for c in ALL if not u8.breaks(c, ord("q"))}
    show("more_prepending", "Takes in what follows it for the reference alone.", takes - known)
    show("not_prepending", "Takes in what follows it for utf8proc alone.", known - takes)
    show("more_word", "What \\w means to the reference beyond L*, M*, Nd, Nl, Pc of utf8proc.",
         word - our_word)
    assert not our_word - word, ranges(our_word - word)
    assert not removed - in_category("Cc", "Cf", "Co") - {0xFFFD}
    show_lower(lower, u8)
    print("\n#endif")
    return 0


if __name__ == "__main__":
    sys.exit(main())
