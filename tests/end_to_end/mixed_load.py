#!/usr/bin/env python3
"""One daemon with classifier, embedder and generators answers eight connections at once as it
answers each alone. Prints TAP."""

import argparse
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                       # noqa: E402
from daemon import Daemon, must, run_tests      # noqa: E402

CONNECTIONS, ROUNDS = 8, 6
SENTENCES = ["wake me up at seven", "what is the weather like in Oslo", "play some quiet jazz",
             "tell Anna that I am late", "turn the lights off in the kitchen", "hm",
             "how do I get to the station", "put milk on the shopping list"]
PROMPTS = ["the small house", "a river runs", "once there was", "in the morning", "two birds",
           "the old man", "she said that", "rain fell"]


def requests_of(connection_number):
    """What one connection sends, in order: (key, message)."""
    out = []
    for turn in range(ROUNDS):
        text = SENTENCES[(connection_number + turn) % len(SENTENCES)]
        prompt = PROMPTS[(connection_number + turn) % len(PROMPTS)]
        greedy = {**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 32}
        out.append((("classify", text), {"model_id": "hearth-intent", "task": 0,
                                         "texts": [{"text": text}], **v2.SAMPLING}))
        out.append((("embed", text), {"model_id": "all-minilm-l6-v2", "task": 1,
                                      "texts": [{"text": text}, {"text": prompt}], **v2.SAMPLING}))
        out.append((("generate", prompt), {"model_id": "tiny-llama", "task": 2,
                                           "texts": [{"text": prompt}], **greedy}))
    out.append((("real", SENTENCES[connection_number]),
                {"model_id": "smollm2-135m-instruct", "task": 3, **v2.SAMPLING, "max_tokens": 24,
                 "messages": [{"role": 1, "content": SENTENCES[connection_number]}]}))
    return out


def answer_of(message):
    must(message["code"] == 0, f"{v2.ERRORS.get(message['code'])}: {message['error']}")
    return [(r["index"], r["text"], [(label["name"], label["score"]) for label in r["labels"]],
             r["vector"]) for r in message["results"]]


def talk(daemon, number, answers, problems):
    """Sends everything at once and collects the terminals, which come in any order."""
    try:
        connection = daemon.connect()
        requests = requests_of(number)
        for request_id, (_, message) in enumerate(requests, 1):
            connection.send("inference_request", request_id=request_id, priority=1, **message)
        for _ in requests:
            kind, message = connection.receive()
            must(kind == "inference_response", f"got {kind}")
            key = requests[message["request_id"] - 1][0]
            answers[number].append((key, answer_of(message)))
        connection.close()
    except Exception as problem:    # carried to the main thread
        problems.append(f"connection {number}: {type(problem).__name__}: {problem}")


def is_close(ours, alone):
    """Same text and labels; numbers within what fp32 sums differ by when they are the same sum."""
    for (i, text, labels, vector), (j, text2, labels2, vector2) in zip(ours, alone, strict=True):
        if (i, text, [n for n, _ in labels]) != (j, text2, [n for n, _ in labels2]):
            return False
        pairs = list(zip(vector, vector2, strict=True))
        pairs += [(a, b) for (_, a), (_, b) in zip(labels, labels2)]
        if any(abs(a - b) > 1e-6 for a, b in pairs):
            return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    models = ["hearth-intent", "all-minilm-l6-v2", "tiny-llama", "smollm2-135m-instruct"]
    roots = ["models/store", "fixtures/models/gguf"]
    with Daemon(options.bin, roots, models) as daemon:
        alone, answers, problems = {}, [[] for _ in range(CONNECTIONS)], []

        def each_request_is_answered_alone():
            for number in range(CONNECTIONS):
                for key, message in requests_of(number):
                    if key not in alone:
                        alone[key] = answer_of(daemon.infer(**message))

        def eight_connections_at_once_get_every_answer():
            threads = [threading.Thread(target=talk, args=(daemon, n, answers, problems))
                       for n in range(CONNECTIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            must(not problems, "; ".join(problems))
            must(all(len(a) == 3 * ROUNDS + 1 for a in answers), "an answer is missing")

        def answers_at_once_equal_answers_alone():
            compared = 0
            for number in range(CONNECTIONS):
                for key, answer in answers[number]:
                    if key[0] != "real":    # its sampling is seeded, but only greedy is promised
                        must(is_close(answer, alone[key]), f"{key[0]} differs from its answer alone")
                        compared += 1
            must(compared == CONNECTIONS * 3 * ROUNDS, f"only {compared} compared")

        def no_worker_was_lost():
            must(daemon.ask("health_check", "health_response", check_type=2)["worker_deaths"] == 0,
                 "a worker died")

        return run_tests([each_request_is_answered_alone,
                          eight_connections_at_once_get_every_answer,
                          answers_at_once_equal_answers_alone, no_worker_was_lost])


if __name__ == "__main__":
    sys.exit(main())
