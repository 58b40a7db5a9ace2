#!/usr/bin/env python3
"""Writes schemas.json: 200 schemas, some as people write them and some by lot, each within what is
supported.

usage: make_schemas.py > schemas.json
"""

import json
import random

S, I, N, B = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}


def obj(required=None, **properties):
    """All members required but those of which the name is not in @required, if that is given."""
    return {"type": "object", "properties": properties,
            "required": list(properties) if required is None else required,
            "additionalProperties": False}


def arr(items, **more):
    return {"type": "array", "items": items, **more}


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


def short(most=12, least=0):
    return {"type": "string", "minLength": least, "maxLength": most}


WRITTEN = [
    True, {}, S, I, N, B, {"type": "null"}, {"type": "array"}, {"type": "object"},
    {"enum": ["red", "green", "blue"]}, {"enum": [1, 2.5, None, True, "x", [1, 2], {"a": 1}]},
    {"const": {"version": 1, "tags": ["a", "b"]}}, {"const": "é漢\n\"quoted\""},
    {"type": ["string", "null"]}, {"type": ["integer", "boolean"]}, {"type": ["string", "null"], "enum": ["a", None]},
    short(5), short(3, 3), {"type": "string", "minLength": 4},
    {"type": "integer", "minimum": 0, "maximum": 100}, {"type": "integer", "minimum": -273},
    {"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 12345},
    {"type": "integer", "maximum": -1}, {"type": "integer", "minimum": 999, "maximum": 1001},
    {"type": "number", "minimum": 0, "maximum": 1}, {"type": "number", "exclusiveMinimum": 0},
    {"type": "number", "minimum": -5, "exclusiveMaximum": 5}, {"type": "number", "maximum": -10},
    {"type": "string", "format": "date"}, {"type": "string", "format": "time"},
    {"type": "string", "format": "date-time"}, {"type": "string", "format": "uuid"},
    {"type": "string", "format": "email"}, {"type": "string", "format": "ipv4"},
    *({"type": "string", "pattern": p} for p in (
        "^[A-Z]{2}\\d{4}$", "^(foo|bar)+$", "ab", "^\\w+@\\w+\\.(com|org)$", "^#[0-9a-fA-F]{6}$",
        "^[^\"\\\\]{1,8}$", "\\d$", "^a.c$", "^(a|b)*c?$", "^\\+?[0-9]{1,3}( [0-9]{2,4}){2,3}$",
        "^$", "x{2,3}y|^z", "^[äöü]+$", "^\\S+\\s\\S+$", "^\\\\d\\.\\t?$", "^(?:[a-z]+-)*[a-z]+$",
        "^[^\\d\\s]{2}$", "^\\W$")),
    arr(I), arr(I, minItems=2), arr(short(3), maxItems=3), arr(B, minItems=3, maxItems=3),
    arr(arr(I, maxItems=2), minItems=1), {"type": "array", "maxItems": 0}, arr(N, minItems=5, maxItems=9),
    {"type": "array", "prefixItems": [S, I], "items": False, "minItems": 2},
    {"type": "array", "prefixItems": [{"const": "point"}, N, N], "items": B, "minItems": 3, "maxItems": 6},
    {"prefixItems": [B], "items": {"type": "null"}},
    obj(), obj(a=I), obj([], a=I), obj(["b"], a=I, b=S, c=B), obj(["a"], a=I, b=I, c=I, d=I),
    obj([], **{f"p{n}": I for n in range(12)}), obj(**{f"field {n}": short(4) for n in range(8)}),
    {"type": "object", "additionalProperties": I}, {"type": "object", "additionalProperties": short(4)},
    {"type": "object", "properties": {"id": I}, "required": ["id"], "additionalProperties": S},
    {"type": "object", "properties": {"ab": I, "abc": B, "é": S}, "additionalProperties": {"type": "null"}},
    {"type": "object", "required": ["x"]}, {"properties": {"x": S}, "required": ["x", "y"], "additionalProperties": I},
    obj(name=short(), age={"type": "integer", "minimum": 0, "maximum": 150}),
    obj(["city"], city=short(), country={"enum": ["AT", "CH", "DE"]}, zip={"type": "string", "pattern": "^\\d{4,5}$"}),
    obj(sentiment={"enum": ["positive", "neutral", "negative"]}, confidence={"type": "number", "minimum": 0, "maximum": 1}),
    obj(["items"], items=arr(obj(sku={"type": "string", "pattern": "^[A-Z]{3}-\\d{3}$"}, quantity={"type": "integer", "minimum": 1},
                             price={"type": "number", "minimum": 0}), minItems=1), note=S),
    obj(tool={"const": "search"}, arguments=obj(["query"], query=short(20), limit={"type": "integer", "minimum": 1, "maximum": 50})),
    obj(user=obj(name=short(), address=obj(street=short(), geo=obj(lat={"type": "number", "minimum": -90, "maximum": 90},
                                                                   lon={"type": "number", "minimum": -180, "maximum": 180})))),
    obj(**{"quote\"d": I, "back\\slash": S, "new\nline": B, "漢": I}),
    obj(["when"], when={"type": "string", "format": "date-time"}, day={"type": "string", "format": "date"}),
    {"anyOf": [I, {"type": "null"}]}, {"anyOf": [obj(kind={"const": "a"}, x=I), obj(kind={"const": "b"}, y=S)]},
    {"oneOf": [S, arr(S)]}, {"oneOf": [{"type": "integer", "maximum": -1}, {"type": "integer", "minimum": 10}]},
    {"anyOf": [{"enum": ["x", "y"]}, {"type": "integer", "minimum": 3}, arr(I, maxItems=1)]},
    {"type": "object", "properties": {"k": S}, "anyOf": [{"required": ["k"]}, {"properties": {"m": I}, "required": ["m"]}]},
    {"allOf": [{"type": "integer"}, {"minimum": 3}, {"maximum": 8}]},
    {"allOf": [{"type": "object", "properties": {"a": I}, "required": ["a"]},
               {"type": "object", "properties": {"b": short(3)}, "required": ["b"]}]},
    {"allOf": [ref("base"), {"properties": {"extra": B}}], "$defs": {"base": {"type": "object", "properties": {"id": I}, "required": ["id"]}}},
    {"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]},
    {"allOf": [{"enum": [1, 2, 3, 4]}, {"enum": [2, 4, 6]}]},
    {"allOf": [{"type": "array", "items": I}, {"items": {"minimum": 5}, "minItems": 2}, {"maxItems": 4}]},
    {"title": "T", "description": "D", "default": 3, "examples": [1], "$comment": "c", "type": "integer"},
    {"$ref": "#/definitions/x~1y", "definitions": {"x/y": {"type": "integer", "minimum": 7, "maximum": 7}}},
    {"$defs": {"node": obj(["value"], value=I, next={"anyOf": [ref("node"), {"type": "null"}]})}, **ref("node")},
    {"$defs": {"tree": obj(["name"], name=short(4), children=arr(ref("tree")))}, **ref("tree")},
    {"$defs": {"expr": {"anyOf": [I, obj(op={"enum": ["+", "-", "*"]}, left=ref("expr"), right=ref("expr"))]}}, **ref("expr")},
    {"$defs": {"a": obj(["n"], n=I, b=ref("b")), "b": obj([], a=ref("a"), c=B)}, **ref("a")},
    {"$defs": {"list": {"anyOf": [{"type": "null"}, {"type": "array", "prefixItems": [I, ref("list")], "items": False, "minItems": 2}]}}, **ref("list")},
    obj(["child"], child={"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
    {"type": "array", "items": {"anyOf": [I, {"$ref": "#"}]}},
    {"$defs": {"json": {"anyOf": [{"type": ["null", "boolean", "number", "string"]}, arr(ref("json")),
                                  {"type": "object", "additionalProperties": ref("json")}]}}, **ref("json")},
    {"$defs": {"menu": obj(["id"], id={"type": "string", "pattern": "^[a-z]{1,6}$"}, entries=arr(ref("menu"), maxItems=3))}, **obj(menu=ref("menu"))},
]

PATTERNS = ["^[a-z]{1,6}$", "^\\d{2,4}$", "^[A-F0-9]{4}(-[A-F0-9]{2})*$", "^(yes|no)$", "^\\w+$", "^v\\d+\\.\\d+$"]
NAMES = ["id", "name", "kind", "value", "tags", "size", "ok", "next", "text", "unit", "x", "y"]


def by_lot(dice, depth, names):
    """One schema; @names are definitions that it may refer to (only where it can do without)."""
    kind = dice.randint(0, 6 if depth == 0 else 11)
    if kind == 0:
        least = dice.randint(-500, 500)
        return {"type": "integer", "minimum": least, "maximum": least + dice.randint(0, 2000)}
    if kind == 1:
        return {"type": "string", "pattern": dice.choice(PATTERNS)}
    if kind == 2:
        return {"enum": dice.sample(["a", "b", "long value", 1, 2, 3.5, None, True, "ü"], dice.randint(1, 5))}
    if kind == 3:
        return short(dice.randint(2, 20))
    if kind == 4:
        return dice.choice([B, I, N, {"type": "null"}, {"type": ["string", "null"]}])
    if kind == 5:
        return {"type": "number", "minimum": dice.randint(-9, 0), "maximum": dice.randint(1, 99)}
    if kind == 6:
        return {"type": "string", "format": dice.choice(["date", "uuid", "ipv4", "time"])}
    if kind == 7:
        least = dice.randint(0, 2)
        return arr(by_lot(dice, depth - 1, names), minItems=least, maxItems=least + dice.randint(0, 3))
    if kind == 8:
        return {"anyOf": [by_lot(dice, depth - 1, names) for _ in range(dice.randint(2, 3))]}
    if kind == 9 and names:
        return {"anyOf": [{"type": "null"}, ref(dice.choice(names))]}
    chosen = dice.sample(NAMES, dice.randint(1, 5))
    properties = {name: by_lot(dice, depth - 1, names) for name in chosen}
    needed = [name for name in chosen if dice.random() < 0.6]
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def main():
    dice = random.Random(11)
    schemas = list(WRITTEN)
    while len(schemas) < 200:
        names = ["p", "q"][:dice.randint(0, 2)]
        schema = obj(**{name: by_lot(dice, 3, names) for name in dice.sample(NAMES, dice.randint(1, 4))})
        if names:
            schema["$defs"] = {name: obj([], inner=by_lot(dice, 2, names)) for name in names}
        schemas.append(schema)
    print("[")
    print(",\n".join(json.dumps(schema, ensure_ascii=False) for schema in schemas))
    print("]")


main()
