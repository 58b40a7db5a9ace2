"""What comes after the logits, through the public door of a private daemon.

    test_answers.py BIN_FOLDER REFERENCE_ROWS PROJECT_ROOT

The yardstick gives rows of logits and knows nothing of Hearth; sums, softmax, penalties and stop
strings are computed here again.
"""

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

BIN, REFERENCE, ROOT = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import daemon       # noqa: E402
import jsonschema   # noqa: E402
import numpy as np  # noqa: E402
import v2           # noqa: E402

TINY, SMOL = "tiny-llama", "smollm2-135m-instruct"
FILES = {TINY: "fixtures/models/gguf/tiny-llama.gguf",
         SMOL: "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf"}
GREEDY = {"temperature": 0.0, "repetition_penalty": 1.0, "top_k": 0, "top_p": 1.0, "max_tokens": 24}
NEAR = 1e-2     # of logits
EXACT = 2 | v2.FLAGS["exact"]   # rows as the reference computes them: nothing else is in the call
OPEN, CLOSE = "<tool_call>", "</tool_call>"
must = daemon.must
server = None


class Rows:
    """One process of the yardstick."""

    def __init__(self, model):
        self.process = subprocess.Popen([REFERENCE, ROOT / FILES[model], "2048"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line, data=b""):
        self.process.stdin.write(line.encode() + b"\n" + data)
        self.process.stdin.flush()

    def u32(self):
        return struct.unpack("<I", self.process.stdout.read(4))[0]

    def tokens(self, text, is_beginning=False, has_special=False):
        raw = text.encode()
        self.ask(f"{'x' if has_special else 'p' if is_beginning else 't'} {len(raw)}", raw)
        count = self.u32()
        return list(struct.unpack(f"<{count}i", self.process.stdout.read(4 * count)))

    def piece(self, token):
        self.ask(f"s {token} 0")
        return self.process.stdout.read(self.u32())

    def logits(self, ids, first):
        """The rows behind ids[first], …"""
        self.ask(f"r {len(ids)} {first}", struct.pack(f"<{len(ids)}i", *ids))
        rows, width = self.u32(), self.u32()
        data = self.process.stdout.read(4 * rows * width)
        return np.frombuffer(data, np.float32).reshape(rows, width).astype(np.float64)


ROWS = {}


def rows_of(model):
    if model not in ROWS:
        ROWS[model] = Rows(model)
    return ROWS[model]


def log_softmax(row):
    top = row.max()
    return row - top - np.log(np.exp(row - top).sum())


def ask(model, task="generate", connection=None, flags=2, **values):
    """One request; returns (terminal, its results joined by index, all parts in order)."""
    own = connection or server.connect()
    fields = {"request_id": 1, "model_id": model, "task": v2.TASKS[task], "flags": flags, "priority": 1,
              "repetition_window": 64, **GREEDY, **values}
    own.send("inference_request", **fields)
    parts = []
    while True:
        kind, answer = own.receive()
        parts += answer["results"]
        if kind == "inference_response":
            break
    own.close()
    joined = {}
    for part in parts:
        whole = joined.setdefault(part["index"], {"text": "", "ids": [], "logprobs": [], "calls": {},
                                                  "tokens": 0, "finish": "none", "labels": []})
        whole["text"] += part["text"]
        whole["ids"] += part["token_ids"]
        whole["logprobs"] += part["logprobs"]
        whole["labels"] += part["labels"]
        whole["tokens"] += part["tokens"]
        whole["finish"] = v2.FINISH[part["finish_reason"]] if part["finish_reason"] else whole["finish"]
        for call in part["tool_calls"]:
            one = whole["calls"].setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
            for key in one:
                one[key] += call[key]
    return answer, joined, parts


def generate(model, prompt, **values):
    answer, joined, _ = ask(model, texts=[{"text": prompt}], **values)
    must(answer["code"] == 0, answer["error"])
    must(len(joined) == 1, f"{len(joined)} answers")
    return {"finish": v2.FINISH[answer["finish_reason"]], **{k: v for k, v in joined[0].items() if k != "finish"}}


def refused(code, part, task="generate", model=TINY, **values):
    answer, _, _ = ask(model, task, **values)
    must(v2.ERRORS.get(answer["code"]) == code, f"{answer['code']}: {answer['error']}")
    must(part in answer["error"], answer["error"])


# ---- log-probabilities --------------------------------------------------------------------------

def check_logprobs(model, prompt, **values):
    rows, top = rows_of(model), 5
    got = generate(model, prompt, flags=EXACT | v2.FLAGS["logprobs"], top_logprobs=top, **values)
    ids = rows.tokens(prompt, True)
    expected = rows.logits(ids + got["ids"], len(ids) - 1)
    must(len(got["ids"]) > 4 and len(got["logprobs"]) == len(got["ids"]) * (top + 1),
         f"{len(got['logprobs'])} scores for {len(got['ids'])} tokens")
    worst = 0.0
    for place, chosen in enumerate(got["ids"]):
        wanted = log_softmax(expected[place])
        scores = got["logprobs"][place * (top + 1):][:top + 1]
        must(all(s["place"] == place for s in scores), f"places {[s['place'] for s in scores]}")
        must([s["is_chosen"] for s in scores] == [1] + [0] * top and scores[0]["id"] == chosen,
             f"place {place}: {scores}")
        for score in scores:
            worst = max(worst, abs(score["logprob"] - wanted[score["id"]]))
            must(score["text"] == rows.piece(score["id"]), f"{score['text']!r}")
        # the likeliest: any order of those that are equal but for rounding
        best = np.sort(wanted)[::-1][:top]
        must(np.allclose([s["logprob"] for s in scores[1:]], best, atol=NEAR), f"place {place}")
    must(worst < NEAR, f"{worst} off")
    print(f"# {model}: largest difference of a log-probability {worst:.2e}")


def log_probabilities_equal_a_softmax_of_the_reference():
    for model in (TINY, SMOL):
        check_logprobs(model, "The small fox lived under")


def penalties_bias_and_temperature_do_not_change_log_probabilities():
    check_logprobs(TINY, "The small fox", temperature=0.9, seed=5, repetition_penalty=1.3,
                   frequency_penalty=0.5, logit_bias=[{"token": 70, "bias": 3.0}])


def no_log_probabilities_come_unasked():
    must(generate(TINY, "The small fox")["logprobs"] == [], "they came")


# ---- what changes logits ------------------------------------------------------------------------

def check_penalised(model, prompt, window=64, bias=(), **penalties):
    """Each greedy token is the argmax of the reference's row, bias and penalties added here."""
    rows = rows_of(model)
    got = generate(model, prompt, flags=EXACT, max_tokens=40, repetition_window=window, logit_bias=list(bias), **penalties)
    ids = rows.tokens(prompt, True)
    expected = rows.logits(ids + got["ids"], len(ids) - 1)
    for place, chosen in enumerate(got["ids"]):
        row = expected[place].copy()
        for one in bias:
            row[one["token"]] = row[one["token"]] + one["bias"] if one["bias"] > -100 else -np.inf
        last = got["ids"][max(0, place - window):place]
        for token in set(last):
            factor = penalties.get("repetition_penalty", 1.0)
            row[token] = row[token] / factor if row[token] > 0 else row[token] * factor
            row[token] -= last.count(token) * penalties.get("frequency_penalty", 0.0)
            row[token] -= penalties.get("presence_penalty", 0.0)
        must(row.max() - row[chosen] < NEAR, f"place {place}: {chosen}, not {row.argmax()}")
    return got["ids"]


def greedy_with_penalties_equals_an_argmax_computed_here():
    prompt = "1, 2, 3, 4, 5,"
    for model in (TINY, SMOL):
        plain = check_penalised(model, prompt)
        others = [check_penalised(model, prompt, repetition_penalty=1.5),
                  check_penalised(model, prompt, frequency_penalty=0.7),
                  check_penalised(model, prompt, presence_penalty=1.5, window=8),
                  check_penalised(model, prompt, frequency_penalty=-0.5, repetition_penalty=1.2)]
        must(sum(ids != plain for ids in others) >= 2, "penalties change nothing: nothing is shown")


def a_bias_of_minus_100_forbids_and_a_large_one_forces():
    plain = check_penalised(SMOL, "The capital of France is")
    banned = [{"token": token, "bias": -100.0} for token in set(plain[:6])]
    without = check_penalised(SMOL, "The capital of France is", bias=banned)
    must(not set(without) & set(plain[:6]), "a forbidden token came")
    forced = check_penalised(SMOL, "The capital of France is", bias=[{"token": plain[1], "bias": 100.0}])
    must(set(forced) == {plain[1]}, f"{forced}")


def a_bias_of_a_token_that_is_not_there_is_refused():
    refused("input_invalid", "logit_bias[1]", texts=[{"text": "fox"}],
            logit_bias=[{"token": 1, "bias": 1.0}, {"token": 1 << 20, "bias": 1.0}])
    generate(TINY, "fox")


def every_token_forbidden_is_an_error_and_not_the_end_of_the_worker():
    width = rows_of(TINY).logits(rows_of(TINY).tokens("fox", True), 0).shape[1]
    must(width <= 1024, f"{width} tokens: not all can be forbidden")
    for temperature in (0.0, 0.8):
        refused("engine_failed", "", texts=[{"text": "fox"}], temperature=temperature,
                logit_bias=[{"token": token, "bias": -100.0} for token in range(width)])
    generate(TINY, "fox")


# ---- several answers ----------------------------------------------------------------------------

def answers_use_the_seeds_that_follow_each_other():
    sampling = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 16}
    answer, joined, _ = ask(SMOL, texts=[{"text": "The small fox"}], answers=3, seed=70, flags=EXACT, **sampling)
    must(answer["code"] == 0 and sorted(joined) == [0, 1, 2], answer["error"])
    for index in range(3):
        alone = generate(SMOL, "The small fox", seed=70 + index, flags=EXACT, **sampling)
        must(alone["ids"] == joined[index]["ids"], f"answer {index}: {joined[index]['ids']}, {alone['ids']}")
    must(len({tuple(a["ids"]) for a in joined.values()}) == 3, "all answers are the same")


# ---- stop strings -------------------------------------------------------------------------------

def a_stop_string_is_never_seen_in_a_stream_and_nothing_before_it_is_lost():
    whole = generate(SMOL, "Once upon a time", max_tokens=48)["text"]
    for at in range(6, 60, 9):
        stop = whole[at:at + 7]
        answer, joined, parts = ask(SMOL, texts=[{"text": "Once upon a time"}], max_tokens=48,
                                    flags=3, stops=[{"text": "\x01"}, {"text": stop}])
        must(joined[0]["text"] == whole[:whole.index(stop)], f"{stop!r}: {joined[0]['text']!r}")
        must(v2.FINISH[answer["finish_reason"]] == "stop", f"{answer['finish_reason']}")
        must(sum(part["tokens"] for part in parts) == answer["tokens_generated"], "tokens are lost")


# ---- choice -------------------------------------------------------------------------------------

def chances(model, ids, texts):
    """Softmax of the summed log-probabilities, from the reference."""
    rows, sums = rows_of(model), []
    for text in texts:
        more = rows.tokens(text)
        table = rows.logits(ids + more[:-1], len(ids) - 1)
        sums.append(sum(log_softmax(row)[token] for row, token in zip(table, more)))
    sums = np.array(sums)
    return np.exp(sums - sums.max()) / np.exp(sums - sums.max()).sum()


def check_choice(model, prompt, texts, **how):
    ids = rows_of(model).tokens(prompt, True)
    check_chances(model, ids, texts, texts=[{"text": prompt}], **how)


def check_chances(model, ids, options, flags=EXACT, tolerance=0.02, **prompt):
    answer, joined, _ = ask(model, "choice", flags=flags, choices=[{"text": t} for t in options], **prompt)
    must(answer["code"] == 0, answer["error"])
    must(answer["finish_reason"] == 0, f"finish {answer['finish_reason']}")
    got = {label["name"]: label["score"] for label in joined[0]["labels"]}
    must(sorted(got) == sorted(options), f"{sorted(got)}")
    wanted = chances(model, ids, options)
    for text, chance in zip(options, wanted):
        must(abs(got[text] - chance) < tolerance * chance + 1e-4, f"{text!r}: {got[text]}, not {chance}")
    must(abs(sum(got.values()) - 1) < 1e-4, f"they sum up to {sum(got.values())}")


def choices_have_the_probabilities_of_the_reference():
    for model in (TINY, SMOL):
        check_choice(model, "The capital of France is", [" Paris", " London", " a city", " Paris, of course"])
        check_choice(model, "Is water wet? Answer:", ["yes", "no"])
        check_choice(model, "The fox said: ", ["I have walked through the long cold night to the bridge of stone",
                                              "I have walked", "I", "zebra " * 20, "été 🦊"])


def choices_may_answer_a_chat():
    ids = rows_of(SMOL).tokens("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nIs fire hot?<|im_end|>\n"
                               "<|im_start|>assistant\n", has_special=True)
    check_chances(SMOL, ids, ["Yes", "No", "Nobody knows that."],
                  messages=[{"role": 0, "content": "Be brief."}, {"role": 1, "content": "Is fire hot?"}])


def the_order_of_the_choices_does_not_matter_and_neighbours_go_on():
    long = server.connect()
    long.send("inference_request", request_id=9, model_id=SMOL, task=2, flags=3, priority=1,
              texts=[{"text": "The small fox"}], repetition_window=64, **{**GREEDY, "max_tokens": 60})
    texts = [" Paris", " London", " a large city of France"]
    for order in (texts, texts[::-1]):      # in company logits are a little different
        check_choice(SMOL, "The capital of France is", order, flags=2, tolerance=0.3)
    tokens = 0
    while True:
        kind, message = long.receive()
        tokens += sum(part["tokens"] for part in message["results"])
        if kind == "inference_response":
            break
    long.close()
    must(message["code"] == 0 and tokens == message["tokens_generated"] > 0, message["error"])


# ---- rules --------------------------------------------------------------------------------------

def gbnf(text, model=TINY, prompt="The small fox", **values):
    return generate(model, prompt, grammar_type=v2.GRAMMARS["gbnf"], grammar=text, **values)


def an_answer_follows_its_rules_and_ends_with_them():
    cases = [('root ::= "yes" | "no"', r"yes|no"),
             ('root ::= [a-c]{3,5} "-" digit+ "."\ndigit ::= [0-9]', r"[a-c]{3,5}-[0-9]+\."),
             ('root ::= "[" item ("," item)* "]"\nitem ::= "\\"" [^"\\\\\\n]{1,6} "\\""', r'\[("[^"\\\n]{1,6}",?)+\]'),
             ('root ::= "é" "🦊"+ "ß"', r"é🦊+ß")]
    for rules, pattern in cases:
        for model in (TINY, SMOL):
            for sampling in ({}, {"temperature": 1.2, "seed": 3}):
                got = gbnf(rules, model, max_tokens=64, **sampling)
                must(re.fullmatch(pattern, got["text"]), f"{rules!r}: {got['text']!r}")
                must(got["finish"] == "stop", f"{rules!r}: {got['finish']}")
                must(got["tokens"] == len(got["ids"]), f"{got['tokens']} tokens, {len(got['ids'])} ids")


def what_must_come_is_not_sampled():
    """Else tokens that a bias forbids could not be among it."""
    fixed = "This is a sentence that nobody has any choice about, and so it is said at once. " * 2
    got = gbnf(f'root ::= "{fixed}" [a-z]', SMOL, max_tokens=100)
    must(got["text"][:-1] == fixed and got["finish"] == "stop", f"{got['text']!r}")
    forbidden = [{"token": token, "bias": -100.0} for token in sorted(set(got["ids"][:-1]))]
    biased = gbnf(f'root ::= "{fixed}" [a-z]', SMOL, max_tokens=100, logit_bias=forbidden)
    must(biased["ids"][:-1] == got["ids"][:-1], "a bias changed what there is no choice about")
    scored = gbnf(f'root ::= "{fixed}" [a-z]', SMOL, max_tokens=100, flags=2 | v2.FLAGS["logprobs"])
    must(scored["text"] == got["text"], f"{scored['text']!r}")
    must(len(scored["logprobs"]) == len(scored["ids"]), "a token has no log-probability")


def an_answer_is_completed_when_few_tokens_are_left():
    rules = 'root ::= "(" [a-z ]* ")" "." '
    for most in (4, 9, 30):
        for seed in range(4):
            got = gbnf(rules, SMOL, max_tokens=most, temperature=1.0, seed=seed)
            must(re.fullmatch(r"\([a-z ]*\)\.", got["text"]), f"{most}: {got['text']!r}")
            must(got["finish"] == "stop" and len(got["ids"]) <= most, f"{most}: {got['finish']}")
    short = gbnf('root ::= "abcdefghijklmnopqrstuvwxyz"', TINY, max_tokens=2)
    must(short["finish"] == "max_tokens", "an answer that cannot be completed says so")


def rules_that_are_wrong_are_refused_with_their_place():
    refused("input_invalid", "grammar", texts=[{"text": "fox"}], grammar_type=2, grammar="root ::= (\n")
    generate(TINY, "fox")


def answers_with_rules_have_a_place_each():
    answer, joined, _ = ask(TINY, texts=[{"text": "fox"}], answers=4, temperature=1.5, seed=1, max_tokens=40,
                            grammar_type=2, grammar='root ::= [a-z]{2,20} "!"')
    must(answer["code"] == 0 and len(joined) == 4, answer["error"])
    must(all(re.fullmatch("[a-z]{2,20}!", a["text"]) for a in joined.values()), f"{joined}")
    must(len({a["text"] for a in joined.values()}) > 1, "all are the same")


# ---- schemas ------------------------------------------------------------------------------------

def an_object(**properties):
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False}


WORD, COUNT = {"type": "string", "maxLength": 12}, {"type": "integer", "minimum": 0, "maximum": 120}
TREE = {"$defs": {"node": {**an_object(name=WORD, children={
    "type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2})}}, "$ref": "#/$defs/node"}
SCHEMAS = [
    {"type": "boolean"}, {"type": "null"}, {"type": "integer", "minimum": -5, "maximum": 17},
    {"type": "number"}, {"type": "string", "maxLength": 20}, {"enum": ["red", "green", 7, None, True]},
    {"const": {"a": [1, "two"]}}, {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3,5}$"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 5},
    {"type": "array", "prefixItems": [{"type": "boolean"}, WORD], "items": False, "minItems": 2},
    an_object(name=WORD, age=COUNT), an_object(), an_object(nested=an_object(deep=an_object(x=COUNT))),
    {**an_object(name=WORD, nick=WORD), "required": ["name"]},
    {"anyOf": [{"type": "integer"}, an_object(error=WORD)]}, {"type": ["string", "null"], "maxLength": 5},
    an_object(tags={"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 4}, is_on={"type": "boolean"}),
    TREE, {"type": "object", "additionalProperties": {"type": "integer"}},
    an_object(when={"type": "string", "format": "date"}, amount={"type": "integer", "minimum": 100}),
    an_object(street=WORD, city={"const": "Köln"}, lines={"type": "array", "items": WORD, "minItems": 1}),
]


def of_schema(schema, model=TINY, **values):
    return generate(model, "Tell me about it: ", grammar_type=v2.GRAMMARS["json_schema"],
                    grammar=json.dumps(schema), **{"max_tokens": 200, "temperature": 1.0, **values})


def answers_by_a_schema_validate_and_stop():
    made = 0
    for number, schema in enumerate(SCHEMAS):
        for seed in (1, 2):
            for model in (TINY, SMOL) if seed == 1 else (TINY,):
                got = of_schema(schema, model, seed=seed)
                must(got["finish"] == "stop", f"schema {number}: {got['finish']}: {got['text']!r}")
                jsonschema.validate(json.loads(got["text"]), schema)
                made += 1
    print(f"# {made} answers of {len(SCHEMAS)} schemas")


def a_schema_that_is_not_understood_is_refused_by_name():
    refused("unsupported", "", texts=[{"text": "fox"}], grammar_type=1, grammar='{"type": "object", "if": {}}')
    refused("input_invalid", "grammar", texts=[{"text": "fox"}], grammar_type=1, grammar='{"type": ')
    generate(TINY, "fox")


# ---- calls of tools -----------------------------------------------------------------------------

WEATHER = an_object(city={"type": "string", "maxLength": 16}, unit={"enum": ["c", "f"]})
ADDITION = an_object(a={"type": "integer", "maximum": 999}, b={"$ref": "#/$defs/n"})
ADDITION["$defs"] = {"n": {"type": "integer", "minimum": 0, "maximum": 50}}
PARAMETERS = {"get_weather": WEATHER, "add": ADDITION, "now": None}
TOOLS = json.dumps([{"type": "function", "function": {
    "name": name, "description": "d", **({"parameters": schema} if schema else {})}}
    for name, schema in PARAMETERS.items()])
USER = [{"role": 1, "content": "What is the weather in Bonn?"}]


def talk(model=TINY, flags=3, **values):
    answer, joined, parts = ask(model, "chat", messages=USER, tools=TOOLS, flags=flags,
                                **{"max_tokens": 120, **values})
    must(answer["code"] == 0, answer["error"])
    return answer, joined[0], parts


def check_calls(calls):
    must(sorted(calls) == list(range(len(calls))), f"indices {sorted(calls)}")
    for index, call in calls.items():
        must(call["id"] == f"call_{index}", f"id {call['id']!r}")
        schema = PARAMETERS[call["name"]] or {"type": "object", "maxProperties": 0}
        jsonschema.validate(json.loads(call["arguments"]), schema)


def a_required_call_is_made_and_its_arguments_validate():
    names = set()
    for model, seeds in ((TINY, 4), (SMOL, 2)):
        for seed in range(seeds):
            answer, joined, parts = talk(model, tool_choice=2, temperature=1.0, seed=seed, max_tokens=80)
            must(joined["calls"], f"no call: {joined['text']!r}")
            check_calls({k: c for k, c in joined["calls"].items() if k == 0})
            must(OPEN not in joined["text"], f"the tag is shown: {joined['text']!r}")
            finish = v2.FINISH[answer["finish_reason"]]
            must(finish in ("tool_calls", "max_tokens"), finish)
            must(sum(p["tokens"] for p in parts) == answer["tokens_generated"], "tokens are lost")
            streamed = [p for p in parts if p["tool_calls"]]
            must(len(streamed) > 1, "the call came in one part")
            names.add(joined["calls"][0]["name"])
    must(len(names) > 1, f"always the same tool: {names}")


def an_answer_that_ends_behind_its_call_waits_for_the_tool():
    ends = 0
    for seed in range(3):
        answer, joined, _ = talk(SMOL, tool_choice=2, temperature=0.7, seed=seed, flags=2, max_tokens=80)
        if v2.FINISH[answer["finish_reason"]] == "tool_calls":
            ends += 1
            check_calls(joined["calls"])
    must(ends > 0, "no answer ended by itself")


def once_the_tag_is_there_the_call_follows_its_rules():
    """Biases and a penalty that halves what has been said make the model spell the tag, unasked."""
    tag = rows_of(SMOL).tokens(OPEN)
    must(len(set(tag)) == len(tag) < 7, f"the tag is {tag}: a bias cannot spell it")
    push = {"logit_bias": [{"token": token, "bias": 100.0 - 10 * i} for i, token in enumerate(tag)],
            "repetition_penalty": 2.0}
    _, plain, _ = ask(SMOL, "chat", messages=USER, max_tokens=len(tag), **push)
    must(plain[0]["text"] == OPEN, f"the model did not spell the tag: {plain[0]['text']!r}")
    _, joined, _ = talk(SMOL, tool_choice=0, **push)
    must(joined["calls"], f"no call: {joined['text']!r}")
    check_calls({0: joined["calls"][0]})
    _, joined, _ = talk(SMOL, tool_choice=1, **push)
    must(not joined["calls"] and OPEN in joined["text"], "tools that nobody wants were called")


def wrong_tools_are_refused_with_their_place():
    good = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    for tools, part in (("[]", "tools"), ("{", "tools"), ("[5]", "tools[0]"),
                        (json.dumps([good, good]), "tools[1]"),
                        (json.dumps([good, {"type": "function", "function": {"name": "a b"}}]), "tools[1]"),
                        (json.dumps([{"type": "function", "function": {
                            "name": "f", "parameters": {"type": "string"}}}]), "tools[0].function.parameters")):
        refused("input_invalid", part, "chat", messages=USER, tools=tools)
    generate(TINY, "fox")


if __name__ == "__main__":
    roots = ["fixtures/models/gguf", "models/store"]
    with daemon.Daemon(BIN, roots, preload=[TINY, SMOL]) as server:
        sys.exit(daemon.run_tests([
            log_probabilities_equal_a_softmax_of_the_reference,
            penalties_bias_and_temperature_do_not_change_log_probabilities,
            no_log_probabilities_come_unasked,
            greedy_with_penalties_equals_an_argmax_computed_here,
            a_bias_of_minus_100_forbids_and_a_large_one_forces,
            a_bias_of_a_token_that_is_not_there_is_refused,
            every_token_forbidden_is_an_error_and_not_the_end_of_the_worker,
            answers_use_the_seeds_that_follow_each_other,
            a_stop_string_is_never_seen_in_a_stream_and_nothing_before_it_is_lost,
            choices_have_the_probabilities_of_the_reference,
            choices_may_answer_a_chat,
            the_order_of_the_choices_does_not_matter_and_neighbours_go_on,
            an_answer_follows_its_rules_and_ends_with_them,
            what_must_come_is_not_sampled,
            an_answer_is_completed_when_few_tokens_are_left,
            rules_that_are_wrong_are_refused_with_their_place,
            answers_with_rules_have_a_place_each,
            answers_by_a_schema_validate_and_stop,
            a_schema_that_is_not_understood_is_refused_by_name,
            a_required_call_is_made_and_its_arguments_validate,
            an_answer_that_ends_behind_its_call_waits_for_the_tool,
            once_the_tag_is_there_the_call_follows_its_rules,
            wrong_tools_are_refused_with_their_place,
        ]))
