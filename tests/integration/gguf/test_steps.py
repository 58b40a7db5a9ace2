#!/usr/bin/env python3
"""Who rides in which step, told by the order of tokens and by what the cache holds; no clock is
looked at. The engine is driven without a daemon. Prints TAP.

    test_steps.py ENGINE_DRIVER PROJECT_ROOT
"""

import json
import subprocess
import sys
from pathlib import Path

DRIVER, ROOT = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
from daemon import must, run_tests          # noqa: E402

TINY = ROOT / "fixtures/models/gguf/tiny-llama.gguf"
SMOL = ROOT / "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf"
LONG = "The small fox lived under the old stone bridge and counted the boats. "
STREAM = {"prompt": "fox", "max_tokens": 400, "domain": 99}


def engine(model, rounds, *options):
    done = subprocess.run([DRIVER, model, "1", "0", *options], input=json.dumps(rounds), text=True,
                          capture_output=True, timeout=250, check=False)
    must(done.returncode == 0, f"{done.stdout[-300:]} {done.stderr[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()[:-1]]


def answers_of(model, requests, *options):
    answers = engine(model, [requests], *options)[0]["answers"]
    for answer in answers:
        must(answer["code"] == "", answer["error"])
    return answers


def long_prompt(number, times=20):
    return {"prompt": f"Number {number}. " + LONG * times, "max_tokens": 12, "domain": number}


def tokens_between(target_ms):
    """Of a stream, while the prompt of another is computed beside it."""
    answers = answers_of(TINY, [STREAM, long_prompt(1, 80)], "context_tokens=2560", "sequences=2",
                         f"inter_token_ms={target_ms}")
    must(answers[1]["prompt_tokens"] > 1000, "too short a prompt")
    return answers[1]["first"] - 1


def prompts_that_arrive_together_are_computed_one_after_the_other():
    """Computed side by side, all would have their first tokens at the end and close together."""
    answers = answers_of(TINY, [long_prompt(n) for n in range(4)], "context_tokens=512", "sequences=4",
                         "inter_token_ms=1")
    first = [a["first"] for a in answers]
    must(first == sorted(first), f"{first}")
    must(first[0] == 1, f"the first prompt waited for others: {first}")
    must(all(b > a + 1 for a, b in zip(first, first[1:])), f"no stream went on between: {first}")
    # Three would fit into one call: the first has one for itself nevertheless.
    answers = answers_of(TINY, [long_prompt(n, 5) for n in range(3)], "context_tokens=512", "sequences=4",
                         "inter_token_ms=10000")
    must(sum(a["prompt_tokens"] for a in answers) < 512, "they do not fit into one call")
    must(answers[1]["first"] > 2, f"two prompts in the first call: {[a['first'] for a in answers]}")


def the_rows_of_a_prompt_beside_a_stream_follow_the_target():
    short, long = tokens_between(1), tokens_between(10000)
    print(f"# target 1 ms: {short} tokens of the stream beside the prompt, 10 s: {long}")
    must(long <= 8, f"with 10 s between tokens a prompt of 1,000 took {long} steps")
    must(short >= 2 * long, f"{short} and {long} tokens: the target changes nothing")


def a_new_request_joins_the_streams_that_run():
    """As many steps as the longest needs, not as many as all together."""
    requests = [{"prompt": f"fox {n}", "max_tokens": 60, "domain": n} for n in range(4)]
    told = engine(TINY, [requests], "context_tokens=256", "sequences=4")[0]
    made = sum(len(a["ids"]) for a in told["answers"])
    must(made > 150, f"{made} tokens")
    must(told["steps"] < made / 2, f"{told['steps']} steps for {made} tokens")


def a_cancelled_prompt_leaves_the_call_that_it_is_in():
    """What a call has computed stays in the cache, even if the request has ended: a prompt of one
    call that is ended within it leaves nothing. Were the call not broken off, all would be there."""
    once = {"prompt": LONG * 16, "max_tokens": 4}
    options = ["context_tokens=512", "sequences=2"]
    begun = {"prompt": "The cat", "max_tokens": 1}
    whole = engine(SMOL, [[begun], [once], [once]], *options)
    must(whole[2]["answers"][0]["cached_tokens"] > 200, "the cache does not work")
    rounds = engine(SMOL, [[begun], [{**once, "cancel_in_call": True}], [once]], *options)
    must(rounds[1]["answers"][0]["code"] == "cancelled", rounds[1]["answers"][0]["code"])
    left = rounds[2]["answers"][0]
    must(left["code"] == "" and left["cached_tokens"] <= 1, f"{left['cached_tokens']} tokens were computed")
    must(left["ids"] == whole[1]["answers"][0]["ids"], "the next answer is another")


def what_others_still_use_stays_when_its_first_owner_is_gone():
    """The sharer streams on over cells that it was lent, while neighbours that need room push out
    what is idle."""
    base = LONG * 4
    owner = {"prompt": base, "max_tokens": 2, "domain": 1}
    sharer = {"prompt": base + "Then", "max_tokens": 100, "domain": 1}
    crowd = [long_prompt(n, 8) for n in range(2, 6)]
    options = ["context_tokens=256", "sequences=3", "kv_tokens=512", "cache_sequences=2", "cache_mb=0"]
    alone = engine(TINY, [[owner], [sharer]], *options)
    beside = engine(TINY, [[owner], [sharer, *crowd], [owner]], *options)
    for answer in beside[1]["answers"]:
        must(answer["code"] == "", answer["error"])
    must(beside[1]["answers"][0]["cached_tokens"] > 40, "nothing was shared")
    must(sum(a["evicted_tokens"] + a["evicted_of_others"] for a in beside[1]["answers"]) > 0,
         "nobody was pushed out")
    must(beside[1]["answers"][0]["ids"] == alone[1]["answers"][0]["ids"], "another answer beside a crowd")


def saved_prefixes_keep_to_their_bytes_and_the_oldest_leave():
    """A cell of this model has 256 bytes, so 17 prefixes of 240 tokens are a megabyte."""
    asked = [[{"prompt": f"{n} " * 80, "max_tokens": 1}] for n in range(10, 38)]
    found = {}
    for megabytes in (64, 1):
        rounds = engine(TINY, asked + asked[1:2] + asked[-3:-2], "context_tokens=512", "sequences=1",
                        "cache_sequences=1", f"cache_mb={megabytes}")
        must(rounds[0]["answers"][0]["prompt_tokens"] > 230, f"{rounds[0]['answers'][0]}")
        found[megabytes] = [r["answers"][0]["cached_tokens"] > 200 for r in rounds[len(asked):]]
    must(found[64] == [True, True], f"64 MB: {found[64]}")
    must(found[1] == [False, True], f"1 MB, an old and a new one: {found[1]}")


def idle_prefixes_leave_the_cells_for_a_stranger_and_come_back():
    """Every row looks at every cell in use, so what is idle goes aside when another text begins."""
    story, other = ({"prompt": f"{name} " * 40, "max_tokens": 4} for name in ("fox", "cat"))
    for megabytes, restored in ((64, 1), (0, 0)):
        turns = [[story], [dict(story, prompt=story["prompt"] + "Then")], [other], [story]]
        rounds = engine(TINY, turns, "context_tokens=512", "sequences=2", f"cache_mb={megabytes}")
        seen = [(r["answers"][0]["cached_tokens"] > 30, r["blobs_restored"]) for r in rounds]
        must(seen == [(False, 0), (True, 0), (False, 0), (True, restored)], f"{megabytes} MB: {seen}")
        must(rounds[3]["answers"][0]["ids"] == rounds[0]["answers"][0]["ids"], "another answer")


if __name__ == "__main__":
    sys.exit(run_tests([
        prompts_that_arrive_together_are_computed_one_after_the_other,
        the_rows_of_a_prompt_beside_a_stream_follow_the_target,
        a_new_request_joins_the_streams_that_run,
        a_cancelled_prompt_leaves_the_call_that_it_is_in,
        what_others_still_use_stays_when_its_first_owner_is_gone,
        saved_prefixes_keep_to_their_bytes_and_the_oldest_leave,
        idle_prefixes_leave_the_cells_for_a_stranger_and_come_back,
    ]))
