#!/usr/bin/env python3
"""The tokenizer of the Phi-3 family, through hearthd: its token ids are the goldens that llama.cpp
keeps beside the vocabulary. Prints TAP.

    test_phi3_tokens.py BUILD/bin [--big]

The vocabulary and the goldens (.inp, .out) come from the locked source of the engine. A daemon tells
no token ids of a prompt, so each text is asked twice, as text and as the golden ids: the numbers of
tokens must be equal, and the answers with their log-probabilities, which by random weights are
different for different prompts. The model is a small one of that vocabulary; --big takes
fixtures/models/gguf/phi3-mini-q4km.gguf, which has the same (deps/bench --only gguf).
"""

import argparse
import dataclasses
import sys
import tarfile
import tempfile
from pathlib import Path

import tap      # before numpy, which it keeps to one thread

import gguf_keys
import make_synthetic_model as synthetic
import synthetic_gguf

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import v2                                           # noqa: E402
from daemon import Daemon, Skipped, must, run_tests  # noqa: E402

BIG, SMALL = "phi3-mini-q4km", "phi3-small"
SEPARATOR = "\n__ggml_vocab_test__\n"
VOCABULARY = "ggml-vocab-phi-3.gguf"
LOGPROBS, TOKEN_IDS, NO_CACHE = 16, 2, 128
BOS, ANSWER_TOKENS = 1, 3


def source_archive():
    return max(synthetic.default_cache().glob("downloads/llama_cpp_python-*.tar.gz"), default=None)


def read_members(archive, names):
    found = {}
    with tarfile.open(archive, "r|gz") as files:
        for file in files:
            name = file.name.rsplit("/", 1)[-1]
            if "/models/" in file.name and name in names:
                found[name] = files.extractfile(file).read()
                if len(found) == len(names):
                    break
    return found


def read_goldens(archive):
    """([(text, ids)], whether a prompt begins with BOS)"""
    files = read_members(archive, [VOCABULARY, VOCABULARY + ".inp", VOCABULARY + ".out"])
    texts = files[VOCABULARY + ".inp"].decode().split(SEPARATOR)
    lines = files[VOCABULARY + ".out"].decode().split("\n")
    ids = [[int(word) for word in line.split()] for line in lines]
    adds_bos = gguf_keys.read(files[VOCABULARY]).get("tokenizer.ggml.add_bos_token")
    # The value of a bool is its type, 7, and one byte; the family says yes where the file is silent.
    return list(zip(texts, ids)), adds_bos is None or adds_bos[-1] == 1


def make_small(folder):
    """A model folder with one model of one layer."""
    shape = dataclasses.replace(synthetic_gguf.SHAPES["phi3-mini"], layers=1, hidden=128, inner=256,
                                heads=4, kv_heads=4)
    maker = synthetic_gguf.Maker(SMALL, shape, "q8_0", 1, synthetic.default_cache(), Path())
    (folder / SMALL).mkdir()
    entries = maker.write(folder / SMALL)
    manifest = synthetic.catalogue.make_manifest(SMALL, "1.0.0", maker.task, maker.engine,
                                                 maker.licence, entries, maker.options)
    (folder / SMALL / "manifest.json").write_text(synthetic.catalogue.manifest_text(manifest))


def ask(daemon, name, text):
    answer = daemon.infer(model_id=name, task=2, texts=[text], top_logprobs=2,
                          flags=LOGPROBS | TOKEN_IDS | NO_CACHE,
                          **{**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0,
                             "max_tokens": ANSWER_TOKENS})
    must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
    result = answer["results"][0]
    scores = [(score["id"], score["logprob"]) for score in result["logprobs"]]
    return answer["prompt_tokens"], result["token_ids"], scores


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--big", action="store_true")
    options = parser.parse_args()
    archive = source_archive()

    def token_ids_equal_the_goldens_of_the_engine():
        if archive is None:
            raise Skipped("the engine's source is not in the cache: run scripts/setup.sh")
        goldens, has_bos = read_goldens(archive)
        goldens = [(text, [BOS] * has_bos + ids) for text, ids in goldens if text and ids]
        must(len(goldens) >= 40, f"{len(goldens)} goldens were found")
        with tempfile.TemporaryDirectory() as folder:
            name = BIG if options.big else SMALL
            if not options.big:
                make_small(Path(folder))
            root = "fixtures/models/gguf" if options.big else folder
            with Daemon(options.bin, root, [name]) as daemon:
                different = set()
                for text, ids in goldens:
                    by_text, by_ids = (ask(daemon, name, {"text": text}),
                                       ask(daemon, name, {"tokens": ids}))
                    must(by_text[0] == len(ids), f"{text!r}: {by_text[0]} tokens, not {len(ids)}")
                    must(by_text[2], "no log-probabilities came")
                    must(by_text == by_ids, f"{text!r}: is answered otherwise than its golden ids")
                    different.add(tuple(by_ids[2]))
        print(f"# {len(goldens)} texts, {len(different)} different answers")
        must(len(different) > 0.9 * len(goldens), "answers do not tell prompts apart")

    return run_tests([token_ids_equal_the_goldens_of_the_engine])


if __name__ == "__main__":
    sys.exit(main())
