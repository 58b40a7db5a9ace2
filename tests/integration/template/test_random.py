"""Random templates: our renderer gives what jinja2 gives, or both give an error.

    test_random.py TEMPLATE_RENDER_DRIVER [COUNT [SEED]]

2,000 templates in a test run; more with COUNT. Not made, because only the reference has them: complex
numbers, the addresses of methods, and filter blocks that end in something else than text (which the
reference joins or not depending on what stands beside them). BEYOND says what else may differ; it is
counted and must stay rare.
"""

import random
import sys

import driver
import daemon

PROGRAM = sys.argv[1]
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 6
must = daemon.must

CONTEXT = {
    "s": "Hello, World", "t": " été 🦊\tß \n", "e": "", "n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.125,
    "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "o": [],
    "d": {"b": 1, "a": "x", "items": 5, "k y": [1, {"z": None}]},
    "r": [{"role": "user", "content": "hi", "n": 2}, {"role": "tool", "content": "'q\"", "n": 1}, {"role": "user"}],
}
# What we refuse and the reference has: integers of any size, the addresses of generators, and slices of
# what has none, which it refuses only if it could not compute them before it rendered.
BEYOND = ("64 bits", "generator cannot be shown", "a slice of")


class Maker:
    """Makes templates; values have the kind asked for most of the time, and any kind now and then."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = []

    def one(self, *choices):
        return self.random.choice(choices)

    def expression(self, kind=None, depth=3):
        if kind is None or self.random.random() < 0.04:
            kind = self.one("text", "text", "number", "list", "bool", "dict", "any")
        made = getattr(self, kind)(depth - 1)
        return f"({made})" if self.random.random() < 0.3 else made

    def text(self, depth):
        if depth <= 0:
            return self.one("s", "t", "e", "'a-b c'", "'x\\ny'", "\"it's\"", "r[0].role", "d.a", "w[0]", "'é'",
                            "'\\u00e9\\x41\\101\\q'", "'a' 'b'")
        a, b, n = (lambda k: self.expression(k, depth)), None, self.number
        return self.one(
            lambda: f"{a('text')} + {a('text')}", lambda: f"{a('text')} ~ {a('any')}",
            lambda: f"{a('text')} ~ {a('number')} ~ {a('list')}",
            lambda: f"({a('text')})" + self.one(".upper()", ".lower()", ".strip()", ".lstrip()", ".rstrip('dlr ')",
                                                ".title()", ".capitalize()", ".replace('l', 'LL')",
                                                ".replace('', '-', 3)", ".strip('He')"),
            lambda: f"({a('text')}) | " + self.one("upper", "lower", "trim", "title", "capitalize", "tojson", "string",
                                                   "replace('o', 'é', 1)", "indent(2)", "indent(1, true)", "reverse",
                                                   "default('d', true)", "first", "last", "trim('H ')"),
            lambda: f"({a('text')})[{self.slice()}]", lambda: f"({a('text')}) * {self.one(0, 1, 3, -1)}",
            lambda: f"({a('list')}) | join({self.one('', chr(39) + ', ' + chr(39), chr(39) + 'é' + chr(39))})",
            lambda: f"({a('any')}) | string", lambda: f"({a('any')}) | tojson{self.one('', '(indent=2)', '(sort_keys=true)')}",
            lambda: f"{a('text')} if {a('bool')} else {a('text')}", lambda: f"({a('text')}).split({self.one('', chr(39) + 'l' + chr(39))})[{self.one(0, -1, 1)}]",
            lambda: f"', '.join({a('text')})", lambda: f"({a('list')})[0]", lambda: f"r[{n(0)}].content",
            lambda: f"({a('text')}) | {self.one('int', 'float', 'length', 'count')}",
        )()

    def number(self, depth):
        if depth <= 0:
            return self.one("n", "m", "z", "f", "g", "0", "1", "2", "10", "0.5", "1e3", "1_000", "0x1F", "r[0].n", "7.0")
        a = lambda k: self.expression(k, depth)      # noqa: E731
        return self.one(
            lambda: f"{a('number')} {self.one('+', '-', '*', '/', '//', '%')} {a('number')}",
            lambda: f"({self.one(2, -2, 'f', 0)}) ** {self.one(0, 1, 2, 3, -1)}", lambda: f"-{a('number')}",
            lambda: f"({a('list')}) | length", lambda: f"({a('text')}) | length", lambda: f"({a('number')}) | abs",
            lambda: f"({a('number')}) | round({self.one('', 1, 2)})", lambda: f"({a('number')}) | int",
            lambda: f"({a('number')}) | round(1, '{self.one('ceil', 'floor')}')", lambda: f"({a('number')}) | float",
            lambda: f"l | {self.one('max', 'min', 'sum', 'first', 'last')}", lambda: f"({a('text')}).find({a('text')})",
            lambda: f"({a('text')}).count('l')", lambda: f"({a('list')}).index({a('any')})", lambda: f"'{self.one('12', ' 3 ', '4.7', 'x', '-5', '1e2')}' | {self.one('int', 'float', 'int(9)')}",
        )()

    def bool(self, depth):
        if depth <= 0:
            return self.one("yes", "no", "true", "False", "(s is defined)", "(u is defined)", "(nil is none)", "not z")
        a = lambda k: self.expression(k, depth)      # noqa: E731
        tests = ("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false",
                 "mapping", "iterable", "sequence", "upper", "lower", "callable")
        return self.one(
            lambda: f"{a('any')} {self.one('==', '!=')} {a('any')}",
            lambda: f"{a('number')} {self.one('<', '<=', '>', '>=', '==')} {a('number')}",
            lambda: f"{a('text')} {self.one('<', '>', 'in', 'not in', '==')} {a('text')}",
            lambda: f"{a('any')} {self.one('in', 'not in')} {a('list')}", lambda: f"not {a('any')}",
            lambda: f"{a('any')} {self.one('and', 'or')} {a('any')}",
            lambda: f"(({a('any')}) is {self.one('', 'not ')}{self.one(*tests)})",
            lambda: f"(n is {self.one('odd', 'even', 'divisibleby 7', 'eq 7', 'gt(3)', 'in l', 'ne 2')})",
            lambda: f"1 < {a('number')} <= 5", lambda: f"({a('text')}).{self.one('startswith', 'endswith')}({a('text')})",
            lambda: f"'{self.one('a', 'b', 'q')}' in d", lambda: f"({a('text')}).{self.one('isspace', 'isdigit', 'isalpha', 'isupper')}()",
        )()

    def list(self, depth):
        if depth <= 0:
            return self.one("l", "w", "o", "[1, 'a', none]", "(1, 2)", "[]", "r", "[[1], [2.5]]")
        a = lambda k: self.expression(k, depth)      # noqa: E731
        return self.one(
            lambda: f"[{a('any')}, {a('any')}]", lambda: f"({a('any')},)", lambda: f"{a('list')} + {a('list')}",
            lambda: f"({a('list')})[{self.slice()}]", lambda: f"range({self.one(0, 3, '1, 4', '5, 0, -2')}) | list",
            lambda: f"({a('list')}) | {self.one('sort', 'sort(reverse=true)', 'unique | list', 'reverse | list', 'list')}",
            lambda: f"w | sort({self.one('case_sensitive=true', 'true', 'reverse=true')})",
            lambda: f"r | map(attribute='{self.one('role', 'content', 'n', 'no')}') | list",
            lambda: f"r | map(attribute='content', default='-') | list", lambda: f"w | map('{self.one('upper', 'length', 'trim')}') | list",
            lambda: f"r | {self.one('selectattr', 'rejectattr')}('{self.one('content', 'n', 'role')}'{self.one('', ', ' + chr(39) + 'defined' + chr(39), ', ' + chr(39) + 'equalto' + chr(39) + ', ' + chr(39) + 'user' + chr(39))}) | list",
            lambda: f"({a('list')}) | {self.one('select', 'reject')}({self.one('', chr(39) + 'string' + chr(39), chr(39) + 'odd' + chr(39), chr(39) + 'in' + chr(39) + ', l')}) | list",
            lambda: f"({a('text')}).{self.one('split', 'rsplit')}({self.one('', chr(39) + 'l' + chr(39), 'none, 1', chr(39) + ' ' + chr(39) + ', 1')})",
            lambda: f"({a('text')}).splitlines()", lambda: f"({a('dict')}) | {self.one('list', 'dictsort', 'items | list')}",
            lambda: f"({a('dict')}).{self.one('keys', 'values', 'items')}() | list", lambda: f"({a('text')}) | list",
            lambda: f"({a('list')}) | batch(2{self.one('', ', 0')}) | list", lambda: f"({a('list')}) * 2",
        )()

    def dict(self, depth):
        if depth <= 0:
            return self.one("d", "r[0]", "{}", "{'a': 1, 2: 'b'}", "dict(x=1)")
        a = lambda k: self.expression(k, depth)      # noqa: E731
        return self.one(lambda: f"{{'k': {a('any')}, {a('text')}: {a('any')}}}", lambda: "d", lambda: "r[1]",
                        lambda: f"dict({a('dict')}, z={a('any')})")()

    def any(self, depth):
        if depth <= 0:
            return self.one("nil", "u", "n", "s", "l", "d", "yes", "f", *self.names)
        a = lambda k: self.expression(k, depth)      # noqa: E731
        return self.one(
            lambda: a("text"), lambda: a("number"), lambda: a("list"), lambda: a("dict"), lambda: a("bool"),
            lambda: f"({a('dict')}).{self.one('a', 'b', 'get(' + chr(39) + 'a' + chr(39) + ', 5)', 'no')}",
            lambda: f"({a('dict')})[{a('text')}]", lambda: f"({a('list')})[{self.one(0, -1, 9)}]", lambda: f"({a('any')}).x.y",
            lambda: f"({a('any')}) | default({a('any')}{self.one('', ', true')})", lambda: f"{a('any')} if {a('bool')}",
        )()

    def slice(self):
        return self.one("1:", ":2", "-2:", "::-1", "1:-1", ":", "::2", "9:", "-9:3", "3:1", "1", "-1")

    def shown(self):
        return "{{" + self.one("", "-", "+") + " " + self.expression() + " " + self.one("", "-") + "}}"

    def block(self, depth):
        """One statement with what it surrounds."""
        minus, end = self.one("", "-", "+", ""), self.one("", "-", "", "+")
        tag = lambda words: "{%" + minus + " " + words + " " + end + "%}"       # noqa: E731
        body = lambda: self.body(depth - 1)                                      # noqa: E731
        name = self.one("x", "y")
        kind = self.one("if", "ifelse", "for", "forelse", "set", "setblock", "macro", "filter", "with", "ns", "call", "comment", "break", "raw")
        if kind in ("if", "ifelse"):
            middle = tag("elif " + self.expression("bool")) + body() + tag("else") + body() if kind == "ifelse" else ""
            return tag("if " + self.expression("bool")) + body() + middle + tag("endif")
        if kind in ("for", "forelse"):
            target, over = self.one((name, self.expression("list")), (name, self.expression("any")), ("x, y", "d.items()"))
            only = " if " + self.expression("bool") if self.random.random() < 0.3 else ""
            loop = self.one("", "{{ loop.index }}", "{{ loop.last }}{{ loop.revindex0 }}", "{{ loop.cycle(1, 'b') }}",
                            "{{ loop.previtem }}", "{{ loop.length }}{{ loop.changed(" + name + ") }}")
            middle = tag("else") + body() if kind == "forelse" else ""
            self.names.append(name)
            return tag(f"for {target} in {over}{only}") + loop + body() + middle + tag("endfor")
        if kind == "break":
            return tag(f"for {name} in l") + body() + tag("if " + self.expression("bool")) + tag(self.one("break", "continue")) \
                + tag("endif") + body() + tag("endfor")
        self.names.append(name)
        if kind == "set":
            return tag(f"set {name} = " + self.expression())
        if kind == "setblock":
            return tag(f"set {name}{self.one('', ' | upper', ' | trim | length')}") + body() + tag("endset")
        if kind == "macro":
            return tag(f"macro q(x, y={self.expression('any', 1)})") + body() + "{{ x }}" + tag("endmacro") \
                + "{{ q(" + self.one("1", "s, 2", "y=3", "l, y='k'", "", "1, 2, 3") + ") }}"
        if kind == "filter":
            return tag("filter " + self.one("upper", "trim", "replace('e', 'EE')", "indent(3)")) + body() + tag("endfilter")
        if kind == "with":
            return tag(f"with {name} = " + self.expression()) + body() + tag("endwith")
        if kind == "ns":
            return tag("set v = namespace(c=0)") + tag("for i in l") + tag("set v.c = v.c + i") + body() + tag("endfor") + "{{ v.c }}"
        if kind == "call":
            return tag("macro p(a)") + "<{{ caller(a) }}>" + tag("endmacro") + tag("call(b) p(" + self.expression("any", 1) + ")") \
                + "{{ b }}" + body() + tag("endcall")
        if kind == "raw":
            return "{%- raw %} {{ x }} \n{% endraw " + end + "%}"
        return "{#" + minus + " " + self.one("", "a\nb", "{{ x }}") + " " + end + "#}"

    def body(self, depth):
        parts = []
        for _ in range(self.random.randint(1, 3)):
            parts.append(self.one("\n", "  ", "a", " \n  ", "é ", ""))
            parts.append(self.block(depth) if depth > 0 and self.random.random() < 0.6 else self.shown())
        return "".join(parts) + self.one("", "\n", " b\n")

    def template(self):
        self.names = []
        return self.shown() if self.random.random() < 0.5 else self.body(2)


def random_templates_render_as_the_reference_does():
    maker = Maker(SEED)
    environment = driver.chat_reference.environment(driver.NOW_S)
    environment.cache = None        # no template comes twice
    cases = [(maker.template(), CONTEXT) for _ in range(COUNT)]
    equal, refused, beyond, wrong = 0, 0, 0, []
    for (template, context), result in zip(cases, driver.ours(PROGRAM, cases)):
        text, why = driver.reference(environment, template, context)
        if text is None and "error" in result:
            refused += 1
        elif result.get("text") == text:
            equal += 1
        elif any(words in result.get("error", "") for words in BEYOND):
            beyond += 1
        else:
            wrong.append(f"{template!r}\nours: {result.get('text', result.get('error'))!r}\nreference: {text!r} {why}")
    print(f"# {equal} texts equal, {refused} refused by both, {beyond} beyond what we do")
    must(not wrong, f"{len(wrong)} of {COUNT} differ, first:\n" + "\n".join(wrong[:8]))
    must(equal > COUNT * 2 // 5 and beyond <= COUNT // 100, "the templates prove too little")


if __name__ == "__main__":
    sys.exit(daemon.run_tests([random_templates_render_as_the_reference_does]))
