#!/usr/bin/env python3
"""Long prompts, and models that look back over a window only, through a private daemon against a
program that knows llama.h alone. The models are made here. Prints TAP.

    test_contexts.py BUILD/bin REFERENCE_GREEDY PROJECT_ROOT
"""

import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

BIN, REFERENCE, ROOT = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
sys.path[:0] = [str(ROOT / "tests" / "kit"), str(ROOT / "fixtures")]
import gguf_architectures               # noqa: E402
import v2                               # noqa: E402
from daemon import Daemon, must, run_tests  # noqa: E402

TINY = ROOT / "fixtures/models/gguf/tiny-llama.gguf"
GENERATE, IDS, NOT_CACHEABLE, USED = 2, 2, 3, 1
NEAR = 1e-2     # of logits
TOKENS = 20
WINDOW, CONTEXT = 64, gguf_architectures.CONTEXT
LONG_CONTEXT = 8192
GREEDY = {**v2.SAMPLING, "task": GENERATE, "flags": IDS, "temperature": 0.0, "repetition_penalty": 1.0,
          "max_tokens": TOKENS}


def put(folder, name, data, **options):
    """A model of the daemon; returns its file."""
    place = Path(folder) / name
    place.mkdir()
    (place / "m.gguf").write_bytes(data)
    (place / "manifest.json").write_text(json.dumps({
        "model_id": name, "name": name, "version": "1.0.0", "license": "MIT", "architecture": "gguf",
        "capabilities": ["text_generation"], "options": options,
        "files": [{"role": "model", "path": "m.gguf", "size_bytes": len(data),
                   "sha256": hashlib.sha256(data).hexdigest()}]}))
    return place / "m.gguf"


def reference(file, prompts, context, sequences):
    feed = b"".join(b"p %d\n%s" % (len(p.encode()), p.encode()) for p in prompts)
    done = subprocess.run([REFERENCE, file, "1", str(context), str(sequences), str(TOKENS), "shared"],
                          input=feed, capture_output=True, timeout=300)
    must(done.returncode == 0, done.stderr.decode()[-300:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask(server, name, prompt):
    answer = server.infer(**{**GREEDY, "model_id": name, "texts": [{"text": prompt}]})
    must(answer["code"] == 0, answer["error"])
    return answer


def must_equal(answer, wanted, what):
    """The end token is neither text nor generated; tokens as good as equal may change places."""
    must(answer["prompt_tokens"] == len(wanted["prompt_ids"]), f"{what}: {answer['prompt_tokens']} tokens")
    ours, theirs = answer["results"][0]["token_ids"], wanted["ids"]
    if v2.FINISH[answer["finish_reason"]] == "stop":
        theirs = theirs[:-1]
    parted = [at for at, (a, b) in enumerate(zip(ours, theirs)) if a != b]
    if parted:
        gap = wanted["gaps"][parted[0]]
        print(f"# {what}: parts at token {parted[0]}, where two are {gap} apart")
        must(gap < NEAR, f"{what}: {ours} and {theirs}, gap {gap}")
    else:
        must(len(ours) == len(theirs) > 0, f"{what}: {ours} and {theirs}")
    return not parted


def a_model_with_a_window_says_not_cacheable_and_computes_all_of_a_prompt_again():
    """Prompts are longer than the window, so that rows of it have left when the answer begins."""
    prompts = {"gemma2": "the fox and a nd he " * 6, "gemma3": "the fox and a nd he " * 6,
               "cohere2": "the fox went to the hen " * 7}
    equal = 0
    with tempfile.TemporaryDirectory() as folder:
        files = {name: put(folder, name, gguf_architectures.make(name)) for name in prompts}
        with Daemon(BIN, folder, list(prompts), log_level="error") as server:
            for name, prompt in prompts.items():
                wanted, = reference(files[name], [prompt], CONTEXT, 4)
                must(WINDOW < len(wanted["prompt_ids"]) < CONTEXT - TOKENS, f"{len(wanted['prompt_ids'])}")
                one, two = ask(server, name, prompt), ask(server, name, prompt)
                for which, answer in (("first", one), ("second", two)):
                    must(answer["cache"] == NOT_CACHEABLE and answer["cached_tokens"] == 0,
                         f"{name}, {which}: cache {answer['cache']}, {answer['cached_tokens']} cached")
                    equal += must_equal(answer, wanted, f"{name}, {which}")
                must(one["results"][0]["token_ids"] == two["results"][0]["token_ids"], f"{name}: two answers")
                shown = subprocess.run([BIN / "hearth", "models", "show", name, "--socket", server.socket_path],
                                       capture_output=True, text=True, timeout=60, check=True).stdout
                must("not_cacheable" in shown, shown)
            metrics = server.ask("metrics_request", "metrics_response")
    counted = {c["name"]: c["value"] for c in metrics["counters"]}
    must(counted["prefix_hit_tokens_total"] == counted["prefix_miss_tokens_total"] == 0,
         f"prompts that cannot be looked up are neither found nor missed: {counted}")
    must(equal >= 4, f"{equal} of 6 answers have no near tie: too few are compared")


def a_prompt_of_more_than_4096_tokens_equals_the_reference():
    """And with a word behind it, only that is computed. The model learned shorter ones; what it makes
    of this is the same as what the library makes of it."""
    key = b"llama.context_length"
    data = bytearray(TINY.read_bytes())
    at = data.index(key) + len(key) + 4
    data[at:at + 4] = struct.pack("<I", LONG_CONTEXT)
    prompt = "The small fox lived under the old stone bridge and counted the boats. " * 265
    with tempfile.TemporaryDirectory() as folder:
        options = {"context_tokens": LONG_CONTEXT, "sequences": 1, "exact_sequences": 0}
        file = put(folder, "long", bytes(data), **options)
        wanted, = reference(file, [prompt], LONG_CONTEXT, 1)
        must(len(wanted["prompt_ids"]) > 4096, f"{len(wanted['prompt_ids'])} tokens")
        # with more threads flash attention splits a long lone row by their number
        with Daemon(BIN, folder, ["long"], log_level="error", threads=1) as server:
            must(must_equal(ask(server, "long", prompt), wanted, "a long prompt"), "a near tie")
            again = ask(server, "long", prompt + "Then")
            must(again["cached_tokens"] >= len(wanted["prompt_ids"]) - 1 and again["cache"] == USED,
                 f"{again['cached_tokens']} of {again['prompt_tokens']}")
    print(f"# a prompt of {len(wanted['prompt_ids'])} tokens")


if __name__ == "__main__":
    sys.exit(run_tests([
        a_model_with_a_window_says_not_cacheable_and_computes_all_of_a_prompt_again,
        a_prompt_of_more_than_4096_tokens_equals_the_reference,
    ]))
