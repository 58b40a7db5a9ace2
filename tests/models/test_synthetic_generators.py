"""Synthetic GGUF models: llama.cpp and hearthd load them, and the maker refuses what it cannot do.

    test_synthetic_generators.py BIN_FOLDER LLAMA_LOGITS
"""

import contextlib
import io
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import tap

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import daemon                   # noqa: E402
import gguf_keys                # noqa: E402
import make_synthetic_model     # noqa: E402
import synthetic_gguf           # noqa: E402
import v2                       # noqa: E402
from daemon import must         # noqa: E402

SCRIPT = tap.ROOT / "fixtures/make_synthetic_model.py"
STORE = tap.ROOT / "models/store"
SHAPE, QUANT = "smollm2-135m", "q4_0"
NAME = f"synthetic-{SHAPE}-{QUANT}"
TEXT = "The quick brown fox, 12345 — naïve 狐狸."
out = None      # a folder with one model, made once


def said(*arguments):
    """(exit code, standard error) of the maker, run in this process."""
    with contextlib.redirect_stderr(io.StringIO()) as told, \
            contextlib.redirect_stdout(io.StringIO()):
        code = make_synthetic_model.main([str(argument) for argument in arguments])
    return code, told.getvalue()


def made(folder, quant=QUANT, seed=1):
    code, told = said("--shape", SHAPE, "--quant", quant, "--seed", seed, "--out", folder)
    must(code == 0, told)
    return folder / f"synthetic-{SHAPE}-{quant}"


def must_refuse(folder, *words, shape=SHAPE, quant=QUANT, more=()):
    code, told = said("--shape", shape, "--quant", quant, "--out", folder, *more)
    must(code == 1, f"exit {code}: {told}")
    for word in (*words, "Remedy: "):
        must(word in told, f"{word!r} is not in {told!r}")
    return told


def digest(folder):
    return json.loads((folder / "manifest.json").read_text())["files"][0]["sha256"]


def llama_cpp_loads_it_knows_the_words_and_all_logits_are_finite():
    done = subprocess.run([sys.argv[2], out / NAME / "model.gguf"], input=TEXT.encode(),
                          capture_output=True, timeout=60)
    must(done.returncode == 0, done.stderr.decode())
    found = json.loads(done.stdout)
    must(bytes.fromhex(found["text_hex"]).decode() == TEXT, f"{found}")
    must(found["tokens"] < len(TEXT.encode()) / 2, "no real vocabulary has so many tokens for this")
    must(found["vocabulary"] == 49152, f"{found['vocabulary']} tokens")
    must(found["finite"] == found["logits"] > 0, f"{found}")
    must(found["least"] < -1 < 1 < found["most"] < 100, f"{found}")


def hearthd_loads_it_and_it_says_something():
    with daemon.Daemon(sys.argv[1], [out], [NAME]) as server:
        answer = server.infer(model_id=NAME, task=2, texts=[{"text": TEXT}],
                              **{**v2.SAMPLING, "temperature": 0.0, "max_tokens": 4})
        must(answer["code"] == 0 and answer["results"][0]["text"], f"{answer}")


def the_same_seed_gives_the_same_bytes_and_another_gives_others():
    with tempfile.TemporaryDirectory() as folder:
        same, other = made(Path(folder) / "same"), made(Path(folder) / "other", seed=2)
        must(digest(same) == digest(out / NAME) != digest(other), "digests")


def tensor_table(path):
    """{name: (shape, type)}, read with struct."""
    data = path.read_bytes()[:8 << 20]
    count, keys = struct.unpack_from("<QQ", data, 8)
    at = 24 + sum(8 + len(key) + len(value) for key, value in gguf_keys.read(data).items())
    table = {}
    for _ in range(count):
        length, = struct.unpack_from("<Q", data, at)
        name, at = data[at + 8:at + 8 + length].decode(), at + 8 + length
        rank, = struct.unpack_from("<I", data, at)
        *shape, kind, _ = struct.unpack_from(f"<{rank}QIQ", data, at + 4)
        table[name], at = (tuple(shape), kind), at + 16 + 8 * rank
    must(keys > 0 and len(table) == count, f"{len(table)} of {count} tensors")
    return table


def its_tensors_are_those_of_the_real_model_packed_alike():
    with tempfile.TemporaryDirectory() as folder:
        ours = tensor_table(made(Path(folder), "q4_1") / "model.gguf")
    theirs = tensor_table(STORE / "smollm2-135m-instruct/smollm2-135m-instruct.gguf")
    must(len(theirs) == 272, f"{len(theirs)} tensors")
    must(ours == theirs, f"{set(ours.items()) ^ set(theirs.items())}")


def every_shape_in_every_quant_is_planned_with_its_real_vocabulary():
    if os.environ.get("HEARTH_LLAMA_DIR") and not list(
            tap.cache_folder().glob("downloads/llama_cpp_python-*")):
        raise daemon.Skipped("a given llama.cpp brings no vocabularies")
    sizes = {}
    for name, shape in synthetic_gguf.SHAPES.items():
        keys = synthetic_gguf.vocabulary(shape, tap.cache_folder(), STORE)
        must("tokenizer.chat_template" in keys, f"{name} cannot chat")
        for quant in synthetic_gguf.FILE_TYPES:
            tensors = synthetic_gguf.tensors(shape, quant)
            sizes[name, quant] = sum(tensor.size for tensor in tensors)
            values = sum(tensor.count for tensor in tensors)
            must(abs(values - PARAMETERS[name]) < 1e-3 * PARAMETERS[name], f"{name}: {values}")
    must(2.3e9 < sizes["phi3-mini", "q4_k_m"] < 2.5e9, f"{sizes}")


# As their makers tell them.
PARAMETERS = {"phi3-mini": 3.82e9, "qwen2.5-0.5b": 494.03e6, "smollm2-135m": 134.5e6}


def unknown_shapes_and_quants_are_refused_with_those_that_there_are():
    with tempfile.TemporaryDirectory() as folder:
        must_refuse(folder, "gpt5", "phi3-mini", "bert-base", shape="gpt5")
        must_refuse(folder, "int8", "q4_k_m", quant="int8")
        must_refuse(folder, "q4_0", "f16, int8", shape="minilm")
        must_refuse(folder, "-3", more=("--seed", -3))
        must(os.listdir(folder) == [], f"{os.listdir(folder)}")


def a_folder_that_is_there_is_never_overwritten():
    before = digest(out / NAME)
    must_refuse(out, str(out / NAME), "there already", more=("--seed", 9))
    must(digest(out / NAME) == before, "it was overwritten")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f".partial-{NAME}").mkdir()
        must_refuse(folder, ".partial", "another run")


def too_little_disk_is_refused_with_both_numbers_before_a_byte_is_written():
    size = sum(file.stat().st_size for file in (out / NAME).iterdir() if file.suffix == ".gguf")
    usage = make_synthetic_model.shutil.disk_usage
    with tempfile.TemporaryDirectory() as folder:
        try:
            make_synthetic_model.shutil.disk_usage = lambda _: SimpleNamespace(free=size)
            must_refuse(folder, str(size), f"only {size} are")
        finally:
            make_synthetic_model.shutil.disk_usage = usage
        must(os.listdir(folder) == [], f"{os.listdir(folder)}")


def a_write_that_fails_leaves_nothing_behind():
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, SCRIPT, "--shape", SHAPE, "--quant", QUANT, "--out",
                               folder], capture_output=True, text=True, preexec_fn=limited)
        must(done.returncode == 1 and "File too large. Remedy: " in done.stderr, f"{done}")
        must("Traceback" not in done.stderr, done.stderr)
        must(os.listdir(folder) == [], f"{os.listdir(folder)}")


def a_vocabulary_that_was_not_fetched_is_named_with_what_gets_it():
    with tempfile.TemporaryDirectory() as folder:
        must_refuse(folder, "llama_cpp_python", "setup.sh", shape="phi3-mini",
                    more=("--cache", folder))
        must_refuse(folder, "smollm2-135m-instruct.gguf", "setup.sh", more=("--store", folder))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        made(out)
        sys.exit(daemon.run_tests([
            llama_cpp_loads_it_knows_the_words_and_all_logits_are_finite,
            hearthd_loads_it_and_it_says_something,
            the_same_seed_gives_the_same_bytes_and_another_gives_others,
            its_tensors_are_those_of_the_real_model_packed_alike,
            every_shape_in_every_quant_is_planned_with_its_real_vocabulary,
            unknown_shapes_and_quants_are_refused_with_those_that_there_are,
            a_folder_that_is_there_is_never_overwritten,
            too_little_disk_is_refused_with_both_numbers_before_a_byte_is_written,
            a_write_that_fails_leaves_nothing_behind,
            a_vocabulary_that_was_not_fetched_is_named_with_what_gets_it]))
