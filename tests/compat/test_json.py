"""What our V1 encoder writes, read by Python's json: a message with every kind of number and
character, and the examples of docs/protocol.md.

    test_json.py COMPAT_JSON PROJECT_ROOT
"""

import base64
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

PROGRAM, ROOT = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
from daemon import must, run_tests      # noqa: E402


def strict(text):
    """json.loads() that takes neither a name twice nor NaN."""
    def once(pairs):
        names = [name for name, _ in pairs]
        must(len(names) == len(set(names)), f"a name is there twice: {names}")
        return dict(pairs)

    def refuse(word):
        raise ValueError(f"{word} is not JSON")
    return json.loads(text, object_pairs_hook=once, parse_constant=refuse)


def message():
    return strict(subprocess.run([PROGRAM], capture_output=True, check=True).stdout.decode())


def floats_have_the_bits_that_were_written():
    result = message()["results"][0]
    must(len(result["vector"]) == 20000, f"{len(result['vector'])} floats")
    wrong = [(number, bits) for number, bits in zip(result["vector"], result["token_ids"])
             if struct.pack("<f", number) != struct.pack("<I", bits)]
    must(not wrong, f"{len(wrong)} floats read differently, the first is {wrong[:1]}")
    must(all(isinstance(number, float) or abs(number) >= 1e8 for number in result["vector"]),
         "a float without a point")


def whole_numbers_are_exact():
    told = message()
    must(told["request_id"] == (1 << 64) - 1, f"request_id {told['request_id']}")
    must(told["results"][0]["index"] == (1 << 32) - 1, "index")
    must(told["token"] == told["results"][0]["token_ids"][0], "token is not the first id")


def every_character_comes_back():
    wanted = "".join(map(chr, [*range(0x800), 0x800, 0xFFFF, 0x10000, 0x1F44B, 0x10FFFF]))
    told = message()
    must(told["text"] == wanted and told["results"][0]["text"] == wanted, "the text differs")


def bytes_are_base64_as_python_reads_it():
    packed = message()["results"][0]["packed"]
    wanted = bytes((i * 7 + i // 256) % 256 for i in range(1000))
    must(base64.b64decode(packed, validate=True) == wanted, "the bytes differ")
    must(packed == base64.b64encode(wanted).decode(), "the text differs")


def sections():
    """(message, its text) for every section of docs/protocol.md that is about a message."""
    text = (ROOT / "docs/protocol.md").read_text()
    public = text.split("## Messages of a client's connection")[1].split("## Messages inside Hearth")[0]
    return re.findall(r"^### \d+ `(\w+)`\n(.*?)(?=^### |\Z)", public, re.S | re.M)


def the_document_has_examples_that_are_json():
    found = sections()
    must(len(found) >= 28, f"only {len(found)} messages in the document")
    for name, text in found:
        examples = re.findall(r"^```json\n(.*?)^```", text, re.S | re.M)
        must(len(examples) == 1 and examples[0].strip(), f"{name} has no example")
        for line in examples[0].splitlines():
            must(strict(line)["type"] == name, f"an example of {name} is {line}")


def the_document_names_every_member():
    for name, text in sections():
        table = text.split("```json")[0]
        for line in re.search(r"```json\n(.*?)```", text, re.S).group(1).splitlines():
            body = strict(line)
            for member in body.keys() - {"type", "parameters", "report"}:
                must(f"`{member}`" in table, f"{name}: {member} is not in the table")
            for group in body.keys() & {"parameters", "report"}:
                for member in body[group]:
                    must(f"`{group}.{member}`" in table or f"`{member}`" in table,
                         f"{name}: {group}.{member} is not in the table")


if __name__ == "__main__":
    sys.exit(run_tests([floats_have_the_bits_that_were_written, whole_numbers_are_exact,
                        every_character_comes_back,
                        bytes_are_base64_as_python_reads_it, the_document_has_examples_that_are_json,
                        the_document_names_every_member]))
