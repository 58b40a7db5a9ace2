"""Chat templates through jinja2, in the environment for which templates of models are written.

What the environment has beyond jinja2: blocks and the blanks before them leave no line behind, break
and continue, {% generation %} (which only marks), tojson that keeps characters as they are,
raise_exception and strftime_now.
"""

import datetime
import json

from gguf import GGUFReader
from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """{% generation %} … {% endgeneration %}: what it surrounds, in a scope of its own."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_keep"), [], [], body).set_lineno(line)

    @staticmethod
    def _keep(caller):
        return caller()


def _tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def _raise_exception(message):
    raise TemplateError(message)


def environment(now_s=0):
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                         extensions=[Generation, loopcontrols])
    now = datetime.datetime.fromtimestamp(now_s, datetime.timezone.utc)
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise_exception
    made.globals["strftime_now"] = now.strftime
    return made


def render(template, context, now_s=0):
    return environment(now_s).from_string(template).render(**context)


def template_of(model):
    """The chat template in a GGUF file."""
    field = GGUFReader(model).fields["tokenizer.chat_template"]
    return bytes(field.parts[field.data[0]]).decode()


def render_chat(template, messages, bos_token="", eos_token=""):
    """As a chat without tools is rendered for a model."""
    return render(template, {"messages": messages, "tools": None, "documents": None,
                             "add_generation_prompt": True, "bos_token": bos_token,
                             "eos_token": eos_token})
