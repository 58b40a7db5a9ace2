"""The tiny llama knows its text by heart: by a program that includes llama.h only, and by hearthd.

    test_trained_generator.py BIN_FOLDER REFERENCE_GREEDY
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import daemon               # noqa: E402
import make_gguf_fixtures   # noqa: E402
import v2                   # noqa: E402
from daemon import must     # noqa: E402

FIXTURES = tap.ROOT / "fixtures"
MODEL, MODEL_UTF8 = "tiny-llama", "tiny-llama-utf8"
ROWS = json.loads((FIXTURES / "texts/continuations10.json").read_text(encoding="utf-8"))
TOKENS, CONTEXT, SEQUENCES = 48, 4096, 4
LEAST = 8
server = None


def reference(prompts, model=MODEL, folder=FIXTURES / "models/gguf"):
    """[(bytes, ended by itself)] by llama.cpp alone, greedy, on one thread."""
    feed = b"".join(b"p %d\n%s" % (len(raw), raw) for raw in (p.encode() for p in prompts))
    done = subprocess.run([sys.argv[2], folder / f"{model}.gguf", "1", str(CONTEXT), str(SEQUENCES),
                           str(TOKENS)], input=feed, capture_output=True, timeout=120)
    must(done.returncode == 0, done.stderr.decode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [(bytes.fromhex(answer["text_hex"]), answer["ids"][-1] == make_gguf_fixtures.EOS)
            for answer in answers]


def hearthd(prompts, model=MODEL):
    greedy = {**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": TOKENS}
    texts = []
    for prompt in prompts:
        answer = server.infer(model_id=model, task=2, texts=[{"text": prompt}], **greedy)
        must(answer["code"] == 0, answer["error"])
        texts.append(answer["results"][0]["text"])
    return texts


def right(texts):
    count = sum(text.startswith(row["continuation"]) for text, row in zip(texts, ROWS))
    print(f"# {count} of {len(ROWS)} prompts")
    return count


def decoded(answers):
    return [text.decode("utf-8", "replace") for text, _ in answers]


def prompts_and_continuations_are_from_the_text_that_was_learned():
    text = (FIXTURES / "texts/tiny-corpus.txt").read_text(encoding="utf-8")
    must(len({row["prompt"] for row in ROWS}) == 10, "ten prompts")
    for row in ROWS:
        must(text.count(row["prompt"] + row["continuation"]) == 1, f"{row}: not in the corpus")
        must(len(row["continuation"].split()) >= 4, f"{row}: too short to prove anything")


def prompts_are_continued_by_llama_cpp_and_by_hearthd_alike():
    prompts = [row["prompt"] for row in ROWS]
    theirs, ours = decoded(reference(prompts)), hearthd(prompts)
    must(right(theirs) >= LEAST, f"llama.cpp: {theirs}")
    must(right(ours) >= LEAST, f"hearthd: {ours}")
    must(ours == theirs, f"{ours} and {theirs}")


def a_prompt_that_ends_by_itself_and_one_of_broken_bytes_are_what_the_table_says():
    (text, has_ended), = reference([make_gguf_fixtures.SHORT_STORY[0]])
    must(has_ended and text.decode() == make_gguf_fixtures.SHORT_STORY[1], f"{text}")
    (text, _), = reference([make_gguf_fixtures.BROKEN[0]], MODEL_UTF8)
    must(text.startswith(make_gguf_fixtures.BROKEN[1]), f"{text}")
    ours = hearthd([make_gguf_fixtures.BROKEN[0]], MODEL_UTF8)
    must(ours == [text.decode("utf-8", "replace")], f"{ours} and {text}")


def the_same_model_untrained_would_not_pass():
    make_gguf_fixtures.STEPS = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        make_gguf_fixtures.make_all(Path(folder))
        texts = decoded(reference([row["prompt"] for row in ROWS], folder=Path(folder)))
    must(right(texts) < LEAST, f"{texts}")


if __name__ == "__main__":
    with daemon.Daemon(sys.argv[1], "fixtures/models/gguf", [MODEL, MODEL_UTF8]) as server:
        sys.exit(daemon.run_tests([
            prompts_and_continuations_are_from_the_text_that_was_learned,
            prompts_are_continued_by_llama_cpp_and_by_hearthd_alike,
            a_prompt_that_ends_by_itself_and_one_of_broken_bytes_are_what_the_table_says,
            the_same_model_untrained_would_not_pass]))
