#!/usr/bin/env python3
"""Keys and values are the library's: what a model says it needs covers what it uses. The one case of the
engine's own tests that the suite of memory asks for.

    cells.py ENGINE_DRIVER REFERENCE_GREEDY PROJECT_ROOT
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(sys.argv[3]) / "tests/integration/gguf"), str(Path(sys.argv[3]) / "tests/kit")]
import test_engine                      # noqa: E402
from daemon import run_tests            # noqa: E402


def the_declared_need_covers_what_is_used():
    test_engine.the_declared_need_covers_what_is_used()


if __name__ == "__main__":
    sys.exit(run_tests([the_declared_need_covers_what_is_used]))
