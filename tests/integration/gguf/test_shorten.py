#!/usr/bin/env python3
"""A prompt that is too long is shortened if its client allows that, and the answer says by how much.
What is left is told by asking for it outright: the answers must be the same. Prints TAP.

    test_shorten.py --bin BUILD/bin
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
import v2                                                   # noqa: E402
from daemon import Daemon, must, run_tests                  # noqa: E402

MODEL, CONTEXT, ANSWER = "tiny-llama", 128, 16
SHORTEN = 256                       # of the field flags
SYSTEM, USER, ASSISTANT = 0, 1, 2
GREEDY = {**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": ANSWER}


class World(Daemon):
    def __init__(self):
        super().__init__(OPTIONS.bin, "fixtures/models/gguf", [MODEL],
                         sections=f"[model {MODEL}]\ncontext_tokens = {CONTEXT}\n")

    def ids(self, ids, flags=0, **values):
        return self.infer(model_id=MODEL, task=2, texts=[{"tokens": ids}], flags=flags,
                          **{**GREEDY, **values})

    def text(self, text, flags=0):
        return self.infer(model_id=MODEL, task=2, texts=[{"text": text}], flags=flags, **GREEDY)

    def chat(self, messages, flags=0):
        return self.infer(model_id=MODEL, task=3, flags=flags, **GREEDY,
                          messages=[{"role": role, "content": text} for role, text in messages])


def said(answer):
    must(answer["code"] == 0, f"failed: {answer['error']}")
    return answer["results"][0]["text"]


def tokens_of(refusal):
    must(v2.ERRORS[refusal["code"]] == "too_long", f"not refused: {refusal}")
    return int(re.search(r"the prompt has (\d+) tokens", refusal["error"])[1])


def chat_of(turns):
    messages = [(SYSTEM, "Be brief.")]
    for number in range(turns):
        messages += [(USER, f"Question {number}: why is that so?"), (ASSISTANT, f"Answer {number}.")]
    return messages[:-1]


def nothing_is_shortened_unasked():
    must(tokens_of(DAEMON.ids([5] * 300)) == 300, "the prompt has another length")
    must(DAEMON.ids([5] * 20)["left_out_tokens"] == 0, "something was left out")


def what_fits_is_not_shortened():
    answer = DAEMON.ids([5 + i % 90 for i in range(CONTEXT - 1)], SHORTEN)
    must(answer["code"] == 0 and answer["left_out_tokens"] == 0, f"{answer}")


def of_a_plain_prompt_the_middle_goes():
    ids = [5 + (i * 7) % 200 for i in range(300)]
    room = CONTEXT - ANSWER
    head = room // 4
    answer = DAEMON.ids(ids, SHORTEN)
    must((answer["prompt_tokens"], answer["left_out_tokens"]) == (room, 300 - room), f"{answer}")
    must(said(answer) == said(DAEMON.ids(ids[:head] + ids[-(room - head):])), "another part is left")


def a_text_is_shortened_as_its_tokens_are():
    text = " ".join(f"word{number}" for number in range(200))
    whole = tokens_of(DAEMON.text(text))
    answer = DAEMON.text(text, SHORTEN)
    must(answer["code"] == 0 and answer["prompt_tokens"] == CONTEXT - ANSWER, f"{answer}")
    must(answer["left_out_tokens"] == whole - answer["prompt_tokens"], f"{answer} of {whole}")


def no_answer_takes_more_than_half_of_the_context():
    answer = DAEMON.ids([5] * 300, SHORTEN, max_tokens=100000)
    must(answer["code"] == 0 and answer["prompt_tokens"] == CONTEXT // 2, f"{answer}")


def of_a_chat_the_oldest_turns_go_and_no_more_than_must():
    messages = chat_of(12)
    whole = tokens_of(DAEMON.chat(messages))
    answer = DAEMON.chat(messages, SHORTEN)
    must(answer["code"] == 0, answer["error"])
    for left_out in range(12):
        kept = messages[:1] + messages[1 + 2 * left_out:]
        outright = DAEMON.chat(kept)
        if outright["code"] == 0 and outright["prompt_tokens"] <= CONTEXT - ANSWER:
            break
    must(left_out > 0, "nothing had to go: nothing is shown")
    must(answer["prompt_tokens"] == outright["prompt_tokens"], f"{answer} and {outright}")
    must(said(answer) == said(outright), "another part of the chat is left")
    must(answer["left_out_tokens"] == whole - answer["prompt_tokens"], f"{answer} of {whole}")


def the_last_turn_stays_or_the_request_is_refused():
    messages = chat_of(3)[:-1] + [(USER, "why " * 400)]
    must(v2.ERRORS[DAEMON.chat(messages, SHORTEN)["code"]] == "too_long", "the last turn was cut")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    OPTIONS = parser.parse_args()
    with World() as DAEMON:
        sys.exit(run_tests([
            nothing_is_shortened_unasked, what_fits_is_not_shortened,
            of_a_plain_prompt_the_middle_goes, a_text_is_shortened_as_its_tokens_are,
            no_answer_takes_more_than_half_of_the_context,
            of_a_chat_the_oldest_turns_go_and_no_more_than_must,
            the_last_turn_stays_or_the_request_is_refused]))
