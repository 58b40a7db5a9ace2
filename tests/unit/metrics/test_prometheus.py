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
PAIR = rf'{NAME}="[^"\\\n]*"'
SAMPLE = re.compile(rf'({NAME})(?:\{{({PAIR}(?:,{PAIR})*)\}})? ([0-9]+(?:\.[0-9]+)?)')
ENTRY = re.compile(r'X\(\w+,\s*"(\w+)",\s*"(\w+)",\s*"([^"]+)"\)', re.S)
LABEL = re.compile(r'L\((\w+),\s*((?:"\w*",?\s*)+)\)', re.S)
FAMILY = re.compile(r'X\(\w+, "(\w+)", (\w+), "(\w+)", (\w+), (\w+), (\w+),\s*((?:"[^"]*"\s*)+)\)', re.S)
MODELS = 65     # the last stands for one that there is not
UNITS = {"us": 1000000, "ms": 1000, "inputs": 1}

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
            name, labels, value = sample.groups()
            le = labels[4:-1] if labels and labels.startswith('le="') else None
            family = families[current]
            allowed = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
            assert name.removeprefix(current) in allowed, line
            assert (le is not None) == name.endswith("_bucket"), line
            told = le if le is not None else labels
            family.samples.append((name.removeprefix(current), told, fractions.Fraction(value)))
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
        # A stored v stands for a time of v to under v + 1 units, but a number of inputs is exact.
        below = sum(1 for v in values if fractions.Fraction(v + (unit != "inputs"), UNITS[unit]) <= bound)
        assert counted == below, (bound, counted, below)
    assert buckets[-1][1] == len(values)
    assert family.samples[-1][2] == len(values)
    assert family.samples[-2][2] == fractions.Fraction(sum(values), UNITS[unit])


def entries(folder, kind):
    with open(f"{folder}/{kind}s.def", encoding="utf-8") as file:
        return ENTRY.findall(file.read())


def families_of(folder):
    """[(name, kind, unit, [(label, values)], help)] of families.def."""
    with open(f"{folder}/families.def", encoding="utf-8") as file:
        text = file.read()
    words = {label: re.findall(r'"(\w*)"', names) for label, names in LABEL.findall(text)}
    words["MODEL"] = ["model"] + [f"m{i}" for i in range(MODELS - 1)] + [""]
    found = []
    for name, kind, unit, *dimensions, sentence in FAMILY.findall(text):
        found.append((name, kind.lower(), unit, [(words[d][0], words[d][1:]) for d in dimensions],
                      "".join(re.findall(r'"([^"]*)"', sentence))))
    return found


def feed_families(declared, choose):
    """Lines for the printer, and {(family, labels): value}; 0 is not told."""
    lines, fed = [], {}
    for index, (name, _, _, dimensions, _) in enumerate(declared):
        for _ in range(30):
            at = [choose.randrange(len(values)) if label else 0 for label, values in dimensions]
            value = choose.choice([0, 1, choose.getrandbits(40)])
            labels = ",".join(f'{label}="{values[i]}"' for (label, values), i in zip(dimensions, at)
                              if label)
            lines.append(f"family {index} {at[0]} {at[1]} {at[2]} {value}")
            fed[name, labels] = value
    return lines, {key: value for key, value in fed.items() if value}


def check_families(families, declared, fed):
    for name, kind, unit, _, sentence in declared:
        wanted = sorted((labels, fractions.Fraction(value, UNITS.get(unit, 1)))
                        for (family, labels), value in fed.items() if family == name)
        told = families.pop("hearth_" + name.replace("_us_", "_seconds_"), Family(sentence, kind, []))
        assert (told.help, told.type) == (sentence, kind), name
        assert sorted(sample[1:] for sample in told.samples) == wanted, name


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
    labelled = families_of(folder)
    assert len(labelled) > 5
    more, told = feed_families(labelled, choose)
    lines += more
    run = subprocess.run([printer], input="\n".join(lines) + "\n", text=True, check=True,
                         stdout=subprocess.PIPE)
    families = parse(run.stdout)
    for kind, declared in lists.items():
        assert declared, kind
        for index, (name, unit, help_text) in enumerate(declared):
            if kind == "counter":
                name = name if name.endswith("_total") else name + "_total"
            elif kind == "histogram":
                name = name if unit == "inputs" else name.removesuffix(unit) + "seconds"
            family = families.pop("hearth_" + name)
            assert (family.type, family.help) == (kind, help_text), name
            if kind == "histogram":
                check_histogram(family, fed[kind, index], unit)
            else:
                check_number(family, fed[kind, index][0])
    check_families(families, labelled, told)
    assert not families, f"not declared: {list(families)}"


def main():
    printer, folder = sys.argv[1:]
    for seed in range(8):
        check_once(printer, folder, seed)
    print("every sample is as the exposition format and the numbers say")


main()
