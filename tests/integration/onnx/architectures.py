#!/usr/bin/env python3
"""Encoders of every family with random weights, through the daemon: classes, vectors, scores of pairs
and entities equal ONNX Runtime in Python behind the reference tokenizer. Prints TAP.

    architectures.py --bin BUILD/bin
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures"))
import architectures                                # noqa: E402
import v2                                           # noqa: E402
from daemon import ROOT, Daemon, must, run_tests    # noqa: E402
from expected import Reference, cosine              # noqa: E402

LEAST_COSINE, MOST_DIFFERENCE, MOST_IN_BATCH = 0.99999, 1e-4, 1e-5
QUERY = "Who lives in Zürich, and since when?"
PLACES = ["Zoë Müller lives in Zürich 🙂 with Ana.", "Ångström went to São Paulo;  then to Łódź!",
          "東京 and 한국어, e\u0301te\u0301 [SEP] <mask> x", "ﬁve  ＡＢ\u00a0c\u200bd Paris, Paris. Rome"]
families, daemon = {}, None


def texts():
    rows = json.loads((ROOT / "fixtures/texts/varied200.json").read_text(encoding="utf-8"))
    return PLACES + [row["text"] for row in rows if row["text"].strip()][::12][:16]


TEXTS = texts()


def names(task):
    return [name for name, model in architectures.MODELS.items() if model.task == task]


def ask(name, task, given, **more):
    """The results by index; @given are strings or pairs of strings."""
    rows = [{"text": text[0], "pair": text[1]} if isinstance(text, tuple) else {"text": text}
            for text in given]
    answer = daemon.infer(model_id=name, task=v2.TASKS[task], texts=rows, **more)
    must(answer["code"] == 0, f"{name}: {v2.ERRORS.get(answer['code'])}: {answer['error']}")
    results = sorted(answer["results"], key=lambda result: result["index"])
    must([r["index"] for r in results] == list(range(len(given))), f"{name}: indices {results}")
    return results


def numbers_of(result):
    """All numbers of a result in a fixed order, to compare one answer with another."""
    labels = [label["score"] for label in sorted(result["labels"], key=lambda label: label["name"])]
    entities = [number for entity in result["entities"]
                for number in (entity["score"], entity["start_byte"], entity["end_byte"])]
    return [result["score"], *labels, *result["vector"], *entities]


def check_tokens(name, result, reference, *given):
    wanted = len(reference.encode(*given).ids)
    must(result["tokens"] == wanted, f"{name}: {result['tokens']} tokens, the reference has {wanted}")
    full = len(reference.tokenizer.encode(*given).overflowing)
    must(result["is_truncated"] == (full > 0), f"{name}: is_truncated {result['is_truncated']}, {full}")


def check_classes(name, reference, given, results):
    worst = 0.0
    for text, result in zip(given, results):
        parts = text if isinstance(text, tuple) else (text,)
        wanted, found = reference.classes(*parts), {l["name"]: l["score"] for l in result["labels"]}
        must(sorted(found) == sorted(wanted), f"{name}: labels {sorted(found)}")
        must(list(found.values()) == sorted(found.values(), reverse=True), f"{name}: not best first")
        worst = max(worst, *(abs(found[label] - wanted[label]) for label in wanted))
        check_tokens(name, result, reference, *parts)
    print(f"# {name}: largest difference of a probability {worst:.1e}")
    must(worst <= MOST_DIFFERENCE, f"{name}: a probability differs by {worst}")


def classes_equal_the_reference():
    for name in names("text-classification"):
        check_classes(name, families[name], TEXTS, ask(name, "classify", TEXTS))


def classes_of_pairs_equal_the_reference():
    pairs = list(zip(TEXTS, TEXTS[3:] + TEXTS[:3]))
    for name in names("text-classification"):
        check_classes(name, families[name], pairs, ask(name, "classify", pairs))


def vectors_equal_the_reference():
    for name in names("embedding"):
        worst = 1.0
        for text, result in zip(TEXTS, ask(name, "embed", TEXTS)):
            must(len(result["vector"]) == architectures.HIDDEN, f"{name}: {len(result['vector'])} numbers")
            worst = min(worst, cosine(result["vector"], families[name].vector(text)))
            check_tokens(name, result, families[name], text)
        print(f"# {name}: worst cosine {worst:.8f}")
        must(worst >= LEAST_COSINE, f"{name}: cosine {worst}")


def vectors_come_cut_packed_and_as_long_as_asked():
    name, reference = "mpnet-embedder", families["mpnet-embedder"]
    for dimensions, normalize in ((0, 0), (16, 1), (16, 2), (1, 1), (architectures.HIDDEN, 2)):
        wanted = [reference.vector(text, dimensions or None, normalize != 2) for text in TEXTS]
        form = {"dimensions": dimensions, "normalize": normalize}
        for plain, half, byte, vector in zip(ask(name, "embed", TEXTS, **form),
                                             ask(name, "embed", TEXTS, vector_type=1, **form),
                                             ask(name, "embed", TEXTS, vector_type=2, **form), wanted):
            near = numpy.abs(vector).max()
            far = numpy.abs(plain["vector"] - vector).max()
            must(far <= 1e-5 * max(1, near), f"{form}: float32 is off by {far}")
            halves = numpy.frombuffer(half["packed"], "<f2").astype(float)
            must(not half["vector"] and numpy.abs(halves - vector).max() <= near / 1024, f"{form}: float16")
            bytes_ = numpy.frombuffer(byte["packed"], numpy.int8).astype(float) * byte["scale"]
            must(not byte["vector"] and numpy.abs(bytes_ - vector).max() <= near / 250, f"{form}: int8")


def more_dimensions_than_there_are_are_refused():
    answer = daemon.infer(model_id="mpnet-embedder", task=v2.TASKS["embed"], texts=[{"text": "a"}],
                          dimensions=architectures.HIDDEN + 1)
    must(v2.ERRORS.get(answer["code"]) == "input_invalid", f"{answer}")
    must("64" in answer["error"] and "65" in answer["error"], answer["error"])


def scores_of_pairs_equal_the_reference():
    for name in names("text-ranking"):
        worst = 0.0
        for text, result in zip(TEXTS, ask(name, "rerank", TEXTS, query=QUERY)):
            worst = max(worst, abs(result["score"] - families[name].score(QUERY, text)))
            check_tokens(name, result, families[name], QUERY, text)
        print(f"# {name}: largest difference of a logit {worst:.1e}")
        must(worst <= MOST_DIFFERENCE, f"{name}: a score differs by {worst}")


def entities_equal_the_reference():
    for name in names("token-classification"):
        count, worst = 0, 0.0
        for text, result in zip(TEXTS, ask(name, "entities", TEXTS)):
            wanted = families[name].entities(text)
            found = [{**entity, "score": 0} for entity in result["entities"]]
            must(found == [{**entity, "score": 0} for entity in wanted],
                 f"{name}: {ascii(text)[:60]}\nwanted {wanted}\nfound  {result['entities']}")
            for left, right in zip(wanted, result["entities"]):
                worst = max(worst, abs(left["score"] - right["score"]))
            count += len(wanted)
            check_tokens(name, result, families[name], text)
        print(f"# {name}: {count} entities, largest difference of a score {worst:.1e}")
        must(count > 20 and worst <= MOST_DIFFERENCE, f"{name}: {count} entities, off by {worst}")


def a_batch_equals_single_requests():
    tasks = {"text-classification": "classify", "embedding": "embed", "text-ranking": "rerank",
             "token-classification": "entities"}
    worst = 0.0
    for name, model in architectures.MODELS.items():
        task = tasks[model.task]
        more = {"query": QUERY} if task == "rerank" else {}
        for text, batched in zip(TEXTS, ask(name, task, TEXTS, **more)):
            left, right = numbers_of(ask(name, task, [text], **more)[0]), numbers_of(batched)
            must(len(left) == len(right), f"{name}: {len(left)} and {len(right)} numbers")
            worst = max(worst, *(abs(a - b) for a, b in zip(left, right)))
    print(f"# largest difference between a batch and single requests {worst:.1e}")
    must(worst <= MOST_IN_BATCH, f"differs by {worst}")


def load_all(names):
    """All at once; a line of the configuration would not hold so many names."""
    connection = daemon.connect()
    for number, name in enumerate(names, 1):
        connection.send("load_request", request_id=number, model_id=name)
    for _ in names:
        kind, answer = connection.receive()
        must(kind == "load_response" and answer["code"] == 0, f"{kind}: {answer}")
    connection.close()


def main():
    global daemon
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearth-models-") as folder:
        architectures.write_all(folder)
        families.update({name: Reference(Path(folder) / name) for name in architectures.MODELS})
        with Daemon(options.bin, [folder]) as started:
            daemon = started
            load_all(list(architectures.MODELS))
            return run_tests([
                classes_equal_the_reference, classes_of_pairs_equal_the_reference,
                vectors_equal_the_reference, vectors_come_cut_packed_and_as_long_as_asked,
                more_dimensions_than_there_are_are_refused, scores_of_pairs_equal_the_reference,
                entities_equal_the_reference, a_batch_equals_single_requests])


if __name__ == "__main__":
    sys.exit(main())
