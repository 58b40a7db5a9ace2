#!/usr/bin/env python3
"""The command line and a generator, as people and scripts use them: JSON, choices, tools, Ctrl-C, a
full disk, a reader that goes away. Prints TAP.

    cli_generates.py --bin BUILD/bin
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
from daemon import ROOT, WAIT_SECONDS, Daemon, must, poll, run_tests   # noqa: E402

MODEL, MODELS = "tiny-llama", "fixtures/models/gguf"
PLAIN = ["--temperature", "0", "--repetition-penalty", "1"]
# The model's four ids that end an answer or are none: without them it goes on until it is stopped.
ENDLESS = [*PLAIN, "--shift", "--max-tokens", "65536",
           *(word for token in range(4) for word in ("--logit-bias", f"{token}=-100"))]
WORDS = "The small fox lived"
TOOLS = [{"type": "function", "function": {
    "name": "lamp", "description": "Switches a lamp.", "parameters": {
        "type": "object", "properties": {"state": {"enum": ["on", "off"]}, "level": {"enum": [1, 2]}},
        "required": ["state", "level"], "additionalProperties": False}}}]
server = BIN = None


def command(*words):
    return [BIN / "hearth", words[0], "--socket", server.socket_path, *words[1:]]


def hearth(*words, code=0, **how):
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False, **how)
    must(done.returncode == code, f"{words}: exit {done.returncode}: {done.stdout[-200:]} {done.stderr[-300:]}")
    return done


def started(*words, **how):
    return subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


def is_idle():
    model = server.model(MODEL)
    return model["running"] == 0 and model["queue_depth"] == 0


def counted(name):
    metrics = server.ask("metrics_request", "metrics_response")
    return {c["name"]: c["value"] for c in metrics["counters"]}[name]


def must_be_free_again(what):
    """The worker has let go of it, and answers."""
    poll(is_idle, f"the worker to be free after {what}")
    hearth("generate", *PLAIN, "--max-tokens", "3", WORDS)


# ---- JSON ----------------------------------------------------------------------------------------

def json_of_generate_and_chat_is_one_object_with_the_text_and_what_it_took():
    for words in (["generate", WORDS], ["chat", "--message", "hello"]):
        plain = hearth(words[0], *PLAIN, "--max-tokens", "12", *words[1:]).stdout
        whole, = (json.loads(line) for line in
                  hearth(words[0], "--json", *PLAIN, "--max-tokens", "12", *words[1:]).stdout.splitlines())
        must(whole["text"].rstrip("\n") == plain.rstrip("\n") != "", f"{whole['text']!r} and {plain!r}")
        must(whole["model"] == MODEL and whole["finish_reason"] in ("stop", "max_tokens"), f"{whole}")
        usage = whole["usage"]
        must(0 < usage["tokens_generated"] <= 12 and usage["prompt_tokens"] > 0, f"{usage}")


def json_of_a_stream_is_a_line_a_piece_and_then_the_whole():
    words = [*PLAIN, "--max-tokens", "12", WORDS]
    lines = [json.loads(line) for line in hearth("generate", "--json", "--stream", *words).stdout.splitlines()]
    whole = json.loads(hearth("generate", "--json", *words).stdout)
    pieces = [line["piece"] for line in lines[:-1]]
    must(len(pieces) > 3, f"{len(pieces)} pieces")
    must("".join(pieces) == whole["text"], f"{pieces} and {whole['text']!r}")
    must(lines[-1]["usage"]["tokens_generated"] == whole["usage"]["tokens_generated"], f"{lines[-1]}")


def an_error_is_json_too_and_its_exit_code_says_who_is_at_fault():
    done = hearth("generate", "--json", "--max-tokens", "4", "fox " * 5000, code=1)
    error = json.loads(done.stdout)["error"]
    must(error["name"] == "too_long" and error["remedy"], f"{error}")
    hearth("generate", "--json", "--top-p", "7", "fox", code=1)
    hearth("generate", "--max-tokens", "no", "fox", code=2)
    hearth("choose", "--prompt", "fox", "alone", code=2)


def a_daemon_started_for_one_command_passes_its_output_and_exit_code():
    words = [BIN / "hearth", "run", "--models", ROOT / MODELS, "--preload", MODEL, "--", BIN / "hearth"]
    done = subprocess.run([*words, "generate", "--json", *PLAIN, "--max-tokens", "12", WORDS],
                          capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
    there = json.loads(hearth("generate", "--json", *PLAIN, "--max-tokens", "12", WORDS).stdout)
    must(json.loads(done.stdout)["text"] == there["text"], done.stdout)
    done = subprocess.run([*words, "generate", "--model", "nobody", WORDS], capture_output=True, text=True,
                          timeout=WAIT_SECONDS, check=False)
    must(done.returncode == 1 and "nobody" in done.stderr, f"{done.returncode} {done.stderr}")


# ---- choices and tools ---------------------------------------------------------------------------

def choices_come_best_first_with_probabilities_that_are_one_together():
    choices = ["under", "over", "beside the old bridge"]
    rows = [line.split(None, 1) for line in hearth("choose", "--prompt", WORDS, *choices).stdout.splitlines()]
    must(sorted(text for _, text in rows) == sorted(choices), f"{rows}")
    shares = [float(share) for share, _ in rows]
    must(shares == sorted(shares, reverse=True) and abs(sum(shares) - 1) < 1e-3, f"{shares}")
    told = json.loads(hearth("choose", "--json", "--prompt", WORDS, *choices).stdout)
    must([c["text"] for c in told["choices"]] == [text for _, text in rows], f"{told['choices']} and {rows}")
    must(abs(sum(c["probability"] for c in told["choices"]) - 1) < 1e-5, f"{told['choices']}")
    must(told["usage"]["prompt_tokens"] > 0, f"{told['usage']}")


def a_tool_is_called_with_arguments_of_its_schema():
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(TOOLS, file)
        file.flush()
        words = [*PLAIN, "--tools", file.name, "--tool-choice", "required", "--max-tokens", "200",
                 "--message", "Light, please"]
        told = json.loads(hearth("chat", "--json", *words).stdout)
        call = told["tool_calls"][0]
        arguments = json.loads(call["arguments"])
        must(call["name"] == "lamp" and call["id"], f"{call}")
        must(set(arguments) == {"state", "level"} and arguments["state"] in ("on", "off")
             and arguments["level"] in (1, 2), f"{arguments}")
        shown = hearth("chat", *words).stdout
        must(f"call {call['id']} lamp " in shown or " lamp {" in shown, shown)


# ---- Ctrl-C --------------------------------------------------------------------------------------

def ctrl_c_in_a_stream_ends_the_program_and_the_request():
    before = counted("requests_cancelled")
    running = started("generate", *ENDLESS, WORDS)
    must(len(running.stdout.read(8)) == 8, "nothing came")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=WAIT_SECONDS)
    must(running.returncode == -signal.SIGINT, f"exit {running.returncode}: a shell must see the signal")
    poll(lambda: counted("requests_cancelled") == before + 1, "the request to be cancelled")
    must_be_free_again("Ctrl-C")


def ctrl_c_in_a_choice_that_waits_takes_it_out_of_the_queue():
    streams = [started("generate", *ENDLESS, "--no-cache", f"{WORDS} {n}") for n in range(2)]
    for stream in streams:                  # all sequences of the model are taken
        must(stream.stdout.read(1), "nothing came")
    waiting = started("choose", "--prompt", WORDS, "under", "over")
    poll(lambda: server.model(MODEL)["queue_depth"] == 1, "the choice to wait")
    waiting.send_signal(signal.SIGINT)
    out, _ = waiting.communicate(timeout=WAIT_SECONDS)
    must(waiting.returncode == -signal.SIGINT and out == b"", f"exit {waiting.returncode}, {out}")
    poll(lambda: server.model(MODEL)["queue_depth"] == 0, "the choice to leave the queue")
    must(server.model(MODEL)["running"] == 2, "it took a stream along")
    for stream in streams:
        stream.send_signal(signal.SIGINT)
        stream.communicate(timeout=WAIT_SECONDS)
    must_be_free_again("the streams")


class Drained:
    """Reads what nobody looks at, so that the writer never waits."""

    def __init__(self, file):
        self.seen = 0
        threading.Thread(target=self.read, args=(file.fileno(),), daemon=True).start()

    def read(self, fd):
        while data := os.read(fd, 4096):
            self.seen += len(data)


def ctrl_c_in_a_conversation_ends_the_answer_and_then_the_program():
    chat = started("chat", *ENDLESS, stdin=subprocess.PIPE)
    answers = Drained(chat.stdout)
    for turn in ("Tell me a story\n", "Another one\n"):    # the first cancel leaves it going
        before = answers.seen
        chat.stdin.write(turn.encode())
        chat.stdin.flush()
        poll(lambda: answers.seen > before, "an answer")
        chat.send_signal(signal.SIGINT)
        must(chat.stderr.readline() == b"(cancelled)\n", "the cancel is not told")
        must(chat.poll() is None, "the program ended with the first Ctrl-C")
    chat.send_signal(signal.SIGINT)         # with no answer under way
    must(chat.wait(WAIT_SECONDS) == 128 + signal.SIGINT, f"exit {chat.returncode}")
    must_be_free_again("a conversation")


# ---- output that cannot be written ---------------------------------------------------------------

def a_full_disk_is_an_error_and_ends_the_stream():
    for words in (["generate", *PLAIN, "--max-tokens", "4", WORDS], ["generate", *ENDLESS, WORDS],
                  ["generate", "--json", *PLAIN, "--max-tokens", "4", WORDS],
                  ["generate", "--json", "--stream", *ENDLESS, WORDS],
                  ["chat", *ENDLESS, "--message", "hello"], ["choose", "--prompt", WORDS, "a", "b"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=WAIT_SECONDS, check=False)
        must(done.returncode == 1, f"{words[:2]}: exit {done.returncode}: {done.stderr}")
        must(done.stderr.count("hearth: ") == 1 and "the output could not be written" in done.stderr, done.stderr)
        must_be_free_again("a full disk")


def a_reader_that_goes_away_ends_the_stream():
    for more in ([], ["--json", "--stream"]):
        running = started("generate", *more, *ENDLESS, WORDS)
        must(running.stdout.read(1), "nothing came")
        running.stdout.close()
        running.wait(WAIT_SECONDS)
        must(running.returncode in (-signal.SIGPIPE, 1), f"exit {running.returncode}")
        running.stderr.close()
        must_be_free_again("a closed pipe")


def main():
    global server, BIN
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    BIN = parser.parse_args().bin.resolve()
    sections = f"[model {MODEL}]\nsequences = 2\ncontext_tokens = 1024\n"
    with Daemon(BIN, [MODELS], [MODEL], sections=sections, log_level="error") as server:
        return run_tests([
            json_of_generate_and_chat_is_one_object_with_the_text_and_what_it_took,
            json_of_a_stream_is_a_line_a_piece_and_then_the_whole,
            an_error_is_json_too_and_its_exit_code_says_who_is_at_fault,
            a_daemon_started_for_one_command_passes_its_output_and_exit_code,
            choices_come_best_first_with_probabilities_that_are_one_together,
            a_tool_is_called_with_arguments_of_its_schema,
            ctrl_c_in_a_stream_ends_the_program_and_the_request,
            ctrl_c_in_a_choice_that_waits_takes_it_out_of_the_queue,
            ctrl_c_in_a_conversation_ends_the_answer_and_then_the_program,
            a_full_disk_is_an_error_and_ends_the_stream,
            a_reader_that_goes_away_ends_the_stream,
        ])


if __name__ == "__main__":
    sys.exit(main())
