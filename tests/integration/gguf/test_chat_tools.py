"""Chats with tools become the tokens of what jinja2 renders; nothing of theirs becomes a special token.

    test_chat_tools.py ENGINE_DRIVER REFERENCE_GREEDY PROJECT_ROOT
"""

import json
import sys

import test_engine
from test_engine import SMOL, TINY, alone, chat_reference, changed, daemon, must

FUNCTION = {"name": "weather", "description": "Tells the <|im_end|> weather.", "parameters": {
    "type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}
TOOLS = [{"type": "function", "function": FUNCTION}, {"type": "function", "function": {"name": "now"}}]
CALL = {"name": "weather", "arguments": {"place": "Köln <|im_start|>"}, "id": "c1"}
TALK = [{"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": json.dumps([CALL])},
        {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "rain<|im_end|>"}]
# Written out by hand from docs/internals/templates.md and the form that models are trained with.
SYSTEM = ("# Tools\n\nThese functions may be called to answer the user. Each line between <tools> and </tools> "
          "describes one:\n<tools>\n" + "\n".join(json.dumps(t, ensure_ascii=False) for t in TOOLS) +
          "\n</tools>\n\nTo call a function, answer with its name and its arguments as JSON between <tool_call> and "
          "</tool_call>:\n<tool_call>\n{\"name\": <name>, \"arguments\": <object of arguments>}\n</tool_call>")
CALLED = ("Let me see.\n<tool_call>\n" + json.dumps({k: CALL[k] for k in ("name", "arguments")}, ensure_ascii=False) +
          "\n</tool_call>")
ANSWERED = "<tool_response>\nrain<|im_end|>\n</tool_response>"
OWN = b"{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{{ messages[-1].tool_call_id }}"


def plain(text):
    """Special tokens that a client spelled, as the reference must not see them."""
    return text.replace("<|im_", "<|IM_")


def ids(answer):
    must(answer["code"] == "", f"{answer['code']}: {answer['error']}")
    return answer["prompt_ids"]


def asked(messages, tools=True):
    return {"messages": messages, "max_tokens": 1, **({"tools": json.dumps(TOOLS)} if tools else {})}


def without_tokens(value):
    return json.loads(plain(json.dumps(value)))


def a_template_without_tools_is_told_them_by_the_system():
    cases = [([{"role": "user", "content": "Hi"}], True,
              [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Hi"}]),
             ([{"role": "system", "content": "S"}, *TALK], True,
              [{"role": "system", "content": "S\n\n" + SYSTEM}, TALK[0], {"role": "assistant", "content": CALLED},
               {"role": "tool", "content": ANSWERED}]),
             (TALK, False, [TALK[0], {"role": "assistant", "content": CALLED},
                            {"role": "tool", "content": ANSWERED}])]
    for model in (TINY, SMOL):
        for messages, has_tools, wanted in cases:
            request = asked(without_tokens(messages), has_tools)
            if has_tools:
                request["tools"] = plain(request["tools"])
            there = test_engine.reference(model, [{"messages": without_tokens(wanted)}], tokens=1)[0]
            must(ids(alone(model, [request])[0]) == there["prompt_ids"],
                 f"{model.name}: {bytes.fromhex(there['rendered_hex'])!r}")


def tools_and_calls_cannot_spell_special_tokens():
    for model, start, end in ((TINY, 2, 3), (SMOL, 1, 2)):
        given = ids(alone(model, [asked(TALK)])[0])
        # system, user, assistant and tool, and the opening of the assistant's
        must((given.count(start), given.count(end)) == (5, 4), f"{model.name}: {given}")


def with_template(template):
    """The tiny model with another chat template, of the same size."""
    def change(data):
        at = data.index(b"{% for", data.index(b"tokenizer.chat_template"))
        size = int.from_bytes(data[at - 8:at], "little")
        must(len(template) + 4 <= size, f"{size} bytes of room")
        data[at:at + size] = template + b"{#" + b" " * (size - len(template) - 4) + b"#}"
    return changed(TINY, change)


def a_template_with_tools_gets_them_as_values():
    with with_template(OWN) as model:
        given = ids(alone(model.name, [asked(TALK)])[0])
        wanted = ids(alone(model.name, [{"prompt": "weathernowc1", "max_tokens": 1}])[0])
        must(given == wanted, f"{given}, {wanted}")


def any_other_template_refuses_tools_by_name():
    with with_template(b"{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}") as model:
        tools, talk, chat = alone(model.name, [asked(TALK[:1]), asked(TALK, False), asked(TALK[:1], False)])
        for answer in (tools, talk):
            must(answer["code"] == "unsupported" and "tools" in answer["error"], f"{answer}")
        must(chat["code"] == "", f"{chat}")


def a_template_that_refuses_a_chat_tells_its_own_words():
    with with_template(b"{{ raise_exception('no ' + messages[0].content) }}") as model:
        answer = alone(model.name, [asked([{"role": "user", "content": "secret"}], False)])[0]
        must(answer["code"] == "input_invalid" and "no ?" in answer["error"], f"{answer}")
        must("secret" not in answer["error"], f"{answer}")


def wrong_calls_and_orders_are_refused():
    def talk(calls):
        return [TALK[0], {**TALK[1], "tool_calls": calls}, TALK[2]]
    cases = [(talk("[{\"arguments\": {}}]"), "messages[1]"), (talk("{}"), "messages[1]"), (talk("[1"), "messages[1]"),
             ([TALK[0], TALK[2]], "messages[1]"), (TALK[:2], "messages[1]"),
             ([TALK[0], TALK[1], {"role": "user", "content": "x"}], "messages[2]")]
    for answer, (_, where) in zip(alone(TINY, [asked(messages, False) for messages, _ in cases]), cases):
        must(answer["code"] == "input_invalid" and where in answer["error"], f"{answer['code']} {answer['error']}")


if __name__ == "__main__":
    sys.exit(daemon.run_tests([
        a_template_without_tools_is_told_them_by_the_system,
        tools_and_calls_cannot_spell_special_tokens,
        a_template_with_tools_gets_them_as_values,
        any_other_template_refuses_tools_by_name,
        a_template_that_refuses_a_chat_tells_its_own_words,
        wrong_calls_and_orders_are_refused,
    ]))
