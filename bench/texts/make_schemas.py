#!/usr/bin/env python3
"""Writes json50.json: 50 prompts that ask for JSON, each with the schema that the answer follows.

    make_schemas.py [--check]

Five things to describe and ten shapes of a description: flat and nested objects, arrays, enums,
numbers with limits, strings with patterns. --check compares the committed file with what it writes.
"""

import json
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parent / "json50.json"
THINGS = ["a book about the sea", "a small town in the mountains", "a recipe for soup",
          "a bicycle for sale", "the weather of a day in spring"]
NAME, COUNT = {"type": "string", "maxLength": 40}, {"type": "integer", "minimum": 0, "maximum": 999}
PLACE = {"type": "object", "properties": {"city": NAME, "country": NAME},
         "required": ["city", "country"], "additionalProperties": False}


def described(**properties):
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False}


SHAPES = [
    described(name=NAME, year=COUNT),
    described(name=NAME, description={"type": "string", "maxLength": 120}, is_new={"type": "boolean"}),
    described(title=NAME, tags={"type": "array", "items": NAME, "minItems": 1, "maxItems": 4}),
    described(kind={"enum": ["small", "large", "none"]}, name=NAME, price=COUNT),
    described(name=NAME, origin=PLACE),
    described(date={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}, summary=NAME),
    described(items={"type": "array", "items": described(name=NAME, count=COUNT), "minItems": 1,
                     "maxItems": 3}),
    described(name=NAME, rating={"type": "integer", "minimum": 1, "maximum": 5},
              note={"type": ["string", "null"], "maxLength": 60}),
    described(id={"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"}, name=NAME, where=PLACE,
              is_open={"type": "boolean"}),
    {"type": "array", "items": described(word=NAME), "minItems": 2, "maxItems": 5},
]


def made():
    rows = [{"prompt": f"Describe {thing}. Answer in JSON with {', '.join(names_of(shape))} only.",
             "schema": json.dumps(shape, separators=(",", ":"))}
            for shape in SHAPES for thing in THINGS]
    return json.dumps(rows, indent=1) + "\n"


def names_of(shape):
    return list(shape.get("properties") or shape["items"]["properties"])


def main():
    if "--check" in sys.argv[1:]:
        is_same = FILE.read_text(encoding="utf-8") == made()
        print(f"1..1\n{'ok' if is_same else 'not ok'} 1 - json50.json is what its script writes")
        return 0 if is_same else 1
    FILE.write_text(made(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
