#!/usr/bin/env python3
"""What rules cost: the sampled token is looked at first, and only when it is refused are the tokens
that fit looked for. The engine is driven without a daemon and tells how often. Prints TAP.

    test_rules.py ENGINE_DRIVER PROJECT_ROOT
"""

import json
import subprocess
import sys
from pathlib import Path

DRIVER, ROOT = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
from daemon import must, run_tests          # noqa: E402

TINY = ROOT / "fixtures/models/gguf/tiny-llama.gguf"
ANYTHING = r'root ::= [\x00-\U0010FFFF]*'
ASK = {"prompt": "The small fox lived", "max_tokens": 40}


def rounds_of(*requests):
    """(answer, masks that were made for it) of each, one after the other."""
    done = subprocess.run([DRIVER, TINY, "1", "0", "context_tokens=512", "cache_sequences=0"],
                          input=json.dumps([[r] for r in requests]), text=True, capture_output=True,
                          timeout=250, check=False)
    must(done.returncode == 0, f"{done.stdout[-300:]} {done.stderr[-300:]}")
    told, masks, before = [], [], 0
    for line in done.stdout.splitlines()[:-1]:
        told.append(json.loads(line))
        masks.append(told[-1]["masks"] - before)
        before = told[-1]["masks"]
        must(told[-1]["answers"][0]["code"] == "", told[-1]["answers"][0]["error"])
    return [(t["answers"][0], m) for t, m in zip(told, masks)]


def rules_that_every_sampled_token_fits_make_no_mask():
    for how in ({}, {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 3}):
        (free, none), (ruled, masks) = rounds_of({**ASK, **how}, {**ASK, **how, "gbnf": ANYTHING})
        must(len(ruled["ids"]) >= 20, f"{len(ruled['ids'])} tokens are too few to show anything")
        must(free["ids"] == ruled["ids"], "rules that allow everything changed the answer")
        must(none == 0 and masks == 0, f"{masks} masks")


def a_mask_is_made_only_for_a_token_that_was_refused():
    """Without rules the answer is known: letters, spaces and points. So the rule of these refuses
    nothing, and the one of two rare letters nearly everything."""
    few = {**ASK, "max_tokens": 20}
    (free, _), (fits, none), (other, some) = rounds_of(few, {**few, "gbnf": "root ::= [a-zA-Z .,']*"},
                                                       {**few, "gbnf": "root ::= [qz]+"})
    text = "".join(free["pieces"])
    must(text != "" and all(c.isalpha() or c in " .,'" for c in text), f"{text!r} does not fit the rule")
    must(none == 0 and fits["ids"] == free["ids"], f"{none} masks for {text!r}")
    must(set("".join(other["pieces"])) <= set("qz"), "".join(other["pieces"]))
    must(0 < some <= len(other["ids"]), f"{some} masks for {len(other['ids'])} tokens")


if __name__ == "__main__":
    sys.exit(run_tests([
        rules_that_every_sampled_token_fits_make_no_mask,
        a_mask_is_made_only_for_a_token_that_was_refused,
    ]))
