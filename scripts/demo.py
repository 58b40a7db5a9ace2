"""The job of demo.sh: asks a running daemon through the `hearth` program, and checks the answers.

usage (by demo.sh, inside of `hearth run`): demo.py HEARTH [SENTENCE...]
"""
import json
import os
import subprocess
import sys
import time

# What each asks for is plain to any reader; the model has to see it too.
SENTENCES = [
    ("Wake me up at half past six tomorrow.", "set_alarm"),
    ("Will it rain in Dublin this afternoon?", "weather"),
    ("Put some quiet jazz on in the kitchen.", "play_music"),
]
SIMILAR = ("A cat is sleeping on the sofa.", "The kitten naps on the couch.")
DISSIMILAR = ("A cat is sleeping on the sofa.", "The central bank raised interest rates.")
QUESTION, FACT = "What is the capital of France?", "Paris"


class Demo:
    def __init__(self, hearth):
        self.hearth = hearth
        self.failed = []

    def expect(self, holds, claim):
        print(f"    {'ok ' if holds else 'NOT OK'} {claim}")
        if not holds:
            self.failed.append(claim)

    def ask(self, *arguments):
        """Runs `hearth ... --json` and reads what it prints: one JSON document."""
        run = subprocess.run([self.hearth] + list(arguments) + ["--json"], capture_output=True,
                             text=True, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            sys.exit(f"demo: hearth {arguments[0]} ended with {run.returncode}: {run.stderr.strip()}")
        return json.loads(run.stdout)

    def show_models(self):
        print("\nmodels, each in a sandboxed process of its own")
        models = {model["name"]: model for model in self.ask("models")["models"]}
        for model in models.values():
            print(f"  {model['name']:<24} worker pid {model['worker_pid']:<8} sha256 {model['digest']}")
            walls = seccomp_of(model["worker_pid"]) if model["worker_pid"] else "no worker"
            print(f"  {'':<24} {walls}")
        self.expect(all(models.get(name, {}).get("worker_pid") for name in (
            "hearth-intent", "all-minilm-l6-v2", "smollm2-135m-instruct")), "three models are loaded")

    def classify(self, sentences):
        print("\nwhat is asked for (hearth-intent)")
        given = sentences or [text for text, _ in SENTENCES]
        results = self.ask("classify", "--model", "hearth-intent", *given)["results"]
        for text, result in zip(given, results):
            best = result["labels"][0]
            print(f"  {best['name']:<16} {best['probability']:.3f}  {text}")
        self.expect(len(results) == len(given), f"{len(given)} sentences have an answer")
        known = dict(SENTENCES)
        for text, result in zip(given, results):
            if text in known:
                self.expect(result["labels"][0]["name"] == known[text], f"{known[text]}: {text}")

    def compare(self):
        print("\nhow near two sentences are (all-minilm-l6-v2)")
        texts = list(SIMILAR + DISSIMILAR)
        answer = self.ask("embed", "--model", "all-minilm-l6-v2", *texts)
        vectors = [result["vector"] for result in answer["results"]]
        near, far = cosine(vectors[0], vectors[1]), cosine(vectors[2], vectors[3])
        print(f"  {near:.3f}  {SIMILAR[0]} / {SIMILAR[1]}\n  {far:.3f}  {DISSIMILAR[0]} / {DISSIMILAR[1]}")
        self.expect(near >= 0.6, f"the similar pair has {near:.3f}, at least 0.6")
        self.expect(far <= 0.3, f"the dissimilar pair has {far:.3f}, at most 0.3")

    def chat(self):
        print(f"\na chat, streamed (smollm2-135m-instruct, temperature 0)\n  > {QUESTION}\n  ", end="", flush=True)
        start, pieces, times = time.monotonic(), [], []
        command = [self.hearth, "chat", "--model", "smollm2-135m-instruct", "--temperature", "0",
                   "--max-tokens", "64", "--message", QUESTION]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            while piece := os.read(process.stdout.fileno(), 4096):
                times.append(time.monotonic() - start)
                pieces.append(piece)
                print(piece.decode(errors="replace"), end="", flush=True)
        answer = b"".join(pieces).decode(errors="replace")
        print()
        if times:
            print(f"  first piece after {times[0] * 1000:.0f} ms, last after {times[-1] * 1000:.0f} ms, "
                  f"{len(pieces)} pieces")
        self.expect(process.returncode == 0, "the chat ended well")
        self.expect(FACT in answer, f"the answer holds the fact asked for: {FACT}")
        self.expect(len(pieces) > 1, "it came in pieces")


def seccomp_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return f"Seccomp {fields['Seccomp'].strip()}, NoNewPrivs {fields['NoNewPrivs'].strip()}"


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def main(hearth, sentences):
    demo = Demo(hearth)
    demo.show_models()
    demo.classify([])
    if sentences:
        demo.classify(sentences)
    demo.compare()
    demo.chat()
    if demo.failed:
        print(f"\ndemo failed: {len(demo.failed)} of its expectations did not hold: {'; '.join(demo.failed)}")
        return 1
    print("\ndemo passed: every answer was right")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
