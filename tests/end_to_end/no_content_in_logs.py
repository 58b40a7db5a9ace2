#!/usr/bin/env python3
"""Canary strings sent as every kind of content appear in no log line, error text or core file.
Prints TAP."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                   # noqa: E402
from daemon import Daemon, must, poll, run_tests, write_echo_model    # noqa: E402

CANARY = "kanari-7f3a91"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    said = []
    models = tempfile.TemporaryDirectory()
    write_echo_model(models.name, "ranker", "reranking")
    write_echo_model(models.name, "names", "named_entity_recognition", ["B-NAME"])
    write_echo_model(models.name, "arrays", "tensors")

    with models, Daemon(options.bin, ["fixtures/models/echo", models.name],
                        ["tiny", "classifier", "embedder", "ranker", "names", "arrays"],
                        log_level="debug") as daemon:

        def ask(**values):
            answer = daemon.infer(**values)
            said.append(answer["error"])
            return answer

        def requests_that_succeed_are_answered():
            answer = ask(model_id="tiny", task=2, texts=[{"text": CANARY}])
            must(answer["results"][0]["text"] == CANARY[::-1], "the echo engine did not answer")
            must(ask(model_id="classifier", task=0, texts=[{"text": CANARY}])["code"] == 0, "classify")
            must(ask(model_id="embedder", task=1, texts=[{"text": CANARY}])["code"] == 0, "embed")

        def every_part_of_an_encoder_s_request_is_taken():
            text, data = {"text": CANARY}, CANARY.encode()
            array = {"name": CANARY, "type": 2, "shape": [len(data)], "data": data}
            for values in (
                    {"model_id": "classifier", "task": 0, "texts": [{"text": CANARY, "pair": CANARY}]},
                    {"model_id": "ranker", "task": 4, "query": CANARY, "texts": [text]},
                    {"model_id": "names", "task": 5, "texts": [{"text": CANARY.title()}]},
                    {"model_id": "arrays", "task": 6, "tensors": [array], "outputs": [{"name": CANARY}]}):
                must(ask(**values)["code"] == 0, f"{values['model_id']} did not answer: {said[-1]}")
            for values in (
                    {"model_id": "embedder", "task": 1, "query": CANARY, "texts": [text]},
                    {"model_id": "ranker", "task": 4, "query": CANARY,
                     "texts": [{"text": "", "tokens": [1]}]},
                    {"model_id": "arrays", "task": 6, "tensors": [array, array]},
                    {"model_id": "arrays", "task": 6, "tensors": [array | {"shape": [3]}]},
                    {"model_id": "arrays", "task": 6, "tensors": [array],
                     "outputs": [{"name": CANARY + "-no"}]}):
                must(ask(**values)["code"] != 0, f"{values['model_id']} took nonsense")

        def requests_that_fail_are_refused():
            long_text = (CANARY + " ") * 6000
            must(ask(model_id="nobody", task=2, texts=[{"text": CANARY}])["code"] != 0, "unknown model")
            must(ask(model_id="tiny", task=2, texts=[{"text": long_text}])["code"] != 0, "too long")
            must(ask(model_id="tiny", task=2, texts=[{"text": CANARY}], temperature=9.0)["code"] != 0,
                 "temperature")
            must(ask(model_id="tiny", task=2,
                     texts=[{"text": (CANARY + "\xff").encode("latin-1")}])["code"] != 0, "UTF-8")
            must(ask(model_id="tiny", task=3, messages=[{"role": 1, "content": long_text}])["code"] != 0,
                 "chat too long")

        def a_worker_that_crashes_on_it_is_replaced():
            answer = ask(model_id="tiny", task=2, texts=[{"text": f"crash: {CANARY}"}])
            must(v2.ERRORS.get(answer["code"]) == "worker_lost", f"code {answer['code']}")
            poll(lambda: daemon.state("tiny") == "ready", "the worker to be back")

        def a_worker_killed_by_a_dumping_signal_leaves_no_core():
            os.kill(daemon.model("tiny")["worker_pid"], signal.SIGQUIT)
            poll(lambda: daemon.model("tiny")["restarts"] >= 2, "the loss to be counted")
            cores = [p for folder in (Path.cwd(), daemon.home, daemon.bin)
                     for p in folder.glob("core*") if p.is_file()]
            must(not cores, f"core files: {cores}")

        def the_log_says_what_happened():
            must(any(e.get("event") == "worker.died" for e in daemon.events()), "no worker.died line")

        def the_log_and_the_error_texts_hold_no_content():
            must(CANARY not in daemon.log(), "the log holds content")
            must(not any(CANARY in text for text in said), "an error text holds content")
            must(any(said), "no error text was seen at all")

        return run_tests([requests_that_succeed_are_answered,
                          every_part_of_an_encoder_s_request_is_taken, requests_that_fail_are_refused,
                          a_worker_that_crashes_on_it_is_replaced,
                          a_worker_killed_by_a_dumping_signal_leaves_no_core,
                          the_log_says_what_happened,
                          the_log_and_the_error_texts_hold_no_content])


if __name__ == "__main__":
    sys.exit(main())
