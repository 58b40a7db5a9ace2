#!/usr/bin/env python3
"""What one client asks harms neither the worker nor what others may know. Prints TAP.

    test_abuse.py BUILD/bin ENGINE_DRIVER PROJECT_ROOT
"""

import json
import subprocess
import sys
from pathlib import Path

BIN, DRIVER, ROOT = sys.argv[1], sys.argv[2], Path(sys.argv[3])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import v2                                           # noqa: E402
from daemon import Daemon, must, run_tests          # noqa: E402

MODEL = "tiny-llama"
FILE = ROOT / "fixtures/models/gguf/tiny-llama.gguf"
GENERATE, STREAM, EXACT, SHIFT = 2, 1, 32, 64
MAX_TOKENS, STOP = 2, 1
CONTEXT = 256
LONG = "The small fox lived under the old stone bridge and counted the boats. " * 8


def ask(daemon, **values):
    return daemon.infer(**{**v2.SAMPLING, "model_id": MODEL, "task": GENERATE, "seed": 1, **values})


def on_a_small_context(check):
    sections = f"[model {MODEL}]\nsequences = 2\ncontext_tokens = {CONTEXT}\nexact_sequences = 1\n"
    with Daemon(BIN, ["fixtures/models/gguf"], [MODEL], sections=sections, log_level="error") as daemon:
        check(daemon)
        answer = daemon.ask("health_check", "health_response", check_type=2)
        must(answer["worker_deaths"] == 0, f"{answer['worker_deaths']} workers died")


def a_prompt_that_a_shift_forgets_leaves_penalties_in_order():
    """After a shift fewer tokens are known than the prompt had."""
    def check(daemon):
        for flags in (SHIFT, SHIFT | EXACT):
            answer = ask(daemon, texts=[{"text": "the old man said that " * 16}], flags=flags,
                         max_tokens=2 * CONTEXT, logit_bias=[{"token": 2, "bias": -100.0}])
            must(answer["code"] == 0, answer["error"])
            must(answer["prompt_tokens"] > CONTEXT / 2, "too short a prompt to be forgotten")
            must(answer["finish_reason"] in (STOP, MAX_TOKENS), f"{answer['finish_reason']}")
    on_a_small_context(check)


def rules_may_force_more_than_a_shifted_context_has_room_for():
    text = "qz" * 20 * CONTEXT

    def check(daemon):
        for flags in (SHIFT, SHIFT | EXACT):
            answer = ask(daemon, texts=[{"text": "a"}], flags=flags, max_tokens=2 * len(text),
                         grammar_type=2, grammar=f'root ::= "{text}"')
            must(answer["code"] == 0, answer["error"])
            must(answer["results"][0]["text"] == text, "another text than the only one that fits")
    on_a_small_context(check)


def first_tokens(prompts):
    """When a stream runs: the order of the first tokens of [(prompt, domain, more)] behind it."""
    requests = [{"prompt": "fox", "max_tokens": 300, "domain": 9}]
    requests += [{"prompt": text, "max_tokens": 40, "domain": domain, **more}
                 for text, domain, more in prompts]
    options = ["context_tokens=512", "sequences=4", "inter_token_ms=10000"]
    done = subprocess.run([DRIVER, FILE, "1", "0", *options], input=json.dumps([requests]), text=True,
                          capture_output=True, timeout=120, check=False)
    must(done.returncode == 0, done.stderr[-300:])
    answers = json.loads(done.stdout.splitlines()[0])["answers"]
    must(all(a["code"] == "" for a in answers), str([a["error"] for a in answers]))
    return [a["first"] for a in answers[1:]]


def who_may_take_nothing_from_a_prompt_does_not_wait_for_it():
    """Else the time to the first token would tell what others are asking at this moment."""
    one, other = first_tokens([(LONG + "one", 1, {}), (LONG + "two", 1, {})])
    must(other > one + 1, "the same domain: it should wait and share")
    for what, more in (("another domain", {"domain": 2}), ("no cache", {"no_cache": True})):
        one, other = first_tokens([(LONG + "one", 1, {}), (LONG + "two", 1, more)])
        must(other == one + 1, f"{what}: {other - one} tokens of others lie between")


def a_critical_request_does_not_wait_for_a_worker_full_of_low_ones():
    """All on one connection, so that what comes before what is certain."""
    sections = f"[model {MODEL}]\nsequences = 2\ncontext_tokens = 4096\n"
    common = {**v2.SAMPLING, "model_id": MODEL, "task": GENERATE, "seed": 1,
              "logit_bias": [{"token": t, "bias": -100.0} for t in (0, 1, 2, 3)]}
    with Daemon(BIN, ["fixtures/models/gguf"], [MODEL], sections=sections, log_level="error") as daemon:
        line = daemon.connect()
        for number in (1, 2):
            line.send("inference_request", **{**common, "request_id": number, "priority": 0, "flags": STREAM,
                                              "texts": [{"text": f"fox {number}"}], "max_tokens": 4000})
        seen = []

        def until(condition):
            while not condition():
                kind, message = line.receive()
                seen.append((kind, message["request_id"]))
                must(message.get("code", 0) == 0, message.get("error"))

        until(lambda: {("stream_chunk", 1), ("stream_chunk", 2)} <= set(seen))      # both run
        line.send("inference_request", **{**common, "request_id": 3, "priority": 3, "max_tokens": 8,
                                          "texts": [{"text": "A grey cat"}]})
        until(lambda: ("inference_response", 3) in seen)
        must(not {("inference_response", 1), ("inference_response", 2)} & set(seen), "it waited for them")
        del seen[:]
        until(lambda: {("stream_chunk", 1), ("stream_chunk", 2)} <= set(seen))      # and both go on
        line.close()


if __name__ == "__main__":
    sys.exit(run_tests([
        a_critical_request_does_not_wait_for_a_worker_full_of_low_ones,
        a_prompt_that_a_shift_forgets_leaves_penalties_in_order,
        rules_may_force_more_than_a_shifted_context_has_room_for,
        who_may_take_nothing_from_a_prompt_does_not_wait_for_it,
    ]))
