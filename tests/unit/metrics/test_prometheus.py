"""usage: test_prometheus.py PRINTER FOLDER

Feeds random numbers to PRINTER, parses its text by the rules of the exposition format 0.0.4 and
compares every sample with what the numbers give. FOLDER holds the .def files: all are there, once.
"""

import collections
import fractions
import random
import re
import subprocess
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) ([^\n]+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
SAMPLE = re.compile(rf'({NAME})(?:\{{(le)="([^"\\\n]*)"\}})? ([0-9]+(?:\.[0-9]+)?)')
ENTRY = re.compile(r'X\(\w+,\s*"(\w+)",\s*"(\w+)",\s*"([^"]+)"\)', re.S)
SECOND = {"us": 1000000, "ms": 1000}

Family = collections.namedtuple("Family", "help type samples")


def parse(text):
    """{family: Family}; a sample must follow the HELP and TYPE of its own family, each once."""
    assert text.endswith("\n")
    families, current, help_of = {}, None, None
    for line in text.splitlines():
        if help_line := HELP.fullmatch(line):
            assert help_of is None, line
            help_of = help_line.groups()
        elif type_line := TYPE.fullmatch(line):
            current, kind = type_line.groups()
            assert help_of is not None and help_of[0] == current and current not in families, line
            families[current] = Family(help_of[1], kind, [])
            help_of = None
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample and help_of is None, f"not of the format: {line}"
            name, _, le, value = sample.groups()
            family = families[current]
            allowed = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
            assert name.removeprefix(current) in allowed, line
            assert (le is not None) == name.endswith("_bucket"), line
            family.samples.append((name.removeprefix(current), le, fractions.Fraction(value)))
    return families


def check_number(family, value):
    assert family.samples == [("", None, value)], (family.samples, value)


def check_histogram(family, values, unit):
    buckets = [(le, value) for end, le, value in family.samples if end == "_bucket"]
    assert [end for end, _, _ in family.samples] == ["_bucket"] * len(buckets) + ["_sum", "_count"]
    bounds = [fractions.Fraction(le) for le, _ in buckets[:-1]]
    assert buckets[-1][0] == "+Inf" and len(bounds) > 20
    assert bounds == sorted(set(bounds)), "bounds must rise"
    for bound, (_, counted) in zip(bounds, buckets):
        # A stored v stands for a time of v to under v + 1 units.
        below = sum(1 for v in values if fractions.Fraction(v + 1, SECOND[unit]) <= bound)
        assert counted == below, (bound, counted, below)
    assert buckets[-1][1] == len(values)
    assert family.samples[-1][2] == len(values)
    assert family.samples[-2][2] == fractions.Fraction(sum(values), SECOND[unit])


def entries(folder, kind):
    with open(f"{folder}/{kind}s.def", encoding="utf-8") as file:
        return ENTRY.findall(file.read())


def check_once(printer, folder, seed):
    choose = random.Random(seed)
    lists = {kind: entries(folder, kind) for kind in ("counter", "gauge", "histogram")}
    fed = {}
    for kind, declared in lists.items():
        for index in range(len(declared)):
            count = choose.choice([0, 1, 300]) if kind == "histogram" else 1
            fed[kind, index] = [choose.getrandbits(choose.randint(1, 40)) for _ in range(count)]
            fed[kind, index] += [2**n for n in range(0, 38, 5)] if count > 1 else []
    lines = [f"{kind} {index} {value}" for (kind, index), values in fed.items() for value in values]
    run = subprocess.run([printer], input="\n".join(lines) + "\n", text=True, check=True,
                         stdout=subprocess.PIPE)
    families = parse(run.stdout)
    for kind, declared in lists.items():
        assert declared, kind
        for index, (name, unit, help_text) in enumerate(declared):
            if kind == "counter":
                name = name if name.endswith("_total") else name + "_total"
            elif kind == "histogram":
                name = name.removesuffix(unit) + "seconds"
            family = families.pop("hearth_" + name)
            assert (family.type, family.help) == (kind, help_text), name
            if kind == "histogram":
                check_histogram(family, fed[kind, index], unit)
            else:
                check_number(family, fed[kind, index][0])
    assert not families, f"not declared: {list(families)}"


def main():
    printer, folder = sys.argv[1:]
    for seed in range(8):
        check_once(printer, folder, seed)
    print("every sample is as the exposition format and the numbers say")


main()
