#!/usr/bin/env python3
"""hearth-intent is swapped for a version of it while clients ask: a version whose head was trained on a
little takes over, one with a wrong head is refused. What is right says ONNX Runtime in Python, which
also writes the golden inputs. Prints TAP.

    swap_intent.py --bin BUILD/bin
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/kit"))
sys.path.insert(0, str(ROOT / "tests/models"))
import tap                                                              # noqa: E402,F401
import numpy                                                            # noqa: E402
import onnx                                                             # noqa: E402
import onnxruntime                                                      # noqa: E402
import tokenizers                                                       # noqa: E402
import v2                                                               # noqa: E402
from daemon import Daemon, must, poll, run_tests                        # noqa: E402

BIN = None
STORE = ROOT / "models/store/hearth-intent"
TEXTS = ["Wake me at seven tomorrow.", "Play something quiet.", "Will it rain in Bergen?",
         "Tell Anna that I am late.", "Turn the kitchen light off.", "How do I get to the station?"]


def write_version(folder, version, change):
    """The model with another head; weights and tokenizer are links to the same bytes."""
    place = Path(folder) / f"hearth-intent@{version}"
    place.mkdir()
    for name in ("model.onnx.data", "tokenizer.json"):
        os.link(STORE / name, place / name)
    model = onnx.load(STORE / "model.onnx", load_external_data=False)
    head = next(i for i in model.graph.initializer if i.name == "head.weight")
    weights = numpy.frombuffer(head.raw_data, numpy.float32).reshape(tuple(head.dims))
    head.raw_data = change(weights).astype(numpy.float32).tobytes()
    data = model.SerializeToString()
    (place / "model.onnx").write_bytes(data)
    manifest = json.loads((STORE / "manifest.json").read_text())
    entry = next(f for f in manifest["files"] if f["role"] == "model")
    entry.update(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
    manifest["version"] = version
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


def reference(place):
    """{text: {label: score}} as ONNX Runtime computes it from the files in @place."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(place / "model.onnx"), options)
    tokenizer = tokenizers.Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.no_padding()
    labels = json.loads((place / "manifest.json").read_text())["labels"]
    scores = {}
    for text in TEXTS:
        encoding = tokenizer.encode(text)
        logits = session.run(None, {"input_ids": numpy.array([encoding.ids], numpy.int64),
                                    "attention_mask": numpy.array([encoding.attention_mask], numpy.int64),
                                    "token_type_ids": numpy.array([encoding.type_ids], numpy.int64)})[0][0]
        shares = numpy.exp(logits - logits.max())
        scores[text] = dict(zip(labels, (shares / shares.sum()).tolist()))
    return scores


def write_golden(place, scores, tolerance):
    (place / "golden.json").write_text(json.dumps({"tolerance": tolerance, "inputs": [
        {"text": text, "label": max(s, key=s.get), "scores": s} for text, s in scores.items()]}))


def difference(answer, wanted):
    must(answer["code"] == 0, f"a request failed: {answer['code']} {answer['error']}")
    return max(abs(label["score"] - wanted[label["name"]]) for label in answer["results"][0]["labels"])


def ask(daemon, text, connection=None):
    return daemon.infer(connection, model_id="intent", task=v2.TASKS["classify"], texts=[{"text": text}])


def under_load(daemon, act):
    """Asks on a connection of its own while @act runs; returns (text, answer) of each."""
    answers, going, problem = [], threading.Event(), []

    def client():
        try:
            connection = daemon.connect()
            while not going.is_set():
                text = TEXTS[len(answers) % len(TEXTS)]
                answers.append((text, ask(daemon, text, connection)))
            connection.close()
        except Exception as found:      # told by the test
            problem.append(found)
    thread = threading.Thread(target=client)
    thread.start()
    try:
        poll(lambda: len(answers) > 3 or problem, "first answers")
        act()
    finally:
        going.set()
        thread.join()
    must(not problem, f"the client stopped: {problem}")
    return answers


def swap(daemon, model):
    return daemon.ask("swap_request", "swap_response", request_id=1, name="intent", model_id=model)


def a_right_version_takes_over_and_a_wrong_one_is_refused():
    with tempfile.TemporaryDirectory(dir=ROOT / "models/store", prefix=".swap-") as folder:
        noise = numpy.random.default_rng(7)
        one = write_version(folder, "1", lambda w: w)
        two = write_version(folder, "2", lambda w: w + noise.normal(0, 0.3, w.shape))
        bad = write_version(folder, "3", lambda w: -w)
        scores = {1: reference(one), 2: reference(two)}
        apart = max(abs(scores[1][t][name] - scores[2][t][name]) for t in TEXTS for name in scores[1][t])
        must(apart > 0.01, f"the versions differ by {apart:.4f} only: this test would show nothing")
        write_golden(two, scores[2], 0.001)
        write_golden(bad, scores[1], 0.05)
        with Daemon(BIN, folder, preload=["hearth-intent@1"], load_timeout_ms=600000,
                    sections="[alias intent]\nmodel = hearth-intent@1\n") as daemon:
            told = []
            answers = under_load(daemon, lambda: told.append(swap(daemon, "hearth-intent@3")))
            must(v2.ERRORS.get(told[0]["code"]) == "model_invalid" and "golden input 0" in told[0]["error"],
                 f"the wrong version: {told[0]}")
            must(all(a["generation"] == 1 for _, a in answers), "an answer is of the refused version")
            answers += under_load(daemon, lambda: told.append(swap(daemon, "hearth-intent@2")))
            must((told[1]["code"], told[1]["checked"], told[1]["check"]) == (0, len(TEXTS), 1), f"{told[1]}")
            answers.append((TEXTS[0], ask(daemon, TEXTS[0])))
            worst = max(difference(answer, scores[answer["generation"]][text]) for text, answer in answers)
            print(f"# {len(answers)} answers, none failed; apart from the reference at most {worst:.2g}, "
                  f"versions differ by {apart:.2g}")
            must(worst < 1e-4, f"an answer is {worst:.4g} apart from the version that it names")
            must({a["generation"] for _, a in answers} == {1, 2}, "both versions were asked")
            poll(lambda: daemon.state("hearth-intent@1") == "absent", "the old one to end")


def main():
    global BIN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", required=True)
    BIN = parser.parse_args().bin
    return run_tests([a_right_version_takes_over_and_a_wrong_one_is_refused])


if __name__ == "__main__":
    sys.exit(main())
