#!/usr/bin/env python3
"""Embeddings and class probabilities through the daemon equal ONNX Runtime in Python with the
reference tokenizer, computed here and now. Prints TAP."""

import argparse
import json
import sys
from pathlib import Path

import numpy
import onnxruntime
import tokenizers

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
import v2                                               # noqa: E402
from daemon import ROOT, Daemon, must, run_tests        # noqa: E402

TEXTS = json.loads((ROOT / "fixtures/texts/varied200.json").read_text())
TEXTS = TEXTS["texts"] if isinstance(TEXTS, dict) else TEXTS
TEXTS = [t["text"] if isinstance(t, dict) else t for t in TEXTS]
BATCH = 32


class Reference:
    """One model in ONNX Runtime and its tokenizer in the reference package."""

    def __init__(self, manifest):
        folder, facts = manifest.parent, json.loads(manifest.read_text())
        files = {f["role"]: folder / f["path"] for f in facts["files"]}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(files["model"]), options)
        self.inputs = [i.name for i in self.session.get_inputs()]
        self.tokenizer = tokenizers.Tokenizer.from_file(str(files["tokenizer"]))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(facts["options"]["max_tokens"])

    def ids(self, text):
        return self.tokenizer.encode(text).ids

    def run(self, text):
        """Of a text, or of the ids of tokens as they are."""
        ids = self.ids(text) if isinstance(text, str) else text
        feed = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": [0] * len(ids)}
        feed = {k: numpy.array([v], numpy.int64) for k, v in feed.items() if k in self.inputs}
        return len(ids), self.session.run(None, feed)[0]

    def embed(self, text):
        count, hidden = self.run(text)
        mean = hidden[0].astype(numpy.float64).mean(axis=0)
        return count, mean / numpy.linalg.norm(mean)

    def classify(self, text):
        count, logits = self.run(text)
        power = numpy.exp(logits[0].astype(numpy.float64) - logits[0].max())
        return count, power / power.sum()


def ask_all(daemon, model, task, flags=0):
    """All texts in full batches; returns results by index, collected as they come."""
    results, connection = {}, daemon.connect()
    for start in range(0, len(TEXTS), BATCH):
        batch = TEXTS[start:start + BATCH]
        connection.send("inference_request", request_id=start + 1, model_id=model, flags=flags,
                        task=v2.TASKS[task], priority=1, texts=[{"text": t} for t in batch],
                        **v2.SAMPLING)
        while True:
            kind, answer = connection.receive()
            for result in answer["results"]:
                must(start + result["index"] not in results, "an input was answered twice")
                results[start + result["index"]] = result
            if kind == "inference_response":
                must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
                break
    connection.close()
    must(len(results) == len(TEXTS), f"{len(results)} answers to {len(TEXTS)} texts")
    return [results[i] for i in range(len(TEXTS))]


def embed(daemon, texts):
    answer = daemon.infer(model_id="all-minilm-l6-v2", task=1, texts=[{"text": t} for t in texts])
    must(answer["code"] == 0, answer["error"])
    return [r["vector"] for r in sorted(answer["results"], key=lambda r: r["index"])]


def ask_ids(daemon, model, task, inputs):
    """The terminal of a request with ids instead of texts."""
    return daemon.infer(model_id=model, task=v2.TASKS[task], texts=[{"tokens": ids} for ids in inputs])


def check_ids_answer_as_their_text(daemon, model, task, reference):
    """Bit for bit: what the text became is what the ids are."""
    texts = TEXTS[:BATCH]
    by_text = daemon.infer(model_id=model, task=v2.TASKS[task], texts=[{"text": t} for t in texts])
    by_ids = ask_ids(daemon, model, task, [reference.ids(t) for t in texts])
    must(by_ids["code"] == 0, f"{by_ids['error']}")
    for a, b in zip(by_text["results"], by_ids["results"], strict=True):
        must({**a, "is_truncated": 0} == b, f"input {a['index']}: ids answer otherwise than their text")


def check_ids_are_taken_as_they_are(daemon, reference):
    """Without special tokens, with special ones in the middle, a single one: nothing is added."""
    whole = next(ids for ids in map(reference.ids, TEXTS) if 6 <= len(ids) <= 20)
    inputs = [whole[1:-1], [*whole, *whole], [whole[0]], whole[::-1]]
    answer = ask_ids(daemon, "minilm-embedder", "embed", inputs)
    must(answer["code"] == 0, answer["error"])
    for ids, result in zip(inputs, answer["results"], strict=True):
        count, wanted = reference.embed(ids)
        cosine = float(numpy.array(result["vector"], numpy.float64) @ wanted)
        must(result["tokens"] == count and cosine >= 0.99999, f"{count} ids: {result['tokens']}, {cosine}")


def check_wrong_ids(daemon, most):
    vocabulary = 10 ** 6    # more than either fixture has
    answer = ask_ids(daemon, "minilm-embedder", "embed", [[1], [2, vocabulary, 3]])
    must(v2.ERRORS[answer["code"]] == "input_invalid", f"{answer}")
    must("input 1: token id 1 of 3 is not in the vocabulary" in answer["error"], answer["error"])
    must(str(vocabulary) not in answer["error"], f"the id itself is told: {answer['error']}")
    must(ask_ids(daemon, "minilm-embedder", "embed", [[1] * most])["code"] == 0, f"{most} ids are refused")
    answer = ask_ids(daemon, "minilm-embedder", "embed", [[1] * (most + 1)])
    must(v2.ERRORS[answer["code"]] == "too_long", f"{answer}")


def check_alone_and_in_a_batch(daemon):
    """Padding would change the last bits: sums over masked positions are other sums."""
    batch = [TEXTS[i] for i in range(0, 200, 200 // BATCH)][:BATCH]
    for text, vector in zip(batch, embed(daemon, batch)):
        must(embed(daemon, [text])[0] == vector, "an answer in a batch differs from the one alone")


def busy_threads(pid):
    """{thread: nanoseconds it has run}, as the kernel counts them."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {t.name: int((t / "schedstat").read_text().split()[0]) for t in tasks}


def check_threads_of_a_batch(daemon, text):
    """A single run uses one thread; a batch is spread over as many as the worker may use."""
    model = daemon.model("all-minilm-l6-v2")
    before = busy_threads(model["worker_pid"])
    embed(daemon, [f"{text} {i}" for i in range(BATCH)])
    after = busy_threads(model["worker_pid"])
    ran = {t: after[t] - before.get(t, 0) for t in after}
    share = [t for t, ns in ran.items() if ns > sum(ran.values()) / (4 * model["threads"])]
    print(f"# {len(share)} threads shared the batch, {model['threads']} may")
    must(len(share) >= min(2, model["threads"]), f"only {len(share)} threads ran")


def check_embeddings(results, reference):
    worst = 1.0
    for text, result in zip(TEXTS, results):
        count, wanted = reference.embed(text)
        must(result["tokens"] == count, f"{result['tokens']} tokens, the reference has {count}")
        vector = numpy.array(result["vector"], numpy.float64)
        must(len(vector) == len(wanted), f"{len(vector)} dimensions")
        worst = min(worst, float(vector @ wanted) / float(numpy.linalg.norm(vector)))
        must(abs(numpy.linalg.norm(vector) - 1) < 1e-5, "a vector is not of length 1")
    print(f"# worst cosine {worst:.8f} over {len(TEXTS)} texts")
    must(worst >= 0.99999, f"cosine {worst}")


def check_classes(results, reference, labels):
    worst = 0.0
    for text, result in zip(TEXTS, results):
        _, wanted = reference.classify(text)
        seen = {label["name"]: label["score"] for label in result["labels"]}
        must(list(seen.values()) == sorted(seen.values(), reverse=True), "labels not best first")
        must(sorted(seen) == sorted(labels), f"labels {sorted(seen)}")
        worst = max(worst, max(abs(seen[n] - p) for n, p in zip(labels, wanted)))
    print(f"# largest difference of a probability {worst:.2e} over {len(TEXTS)} texts")
    must(worst <= 1e-4, f"a probability differs by {worst}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    store, tiny = ROOT / "models/store", ROOT / "fixtures/models/onnx"
    models = ["all-minilm-l6-v2", "hearth-intent", "minilm-embedder", "tinybert-classifier"]
    with Daemon(options.bin, ["models/store", "fixtures/models/onnx"], models) as daemon:
        real = Reference(store / "all-minilm-l6-v2/manifest.json")
        small = Reference(tiny / "minilm-embedder.manifest.json")
        intent_manifest = store / "hearth-intent/manifest.json"
        tiny_manifest = tiny / "tinybert-classifier.manifest.json"

        def there_are_200_varied_texts():
            must(len(TEXTS) == 200, f"{len(TEXTS)} texts")

        def minilm_embeddings_equal_the_reference():
            check_embeddings(ask_all(daemon, "all-minilm-l6-v2", "embed"), real)

        def streamed_embeddings_equal_the_reference():
            check_embeddings(ask_all(daemon, "all-minilm-l6-v2", "embed", flags=1), real)

        def tiny_embeddings_equal_the_reference():
            check_embeddings(ask_all(daemon, "minilm-embedder", "embed"), small)

        def intent_probabilities_equal_the_reference():
            labels = json.loads(intent_manifest.read_text())["labels"]
            check_classes(ask_all(daemon, "hearth-intent", "classify"),
                          Reference(intent_manifest), labels)

        def tiny_probabilities_equal_the_reference():
            labels = json.loads(tiny_manifest.read_text())["labels"]
            check_classes(ask_all(daemon, "tinybert-classifier", "classify"),
                          Reference(tiny_manifest), labels)

        def ids_of_the_reference_tokenizer_answer_as_their_text():
            check_ids_answer_as_their_text(daemon, "minilm-embedder", "embed", small)
            check_ids_answer_as_their_text(daemon, "tinybert-classifier", "classify",
                                           Reference(tiny_manifest))

        def ids_are_taken_as_they_are():
            check_ids_are_taken_as_they_are(daemon, small)

        def ids_that_the_model_does_not_have_or_take_are_refused():
            facts = json.loads((tiny / "minilm-embedder.manifest.json").read_text())
            check_wrong_ids(daemon, facts["options"]["max_tokens"])

        def texts_in_a_batch_answer_bit_for_bit_as_alone():
            check_alone_and_in_a_batch(daemon)

        def texts_of_a_batch_run_on_several_threads():
            check_threads_of_a_batch(daemon, max(TEXTS, key=len)[:2000])

        return run_tests([there_are_200_varied_texts,
                          texts_in_a_batch_answer_bit_for_bit_as_alone,
                          texts_of_a_batch_run_on_several_threads,
                          minilm_embeddings_equal_the_reference,
                          streamed_embeddings_equal_the_reference,
                          tiny_embeddings_equal_the_reference,
                          intent_probabilities_equal_the_reference,
                          tiny_probabilities_equal_the_reference,
                          ids_of_the_reference_tokenizer_answer_as_their_text,
                          ids_are_taken_as_they_are,
                          ids_that_the_model_does_not_have_or_take_are_refused])


if __name__ == "__main__":
    sys.exit(main())
