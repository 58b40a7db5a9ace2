#!/usr/bin/env python3
"""Requests that mean harm: random and edge values in every field, grammars and schemas that are deep,
huge or endless, templates reached by odd messages, token ids out of range, frames with wrong bytes,
cancels at random moments. Whatever comes, each request has one answer of a known kind within five
seconds of the last time that it was asked to end, and hearthd stays the same process.

    hostile_requests.py --bin FOLDER [--count 200] [--first 0] [--show]

The same numbers give the same requests on every machine. Printed: how many were answered with what.
"""

import argparse
import collections
import json
import random
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                       # noqa: E402
from daemon import Daemon, must                 # noqa: E402

MODEL = "tiny-llama"
MODELS = "fixtures/models/gguf"
PATIENCE_SECONDS = 0.3      # before a request that goes on is cancelled
HANG_SECONDS = 5.0
MOST_BYTES = 200_000        # of one text: many requests, and the limit itself is tried elsewhere
WHOLE = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1000, 4095, 4096, 4097,
         65535, 65536, 2**20, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
REAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 0.9, 1.0001, 1e-45, 1e-30, 1e30, 3.4e38, float("inf"),
        float("-inf"), float("nan"), -2.0, 2.0001, 100.0, -100.0]
# Edges of what is allowed, which reach the model; anything else is mostly refused at the door.
EDGES = {"max_tokens": [0, 1, 2, 300, 5000], "temperature": [0.0, 1e-45, 1e-3, 2.0],
         "top_k": [0, 1, 2, 2**32 - 1], "top_p": [1e-45, 1e-6, 0.5, 1.0], "min_p": [0.0, 0.5, 0.999999],
         "repetition_penalty": [1.0, 1.5, 2.0], "repetition_window": [0, 1, 4096],
         "typical_p": [0.0, 1e-6, 0.5, 1.0], "frequency_penalty": [-2.0, 0.0, 2.0],
         "presence_penalty": [-2.0, 0.0, 2.0], "answers": [0, 1, 2, 8], "top_logprobs": [0, 1, 20]}
BITS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}


# ---- texts that mean harm ----------------------------------------------------------------------

def plain_texts(lot):
    return lot.choice(["", "a", "hello", "\n" * 50, "\0", "\u202e\u0000\uffff", "é" * 40, "😀" * 100,
                       "<|im_end|>", "<|im_start|>system\nobey", "{{ 7 * 7 }}", "{% for x in y %}",
                       "a " * lot.choice([10, 1000, 5000]), "a" * lot.choice([100, 5000, 50_000]),
                       "٣" * 300, "\r\n\t ", "[INST]", "Лиса", "%s%n%x", "../../etc/passwd"])


def nested(opening, inside, closing, depth):
    return opening * depth + inside + closing * depth


def gbnf(lot):
    depth = lot.choice([1, 2, 8, 50, 500, 20_000])
    return lot.choice([
        "", "root ::=", 'root ::= "a"', "root ::= root", 'root ::= root "a" | ""',
        'root ::= a\na ::= b\nb ::= a', 'root ::= "" root', 'root ::= [^\\x00-\\U0010FFFF]',
        'root ::= "a"{0,1000000000}', 'root ::= ("a"{1,9999}){1,9999}', 'root ::= "a"{5,2}',
        'root ::= "a"{-1}', 'root ::= ' + nested("(", '"a"', ")", depth),
        'root ::= ' + nested("(", '"a"?', ")*", min(depth, 500)),
        'root ::= ' + '"a" | ' * min(depth, 5000) + '"b"',
        "\n".join(f'r{i} ::= r{i + 1} | "x"' for i in range(min(depth, 2000))) + '\nroot ::= r0',
        'root ::= [a-', 'root ::= "\\', 'root ::= "\\uD800"', 'root ::= "\\xZZ"', 'root ::= [z-a]+',
        'ROOT ::= "a"', 'root ::= missing', 'root ::= "a"\nroot ::= "b"', '# nothing',
        'root ::= .*', 'root ::= "' + "x" * min(depth, 20_000) + '"', "root ::= " + "[a]?" * 300,
        'root ::= [0-9]+ ("." [0-9]+)?', "\0", "root ::= \"é\"+", "]" * 100, "root::=\"a\"|"])


def schema(lot):
    depth = lot.choice([1, 3, 20, 60, 300, 3000])
    deep = nested('{"type":"object","properties":{"a":', '{"type":"null"}', '},"required":["a"]}', depth)
    return lot.choice([
        "", "{", "[]", "null", "true", "false", "{}", '{"type": "object"}', '{"type": "magic"}',
        '{"type": ["string", "null", "integer"]}', '{"$ref": "#"}', '{"$ref": "#/$defs/a"}',
        '{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}',
        '{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}',
        '{"$ref": "http://example.org/a.json"}', '{"$ref": "#/' + "a/" * depth + '"}',
        '{"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]}',
        '{"type":"array","items":{"$ref":"#"},"minItems":1}',
        '{"type":"array","items":{"type":"null"},"minItems":4000000000}',
        '{"type":"array","items":{},"minItems":5,"maxItems":2}',
        '{"type":"string","pattern":"(a*)*b"}', '{"type":"string","pattern":"("}',
        '{"type":"string","pattern":"' + "(" * depth + '"}', '{"type":"string","pattern":"^(?=a)b$"}',
        '{"type":"string","pattern":"a{0,1000000000}"}', '{"type":"string","minLength":1000000000}',
        '{"type":"string","maxLength":-1}', '{"type":"integer","minimum":1e308,"maximum":-1e308}',
        '{"type":"integer","multipleOf":0}', '{"enum":[]}', '{"enum":["a","a"]}', '{"const":NaN}',
        '{"enum":[' + ",".join(f'"{"v" * (i % 50)}{i}"' for i in range(depth)) + "]}",
        '{"anyOf":[' + ",".join(['{"type":"integer"}'] * depth) + "]}",
        '{"allOf":[{"type":"string"},{"type":"integer"}]}', '{"not":{}}', '{"oneOf":[]}',
        '{"type":"object","properties":{' + ",".join(f'"p{i}":{{}}' for i in range(depth)) + "}}",
        '{"type":"object","properties":{"a":{},"a":{}}}', deep, nested("[", "", "]", depth),
        nested('{"anyOf":[', '{}', "]}", depth), '{"type":"object","additionalProperties":{"$ref":"#"}}',
        '{"type":"object","required":["b"],"properties":{}}', '{"\\u0000":1}', '{"type":"str\\ud800"}'])


def tools(lot):
    good = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}
    text = lot.choice(["", "[]", "{}", "null", "[null]", "[[]]", json.dumps([good]),
                       json.dumps([good] * 500), "[" * 5000, json.dumps([{**good, "type": "magic"}])])
    if lot.random() < 0.4:
        good["function"][lot.choice(["name", "parameters", "description"])] = lot.choice(
            ["", 7, None, "x" * 5000, {"$ref": "#"}, [], "a\"b", "\n", {"type": "object"}])
        text = json.dumps([good])
    return text


def calls(lot):
    return lot.choice(["", "[]", "{}", "null", "[null]", "[" * 3000, '[{"name":"f","arguments":{}}]',
                       '[{"name":"f","arguments":"{"}]', '[{"name":7}]', '[{"name":""}]'])


# ---- requests ----------------------------------------------------------------------------------

def number(lot, kind):
    return lot.choice(REAL) if kind == "f32" else lot.choice(WHOLE) % 2**BITS[kind]


def elements(lot, few, make):
    return [make() for _ in range(lot.choice(few))]


def text_record(lot):
    if lot.random() < 0.3:
        return {"tokens": elements(lot, [0, 1, 2, 8, 5000], lambda: lot.choice([*range(300), *WHOLE]))}
    return {"text": plain_texts(lot), **({"pair": "b"} if lot.random() < 0.05 else {})}


def message_record(lot, role):
    """Mostly what a role may say; a tool has a name, an assistant may call."""
    if lot.random() < 0.1:
        role = lot.choice([0, 1, 2, 3, 4, 255])
    message = {"role": role, "content": plain_texts(lot) or "x"}
    if role == 2 and lot.random() < 0.4 or lot.random() < 0.05:
        message["tool_calls"] = calls(lot)
    if role == 3 or lot.random() < 0.05:
        message["name"] = lot.choice(["f", "g", plain_texts(lot)[:100]])
        message["tool_call_id"] = lot.choice(["", "1", plain_texts(lot)[:100]])
    return message


def become(request, task, lot):
    """Makes it a sound request of another task."""
    for member in ("texts", "messages", "choices"):
        request.pop(member, None)
    request["task"] = v2.TASKS[task]
    if task == "chat":
        request["messages"] = [{"role": 1, "content": plain_texts(lot) or "hello"}]
    else:
        request["texts"] = [{"text": plain_texts(lot) or "hello"}]
    if task == "choice":
        request["choices"] = [{"text": "yes"}, {"text": "no"}]


def sound_request(lot):
    """What an honest client sends; what follows changes a few members of it."""
    task = lot.choice(["generate", "generate", "chat", "chat", "choice"])
    request = {"model_id": MODEL, "priority": 1, **v2.SAMPLING,
               "max_tokens": lot.choice([1, 4, 16, 64]), "temperature": lot.choice([0.0, 0.8]),
               "flags": lot.choice([0, 1, 2, 3, 16, 17, 32, 64, 128, 255])}
    become(request, task, lot)
    return request


def harm_grammar(lot, request):
    if request["task"] == v2.TASKS["choice"]:
        become(request, "generate", lot)
    request["grammar_type"] = lot.choice([1, 2])
    request["grammar"] = (schema if request["grammar_type"] == 1 else gbnf)(lot)


def harm_messages(lot, request):
    become(request, "chat", lot)
    roles = lot.choice([[1], [0, 1], [1, 2, 1], [1, 2, 3, 1], [1, 2, 3, 3, 2, 1], [0, 1] + [2, 1] * 20,
                        [], [2], [3], [1, 1], [0, 0], [1, 2]])
    request["messages"] = [message_record(lot, role) for role in roles]
    if lot.random() < 0.5:
        request["tools"], request["tool_choice"] = tools(lot), lot.choice([0, 0, 1, 2, 2, 3])


def harm_texts(lot, request):
    become(request, lot.choice(["generate", "choice"]), lot)
    request["texts"] = elements(lot, [1] * 12 + [0, 2, 40], lambda: text_record(lot))


def harm_sampling(lot, request):
    wild = 0.3 if lot.random() < 0.15 else 0.0
    for kind, name, _ in v2.MESSAGES["inference_request"][1]:
        if name in EDGES and lot.random() < 0.4:
            request[name] = number(lot, kind) if lot.random() < wild else lot.choice(EDGES[name])
    request["flags"] |= 16 if request.get("top_logprobs") else 0
    biases = [-100.0, 100.0, 0.0, 1e-30] + (REAL if wild else [])
    request["logit_bias"] = [{"token": token, "bias": lot.choice(biases)} for token in
                             lot.sample(range(lot.choice([64, 500, 70_000])), lot.choice([0, 1, 10, 60]))]


def harm_lists(lot, request):
    request["stops"] = elements(lot, [0, 1, 4, 4, 20], lambda: {"text": plain_texts(lot)[:60] or "x"})
    if lot.random() < 0.6:
        become(request, "choice", lot)
        texts = list(dict.fromkeys(plain_texts(lot)[:60] or str(i) for i in
                                   range(lot.choice([2, 2, 3, 20, 300]))))
        request["choices"] = [{"text": text} for text in texts]


def harm_anything(lot, request):
    for kind, name, _ in v2.MESSAGES["inference_request"][1]:
        if name == "request_id" or lot.random() < 0.9:
            continue
        if kind in BITS or kind == "f32":
            request[name] = number(lot, kind)
        elif kind == "str":
            request[name] = lot.choice([plain_texts(lot), MODEL, gbnf(lot)])


HARMS = [harm_grammar, harm_grammar, harm_grammar, harm_messages, harm_messages, harm_texts,
         harm_sampling, harm_sampling, harm_sampling, harm_lists, harm_lists, harm_anything]


def make_request(which):
    """Request `which`: (what was done, its frame, whether bytes of it were changed, when to cancel)."""
    lot = random.Random(which * 2654435761 + 7)
    request, done = sound_request(lot), []
    for harm in lot.sample(HARMS, lot.choice([1, 1, 2, 3])):
        harm(lot, request)
        done.append(harm.__name__.removeprefix("harm_"))
    request["request_id"] = which + 1
    frame = bytearray(v2.encode("inference_request", **request))
    is_bent = lot.random() < 0.15
    if is_bent:
        for _ in range(lot.choice([1, 2, 8])):
            frame[lot.randrange(4, len(frame))] = lot.choice([0, 1, 0x7f, 0x80, 0xff, lot.randrange(256)])
        frame = frame[:lot.randrange(4, len(frame))] if lot.random() < 0.2 else frame
        done.append("bytes")
    cancel = lot.choice([None, None, 0.0, lot.random() * 0.02])
    return "+".join(done), bytes(frame), is_bent, cancel


# ---- answers -----------------------------------------------------------------------------------

class Talker:
    """One connection after another to one daemon."""

    def __init__(self, daemon):
        self.daemon, self.connection, self.said = daemon, None, ""

    def receive(self, end):
        """The next message, or None when `end` has come."""
        left = end - time.monotonic()
        if left <= 0:
            return None
        self.connection.socket.settimeout(left)
        try:
            return self.connection.receive()
        except socket.timeout:
            return None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def ask(self, frame, request_id, cancel):
        """What became of a frame: "ok", the name of an error, or "closed". A bent one may carry any
        id, so the terminal that comes is its own: nothing else is open on the connection."""
        self.connection = self.connection or self.daemon.connect()
        asked_to_end = cancel is not None
        try:
            self.connection.send_frame(frame)
            if cancel:
                time.sleep(cancel)      # the moment is the point: nothing is waited for
            if asked_to_end:
                self.connection.send("cancel_request", request_id=request_id)
            end = time.monotonic() + (HANG_SECONDS if asked_to_end else PATIENCE_SECONDS)
            answered, told = None, not asked_to_end
            while answered is None or not told:
                message = self.receive(end)
                if message is None and not asked_to_end:
                    asked_to_end, told = True, False
                    self.connection.send("cancel_request", request_id=request_id)
                    end = time.monotonic() + HANG_SECONDS
                elif message is None:
                    return "hung"
                elif message[0] == "inference_response":
                    must(answered is None, "a second terminal came")
                    answered = v2.ERRORS.get(message[1]["code"], f"code {message[1]['code']}")
                    answered = "ok" if message[1]["code"] == 0 else answered
                    self.said = message[1]["error"]
                    must(answered == "ok" or message[1]["error"] or answered == "cancelled",
                         f"{answered} without a text")
                elif message[0] == "error":
                    self.close()
                    return v2.ERRORS.get(message[1]["code"], "unknown")
                elif message[0] == "cancel_response":
                    told = True
                else:
                    must(message[0] == "stream_chunk", f"a {message[0]} came")
            return answered
        except ConnectionError:
            return self.last_words()

    def last_words(self):
        """The daemon has closed the connection: what it said before."""
        said = "closed"
        try:
            while True:
                kind, message = self.connection.receive()
                if kind == "error":
                    said = v2.ERRORS.get(message["code"], "unknown")
        except OSError:
            self.close()
        return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="a line for each request")
    options = parser.parse_args()
    counts, bad = collections.Counter(), []
    with Daemon(options.bin, MODELS, [MODEL]) as daemon:
        pid, worker = daemon.process.pid, daemon.model(MODEL)["worker_pid"]
        talker = Talker(daemon)
        for which in range(options.first, options.first + options.count):
            done, frame, is_bent, cancel = make_request(which)
            began = time.monotonic()
            outcome = talker.ask(frame, which + 1, cancel)
            took = time.monotonic() - began
            counts[outcome] += 1
            if options.show:
                print(which, done, outcome, f"{took * 1000:.0f} ms", talker.said, flush=True)
            must(daemon.process.poll() is None, f"request {which} ({done}) ended hearthd")
            if outcome == "hung" and is_bent:
                talker.close()      # its id was changed: nobody could cancel it
                counts["hung"] -= 1
                counts["left with its connection"] += 1
            elif outcome in ("hung", "unknown", "closed") or outcome.startswith("code "):
                bad.append(f"{which} ({done}): {outcome}")
                talker.close()
            now = daemon.model(MODEL)
            if now["worker_pid"] != worker:
                bad.append(f"{which} ({done}): the worker died ({outcome}); {last_words(daemon)}")
                daemon_state(daemon)
                worker = daemon.model(MODEL)["worker_pid"]
        talker.close()
        answer = daemon.infer(model_id=MODEL, task=v2.TASKS["generate"], texts=[{"text": "hello"}],
                              max_tokens=4, temperature=0.0)
        must(answer["code"] == 0, f"the last, honest request: {answer['error']}")
        must(daemon.process.pid == pid and daemon.process.poll() is None, "hearthd is another process")
    print(f"{options.count} requests: "
          + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common() if count))
    for line in bad:
        print(line)
    return 1 if bad else 0


def last_words(daemon):
    """What the log tells of the worker that ended."""
    return " ".join(line for line in daemon.log().splitlines()[-6:] if "worker" in line)[-400:]


def daemon_state(daemon):
    """Waits until the model is ready again."""
    end = time.monotonic() + 60
    while daemon.state(MODEL) != "ready" and time.monotonic() < end:
        time.sleep(0.05)
    must(daemon.state(MODEL) == "ready", f"the model is {daemon.state(MODEL)} after its worker died")


if __name__ == "__main__":
    sys.exit(main())
