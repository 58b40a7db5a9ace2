"""An exporter's folder becomes a model that the daemon serves; what it does not say is asked for."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

sys.path.insert(0, str(tap.ROOT / "fixtures"))
import gguf_architectures  # noqa: E402

BIN = Path(sys.argv[1])
TINY = tap.ROOT / "fixtures" / "models" / "onnx"
LABELS = ["greeting", "question", "order", "number"]


def exported(folder, model, config, pooling=None):
    """A folder as exporters leave it: the .onnx in onnx/, everything else above it."""
    (folder / "onnx").mkdir(parents=True)
    shutil.copy(TINY / f"{model}.onnx", folder / "onnx" / "model.onnx")
    shutil.copy(TINY / f"{model}.tokenizer.json", folder / "tokenizer.json")
    (folder / "config.json").write_text(json.dumps(config))
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        (folder / "modules.json").write_text(json.dumps([
            {"idx": 0, "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "type": "sentence_transformers.models.Normalize"}]))
    return folder


def classifier(folder, **changes):
    return exported(folder, "tinybert-classifier", {
        "architectures": ["BertForSequenceClassification"], "max_position_embeddings": 64,
        "id2label": {str(i): label for i, label in enumerate(LABELS)}} | changes)


def embedder(folder, **modes):
    return exported(folder, "minilm-embedder",
                    {"architectures": ["BertModel"], "max_position_embeddings": 128},
                    {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False} | modes)


def import_into(store, source, *more):
    command = [sys.executable, tap.ROOT / "models/make/import_model.py", "--models", store, *more,
               source]
    return subprocess.run(command, capture_output=True, text=True, cwd="/")


def manifest_of(store, name):
    return json.loads((store / name / "manifest.json").read_text())


def ask(store, model, *command):
    """Serves the store with a daemon of its own and asks it; returns the parsed answers."""
    done = subprocess.run(
        [BIN / "hearth", "run", "--models", store, "--preload", model, "--", BIN / "hearth", *command],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def in_folder(claim):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            claim(Path(folder))
    run.__name__ = claim.__name__
    return run


@in_folder
def a_classifier_is_known_by_its_head_and_served(folder):
    done = import_into(folder / "store", classifier(folder / "my-classifier"))
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(folder / "store", "my-classifier")
    assert manifest["task"] == "text-classification" and manifest["labels"] == LABELS
    assert manifest["options"] == {"max_tokens": 64}
    answers = ask(folder / "store", "my-classifier", "classify", "--json", "how are you?")
    text = json.dumps(answers)
    assert all(label in text for label in LABELS), text


@in_folder
def a_sentence_encoder_keeps_its_pooling_and_norm(folder):
    done = import_into(folder / "store", embedder(folder / "encoder"), "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert manifest_of(folder / "store", "mine")["options"] == {
        "pooling": "mean", "normalize": True, "max_tokens": 128}
    done = import_into(folder / "store", embedder(folder / "cls", pooling_mode_mean_tokens=False,
                                                  pooling_mode_cls_token=True))
    assert done.returncode == 0, done.stderr
    assert manifest_of(folder / "store", "cls")["options"]["pooling"] == "cls"


@in_folder
def heads_and_problem_types_become_tasks_and_activations(folder):
    cases = {
        "one score": ({"id2label": {"0": "LABEL_0"}}, "text-ranking", {"max_tokens": 64}),
        "a number": ({"id2label": {"0": "LABEL_0"}, "problem_type": "regression"},
                     "text-classification", {"activation": "none", "max_tokens": 64}),
        "many at once": ({"problem_type": "multi_label_classification"},
                         "text-classification", {"activation": "sigmoid", "max_tokens": 64}),
        "a logit": ({"id2label": {"0": "LABEL_0"}, "sentence_transformers": {
            "activation_fn": "torch.nn.modules.linear.Identity"}},
                    "text-ranking", {"activation": "none", "max_tokens": 64}),
        "a logit, as older folders tell it": (
            {"id2label": {"0": "LABEL_0"},
             "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"},
            "text-ranking", {"activation": "none", "max_tokens": 64}),
        "entities": ({"architectures": ["BertForTokenClassification"]},
                     "token-classification", {"max_tokens": 64}),
        "positions behind padding": ({"model_type": "xlm-roberta", "pad_token_id": 1,
                                      "max_position_embeddings": 514},
                                     "text-classification", {"max_tokens": 512}),
    }
    for number, (name, (changes, task, options)) in enumerate(cases.items()):
        source = classifier(folder / f"case{number}", **changes)
        done = import_into(folder / "store", source)
        assert done.returncode == 0, (name, done.stderr)
        manifest = manifest_of(folder / "store", source.name)
        assert (manifest["task"], manifest["options"]) == (task, options), (name, manifest)


@in_folder
def what_the_folder_does_not_say_is_asked_for_and_nothing_is_left(folder):
    def without(name, source):
        (source / name).unlink()
        return source

    cases = [
        (classifier(folder / "a", architectures=["BertModel"]), "Give --task"),
        (without("modules.json", embedder(folder / "untold")), "Give --normalize"),
        (classifier(folder / "b", id2label={"1": "x", "2": "y"}), "Give --labels"),
        (embedder(folder / "c", pooling_mode_cls_token=True), "Give --pooling"),
        (embedder(folder / "d", pooling_mode_mean_tokens=False,
                  pooling_mode_weightedmean_tokens=True), "Give --pooling"),
        (without("tokenizer.json", classifier(folder / "e")), "tokenizer.json is missing"),
        (without("onnx/model.onnx", classifier(folder / "f")), "found: none"),
        (folder / "nowhere", "no such file or folder"),
    ]
    for source, words in cases:
        done = import_into(folder / "store", source)
        assert done.returncode == 1 and words in done.stderr, (source.name, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
    left = list((folder / "store").iterdir()) if (folder / "store").exists() else []
    assert left == [], left


@in_folder
def files_that_are_not_the_model_are_refused_by_name(folder):
    def with_file(name, data, source):
        (source / name).write_bytes(data)
        return source

    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    dense = json.dumps([{"type": "sentence_transformers.models.Dense"}]).encode()
    cases = [
        (with_file("onnx/model.onnx", pointer, classifier(folder / "a")), "git lfs pull"),
        (with_file("tokenizer.json", pointer, classifier(folder / "b")), "git lfs pull"),
        (with_file("onnx/model.onnx", b"<html>", classifier(folder / "c")), "no ONNX model"),
        (with_file("config.json", b"[]", classifier(folder / "d")), "must be JSON of one object"),
        (with_file("modules.json", dense, embedder(folder / "e")), "a module Dense"),
        (classifier(folder / "f", id2label={"a": "x", "b": "y"}), "Give --labels"),
    ]
    for source, words in cases:
        done = import_into(folder / "store", source)
        assert done.returncode == 1 and words in done.stderr, (source.name, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
    assert not (folder / "store").exists()


@in_folder
def arguments_that_would_make_no_model_are_refused(folder):
    source = classifier(folder / "source")
    cases = [
        (["--name", "../outside"], 1, "Give --name"),
        (["--name", ""], 1, "Give --name"),
        (["--labels", "a,,b"], 1, "1 to 128 bytes"),
        (["--pooling", "cls"], 1, "is for embedding"),
        (["--max-tokens", "0"], 2, "2 to 8192"),
        (["--max-tokens", "99999"], 2, "2 to 8192"),
    ]
    for arguments, code, words in cases:
        done = import_into(folder / "store", source, *arguments)
        assert done.returncode == code and words in done.stderr, (arguments, done.stderr)
    assert not (folder / "store").exists() and not (folder / "outside").exists()


def gguf_file(folder, architecture, name=None, **changes):
    """A tiny GGUF file; @changes: keys of the architecture, None: without that key."""
    def change(keys):
        for key, value in changes.items():
            keys.pop(f"{architecture}.{key}", None)
            if value is not None:
                keys[f"{architecture}.{key}"] = gguf_architectures.value_of(value)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name or architecture}.gguf"
    path.write_bytes(gguf_architectures.make(architecture, change))
    return path


@in_folder
def a_gguf_file_becomes_a_generator_or_an_embedder_as_it_says_or_is_told(folder):
    cases = [
        (gguf_file(folder, "llama"), [], "text_generation", {}),
        (gguf_file(folder, "bert"), [], "embedding", {}),      # the file says mean
        (gguf_file(folder, "bert", "cls"), ["--task", "embedding", "--pooling", "cls", "--normalize", "no"],
         "embedding", {"pooling": "cls", "normalize": False}),
        (gguf_file(folder, "llama", "last"), ["--task", "embedding", "--pooling", "lasttoken"],
         "embedding", {"pooling": "lasttoken"}),
    ]
    for source, more, capability, options in cases:
        done = import_into(folder / "store", source, *more)
        assert done.returncode == 0, (source.name, done.stderr)
        manifest = manifest_of(folder / "store", source.stem)
        assert manifest["capabilities"] == [capability], manifest
        assert manifest["options"] == options, manifest
        if capability == "embedding":
            told, = ask(folder / "store", source.stem, "embed", "--json", "the fox")
            vector = told["results"][0]["vector"]
            length = sum(x * x for x in vector) ** 0.5
            assert len(vector) == gguf_architectures.HIDDEN, told
            assert (abs(length - 1) < 1e-3) == options.get("normalize", True), length
        else:
            told = ask(folder / "store", source.stem, "generate", "--json", "--no-stream", "--max-tokens", "3",
                       "the fox")
            assert told[-1]["usage"]["tokens_generated"] <= 3, told


@in_folder
def what_a_gguf_file_cannot_be_is_refused(folder):
    cases = [
        (gguf_file(folder, "llama"), ["--task", "embedding"], "Give --pooling"),
        (gguf_file(folder, "llama"), ["--task", "text-classification"], "not for text-classification"),
        (gguf_file(folder, "llama"), ["--pooling", "mean"], "is for embedding"),
        (gguf_file(folder, "llama"), ["--labels", "a,b"], "--labels: is for"),
        (gguf_file(folder, "bert"), ["--task", "text-generation"], "Give --task embedding"),
        (gguf_file(folder, "bert"), ["--pooling", "max"], "is possible"),
        (gguf_file(folder, "bert"), ["--max-tokens", "64"], "--max-tokens"),
        (gguf_file(folder, "bert", "untold", pooling_type=None), [], "Give --pooling"),
        (gguf_file(folder, "bert", "rank", pooling_type=4), [], "Give --pooling"),
    ]
    broken = folder / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x03\0\0\0" + b"\xff" * 40)
    for source, arguments, words in [*cases, (broken, [], "no GGUF model")]:
        done = import_into(folder / "store", source, *arguments)
        assert done.returncode == 1 and words in done.stderr, (source.name, arguments, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
    done = import_into(folder / "store", classifier(folder / "onnx"), "--task", "text-generation")
    assert done.returncode == 1 and "generates no text" in done.stderr, done.stderr
    assert not (folder / "store").exists()


@in_folder
def a_model_that_is_there_is_not_overwritten(folder):
    source = classifier(folder / "twice")
    assert import_into(folder / "store", source).returncode == 0
    done = import_into(folder / "store", source)
    assert done.returncode == 1 and "is there already" in done.stderr, done.stderr


@in_folder
def digests_are_those_of_the_files(folder):
    assert import_into(folder / "store", classifier(folder / "model")).returncode == 0
    for entry in manifest_of(folder / "store", "model")["files"]:
        path = folder / "store" / "model" / entry["path"]
        told = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
        assert told.stdout.split()[0] == entry["sha256"]
        assert path.stat().st_size == entry["size_bytes"] and not path.is_symlink()


if __name__ == "__main__":
    sys.exit(tap.run([
        a_classifier_is_known_by_its_head_and_served,
        a_sentence_encoder_keeps_its_pooling_and_norm,
        heads_and_problem_types_become_tasks_and_activations,
        what_the_folder_does_not_say_is_asked_for_and_nothing_is_left,
        files_that_are_not_the_model_are_refused_by_name,
        arguments_that_would_make_no_model_are_refused,
        a_gguf_file_becomes_a_generator_or_an_embedder_as_it_says_or_is_told,
        what_a_gguf_file_cannot_be_is_refused,
        a_model_that_is_there_is_not_overwritten,
        digests_are_those_of_the_files,
    ]))
