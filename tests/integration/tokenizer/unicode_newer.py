#!/usr/bin/env python3
"""Prints src/worker/pattern/unicode_newer.h (then: clang-format -i).

Asks the reference `tokenizers` package for the general category of every code point, as its regular
expressions see it, and writes down which differ from Unicode 14, the oldest that PCRE2 or utf8proc
here may know. Needs a Python whose own tables are no newer. Run it again when the package moves.
"""
import unicodedata

from tokenizers import Regex, pre_tokenizers

NAMES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp "
         "Cc Cf Cs Co").split()
POINTS = [c for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
TEXT = "".join(map(chr, POINTS))


def matched(pattern):
    rest = set()
    for piece, _ in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(TEXT):
        rest.update(map(ord, piece))
    return set(POINTS) - rest


def main():
    assert float(unicodedata.unidata_version.split(".")[0]) <= 14, unicodedata.unidata_version
    category = dict.fromkeys(POINTS, "Cn")
    for name in NAMES:
        if name not in ("Cn", "Cs"):
            category.update(dict.fromkeys(matched(rf"\p{{{name}}}"), name))
    runs = []
    for c in POINTS:
        if category[c] == unicodedata.category(chr(c)):
            continue
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == category[c]:
            runs[-1][1] = c
        else:
            runs.append([c, c, category[c]])
    print(f"""\
/* unicode_newer.h — code points whose general category is newer than Unicode 14.
 *
 * Written by tests/integration/tokenizer/unicode_newer.py; do not edit. */

#ifndef HEARTH_UNICODE_NEWER_H
#define HEARTH_UNICODE_NEWER_H

static const struct newer_run newer_runs[] = {{""")
    for low, high, name in runs:
        print(f"    {{ 0x{low:04X}, 0x{high:04X}, UTF8PROC_CATEGORY_{name.upper()} }},")
    print("};\n\n#endif")


main()
