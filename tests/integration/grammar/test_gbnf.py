#!/usr/bin/env python3
"""Rules against a recogniser that shares nothing with ours: Earley's, over characters.

usage: test_gbnf.py GRAMMAR_STREAM PROJECT

What our matcher writes the recogniser must accept; and of texts that are a few changes away from
those, both must say the same.
"""

import random
import sys

from grammars import Grammars

WALKS, CHANGES = 25, 12

GRAMMARS = [
    'root ::= "yes" | "no" | "maybe"',
    'root ::= [a-c]+ ("," [0-9]{1,3})* "."?',
    'root ::= "a" root "b" | ""',
    'root ::= "(" root ")" root | ""',
    'root ::= expr\nexpr ::= term ([-+] term)*\nterm ::= factor ([*/] factor)*\n'
    'factor ::= [0-9]+ | "(" expr ")" | "-" factor',
    'root ::= (("a" | "b"){2} "c"){1,3} "d"{0,2}',
    'root ::= [^a-z\\n]{2,5} "\\n" # any but small letters\n',
    'root ::= pair+\npair ::= key "=" value ";"\nkey ::= [a-z] [a-z0-9]*\nvalue ::= [^;]*',
    'root ::= "x"? "y"? "z"?',
    'root ::= list\nlist ::= "[" (item ("," item)*)? "]"\nitem ::= list | [0-9] | "\\"" [a-z]* "\\""',
    'root ::= [\\u00e0-\\u00ff\\u4e00-\\u9fff]{1,4} | [\\U0001F600-\\U0001F64F]+',
    'root ::= "a"{3} | "b"{2,} | "c"{,2} "d"',
    'root ::= a* b\na ::= "x" | "xx"\nb ::= "x" "y" | "x"',
    'root ::= ("ab" | "a")* ("b" | "ba")+',
    'root ::= ( "if " cond " then " root | word )\ncond ::= word | "not " cond\nword ::= [a-z]{1,4}',
    'root ::= object\nobject ::= "{" (member ("," member)*)? "}"\n'
    'member ::= "\\"" [a-z]+ "\\":" (object | [0-9]{1,2} | "true")',
    'root ::= (("a"?){0,4} "b"){2,3}',
    'root ::= "\\x41\\t\\u0042" | "\\\\" | "\\"[\\]"\n\n\n# the end',
    'root ::= s\ns ::= "a" s "a" | "b" s "b" | "c"',
    'root ::=\n  "one" |\n  "two" (\n    "three"\n    "four" |\n    "five"\n  ) # done\n',
    'root ::= .{3} "!" .*',
]


class Reader:
    """GBNF → {name: [alternative]}; an alternative is a list of sets of characters and names."""

    def __init__(self, text):
        self.text, self.at, self.rules, self.fresh = text, 0, {}, 0
        self.skip(True)
        while self.at < len(text):
            name = self.name()
            self.skip(False)
            assert text.startswith("::=", self.at)
            self.at += 3
            self.skip(True)
            self.rules[name] = self.alternatives(False)
            self.skip(True)

    def peek(self):
        return self.text[self.at:self.at + 1]

    def skip(self, lines):
        while self.peek() and self.peek() in (" \t\n#" if lines else " \t#"):
            if self.peek() == "#":
                while self.peek() not in ("\n", ""):
                    self.at += 1
            else:
                self.at += 1

    def name(self):
        begin = self.at
        while self.peek() and (self.peek().isalnum() or self.peek() in "-_"):
            self.at += 1
        return self.text[begin:self.at]

    def new(self, alternatives):
        self.fresh += 1
        self.rules[f"%{self.fresh}"] = alternatives
        return f"%{self.fresh}"

    def character(self):
        c, self.at = self.peek(), self.at + 1
        if c != "\\":
            return ord(c)
        c, self.at = self.peek(), self.at + 1
        if c in "xuU":
            size = {"x": 2, "u": 4, "U": 8}[c]
            self.at += size
            return int(self.text[self.at - size:self.at], 16)
        return ord({"n": "\n", "t": "\t", "r": "\r"}.get(c, c))

    def alternatives(self, nested):
        found = [self.sequence(nested)]
        while self.peek() == "|":
            self.at += 1
            self.skip(True)
            found.append(self.sequence(nested))
        return found

    def sequence(self, nested):
        items = []
        while True:
            one = self.element()
            if one is None:
                return items
            self.skip(nested)
            one = self.repeated(one, nested)
            items += one

    def element(self):
        c = self.peek()
        if c == '"':
            self.at += 1
            items = []
            while self.peek() != '"':
                value = self.character()
                items.append((False, ((value, value),)))
            self.at += 1
            return items
        if c == "[":
            self.at += 1
            inverted = self.peek() == "^"
            self.at += inverted
            ranges = []
            while self.peek() != "]":
                first = last = self.character()
                if self.peek() == "-" and self.text[self.at + 1] != "]":
                    self.at += 1
                    last = self.character()
                ranges.append((first, last))
            self.at += 1
            return [(inverted, tuple(ranges))]
        if c == "(":
            self.at += 1
            self.skip(True)
            group = self.alternatives(True)
            assert self.peek() == ")"
            self.at += 1
            return [self.new(group)]
        if c == ".":
            self.at += 1
            return [(True, ())]
        name = self.name()
        return [name] if name else None

    def repeated(self, items, nested):
        while self.peek() and self.peek() in "*+?{":
            c = self.peek()
            self.at += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(c, (0, None))
            if c == "{":
                end = self.text.index("}", self.at)
                parts = self.text[self.at:end].split(",")
                self.at = end + 1
                least = int(parts[0] or 0)
                most = least if len(parts) == 1 else int(parts[1]) if parts[1].strip() else None
            self.skip(nested)
            inner = self.new([items])
            if most is None:
                more = self.new([[]])
                self.rules[more].append([inner, more])
            else:
                more = self.new([[inner] * n for n in range(most - least + 1)])
            items = [inner] * least + [more]
        return items


def recognises(rules, text):
    """Earley's algorithm; items are (rule, alternative, dot, origin)."""
    nullable = set()
    grown = True
    while grown:
        grown = False
        for name, alternatives in rules.items():
            if name not in nullable and any(all(i in nullable for i in a) for a in alternatives):
                nullable.add(name)
                grown = True
    column, columns = {("root", n, 0, 0) for n in range(len(rules["root"]))}, []
    for position in range(len(text) + 1):
        todo, following = list(column), set()
        columns.append(column)
        while todo:
            rule, number, dot, origin = todo.pop()
            body = rules[rule][number]
            new = []
            if dot == len(body):
                new = [(r, n, d + 1, o) for r, n, d, o in columns[origin]
                       if d < len(rules[r][n]) and rules[r][n][d] == rule]
            elif isinstance(body[dot], str):
                new = [(body[dot], n, 0, position) for n in range(len(rules[body[dot]]))]
                if body[dot] in nullable:
                    new.append((rule, number, dot + 1, origin))
            elif position < len(text):
                inverted, ranges = body[dot]
                if any(a <= ord(text[position]) <= b for a, b in ranges) != inverted:
                    following.add((rule, number, dot + 1, origin))
            for item in new:
                if item not in column:
                    column.add(item)
                    todo.append(item)
        if position == len(text):
            return any(r == "root" and d == len(rules[r][n]) and o == 0 for r, n, d, o in column)
        column = following


def changed(text, dice):
    """A few characters left out, doubled, swapped or replaced."""
    letters = list(text)
    for _ in range(dice.randint(1, 3)):
        at = dice.randint(0, len(letters))
        kind = dice.randint(0, 3)
        if kind == 0 and at < len(letters):
            del letters[at]
        elif kind == 1 and at < len(letters):
            letters.insert(at, letters[at])
        elif kind == 2 and letters:
            letters.insert(at, dice.choice(letters))
        else:
            letters.insert(at, dice.choice("abcxyz019(){}[],.;=+-\"\\\n é漢😀"))
    return "".join(letters)


def main():
    grammars, dice = Grammars(sys.argv[1]), random.Random(7)
    right = accepted = refused = 0
    for number, source in enumerate(GRAMMARS):
        rules = Reader(source).rules
        grammars.compile("gbnf", source)
        for walk in range(WALKS):
            text = grammars.walk(number * 1000 + walk, dice.choice([0, 3, 8, 15])).decode()
            if len(text) > 60:
                continue
            assert recognises(rules, text), f"grammar {number} wrote {text!r}"
            assert grammars.accepts(text), f"grammar {number} refuses its own {text!r}"
            right += 1
            for _ in range(CHANGES):
                other = changed(text, dice)
                ours, theirs = grammars.accepts(other), recognises(rules, other)
                assert ours == theirs, f"grammar {number}: {other!r} ours {ours}, theirs {theirs}"
                accepted += ours
                refused += not ours
    assert grammars.close() == 0
    assert right > 200 and accepted > 500 and refused > 500, (right, accepted, refused)
    print(f"ok: {right} walks; of their variants {accepted} accepted, {refused} refused by both")


main()
