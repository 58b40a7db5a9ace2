"""Values that a schema allows, made without looking at how our grammar is made; the validator has
the last word on each."""

import json
import re._parser as sre
import string

LETTERS = string.ascii_letters + string.digits + " _-.,é漢😀\"\\\n/"


def text_of(pattern, dice):
    """A text that matches a regular expression, of its parse tree."""
    def one(op, value):
        name = str(op)
        if name == "LITERAL":
            return chr(value)
        if name == "NOT_LITERAL":
            return "~" if chr(value) != "~" else "!"
        if name == "ANY":
            return dice.choice("abcXYZ019 é")
        if name == "IN":
            return member(value)
        if name == "BRANCH":
            return many(dice.choice(value[1]))
        if name == "SUBPATTERN":
            return many(value[3])
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            count = dice.randint(least, min(int(most), least + 4))
            return "".join(many(inner) for _ in range(count))
        assert name == "AT", name
        return ""

    def member(items):
        for _ in range(1000):
            c = dice.choice(string.printable[:95] + "äöüÄéß")
            if holds(items, c):
                return c
        raise ValueError(pattern)

    def holds(items, c):
        inverted, found, foreign = False, False, False
        for op, value in items:
            name = str(op)
            if name == "NEGATE":
                inverted = True
            elif name == "LITERAL":
                found |= ord(c) == value
            elif name == "RANGE":
                found |= value[0] <= ord(c) <= value[1]
            else:
                kind = str(value)
                yes = c.isascii() and (c.isdigit() if "DIGIT" in kind else c.isspace() if "SPACE" in kind
                                       else c.isalnum() or c == "_")
                found |= yes != ("NOT" in kind)
                foreign = not c.isascii()   # what is a letter there, readers do not agree on
        return found != inverted and not foreign

    def many(tree):
        return "".join(one(op, value) for op, value in tree)

    return many(sre.parse(pattern))


FORMATS = {
    "date": lambda d: f"{d.randint(1, 9999):04}-{d.randint(1, 12):02}-{d.randint(1, 28):02}",
    "time": lambda d: f"{d.randint(0, 23):02}:{d.randint(0, 59):02}:{d.randint(0, 59):02}" + d.choice(["Z", "+02:00", ".5Z"]),
    "uuid": lambda d: "-".join("".join(d.choice("0123456789abcdef") for _ in range(n)) for n in (8, 4, 4, 4, 12)),
    "email": lambda d: d.choice(["a.b@example.org", "x@y.com", "me_2@a-b.museum"]),
    "ipv4": lambda d: ".".join(str(d.randint(0, 255)) for _ in range(4)),
}
FORMATS["date-time"] = lambda d: FORMATS["date"](d) + "T" + FORMATS["time"](d)


class Maker:
    def __init__(self, root, dice):
        self.root, self.dice = root, dice

    def resolve(self, pointer):
        at = self.root
        for step in pointer.split("/")[1:]:
            at = at[step.replace("~1", "/").replace("~0", "~")]
        return at

    def merged(self, schema):
        """One plain schema of a schema, its references and all that must hold beside; by lot where
        there is a choice."""
        if not isinstance(schema, dict):
            return {} if schema else {"enum": []}
        flat = {k: v for k, v in schema.items() if k not in ("$ref", "allOf", "anyOf", "oneOf")}
        parts = [self.resolve(schema["$ref"])] if "$ref" in schema else []
        parts += schema.get("allOf", [])
        parts += [self.dice.choice(schema[k]) for k in ("anyOf", "oneOf") if k in schema]
        for part in parts:
            flat = self.both(flat, self.merged(part))
        return flat

    def both(self, a, b):
        out = {**a, **b}
        for key in set(a) & set(b):
            if key == "properties":
                out[key] = {n: {"allOf": [p[n] for p in (a[key], b[key]) if n in p]}
                            for n in [*a[key], *(n for n in b[key] if n not in a[key])]}
            elif key in ("required",):
                out[key] = a[key] + b[key]
            elif key == "items":
                out[key] = {"allOf": [a[key], b[key]]}
            elif key == "enum":
                out[key] = [v for v in a[key] if v in b[key]]
            elif key == "type":
                first, second = ([t] if isinstance(t, str) else t for t in (a[key], b[key]))
                out[key] = [t for t in first if t in second]
            elif key in ("minimum", "minItems", "minLength"):
                out[key] = max(a[key], b[key])
            elif key in ("maximum", "maxItems", "maxLength"):
                out[key] = min(a[key], b[key])
        return out

    def value(self, schema, depth=0):
        s, d = self.merged(schema), self.dice
        if "const" in s:
            return s["const"]
        if "enum" in s:
            return d.choice(s["enum"]) if s["enum"] else None   # no value is valid
        kind = s.get("type") or ("object" if {"properties", "required", "additionalProperties"} & set(s)
                                 else "array" if {"items", "prefixItems"} & set(s)
                                 else "string" if {"pattern", "format"} & set(s)
                                 else ["null", "boolean", "integer", "string"])
        kind = d.choice(kind) if isinstance(kind, list) else kind
        return getattr(self, kind)(s, depth)

    def null(self, s, depth):
        return None

    def boolean(self, s, depth):
        return self.dice.random() < 0.5

    def integer(self, s, depth):
        low = s.get("minimum", s.get("exclusiveMinimum", s.get("maximum", s.get("exclusiveMaximum", 500)) - 1000))
        high = s.get("maximum", s.get("exclusiveMaximum", low + 5000))
        return self.dice.choice([low, high, self.dice.randint(low, high)])

    def number(self, s, depth):
        value = self.integer(s, depth)
        return self.dice.choice([value, round(value + self.dice.uniform(-1, 1), 3), float(value)])

    def string(self, s, depth):
        if "pattern" in s:
            return text_of(s["pattern"], self.dice)
        if "format" in s:
            return FORMATS[s["format"]](self.dice)
        least = s.get("minLength", 0)
        size = self.dice.randint(least, s.get("maxLength", least + 8))
        return "".join(self.dice.choice(LETTERS) for _ in range(size))

    def array(self, s, depth):
        least = s.get("minItems", 0)
        size = self.dice.randint(least, min(s.get("maxItems", least + 3), least + 3)) if depth < 4 else least
        first = s.get("prefixItems", [])
        return [self.value(first[n] if n < len(first) else s.get("items", {}), depth + 1) for n in range(size)]

    def object(self, s, depth):
        properties, needed = s.get("properties", {}), s.get("required", [])
        others = s.get("additionalProperties", not properties)
        out = {}
        for name, schema in properties.items():
            if name in needed or (depth < 4 and self.dice.random() < 0.6):
                out[name] = self.value(schema, depth + 1)
        for name in needed:
            if name not in out:
                out[name] = self.value(others, depth + 1)
        if others is not False and depth < 3:
            for _ in range(self.dice.randint(0, 2)):
                name = "".join(self.dice.choice("abcdefgé ") for _ in range(self.dice.randint(1, 4)))
                if name not in properties and name not in out:
                    out[name] = self.value(others, depth + 1)
        return out


def changed(value, dice):
    """Nearly the same value."""
    if isinstance(value, dict) and value and dice.random() < 0.6:
        name = dice.choice(list(value))
        return {**value, name: changed(value[name], dice)}
    if isinstance(value, list) and value and dice.random() < 0.6:
        at = dice.randrange(len(value))
        return value[:at] + [changed(value[at], dice)] + value[at + 1:]
    if isinstance(value, dict):
        out = {k: v for k, v in value.items() if dice.random() < 0.7}
        return {**out, "unknown": 1} if dice.random() < 0.3 else out
    if isinstance(value, list):
        return value[:-1] if dice.random() < 0.5 else value + value[-1:] + [None]
    if isinstance(value, str):
        at = dice.randint(0, len(value))
        return dice.choice([value[:at] + dice.choice(LETTERS) + value[at:], value[:at] + value[at + 1:], value * 3, None])
    if isinstance(value, bool) or value is None:
        return dice.choice([0, "x", None, True])
    return dice.choice([value + 1, value - 1, -value, value * 1000, value + 0.5, str(value), None])


def written(value, dice):
    separators = dice.choice([(",", ":"), (", ", ": "), (",", ": ")])
    return json.dumps(value, ensure_ascii=False, separators=separators)
