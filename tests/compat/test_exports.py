#!/usr/bin/env python3
"""What libhearth.so shows to a linker: the functions of the installed headers and nothing else.

    test_exports.py LIBHEARTH PROJECT_ROOT
"""

import re
import subprocess
import sys
from pathlib import Path

LIBRARY, ROOT = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
from daemon import must, run_tests      # noqa: E402


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def declared():
    text = "\n".join(p.read_text() for p in sorted((ROOT / "include/hearth").glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return set(re.findall(r"HEARTH_API\b[^;{]*?\b(hearth_\w+)\(", text))


def exported():
    lines = told("nm", "-D", "--defined-only", LIBRARY).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if not line.split()[1] == "A"}


def exports_are_the_functions_of_the_headers():
    ours, theirs = declared(), exported()
    must(len(ours) > 20, f"only {sorted(ours)} found in the headers")
    must(ours == theirs, f"not exported: {sorted(ours - theirs)}; not declared: {sorted(theirs - ours)}")


def symbols_carry_a_version():
    bare = [line for line in told("nm", "-D", "--defined-only", LIBRARY).splitlines()
            if "@@HEARTH_" not in line and line.split()[1] != "A"]
    must(not bare, f"without a version: {bare}")


def the_soname_has_the_major_version():
    needed = re.search(r"SONAME\s+(\S+)", told("objdump", "-p", LIBRARY))
    must(needed and needed.group(1) == "libhearth.so.0", f"soname {needed}")


def it_needs_the_c_library_only():
    needed = set(re.findall(r"NEEDED\s+(\S+)", told("objdump", "-p", LIBRARY)))
    must(needed == {"libc.so.6"}, f"it needs {sorted(needed)}")


if __name__ == "__main__":
    sys.exit(run_tests([exports_are_the_functions_of_the_headers, symbols_carry_a_version,
                        the_soname_has_the_major_version, it_needs_the_c_library_only]))
