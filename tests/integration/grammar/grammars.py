"""The program grammar_stream, as Python sees it."""

import subprocess


class Refused(Exception):
    pass


class Grammars:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, encoding="ascii", errors="backslashreplace")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the program died of: {line[:200]}")
        return answer.rstrip("\n")

    def compile(self, kind, text):
        answer = self.ask(f"{kind} {text.encode().hex()}")
        if answer != "ok":
            raise Refused(answer)

    def accepts(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        return self.ask(f"accepts {data.hex()}") == "1"

    def walk(self, seed, steps):
        return bytes.fromhex(self.ask(f"walk {seed} {steps}"))

    def close(self):
        self.process.stdin.close()
        return self.process.wait()
