"""Training again gives the predictions of the committed head, and it is good enough."""

import re
import subprocess
import sys

import tap

SCRIPT = tap.ROOT / "models" / "intent" / "train.py"


def the_committed_head_is_what_training_gives_and_reaches_its_mark():
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"# {line}")
    assert done.returncode == 0, f"exit status {done.returncode}"
    score = re.search(r"^held-out: .* macro-F1 ([0-9.]+)$", done.stdout, re.MULTILINE)
    assert float(score[1]) >= 0.90


if __name__ == "__main__":
    sys.exit(tap.run([the_committed_head_is_what_training_gives_and_reaches_its_mark]))
