"""The tiny classifier and embedder learned what they were taught: by ONNX Runtime with the
reference tokenizer, and through hearthd, on texts that were held out.

    test_trained_encoders.py BIN_FOLDER
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import tap     # before numpy, which it keeps to one thread

import numpy
import onnxruntime
import tokenizers

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import daemon               # noqa: E402
import make_onnx_fixtures   # noqa: E402
import split_texts          # noqa: E402
from daemon import must     # noqa: E402

FIXTURES = tap.ROOT / "fixtures/models/onnx"
CLASSIFIER, EMBEDDER = "tinybert-classifier", "minilm-embedder"
SENTENCES = split_texts.read("classes-heldout")
TRIPLETS = split_texts.triplets(split_texts.read("topics-heldout"))
TEXTS = list(dict.fromkeys(text for triplet in TRIPLETS for text in triplet))
LEAST_SENTENCES, LEAST_TRIPLETS = 36, 9
BATCH = 32
server = None


class Reference:
    def __init__(self, name, folder=FIXTURES):
        self.manifest = json.loads((folder / f"{name}.manifest.json").read_text(encoding="utf-8"))
        self.session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / f"{name}.tokenizer.json"))

    def output(self, text):
        ids = numpy.array([self.tokenizer.encode(text).ids], numpy.int64)
        feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
                "token_type_ids": numpy.zeros_like(ids)}
        return self.session.run(None, feed)[0][0].astype(numpy.float64)

    def labels(self):
        return [self.manifest["labels"][self.output(text).argmax()] for _, text in SENTENCES]

    def vectors(self):
        means = {text: self.output(text).mean(0) for text in TEXTS}
        return {text: mean / numpy.linalg.norm(mean) for text, mean in means.items()}


def answers(model, task, texts):
    results = []
    for start in range(0, len(texts), BATCH):
        part = [{"text": text} for text in texts[start:start + BATCH]]
        answer = server.infer(model_id=model, task=task, texts=part)
        must(answer["code"] == 0, answer["error"])
        results += sorted(answer["results"], key=lambda result: result["index"])
    return results


def hearthd_labels():
    return [result["labels"][0]["name"]
            for result in answers(CLASSIFIER, 0, [text for _, text in SENTENCES])]


def hearthd_vectors():
    return {text: numpy.array(result["vector"])
            for text, result in zip(TEXTS, answers(EMBEDDER, 1, TEXTS))}


def right_labels(labels):
    right = sum(label == wanted for label, (wanted, _) in zip(labels, SENTENCES))
    print(f"# {right} of {len(SENTENCES)} sentences")
    return right


def right_triplets(vectors):
    right = sum(vectors[anchor] @ vectors[near] > vectors[anchor] @ vectors[far]
                for anchor, near, far in TRIPLETS)
    print(f"# {right} of {len(TRIPLETS)} triplets")
    return right


def held_out_texts_fall_by_the_rule_and_none_was_learned_from():
    for name, count in split_texts.HELD_OUT.items():
        train, held_out = (split_texts.read(f"{name}-{part}") for part in ("train", "heldout"))
        must(split_texts.split(train + held_out, count) == (train, held_out),
             f"{name}: remedy: run fixtures/split_texts.py")
        must(not split_texts.twins(train, held_out), f"{split_texts.twins(train, held_out)}")
    must(len({text for _, text in SENTENCES}) == len(SENTENCES) == 40, f"{len(SENTENCES)}")
    must(len(TRIPLETS) == 10, f"{len(TRIPLETS)} triplets")


def classifier_is_right_by_onnx_runtime_and_by_hearthd_alike():
    reference, ours = Reference(CLASSIFIER).labels(), hearthd_labels()
    must(right_labels(reference) >= LEAST_SENTENCES, "ONNX Runtime")
    must(right_labels(ours) >= LEAST_SENTENCES, "hearthd")
    must(ours == reference, f"{ours} and {reference}")


def embedder_is_right_by_onnx_runtime_and_by_hearthd_alike():
    reference, ours = Reference(EMBEDDER).vectors(), hearthd_vectors()
    must(right_triplets(reference) >= LEAST_TRIPLETS, "ONNX Runtime")
    must(right_triplets(ours) >= LEAST_TRIPLETS, "hearthd")
    worst = min(float(ours[text] @ reference[text]) for text in TEXTS)
    must(worst >= 0.99999, f"cosine {worst}")


def the_same_models_untrained_would_not_pass():
    make_onnx_fixtures.STEPS = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        make_onnx_fixtures.make_all(Path(folder))
        references = [Reference(name, Path(folder)) for name in (CLASSIFIER, EMBEDDER)]
    must(right_labels(references[0].labels()) < LEAST_SENTENCES, "the classifier")
    must(right_triplets(references[1].vectors()) < LEAST_TRIPLETS, "the embedder")


if __name__ == "__main__":
    with daemon.Daemon(sys.argv[1], "fixtures/models/onnx", [CLASSIFIER, EMBEDDER]) as server:
        sys.exit(daemon.run_tests([
            held_out_texts_fall_by_the_rule_and_none_was_learned_from,
            classifier_is_right_by_onnx_runtime_and_by_hearthd_alike,
            embedder_is_right_by_onnx_runtime_and_by_hearthd_alike,
            the_same_models_untrained_would_not_pass]))
