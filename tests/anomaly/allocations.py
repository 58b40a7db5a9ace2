#!/usr/bin/env python3
"""A request allocates nothing in the broker once requests of its kind have been there before.

Prints TAP, and for each kind `# allocations/broker/request KIND NUMBER`: what hearthd allocated for
each of a thousand requests, after others that were not counted."""

import sys

from world import HookedDaemon, arguments, must, must_be_quiet, run_tests, v2

MODELS = "fixtures/models/echo"
# Some buffer may still grow for the longest queue so far; what a request needs comes in every round.
MOST_ROUNDS = 4
# More in flight before than while it is counted: what grows has grown.
WARM_UPS, COUNTED, WARM_IN_FLIGHT, IN_FLIGHT = 400, 1000, 16, 4
STREAM = 1


def texts(*given):
    return [{"text": text} for text in given]


KINDS = {
    "classify": {"model_id": "classifier", "task": 0, "texts": texts("the quick fox")},
    "classify-batch": {"model_id": "classifier", "task": 0, "texts": texts(*["the quick fox"] * 8)},
    "classify-96-kib": {"model_id": "classifier", "task": 0, "texts": texts(*["x" * 4000] * 24)},
    "embed": {"model_id": "embedder", "task": 1, "texts": texts("the quick fox")},
    "generate": {"model_id": "tiny", "task": 2, "texts": texts("the quick fox")},
    "generate-stream": {"model_id": "tiny", "task": 2, "flags": STREAM, "texts": texts("the quick fox")},
    "chat": {"model_id": "tiny", "task": 3, "messages": [{"role": 1, "content": "the quick fox"}]},
    "choice": {"model_id": "tiny", "task": 7, "texts": texts("yes or no"),
               "choices": texts("yes", "no")},
    "refused": {"model_id": "tiny", "task": 0, "texts": texts("it does not classify")},
}


def ask(connection, kind, count, first, in_flight):
    """@count requests, @in_flight of them open at a time; each must end once."""
    sent = ended = 0
    while ended < count:
        while sent < count and sent - ended < in_flight:
            connection.send("inference_request", request_id=first + sent, priority=1,
                            **{**v2.SAMPLING, **KINDS[kind]})
            sent += 1
        name, answer = connection.receive()
        must(name in ("inference_response", "stream_chunk"), f"{name}: {answer}")
        if name == "inference_response":
            must((answer["code"] == 0) == (kind != "refused"), answer)
            ended += 1


def allocates_nothing(daemon, kind):
    connection = daemon.connect()
    ask(connection, kind, WARM_UPS, 1, WARM_IN_FLIGHT)
    must_be_quiet(daemon)
    probe = daemon.connect()        # open before it is counted
    made = []
    while len(made) < MOST_ROUNDS and 0 not in made:
        before, _, _ = daemon.facts()
        ask(connection, kind, COUNTED, 1 + WARM_UPS + COUNTED * len(made), IN_FLIGHT)
        after, _, _ = daemon.facts()
        made.append(after - before)
    print(f"# allocations/broker/request {kind} {made[-1] / COUNTED:.3f} (rounds: {made})")
    probe.close()
    connection.close()
    must(made[-1] == 0, f"{made} allocations for {COUNTED} requests each")


def main():
    with HookedDaemon(arguments(), MODELS, preload=["tiny", "classifier", "embedder"],
                      log_level="error") as daemon:
        def test_of(kind):
            def test():
                allocates_nothing(daemon, kind)
            test.__name__ = f"a_{kind}_request_allocates_nothing"
            return test
        return run_tests([test_of(kind) for kind in KINDS])


if __name__ == "__main__":
    sys.exit(main())
