"""Models in int8: what the command writes, how far they agree, and what hearthd makes of them.

    test_quantize.py BIN_FOLDER

The agreement is computed here once more, by code of its own, from both files; what hearthd answers
is compared with ONNX Runtime in Python on the same int8 file.
"""

import contextlib
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tap     # before numpy, which it keeps to one thread

import numpy
import onnxruntime
import tokenizers

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import daemon               # noqa: E402
import make_models          # noqa: E402
import quantize             # noqa: E402
from daemon import must     # noqa: E402

FIXTURES, STORE = tap.ROOT / "fixtures/models/onnx", tap.ROOT / "models/store"
EMBEDDER, CLASSIFIER, MINILM = "minilm-embedder", "tinybert-classifier", "all-minilm-l6-v2"
TEXTS = [entry["text"] for entry in json.loads(
    (tap.ROOT / "fixtures/texts/varied200.json").read_text(encoding="utf-8"))]
BATCH = 32
home = None     # a folder of models of our own
bin_folder = None


def copy_fixture(name):
    """A model of the fixtures as a folder, as the command wants it."""
    folder = home / name
    folder.mkdir()
    manifest = json.loads((FIXTURES / f"{name}.manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["files"]:
        shutil.copyfile(FIXTURES / entry["path"], folder / entry["path"])
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def command(*arguments):
    """(status, what it printed, what it complained)"""
    said, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
        status = quantize.main(["--models", str(home), *arguments])
    return status, said.getvalue(), wrong.getvalue()


def made(*arguments):
    status, said, wrong = command(*arguments)
    must(status == 0, wrong)
    for line in said.splitlines():
        print(f"# {line.strip()}")


def manifest_of(name):
    return json.loads((home / name / "manifest.json").read_text(encoding="utf-8"))


def change(name, **values):
    manifest = manifest_of(name)
    for key, value in values.items():
        manifest["agreement"][key] = value
    (home / name / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def reference(name, texts=None):
    """What the file of the model answers by ONNX Runtime, one text at a time: rows before softmax or
    normalisation."""
    manifest = manifest_of(name)
    path = {entry["role"]: str(home / name / entry["path"]) for entry in manifest["files"]}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path["model"], options)
    tokenizer = tokenizers.Tokenizer.from_file(path["tokenizer"])
    tokenizer.enable_truncation(manifest["options"]["max_tokens"])
    tokenizer.no_padding()
    rows = []
    for text in TEXTS if texts is None else texts:
        ids = numpy.array([tokenizer.encode(text).ids], numpy.int64)
        feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
                "token_type_ids": numpy.zeros_like(ids)}
        row = session.run(None, feed)[0][0].astype(numpy.float64)
        rows.append(row if row.ndim == 1 else row.sum(0) / len(row))
    return rows


def cosine(a, b):
    return float(a @ b / (numpy.sqrt(a @ a) * numpy.sqrt(b @ b)))


def recomputed(source, name):
    tsv = [line.split("\t")[1] for part in ("heldout", "final50") for line in
           (tap.ROOT / f"models/intent/{part}.tsv").read_text(encoding="utf-8").splitlines()]
    texts = TEXTS + tsv if "labels" in manifest_of(name) else TEXTS
    wanted, found = reference(source, texts), reference(name, texts)
    cosines = [cosine(a, b) for a, b in zip(wanted, found)]
    alike = sum(int(a.argmax() == b.argmax()) for a, b in zip(wanted, found)) / len(texts)
    return {"mean_cosine": sum(cosines) / len(texts), "min_cosine": min(cosines),
            "label_agreement": alike, "texts": len(texts)}


def stored_agreement_is_what_both_files_give():
    made("--recipe", "unsigned", CLASSIFIER)
    made("--recipe", "evened", EMBEDDER)
    for name in (CLASSIFIER, EMBEDDER):
        manifest = manifest_of(f"{name}-int8")
        stored, again = manifest["agreement"], recomputed(name, f"{name}-int8")
        must(manifest["precision"] == "int8", manifest["precision"])
        must(("label_agreement" in stored) == (name == CLASSIFIER), f"{stored}")
        must(stored["texts"] >= 200, f"{stored['texts']} texts")
        must(stored["source_sha256"] == digest(home / name / f"{name}.onnx"), "of another file")
        for key in stored.keys() & again.keys():
            must(abs(stored[key] - again[key]) <= 1e-6, f"{name}: {key} {stored[key]} {again[key]}")


def the_same_model_gives_the_same_bytes():
    before = digest(home / f"{EMBEDDER}-int8" / "model.onnx")
    shutil.move(home / f"{EMBEDDER}-int8", home / "first")
    made("--recipe", "evened", EMBEDDER)
    must(digest(home / f"{EMBEDDER}-int8" / "model.onnx") == before, "other bytes")
    shutil.rmtree(home / "first")


def minilm_in_int8_is_good_enough_for_a_default():
    shutil.copytree(STORE / MINILM, home / MINILM)
    made("--recipe", "evened-kept", MINILM)
    made("--default", MINILM)
    manifest = manifest_of(MINILM)
    must(manifest["default"] is True and manifest["model_id"] == MINILM, f"{manifest}")
    must(manifest_of(f"{MINILM}-fp32")["model_id"] == f"{MINILM}-fp32", "fp32 has another id")
    must(manifest["agreement"]["mean_cosine"] >= 0.999, f"{manifest['agreement']}")
    must(manifest["agreement"]["min_cosine"] >= 0.99, f"{manifest['agreement']}")


def worst_difference(server, name):
    wanted, worst, least = reference(name), 0.0, 1.0
    for start in range(0, len(TEXTS), BATCH):
        part = [{"text": text} for text in TEXTS[start:start + BATCH]]
        answer = server.infer(model_id=name, task=1, texts=part)
        must(answer["code"] == 0, answer["error"])
        for result in answer["results"]:
            row = wanted[start + result["index"]]
            unit = row / numpy.sqrt(row @ row)
            vector = numpy.array(result["vector"])
            worst = max(worst, float(numpy.abs(unit - vector).max()))
            least = min(least, cosine(row, vector))
    return worst, least


def has_the_same_library(server, name):
    """Another release of the library rounds to int8 in other places."""
    connection = server.connect()
    connection.send("model_request", request_id=1, model_id=name)
    _, answer = connection.receive()
    connection.close()
    facts = {fact["key"]: fact["value"] for fact in answer["facts"]}
    return facts["library"] == f"ONNX Runtime {onnxruntime.__version__}"


def hearthd_answers_as_onnx_runtime_does_on_the_same_int8_file():
    with daemon.Daemon(bin_folder, str(home), [MINILM, f"{EMBEDDER}-int8"]) as server:
        for name in (MINILM, f"{EMBEDDER}-int8"):
            worst, least = worst_difference(server, name)
            is_same = has_the_same_library(server, name)
            print(f"# {name}: largest difference {worst:.1e}, least cosine {least:.6f}, "
                  f"{'the same' if is_same else 'another'} release of the library")
            must(worst <= 1e-5 if is_same else least >= 0.999, f"{name}: {worst}, {least}")


def a_default_that_agrees_too_little_is_refused_with_its_figures():
    for key, value, seen in (("mean_cosine", 0.99899, "0.998990"), ("min_cosine", 0.9899, "0.989900"),
                             ("label_agreement", 0.985, "98.50 %")):
        shutil.copytree(home / f"{CLASSIFIER}-int8", home / "kept")
        change(f"{CLASSIFIER}-int8", **{"mean_cosine": 0.9995, "min_cosine": 0.995,
                                        "label_agreement": 1.0, key: value})
        status, _, wrong = command("--default", CLASSIFIER)
        must(status == 1 and seen in wrong and "Remedy" in wrong, f"{status} {wrong}")
        must(not (home / f"{CLASSIFIER}-fp32").exists(), "it was made the default all the same")
        shutil.rmtree(home / f"{CLASSIFIER}-int8")
        (home / "kept").rename(home / f"{CLASSIFIER}-int8")


def hearthd_refuses_a_default_whose_figures_are_too_low_and_int8_without_any():
    change(MINILM, mean_cosine=0.9985, min_cosine=0.9)
    bare = manifest_of(f"{EMBEDDER}-int8")
    del bare["agreement"]
    (home / f"{EMBEDDER}-int8" / "manifest.json").write_text(json.dumps(bare), encoding="utf-8")
    with daemon.Daemon(bin_folder, str(home)) as server:
        for name, part in ((MINILM, "0.998500"), (f"{EMBEDDER}-int8", "agreement")):
            entry = server.model(name)
            must(daemon.STATES[entry["state"]] == "failed", f"{name}: {entry['state']}")
            must(part in entry["error"], f"{name}: {entry['error']}")


def revert_gives_the_name_back_to_fp32():
    made("--revert", MINILM)
    must(manifest_of(MINILM)["model_id"] == MINILM, "another id")
    must("precision" not in manifest_of(MINILM), "still int8")
    must(digest(home / MINILM / "model.onnx") == digest(STORE / MINILM / "model.onnx"), "other bytes")
    must(not (home / f"{MINILM}-fp32").exists(), "both are there")


def what_cannot_be_done_is_refused_with_a_remedy():
    for arguments in (["absent"], ["--default", "absent"], ["--revert", EMBEDDER],
                      [f"{CLASSIFIER}-int8"], [CLASSIFIER]):
        status, _, wrong = command(*arguments)
        must(status == 1 and "Remedy" in wrong, f"{arguments}: {status} {wrong}")


def a_folder_of_models_is_relative_to_where_the_command_is_given():
    broken = home / "elsewhere" / "m"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text('{"task": "chess"}', encoding="utf-8")
    done = subprocess.run([tap.ROOT / "scripts/quantize.sh", "--models", "elsewhere", "m"], cwd=home,
                          capture_output=True, text=True, check=False)
    must(done.returncode == 1 and "elsewhere/m" not in done.stderr and "only ONNX" in done.stderr,
         done.stderr)


def set_up_leaves_an_int8_default_alone():
    store = home / "store"
    (store / f"{MINILM}-fp32").mkdir(parents=True)
    (store / f"{MINILM}-fp32" / "manifest.json").write_text("{}", encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        make_models.make_model({"name": MINILM}, make_models.Store(store), None, None)
    must("served in int8" in said.getvalue(), said.getvalue())


if __name__ == "__main__":
    bin_folder = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="hearth-quantize-") as room:
        home = Path(room)
        copy_fixture(CLASSIFIER)
        copy_fixture(EMBEDDER)
        sys.exit(daemon.run_tests([
            stored_agreement_is_what_both_files_give,
            the_same_model_gives_the_same_bytes,
            minilm_in_int8_is_good_enough_for_a_default,
            hearthd_answers_as_onnx_runtime_does_on_the_same_int8_file,
            a_default_that_agrees_too_little_is_refused_with_its_figures,
            hearthd_refuses_a_default_whose_figures_are_too_low_and_int8_without_any,
            revert_gives_the_name_back_to_fp32,
            what_cannot_be_done_is_refused_with_a_remedy,
            a_folder_of_models_is_relative_to_where_the_command_is_given,
            set_up_leaves_an_int8_default_alone]))
