"""What the gates share: which files are ours, and C text with comments and strings blanked out.

A gate prints `file:line: [rule] what` for each violation and ends with status 1 if there was one.
Each gate has a self-test that plants violations in a tree of its own and sees that it finds them.
"""
import os
import re
import subprocess
import sys
import tempfile

SKIPPED_FOLDERS = {".git", ".deps", "build", "__pycache__", "store", "corpus", "node_modules"}
TOKENS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)


def files(root, *endings):
    """Paths below root, relative and sorted, whose name has one of these endings (any, if none)."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith("build-"))
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names
                  if not endings or n.endswith(endings)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as text:
        return text.read()


def blank(match):
    """Spaces of the same shape, so that lines and columns stay what they were."""
    text = match.group(0)
    kept = text[0] + text[-1] if text[0] in "\"'" else "  "
    return kept[0] + re.sub(r"[^\n]", " ", text[1:-1]) + kept[1]


def code_of(text):
    """C text with comments, and what strings hold, blanked."""
    return TOKENS.sub(blank, text)


def without_directives(code):
    return DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), code)


def functions(code):
    """(name, first line, last line, body) of each function in blanked code without directives."""
    depth, start, head = 0, 0, 0
    for match in re.finditer(r"[{};]", code):
        char, at = match.group(0), match.start()
        if depth == 0 and char == "{":
            before = code[head:at].strip()
            if before.startswith("extern") and "(" not in before:
                head = at + 1   # extern "C" {
                continue
            start = at
        depth += {"{": 1, "}": -1, ";": 0}[char]
        depth = max(depth, 0)
        if depth == 0 and char != "{":
            if char == "}":
                before = code[head:start]
                name = re.match(r"[^=(]*?(\w+)\s*\(", before, re.S)
                if name and before.rstrip().endswith(")") and "=" not in before:
                    first = code.count("\n", 0, head + len(before) - len(before.lstrip())) + 1
                    yield name.group(1), first, code.count("\n", 0, at) + 1, code[start:at + 1]
            head = at + 1


class Gate:
    """Collects what is wrong, prints it, and knows the way out."""

    def __init__(self):
        self.count = 0

    def wrong(self, path, line, rule, what):
        self.count += 1
        print(f"{path}:{line}: [{rule}] {what}")

    def status(self, looked_at):
        print(f"{looked_at} files looked at, {self.count} violations")
        return 1 if self.count or not looked_at else 0


def main(check, planted, clean):
    """Runs check(root) on the tree, or with --self-test on planted violations.

    planted is a list of (rule, {path: text}): the gate must name that rule, and be silent about
    clean, a {path: text} of lawful code. Each goes through a process of its own, as a user runs it.
    """
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test(planted, clean))
    top = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
    sys.exit(check(sys.argv[1] if len(sys.argv) > 1 else top))


def self_test(planted, clean):
    failed = 0
    print(f"1..{len(planted) + 1}")
    for number, (rule, tree) in enumerate(planted + [("", clean)], 1):
        with tempfile.TemporaryDirectory() as root:
            for path, text in dict(clean, **tree).items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                    out.write(text)
            run = subprocess.run([sys.argv[0], root], capture_output=True, text=True)
        if rule:
            good = run.returncode == 1 and f"[{rule}]" in run.stdout and "/" in run.stdout
            claim = f"a planted violation of '{rule}' is found in {', '.join(tree)}"
        else:
            good, claim = run.returncode == 0, "lawful code passes"
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {claim}")
        if not good:
            print("# " + (run.stdout + run.stderr).replace("\n", "\n# "))
    return 1 if failed else 0
