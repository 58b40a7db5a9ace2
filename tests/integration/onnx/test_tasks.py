#!/usr/bin/env python3
"""Every task of a text model through the engine, against ONNX Runtime in Python on the ids of the
reference tokenizer, computed here and now. Prints TAP. usage: test_tasks.py DRIVER"""

import sys
import tempfile
from pathlib import Path

import numpy
import onnxruntime
import tokenizers

from engine import (HIDDEN, TOKENIZER, Engine, expect_refused, make_encoder, must, write_config)
from daemon import ROOT, run_tests

TEXTS = ["The quick brown fox", "jumps", "over the lazy dog, twice!", "Zürich is not in Österreich 🙂 .",
         "a b c d e f g h i j k l m n o p q r s t u v w x y z"]
DRIVER = sys.argv[1]
FILES = {"model": "m.onnx", "tokenizer": "t.json"}
KEPT = tempfile.TemporaryDirectory(prefix="hearth-tasks-")      # gone when the program ends
FOLDER = Path(KEPT.name)


def use_tokenizer(path):
    """Without the file's own limits: those of the model count."""
    plain = tokenizers.Tokenizer.from_file(str(path))
    plain.no_truncation()
    plain.no_padding()
    (FOLDER / "t.json").write_text(plain.to_str())


use_tokenizer(TOKENIZER)


class Reference:
    """The same model and tokenizer in Python."""

    def __init__(self, model="m.onnx", limit=512, pad_to=0):
        self.session = onnxruntime.InferenceSession(str(FOLDER / model))
        self.inputs = {i.name: i.type for i in self.session.get_inputs()}
        self.tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "t.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(limit)
        if pad_to:
            self.tokenizer.enable_padding(length=pad_to, pad_id=self.tokenizer.token_to_id("[PAD]"))

    def encode(self, text):
        return self.tokenizer.encode(*text) if isinstance(text, tuple) else self.tokenizer.encode(text)

    def run(self, text, output=None):
        code = self.encode(text)
        numbers = {"input_ids": code.ids, "attention_mask": code.attention_mask,
                   "token_type_ids": code.type_ids, "position_ids": list(range(len(code.ids)))}
        feed = {n: numpy.array([numbers[n]], numpy.int32 if "int32" in t else numpy.int64)
                for n, t in self.inputs.items()}
        names = [o.name for o in self.session.get_outputs()]
        found = self.session.run([output or names[0]], feed)[0]
        return found[0].astype(numpy.float64), sum(code.attention_mask)


def softmax(x):
    power = numpy.exp(x - x.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def normalised(x):
    return x / numpy.linalg.norm(x)


POOLS = {"mean": lambda rows: rows.mean(axis=0), "cls": lambda rows: rows[0],
         "max": lambda rows: rows.max(axis=0), "lasttoken": lambda rows: rows[-1]}


def near(found, wanted, what, tolerance=1e-5):
    found, wanted = numpy.asarray(found, numpy.float64), numpy.asarray(wanted)
    must(found.shape == wanted.shape, f"{what}: shape {found.shape}, wanted {wanted.shape}")
    worst = float(numpy.abs(found - wanted).max(initial=0))
    must(worst <= tolerance, f"{what}: differs by {worst}")


def load(task, files=None, **more):
    return Engine(DRIVER, FOLDER, task, files or FILES, **more)


def refused(name, part, task, files=None, **more):
    expect_refused(name, part, DRIVER, FOLDER, task, files or FILES, **more)


def scores_of(result, labels):
    seen = {label["name"]: label["score"] for label in result["labels"]}
    return [seen[label] for label in labels]


# ---- classification --------------------------------------------------------------------------------

LABELS = ["joy", "anger", "none"]


def check_classes(activation, wanted, inputs=TEXTS):
    reference = Reference()
    with load("classify", labels=LABELS, options={"activation": activation} if activation else {}) as engine:
        for text, result in zip(inputs, engine.results(inputs)):
            logits, count = reference.run(text)
            near(scores_of(result, LABELS), wanted(logits), f"{activation}")
            must(result["tokens"] == count, f"{result['tokens']} tokens, wanted {count}")
        must(engine.facts["activation"] == (activation or "softmax"), f"{engine.facts}")


def each_activation_is_applied_to_the_logits():
    make_encoder(FOLDER / "m.onnx", 1, outputs=("logits",), width=3)
    check_classes(None, softmax)
    check_classes("softmax", softmax)
    check_classes("sigmoid", sigmoid)
    check_classes("none", lambda x: x)


def pairs_are_classified_as_the_reference_encodes_them():
    make_encoder(FOLDER / "m.onnx", 2, outputs=("logits",), width=3)
    check_classes(None, softmax, [(a, b) for a, b in zip(TEXTS, TEXTS[1:])] + ["a single one"])


def a_regression_has_one_label_and_no_activation():
    make_encoder(FOLDER / "m.onnx", 3, outputs=("flat",))
    with load("classify", labels=["stars"], options={"activation": "none"}) as engine:
        for text, result in zip(TEXTS, engine.results(TEXTS)):
            near(scores_of(result, ["stars"]), [Reference().run(text)[0]], "a row without a width")


def labels_that_do_not_match_the_output_are_refused_with_both_numbers():
    for declared in (True, False):      # seen in the file, or by the first run
        make_encoder(FOLDER / "m.onnx", 4, outputs=("logits",), width=3, output_shape=declared)
        refused("model_invalid", "promises 2 labels, the model answers with 3", "classify", labels=["a", "b"])


def as_many_labels_as_there_may_be_are_answered():
    """A wide output weighs most in the shortest run: longer ones must not be refused by its measure,
    and a limit of the graph is found all the same."""
    labels = [f"l{i}" for i in range(1024)]
    inputs = {"input_ids": "int64", "attention_mask": "int64", "position_ids": "int64"}
    make_encoder(FOLDER / "m.onnx", 5, inputs=inputs, outputs=("logits",), width=1024, positions=77)
    with load("classify", labels=labels) as engine:     # its end says that all memory was given back
        must(engine.facts["max_tokens"] == "77", f"{engine.facts}")
        near(scores_of(engine.results(["word " * 600])[0], labels),
             softmax(Reference(limit=77).run("word " * 600)[0]), "1024 labels")


# ---- embedding -------------------------------------------------------------------------------------

def wanted_vector(reference, text, pooling, must_normalise=True, dimensions=HIDDEN, output=None):
    rows, count = reference.run(text, output)
    vector = (POOLS[pooling](rows[:count]) if rows.ndim == 2 else rows)[:dimensions]
    return normalised(vector) if must_normalise else vector


def each_pooling_is_that_of_numpy():
    make_encoder(FOLDER / "m.onnx", 5)
    reference = Reference()
    for pooling, normalize in zip(POOLS, (True, False, True, False)):
        options = {"pooling": pooling, "normalize": str(normalize).lower(), "dimensions": HIDDEN}
        with load("embed", options=options) as engine:
            for ask, is_normal in ((0, normalize), (1, True), (2, False)):      # the model's way, yes, no
                for text, result in zip(TEXTS, engine.results(TEXTS, normalize=ask)):
                    near(result["vector"], wanted_vector(reference, text, pooling, is_normal), f"{pooling} {ask}")
            must(engine.facts["pooling"] == pooling and engine.ready["dimensions"] == HIDDEN, "facts")


def a_request_cuts_normalises_and_packs():
    make_encoder(FOLDER / "m.onnx", 6)
    reference = Reference()
    with load("embed") as engine:
        plain = engine.results(TEXTS, normalize=2, dimensions=7)
        cut = engine.results(TEXTS, dimensions=7)
        half = engine.results(TEXTS, dimensions=7, vector_type=1)
        byte = engine.results(TEXTS, dimensions=7, vector_type=2)
        for i, text in enumerate(TEXTS):
            near(plain[i]["vector"], wanted_vector(reference, text, "mean", False, 7), "not normalised")
            near(cut[i]["vector"], wanted_vector(reference, text, "mean", True, 7), "cut")
            exact = numpy.array(cut[i]["vector"], numpy.float32)
            must(half[i]["packed"] == exact.astype("<f2").tobytes(), "float16 is not numpy's")
            scale = numpy.abs(exact).max() / numpy.float32(127)
            must(byte[i]["packed"] == numpy.rint(exact / scale).astype(numpy.int8).tobytes(), "int8")
            must(numpy.float32(byte[i]["scale"]) == scale and not byte[i]["vector"], "the scale")
        answer = engine.ask(TEXTS, dimensions=HIDDEN + 1)
        must(f"{HIDDEN + 1} asked for, the model has {HIDDEN}" in answer["error"], answer["error"])


MODES = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token",
         "max": "pooling_mode_max_tokens", "lasttoken": "pooling_mode_lasttoken"}
WITH_CONFIG = {**FILES, "config": "config.json"}


def the_models_own_configuration_says_how_it_pools():
    make_encoder(FOLDER / "m.onnx", 7)
    reference = Reference()
    for pooling, key in MODES.items():
        write_config(FOLDER, word_embedding_dimension=HIDDEN, **{k: k == key for k in MODES.values()})
        with load("embed", WITH_CONFIG) as engine:
            near(engine.results(TEXTS[:1])[0]["vector"], wanted_vector(reference, TEXTS[0], pooling), pooling)
    write_config(FOLDER, pooling_mode="max")
    with load("embed", WITH_CONFIG, options={"pooling": "max"}) as engine:
        near(engine.results(TEXTS[:1])[0]["vector"], wanted_vector(reference, TEXTS[0], "max"), "max")
    write_config(FOLDER, model_type="bert")         # somebody else's configuration
    with load("embed", WITH_CONFIG) as engine:
        must(engine.facts["pooling"] == "mean", f"{engine.facts}")


def a_configuration_that_cannot_be_followed_is_refused_by_name():
    make_encoder(FOLDER / "m.onnx", 8)
    cases = [({MODES["mean"]: True, MODES["cls"]: True}, {}, "unsupported", "at once"),
             ({"pooling_mode_weightedmean_tokens": True}, {}, "unsupported", "weightedmean"),
             ({"pooling_mode_mean_sqrt_len_tokens": True}, {}, "unsupported", "mean_sqrt_len"),
             ({"pooling_mode": "attention"}, {}, "unsupported", "pooling_mode"),
             ({MODES["mean"]: False}, {}, "model_invalid", "no pooling_mode"),
             ({MODES["mean"]: 1}, {}, "model_invalid", "true or false"),
             ({MODES["cls"]: True}, {"pooling": "mean"}, "model_invalid", "pools by cls, option pooling is mean"),
             ({MODES["cls"]: True, "pooling_mode": "mean"}, {}, "model_invalid", "another key says cls"),
             ({MODES["mean"]: True, "word_embedding_dimension": 25}, {}, "model_invalid",
              "promises 25 dimensions, the model answers with 24"),
             ({MODES["mean"]: True, "word_embedding_dimension": 25}, {"dimensions": 24}, "model_invalid",
              "option dimensions is 24")]
    for keys, options, name, part in cases:
        write_config(FOLDER, **keys)
        refused(name, part, "embed", WITH_CONFIG, options=options)
    (FOLDER / "config.json").write_text("{")
    refused("model_invalid", "config.json: not JSON", "embed", WITH_CONFIG)


def the_right_output_is_chosen_by_name():
    reference = None
    cases = [(("pooler_output", "last_hidden_state"), {}, "last_hidden_state"),
             (("token_embeddings", "sentence_embedding"), {}, "sentence_embedding"),
             (("token_embeddings", "sentence_embedding"), {"pooling": "max"}, "token_embeddings"),
             (("sentence_embedding",), {"pooling": "max"}, "sentence_embedding"),
             (("only_one",), {}, "only_one"),
             (("pooler_output", "last_hidden_state"), {"output": "pooler_output"}, "pooler_output")]
    for seed, (outputs, options, wanted) in enumerate(cases):
        make_encoder(FOLDER / "m.onnx", 20 + seed, outputs=outputs)
        reference = Reference()
        with load("embed", options=options) as engine:
            near(engine.results(TEXTS[:1])[0]["vector"],
                 wanted_vector(reference, TEXTS[0], options.get("pooling", "mean"), output=wanted), wanted)
            must(engine.facts["output"] == wanted, f"{engine.facts}")
            by_graph = wanted in ("sentence_embedding", "pooler_output")
            must((engine.facts["pooling"] == "by the graph") == by_graph, f"{engine.facts}")
    make_encoder(FOLDER / "m.onnx", 30, outputs=("left", "right"))
    refused("unsupported", "the outputs are left, right and none is \"last_hidden_state\"", "embed")
    refused("unsupported", "none is \"middle\"", "embed", options={"output": "middle"})


# ---- every family ----------------------------------------------------------------------------------

def inputs_of_every_family_are_fed():
    both = [{"input_ids": "int64"}, {"input_ids": "int32", "attention_mask": "int32"},
            {"attention_mask": "int64", "input_ids": "int32", "token_type_ids": "int32"},
            {"input_ids": "int64", "attention_mask": "int64", "position_ids": "int64"}]
    for seed, inputs in enumerate(both):
        make_encoder(FOLDER / "m.onnx", 40 + seed, inputs=inputs)
        with load("embed") as engine:
            for text, result in zip(TEXTS, engine.results(TEXTS)):
                near(result["vector"], wanted_vector(Reference(), text, "mean"), f"{inputs}")


def halves_are_read_as_halves():
    make_encoder(FOLDER / "m.onnx", 50, element="float16")
    with load("embed", options={"normalize": "false", "pooling": "max"}) as engine:
        for text, result in zip(TEXTS, engine.results(TEXTS)):
            near(result["vector"], wanted_vector(Reference(), text, "max", False), "halves", 0)
    make_encoder(FOLDER / "m.onnx", 51, outputs=("logits",), width=3, element="float16")
    check_classes(None, softmax)


def a_fixed_length_is_padded_to_and_masked():
    others = {"input_ids": "int32", "attention_mask": "int32", "position_ids": "int32"}
    for inputs, pools in ((None, POOLS), (others, ["max"])):
        make_encoder(FOLDER / "m.onnx", 60, inputs=inputs, batch=1, tokens=12)
        for pooling in pools:
            with load("embed", options={"pooling": pooling}) as engine:
                must(engine.facts["max_tokens"] == "12" and engine.facts["padded_to"] == "12", f"{engine.facts}")
                for text, result in zip(TEXTS, engine.results(TEXTS)):
                    near(result["vector"], wanted_vector(Reference(limit=12, pad_to=12), text, pooling), pooling)


def texts_are_cut_to_the_limit_and_say_so():
    make_encoder(FOLDER / "m.onnx", 70)
    long = "word " * 600
    for options, limit in (({}, 512), ({"max_tokens": 16}, 16), ({"max_tokens": 900}, 900)):
        with load("embed", options=options) as engine:
            result = engine.results([long])[0]
            must(result["tokens"] == min(limit, 602) and result["is_truncated"] == (limit < 602), f"{result['tokens']}")
            near(result["vector"], wanted_vector(Reference(limit=limit), long, "mean"), f"{limit} tokens")
            must(engine.ready["context_tokens"] == limit, "context_tokens")
    tokenizer = tokenizers.Tokenizer.from_file(str(TOKENIZER))
    tokenizer.enable_truncation(40)
    (FOLDER / "cut.json").write_text(tokenizer.to_str())
    with load("embed", {**FILES, "tokenizer": "cut.json"}) as engine:
        must(engine.results([long])[0]["tokens"] == 40, "the tokenizer's own limit")


def a_graph_that_bears_fewer_tokens_says_so_itself():
    inputs = {"input_ids": "int64", "attention_mask": "int64", "position_ids": "int64"}
    make_encoder(FOLDER / "m.onnx", 75, inputs=inputs, positions=77)
    long = "word " * 600
    with load("embed") as engine:
        must(engine.facts["max_tokens"] == "77" and engine.ready["context_tokens"] == 77, f"{engine.facts}")
        near(engine.results([long])[0]["vector"], wanted_vector(Reference(limit=77), long, "mean"), "77 tokens")
    with load("embed", options={"max_tokens": 77}) as engine:
        must(engine.results([long])[0]["tokens"] == 77, "as told")
    refused("config", "option max_tokens is 78, the graph fails on more than 77 tokens", "embed",
            options={"max_tokens": 78})


def graphs_that_do_not_fit_are_refused_by_name():
    ids = {"input_ids": "int64", "attention_mask": "int64"}
    cases = [(dict(inputs={**ids, "pixels": "int64"}), "\"pixels\""),
             (dict(inputs={"attention_mask": "int64", "input_ids": "float32"}), "wants float32"),
             (dict(batch=2), "a fixed batch of 2"),
             (dict(tokens=9000), "at most 8192"),
             (dict(inputs={"input_ids": "int64"}, tokens=8), "no attention_mask"),
             (dict(element=16), "must be float32 or float16"),
             (dict(element=11), "it is float64 of rank 3")]
    for seed, (how, part) in enumerate(cases):
        make_encoder(FOLDER / "m.onnx", 80 + seed, **how)
        refused("unsupported", part, "embed")
    make_encoder(FOLDER / "m.onnx", 90, tokens=8)
    refused("config", "option max_tokens is 9, the graph has a fixed length of 8", "embed", options={"max_tokens": 9})
    refused("config", "leaves no room", "embed", options={"max_tokens": 2})
    refused("model_invalid", "role tokenizer", "embed", {"model": "m.onnx"})


def an_option_without_meaning_is_refused():
    make_encoder(FOLDER / "m.onnx", 91)
    refused("config", "option aggregation has no meaning for the task embed", "embed",
            options={"aggregation": "simple"})
    refused("config", "known are mean, cls, max, lasttoken", "embed", options={"pooling": "median"})
    refused("config", "has no option poolin;", "embed", options={"poolin": "mean"})


# ---- reranking -------------------------------------------------------------------------------------

QUERY = "which animal is quick"


def check_reranking(options, wanted):
    with load("rerank", options=options) as engine:
        for text, result in zip(TEXTS, engine.results(TEXTS, query=QUERY)):
            logits, count = Reference().run((QUERY, text))
            near(result["score"], wanted(logits), f"{options}")
            must(result["tokens"] == count, f"{result['tokens']} tokens, wanted {count}")


def a_reranker_scores_each_text_with_the_query():
    for width, options, wanted in ((1, {}, lambda x: sigmoid(x)[0]), (1, {"activation": "none"}, lambda x: x[0]),
                                   (2, {"activation": "softmax"}, lambda x: softmax(x)[1])):
        make_encoder(FOLDER / "m.onnx", 100 + width, outputs=("logits",), width=width)
        check_reranking(options, wanted)


def a_reranker_of_another_width_is_refused():
    make_encoder(FOLDER / "m.onnx", 110, outputs=("logits",), width=2)
    refused("unsupported", "answers with 2 values under activation sigmoid", "rerank")
    make_encoder(FOLDER / "m.onnx", 111, outputs=("logits",), width=1)
    refused("unsupported", "answers with 1 values under activation softmax", "rerank",
            options={"activation": "softmax"})


# ---- entities --------------------------------------------------------------------------------------

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def pipeline_entities(reference, text, labels, aggregation):
    """The rules of the reference pipeline ("simple" and "none"), written down anew: (label, score,
    start, end) in characters."""
    logits, _ = reference.run(text)
    code, groups = reference.encode(text), []
    for scores, (start, end), special in zip(softmax(logits), code.offsets, code.special_tokens_mask):
        if special:
            continue
        label = labels[scores.argmax()]
        begins, kind = label.startswith("B-"), label[2:] if label[:2] in ("B-", "I-") else label
        if aggregation == "simple" and groups and groups[-1]["kind"] == kind and not begins:
            groups[-1]["scores"].append(scores.max())
            groups[-1]["end"] = end
        else:
            groups.append({"label": label, "kind": kind, "scores": [scores.max()], "start": start, "end": end})
    return [(g["kind"], numpy.mean(g["scores"]), g["start"], g["end"]) for g in groups if g["label"] != "O"]


def check_entities(labels, aggregation):
    reference, met = Reference(), 0
    with load("entities", labels=labels, options={"aggregation": aggregation}) as engine:
        for text, result in zip(TEXTS, engine.results(TEXTS)):
            wanted = pipeline_entities(reference, text, labels, aggregation)
            found = result["entities"]
            must([(e["label"], e["start_char"], e["end_char"]) for e in found] ==
                 [(label, start, end) for label, _, start, end in wanted], f"{text!r}: {found}, wanted {wanted}")
            near([e["score"] for e in found], [score for _, score, _, _ in wanted], "scores")
            for e in found:
                must(text.encode()[e["start_byte"]:e["end_byte"]].decode() == text[e["start_char"]:e["end_char"]],
                     f"bytes and characters disagree in {text!r}: {e}")
            met += len(found)
    return met


def entities_are_grouped_as_the_reference_pipeline_groups_them():
    met = {"simple": 0, "none": 0}
    for seed in range(120, 125):
        make_encoder(FOLDER / "m.onnx", seed, outputs=("token_logits",), width=5)
        for aggregation in met:
            met[aggregation] += check_entities(TAGS, aggregation)
    check_entities(["person", "place", "thing", "O", "time"], "simple")
    print(f"# entities met: {met}")
    must(met["none"] > met["simple"] >= 50, f"too few to tell: {met}")


def tokenizers_of_other_kinds_pair_and_place_as_the_reference():
    try:
        for name in ("roberta", "xlm-roberta", "deberta-v2", "modernbert", "mpnet"):
            use_tokenizer(ROOT / f"fixtures/tokenizers/{name}.json")
            make_encoder(FOLDER / "m.onnx", 128, outputs=("token_logits",), width=5)
            must(check_entities(TAGS, "none") > 0, f"{name}: no entity to compare")
            make_encoder(FOLDER / "m.onnx", 129, outputs=("logits",), width=1)
            check_reranking({}, lambda x: sigmoid(x)[0])
    finally:
        use_tokenizer(TOKENIZER)


def too_many_entities_are_an_error_and_no_crash():
    make_encoder(FOLDER / "m.onnx", 130, outputs=("token_logits",), width=2)
    with load("entities", labels=["B-A", "B-B"], options={"max_tokens": 4096}) as engine:
        answer = engine.ask(["a " * 2047])
        must(answer["code"] == 0 and len(answer["results"][0]["entities"]) == 2047, f"{answer['error']}")
        answer = engine.ask(["a " * 2049])
        must("more than 2048 entities" in answer["error"], f"{answer['code']} {answer['error']}")
        must(engine.ask(["a b"])["code"] == 0, "the next request suffers")


TESTS = [each_activation_is_applied_to_the_logits,
         pairs_are_classified_as_the_reference_encodes_them,
         a_regression_has_one_label_and_no_activation,
         labels_that_do_not_match_the_output_are_refused_with_both_numbers,
         as_many_labels_as_there_may_be_are_answered,
         each_pooling_is_that_of_numpy,
         a_request_cuts_normalises_and_packs,
         the_models_own_configuration_says_how_it_pools,
         a_configuration_that_cannot_be_followed_is_refused_by_name,
         the_right_output_is_chosen_by_name,
         inputs_of_every_family_are_fed,
         halves_are_read_as_halves,
         a_fixed_length_is_padded_to_and_masked,
         texts_are_cut_to_the_limit_and_say_so,
         a_graph_that_bears_fewer_tokens_says_so_itself,
         graphs_that_do_not_fit_are_refused_by_name,
         an_option_without_meaning_is_refused,
         a_reranker_scores_each_text_with_the_query,
         a_reranker_of_another_width_is_refused,
         entities_are_grouped_as_the_reference_pipeline_groups_them,
         tokenizers_of_other_kinds_pair_and_place_as_the_reference,
         too_many_entities_are_an_error_and_no_crash]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
