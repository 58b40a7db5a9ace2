"""Prints TAP: a test is a function whose name is a claim; it fails by an exception."""

import os
import sys
import traceback
from pathlib import Path

# Matrices are small here: threads would spin for each other, most of all on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[2]
for folder in ("models/make", "models/intent", "fixtures"):
    sys.path.insert(0, str(ROOT / folder))


def cache_folder():
    """Where set-up keeps what it fetched; the same rule as in scripts/."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HEARTH_CACHE") or base / "hearth")


def run(claims):
    """Runs the functions in order and returns the exit status."""
    print(f"1..{len(claims)}")
    failed = 0
    for number, claim in enumerate(claims, 1):
        name = claim.__name__.replace("_", " ")
        try:
            claim()
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        else:
            print(f"ok {number} - {name}")
        sys.stdout.flush()
    return 1 if failed else 0
