"""Answers of a started daemon to the committed schemas: all that end validate, and nearly all end.

    test_schemas.py BIN_FOLDER PROJECT_ROOT [MODEL_FOLDER MODEL_ID]

The other model can be one of random weights: then nothing but the rules makes an answer end.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BIN, ROOT = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import daemon       # noqa: E402
import jsonschema   # noqa: E402
import v2           # noqa: E402

FOLDER, MODEL = sys.argv[3:5] if len(sys.argv) > 4 else ("fixtures/models/gguf", "tiny-llama")
SCHEMAS = json.loads((ROOT / "tests/integration/grammar/schemas.json").read_text())
must = daemon.must
daemon.WAIT_SECONDS = 600   # a large model on a busy machine
server = None


def answer(number):
    """(how it ended, its text or error)"""
    got = server.infer(model_id=MODEL, task=v2.TASKS["generate"], texts=[{"text": "Answer: "}],
                       **{**v2.SAMPLING, "max_tokens": 512, "temperature": 1.5, "top_k": 0, "top_p": 1.0,
                          "repetition_penalty": 1.0, "seed": number},
                       grammar_type=1, grammar=json.dumps(SCHEMAS[number]))
    if got["code"]:
        return "error", got["error"]
    return v2.FINISH[got["finish_reason"]], got["results"][0]["text"]


def answers_to_200_schemas_validate_and_99_percent_of_them_end():
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(answer, range(len(SCHEMAS))))
    must(len(given) >= 200, f"{len(given)} schemas only")
    ended = 0
    for number, (finish, text) in enumerate(given):
        must(finish in ("stop", "max_tokens"), f"schema {number}: {finish}: {text}")
        if finish == "stop":
            ended += 1
            jsonschema.Draft202012Validator(SCHEMAS[number]).validate(json.loads(text))
    print(f"# {ended} of {len(given)} answers end by themselves")
    must(ended >= 0.99 * len(given), f"{ended} of {len(given)}")


if __name__ == "__main__":
    with daemon.Daemon(BIN, [FOLDER], preload=[MODEL]) as server:
        sys.exit(daemon.run_tests([answers_to_200_schemas_validate_and_99_percent_of_them_end]))
