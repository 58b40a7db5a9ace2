"""The committed fixtures are what their scripts learn and write, on any processor, and small; texts
are what they claim."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

import architectures
import make_bench_models
import tokenizers

FIXTURES = tap.ROOT / "fixtures"
LIMITS = {"onnx": ("*.onnx", 300_000), "gguf": ("*.gguf", 1_000_000)}
# What numpy and its BLAS would choose on a processor of 2008: other vector widths, other blocks, no
# fused multiply-add. Every rounding that could differ from a new one differs here.
OLD_PROCESSOR = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
                 "OPENBLAS_CORETYPE": "Nehalem"}


def committed(kind, pattern):
    """Without the models of real size, which may lie beside the tiny ones and are git-ignored."""
    return [path for path in (FIXTURES / "models" / kind).glob(pattern)
            if path.name.split(".")[0] not in make_bench_models.MODELS]


def assert_made_again_equal(kind):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, FIXTURES / f"make_{kind}_fixtures.py", "--out", folder],
                       check=True, stdout=subprocess.DEVNULL, env={**os.environ, **OLD_PROCESSOR})
        made = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    kept = {path.name: path.read_bytes() for path in committed(kind, "*")}
    assert sorted(made) == sorted(kept), (sorted(made), sorted(kept))
    differing = [name for name in made if made[name] != kept[name]]
    assert not differing, f"differ: {differing}"


def an_old_processor_is_really_taken_for_one():
    question = ("from numpy._core._multiarray_umath import __cpu_features__ as found; "
                "print(found['X86_V2'], found['X86_V3'])")
    done = subprocess.run([sys.executable, "-c", question], check=True, text=True,
                          capture_output=True, env={**os.environ, **OLD_PROCESSOR})
    assert done.stdout.split() == ["True", "False"], done.stdout


def the_onnx_script_learns_the_committed_bytes_on_an_old_processor():
    assert_made_again_equal("onnx")


def the_gguf_script_learns_the_committed_bytes_on_an_old_processor():
    assert_made_again_equal("gguf")


def every_fixture_is_small():
    for kind, (pattern, limit) in LIMITS.items():
        paths = committed(kind, pattern)
        assert paths
        for path in paths:
            assert path.stat().st_size <= limit, path


def every_manifest_names_the_bytes_beside_it():
    paths = [path for kind in LIMITS
             for path in committed(kind, "*.manifest.json")]
    assert len(paths) == 4
    for path in paths:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        assert path.name == manifest["model_id"] + ".manifest.json"
        for entry in manifest["files"]:
            data = (path.parent / entry["path"]).read_bytes()
            assert len(data) == entry["size_bytes"]
            assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def every_tokenizer_is_small_and_names_the_components_of_its_family():
    paths = sorted((FIXTURES / "tokenizers").glob("*.json"))
    models = {path.stem: json.loads(path.read_text(encoding="utf-8"))["model"] for path in paths}
    assert len(paths) == 14 and max(path.stat().st_size for path in paths) <= 60_000
    kinds = {(model["type"], model.get("byte_fallback", False)) for model in models.values()}
    assert kinds == {("WordPiece", False), ("BPE", False), ("BPE", True), ("Unigram", False)}, kinds
    for path in paths:
        tokenizers.Tokenizer.from_file(str(path)).encode("one text", "and another")


def the_architectures_are_the_same_each_time_and_valid():
    for name in ("bert-classifier", "modernbert-embedder", "deberta-v2-entities"):
        first = architectures.build(name)      # which also asks the checker of ONNX
        assert first == architectures.build(name), name
        assert len(first) < 1_000_000, (name, len(first))


def there_are_200_distinct_texts_of_every_kind():
    rows = json.loads((FIXTURES / "texts" / "varied200.json").read_text(encoding="utf-8"))
    texts = [row["text"] for row in rows]
    assert len(texts) == len(set(texts)) == 200
    kinds = {row["kind"] for row in rows}
    assert {"blank", "one word", "long", "East Asian", "emoji", "invisible characters",
            "right to left", "control characters", "combining marks"} <= kinds, kinds
    assert any(len(text.split()) >= 600 for text in texts)
    assert max(len(text.encode()) for text in texts) <= 65536


def there_are_20_distinct_prompts():
    rows = json.loads((FIXTURES / "texts" / "prompts20.json").read_text(encoding="utf-8"))
    assert len({row["prompt"] for row in rows}) == 20
    assert {row["kind"] for row in rows} == {"plain", "chat"}


if __name__ == "__main__":
    sys.exit(tap.run([
        an_old_processor_is_really_taken_for_one,
        the_onnx_script_learns_the_committed_bytes_on_an_old_processor,
        the_gguf_script_learns_the_committed_bytes_on_an_old_processor,
        every_fixture_is_small, every_tokenizer_is_small_and_names_the_components_of_its_family,
        the_architectures_are_the_same_each_time_and_valid, every_manifest_names_the_bytes_beside_it,
        there_are_200_distinct_texts_of_every_kind, there_are_20_distinct_prompts]))
