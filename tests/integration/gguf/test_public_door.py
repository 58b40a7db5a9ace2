"""Generation through the public door: the command line of a private daemon against the reference.

    test_public_door.py BIN_FOLDER REFERENCE_GREEDY PROJECT_ROOT
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BIN, REFERENCE, ROOT = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import chat_reference  # noqa: E402
import daemon  # noqa: E402
import v2      # noqa: E402

MODELS = {"tiny-llama": "fixtures/models/gguf/tiny-llama.gguf",
          "smollm2-135m-instruct": "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf"}
PROMPTS = json.loads((ROOT / "fixtures/texts/prompts20.json").read_text())
PLAIN = [p["prompt"] for p in PROMPTS if p["kind"] == "plain"]
CHATS = [p["prompt"] for p in PROMPTS if p["kind"] == "chat"]
TOKENS, CONTEXT, SEQUENCES = 64, 4096, 4    # the last two are the engine's defaults
GREEDY = ["--temperature", "0", "--repetition-penalty", "1", "--max-tokens", str(TOKENS)]
must = daemon.must
server = None


def hearth(task, model, prompt, *options):
    """One call of the command line; returns its JSON."""
    asked = ["--message", prompt] if task == "chat" else ["--", prompt]
    done = subprocess.run([BIN / "hearth", task, "--socket", server.socket_path, "--model", model,
                           "--json", *options, *asked], capture_output=True, text=True, timeout=300)
    must(done.returncode == 0, f"hearth {task}: exit {done.returncode}: {done.stdout} {done.stderr}")
    return json.loads(done.stdout)


def reference_answers(model, prompts, is_chat=False):
    feed = b""
    template = chat_reference.template_of(ROOT / MODELS[model])
    for prompt in prompts:
        messages = [{"role": "user", "content": prompt}]
        raw = (chat_reference.render_chat(template, messages) if is_chat else prompt).encode()
        feed += b"%s %d\n%s" % (b"r" if is_chat else b"p", len(raw), raw)
    # One thread: two would spin for each other on cores that other tests keep busy, and the answer
    # does not depend on their number (test_engine.py shows it).
    done = subprocess.run([REFERENCE, ROOT / MODELS[model], "1", str(CONTEXT), str(SEQUENCES),
                           str(TOKENS), "shared"], input=feed, capture_output=True, timeout=300)
    must(done.returncode == 0, done.stderr.decode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        answer["text"] = bytes.fromhex(answer["text_hex"]).decode("utf-8", "replace")
    return answers


def reference(model, prompts, is_chat):
    return [answer["text"] for answer in reference_answers(model, prompts, is_chat)]


def ask_ids(ids, stream=False, max_tokens=TOKENS):
    """Greedy generation from ids; returns its terminal, with the results of all chunks in it."""
    connection = server.connect()
    sampling = {**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": max_tokens}
    connection.send("inference_request", request_id=1, model_id="tiny-llama", priority=1,
                    task=v2.TASKS["generate"], flags=2 | stream, texts=[{"tokens": ids}], **sampling)
    pieces = []
    while True:
        kind, answer = connection.receive()
        pieces += answer["results"]
        if kind == "inference_response":
            connection.close()
            return {**answer, "text": "".join(p["text"] for p in pieces),
                    "ids": [i for p in pieces for i in p["token_ids"]],
                    "counted": sum(p["tokens"] for p in pieces)}


def compare(model):
    for prompts, task in ((PLAIN, "generate"), (CHATS, "chat")):
        expected = reference(model, prompts, task == "chat")
        for prompt, wanted in zip(prompts, expected):
            given = hearth(task, model, prompt, *GREEDY)["text"]
            must(given == wanted, f"{task} {prompt[:30]!r}: {given!r} and {wanted!r}")


def greedy_texts_of_the_tiny_model_equal_the_reference():
    compare("tiny-llama")


def greedy_texts_of_smollm2_equal_the_reference():
    compare("smollm2-135m-instruct")


def the_same_seed_gives_the_same_text_and_ten_seeds_nine():
    def text(seed):
        return hearth("generate", "smollm2-135m-instruct", "The small fox", "--temperature", "0.8",
                      "--max-tokens", "32", "--seed", str(seed))["text"]
    must(text(1) == text(1), "seed 1 gave two texts")
    different = len({text(seed) for seed in range(1, 11)})
    must(different >= 9, f"ten seeds gave {different} texts")


def eight_callers_at_once_get_what_they_get_alone():
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda p: hearth("generate", "tiny-llama", p, *GREEDY)["text"],
                                 PLAIN[:8]))
    for prompt, given in zip(PLAIN, together):
        alone = hearth("generate", "tiny-llama", prompt, *GREEDY)["text"]
        must(given == alone, f"{prompt[:30]!r}: {given!r} and {alone!r}")


def ids_of_the_prompt_give_the_text_and_the_ids_of_the_reference():
    """The reference's ids begin with the model's own first token: nothing is put in front of them."""
    for prompt, wanted in zip(PLAIN[:8], reference_answers("tiny-llama", PLAIN[:8])):
        for stream in (False, True):
            given = ask_ids(wanted["prompt_ids"], stream)
            must(given["code"] == 0, f"{given['error']}")
            must(given["prompt_tokens"] == len(wanted["prompt_ids"]), f"{given['prompt_tokens']}")
            must(given["text"] == wanted["text"], f"{prompt[:30]!r}: {given['text']!r}, {wanted['text']!r}")
            ended = given["finish_reason"] == 1     # the end token is neither text nor generated
            ids = wanted["ids"][:-1] if ended else wanted["ids"]
            must(given["ids"] == ids, f"{prompt[:30]!r}: {given['ids']} and {ids}")
            must(given["counted"] == given["tokens_generated"] == len(ids), f"{given['counted']}")


def ids_are_taken_as_they_are():
    ids = reference_answers("tiny-llama", PLAIN[:1])[0]["prompt_ids"]
    must(ask_ids(ids[1:])["prompt_tokens"] == len(ids) - 1, "something was put in front of the ids")
    must(ask_ids(ids * 2)["prompt_tokens"] == 2 * len(ids), "something was taken from the ids")


def ids_that_the_model_does_not_have_or_take_are_refused():
    for wrong in (10 ** 6, 2 ** 31, 2 ** 32 - 1):
        answer = ask_ids([1, 2, wrong])
        must(v2.ERRORS[answer["code"]] == "input_invalid", f"{answer}")
        must("token id 2 of 3 is not in the vocabulary" in answer["error"], answer["error"])
        must(str(wrong) not in answer["error"], f"the id itself is told: {answer['error']}")
    answer = ask_ids([1] * CONTEXT)
    must(v2.ERRORS[answer["code"]] == "too_long", f"{answer}")
    must(ask_ids([1] * 3)["code"] == 0, "the model does not answer any more")


if __name__ == "__main__":
    with daemon.Daemon(BIN, ["fixtures/models/gguf", "models/store"], preload=list(MODELS)) as server:
        sys.exit(daemon.run_tests([
            greedy_texts_of_the_tiny_model_equal_the_reference,
            greedy_texts_of_smollm2_equal_the_reference,
            the_same_seed_gives_the_same_text_and_ten_seeds_nine,
            eight_callers_at_once_get_what_they_get_alone,
            ids_of_the_prompt_give_the_text_and_the_ids_of_the_reference,
            ids_are_taken_as_they_are,
            ids_that_the_model_does_not_have_or_take_are_refused,
        ]))
