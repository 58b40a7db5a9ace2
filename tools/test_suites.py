"""What tools/suites finds, and that it does: each untruth is planted in a row of a small world."""

import importlib.machinery
import importlib.util
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
LOADER = importlib.machinery.SourceFileLoader("suites", os.path.join(HERE, "suites"))
suites = importlib.util.module_from_spec(importlib.util.spec_from_loader("suites", LOADER))
LOADER.exec_module(suites)

GOOD = "memory | pool | asks | unit/base/test_pool:a_buffer_is_taken | suites/socket-memory:memory_a | "
NAMES = {"unit/base/test_pool": {"unit", "memory"}, "suites/socket-memory": {"suites", "memory"},
         "integration-gguf/engine_1": {"integration-gguf", "memory"}}
TEXTS = {"tests/unit/base/test_pool.c": "static void a_buffer_is_taken(void **state)\n",
         "tests/suites/through.py": "def memory_a():\n", "tests/integration/gguf/test_engine.py": "def need():\n"}
PLANTED = {
    "a case that is not there": GOOD.replace("a_buffer_is_taken", "a_buffer_is_lost"),
    "a case that is only called": GOOD.replace("a_buffer_is_taken", "state"),
    "a program that is not there": GOOD.replace("test_pool:", "test_gone:"),
    "a program without the label of the suite": GOOD.replace("memory |", "health |"),
    "no test and no word why": "memory | pool | asks | | | ",
    "nothing through the socket and no word why": GOOD.replace("suites/socket-memory:memory_a", ""),
    "a pattern that no program has": GOOD.replace("unit/base/test_pool", "integration-gguf/driver_*"),
}
LAWFUL = {
    "the row": GOOD,
    "a word in place of both": "memory | pool | asks | | | there is none in this release",
    "a pattern": GOOD.replace("unit/base/test_pool:a_buffer_is_taken", "integration-gguf/engine_*:need"),
}


def found(line):
    suites.COUNTS = {line.split(" |")[0]: 1}
    return list(suites.complaints([suites.Row(line)], NAMES, TEXTS))


def main():
    outcomes = [(bool(found(line)), f"{name} is found") for name, line in PLANTED.items()]
    outcomes += [(not found(line), f"{name} passes") for name, line in LAWFUL.items()]
    suites.COUNTS = {"memory": 1}
    twice = [suites.Row(GOOD), suites.Row(GOOD)]
    outcomes.append((len(list(suites.complaints(twice, NAMES, TEXTS))) == 2, "a row twice is found"))
    outcomes.append((bool(list(suites.complaints([], NAMES, TEXTS))), "a row that is missing is found"))
    try:
        suites.Row("memory | too | few")
        outcomes.append((False, "a row with too few columns is found"))
    except ValueError:
        outcomes.append((True, "a row with too few columns is found"))
    print(f"1..{len(outcomes)}")
    for number, (is_right, name) in enumerate(outcomes, 1):
        print(f"{'ok' if is_right else 'not ok'} {number} - {name}")
    return 0 if all(is_right for is_right, _ in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
