"""Answers of a started daemon to the committed schemas: all that end validate, and nearly all end.

    test_schemas.py BIN_FOLDER PROJECT_ROOT [MODEL_FOLDER MODEL_ID [EVERY]]

The model is made here: one layer of random weights under the vocabulary of SmolLM2. It knows
nothing of JSON, so only the rules make an answer valid, and only they end it. Another model of a
folder can be named instead, and that every so many-th schema is enough.
"""

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

BIN, ROOT = Path(sys.argv[1]), Path(sys.argv[2])
sys.path += [str(ROOT / "tests" / "kit"), str(ROOT / "fixtures")]
import daemon                   # noqa: E402
import jsonschema               # noqa: E402
import make_synthetic_model     # noqa: E402
import synthetic_gguf           # noqa: E402
import v2                       # noqa: E402

FOLDER, MODEL = sys.argv[3:5] if len(sys.argv) > 4 else (None, "random-weights")
SCHEMAS = json.loads((ROOT / "tests/integration/grammar/schemas.json").read_text())
EVERY = int(sys.argv[5]) if len(sys.argv) > 5 else 1
ATONCE = 8
must = daemon.must
daemon.WAIT_SECONDS = 3000  # a large model on a busy machine
server = None


def make_model(folder):
    """A model folder with the one model: random, 3.2 MB, 49,152 tokens."""
    shape = replace(synthetic_gguf.SHAPES["smollm2-135m"], layers=1, hidden=32, inner=64, heads=2,
                    kv_heads=1)
    maker = synthetic_gguf.Maker(MODEL, shape, "f16", 1, make_synthetic_model.default_cache(),
                                 ROOT / "models" / "store")
    place = Path(folder) / MODEL
    place.mkdir()
    manifest = make_synthetic_model.catalogue.make_manifest(
        MODEL, "1.0.0", maker.task, maker.engine, maker.licence, maker.write(place),
        {"context_tokens": 768, "sequences": ATONCE})
    (place / "manifest.json").write_text(make_synthetic_model.catalogue.manifest_text(manifest))
    return folder


def answer(number, temperature):
    """(how it ended, its text or error, tokens)"""
    got = server.infer(model_id=MODEL, task=v2.TASKS["generate"], texts=[{"text": "Answer: "}],
                       **{**v2.SAMPLING, "max_tokens": 512, "temperature": temperature, "top_k": 0,
                          "top_p": 1.0, "repetition_penalty": 1.0, "seed": number},
                       grammar_type=1, grammar=json.dumps(SCHEMAS[number]))
    if got["code"]:
        return "error", got["error"], 0
    return v2.FINISH[got["finish_reason"]], got["results"][0]["text"], got["tokens_generated"]


def check(temperature):
    asked = range(0, len(SCHEMAS), EVERY)
    with ThreadPoolExecutor(ATONCE) as pool:
        given = list(pool.map(lambda number: answer(number, temperature), asked))
    must(len(SCHEMAS) >= 200, f"{len(SCHEMAS)} schemas only")
    ended = 0
    for number, (finish, text, _) in zip(asked, given):
        must(finish in ("stop", "max_tokens"), f"schema {number}: {finish}: {text}")
        if finish == "stop":
            ended += 1
            jsonschema.Draft202012Validator(SCHEMAS[number]).validate(json.loads(text))
        else:
            print(f"# schema {number} does not end")
    led = sum(tokens > 480 for _, _, tokens in given)
    print(f"# {ended} of {len(given)} answers end, all of them valid, {led} with more than 480 of "
          "512 tokens")
    must(led > 0 or FOLDER, "no answer was long enough to need the rules to end it")
    must(ended >= 0.99 * len(given), f"{ended} of {len(given)}")


def the_likeliest_answers_to_200_schemas_validate_and_99_percent_of_them_end():
    check(0.0)


def answers_by_lot_to_200_schemas_validate_and_99_percent_of_them_end():
    check(1.0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        # alone, a thread of so small a model never waits for another
        settings = {"request_timeout_ms": 3600000} if FOLDER else {"threads": 1}
        with daemon.Daemon(BIN, [FOLDER or make_model(made)], [MODEL], **settings) as server:
            sys.exit(daemon.run_tests([
                the_likeliest_answers_to_200_schemas_validate_and_99_percent_of_them_end,
                answers_by_lot_to_200_schemas_validate_and_99_percent_of_them_end]))
