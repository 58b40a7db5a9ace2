#!/usr/bin/env python3
"""Answers held to 200 schemas against an independent validator, in both directions.

usage: test_schemas.py GRAMMAR_STREAM PROJECT

Forwards: answers taken by lot from what the mask allows, and closed by the shortest way, are JSON
and valid. Backwards: valid values made from the schema alone are accepted, and changed ones that
the validator refuses are refused.
"""

import json
import random
import sys
from pathlib import Path

import jsonschema

from grammars import Grammars
from instances import Maker, changed, written

WALKS, INSTANCES, CHANGES = 20, 12, 3


def judge_of(schema):
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    return lambda value: validator.is_valid(value)


def walks(grammars, is_valid, number, dice):
    for seed in range(WALKS):
        text = grammars.walk(number * 1000 + seed, dice.choice([0, 2, 5, 15, 40, 120]))
        value = json.loads(text)
        assert is_valid(value), f"schema {number}: {text[:300]}"
        assert grammars.accepts(text), f"schema {number} refuses its own {text[:300]}"


def instances(grammars, is_valid, number, schema, dice):
    """How many were accepted, and how many refused."""
    maker, accepted, refused = Maker(schema, dice), 0, 0
    for _ in range(INSTANCES):
        value = maker.value(schema)
        if not is_valid(value):
            continue
        text = written(value, dice)
        assert grammars.accepts(text), f"schema {number} refuses {text[:300]}"
        accepted += 1
        for _ in range(CHANGES):
            other = changed(value, dice)
            if not is_valid(other):
                text = written(other, dice)
                assert not grammars.accepts(text), f"schema {number} accepts {text[:300]}"
                refused += 1
    return accepted, refused


def main():
    schemas = json.loads((Path(__file__).parent / "schemas.json").read_text(encoding="utf-8"))
    assert len(schemas) == 200
    grammars, dice, accepted, refused = Grammars(sys.argv[1]), random.Random(3), 0, 0
    for number, schema in enumerate(schemas):
        is_valid = judge_of(schema)
        grammars.compile("schema", json.dumps(schema, ensure_ascii=False))
        walks(grammars, is_valid, number, dice)
        yes, no = instances(grammars, is_valid, number, schema, dice)
        assert yes > 0, f"schema {number}: no valid value was made"
        accepted += yes
        refused += no
    assert grammars.close() == 0
    assert accepted > 1500 and refused > 1500, (accepted, refused)
    print(f"ok: {len(schemas) * WALKS} answers valid; {accepted} valid values accepted, {refused} invalid refused")


main()
