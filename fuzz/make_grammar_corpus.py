#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus/grammar: schemas as tests/integration/grammar has them, rules and
choices. usage: make_grammar_corpus.py"""

import json
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
RULES = [
    'root ::= "yes" | "no" | [a-z]{2,3}',
    'root ::= "(" root ")" root | ""',
    'root ::= e\ne ::= t ([-+] t)*\nt ::= [0-9]+ | "(" e ")" # sums\n',
    'root ::= (("a" | "b"){2} "c"){1,3} "d"{0,2} [^a-z\\n\\u00e9]',
    'root ::= .{2} "\\x41\\U0001F600" x?\nx ::= "x" x | "y"',
    'root ::= root "a" | "b"',
    'root ::= "a" root "b" | "b" root "a" | ""',
]


def main():
    folder = TOP / "fuzz/corpus/grammar"
    folder.mkdir(parents=True, exist_ok=True)
    schemas = json.loads((TOP / "tests/integration/grammar/schemas.json").read_text(encoding="utf-8"))
    refused = [{"not": {}}, {"$ref": "#"}, {"pattern": "(?=x)"}, {"type": 1}, {"minimum": "a"}, {"items": [{}]}]
    for number, schema in enumerate(schemas[:108] + refused):
        text = json.dumps(schema, ensure_ascii=False).encode()
        (folder / f"schema-{number:03}").write_bytes(b"\0" + bytes([number]) + text + b'\0{"a')
    for number, rules in enumerate(RULES):
        (folder / f"rules-{number}").write_bytes(b"\1" + bytes([number]) + rules.encode())
    (folder / "choices").write_bytes(b"\2\0yes|no|yesterday|\xc3\xa9\0ye")


main()
