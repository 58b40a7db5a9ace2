"""Runs cases through our renderer and through the reference."""

import copy
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
import chat_reference  # noqa: E402

NOW_S = 1754000000      # 31 July 2025, 22:13:20 UTC


def ours(program, cases):
    """[(template, context)] → results, in the order of the cases."""
    lines = "".join(json.dumps({"template": template, "context": context, "now_s": NOW_S}) + "\n"
                    for template, context in cases)
    done = subprocess.run([program], input=lines.encode(), capture_output=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f"{program}: exit {done.returncode}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def reference(environment, template, context):
    """The text, or None and what went wrong. The context is a copy: templates can change lists there."""
    try:
        return environment.from_string(template).render(**copy.deepcopy(context)), None
    except Exception as error:      # whatever it is, a renderer that equals it fails too
        return None, f"{type(error).__name__}: {error}"
