#!/usr/bin/env python3
"""What a user does wrong is answered with exit code, error and a text that says what, where and what
to do; hearthd stays the same process and the next request is right. Prints TAP, one line a row."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import peers                                            # noqa: E402
import v2                                               # noqa: E402
from daemon import ROOT, Daemon, must, run_tests        # noqa: E402

FIXTURES = ROOT / "fixtures/models"
NOBODY = 65534
LIMIT_BYTES, LIMIT_BATCH = 65536, 32


@dataclass
class Row:
    """What is done (a command line of `hearth`, or what `act` runs), and what must come of it."""
    name: str
    command: list = field(default_factory=list)
    stdin: bytes = b""
    exit_code: int = 1
    error: str = ""
    what: list = field(default_factory=list)    # what was wrong, and where
    remedy: str = ""
    act: object = None


# ---- models, whole and broken ------------------------------------------------------------------

def copy_model(folder, source, name, change=None, alter=None, is_fitted=False):
    """Copies a fixture as @name. @change maps the bytes of its model file, @alter its manifest;
    @is_fitted: the manifest tells size and digest of what the file has become."""
    manifest = json.loads((FIXTURES / f"{source}.manifest.json").read_text())
    place = Path(folder) / name
    place.mkdir()
    for entry in manifest["files"]:
        data = (FIXTURES / source).parent.joinpath(entry["path"]).read_bytes()
        if change and entry["role"] == "model":
            data = change(data)
            if is_fitted:
                entry["size_bytes"] = len(data)
                entry["sha256"] = hashlib.sha256(data).hexdigest()
        (place / entry["path"]).write_bytes(data)
    manifest["model_id"] = manifest["name"] = name
    if alter:
        alter(manifest)
    (place / "manifest.json").write_text(json.dumps(manifest))


def cut(data):
    return data[:len(data) * 2 // 3]


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


def make_models(folder):
    onnx, gguf = "onnx/tinybert-classifier", "gguf/tiny-llama"
    copy_model(folder, "echo/tiny", "tiny")
    copy_model(folder, onnx, "whole-onnx")
    for kind, source in (("onnx", onnx), ("gguf", gguf)):
        copy_model(folder, source, f"cut-{kind}", cut)
        copy_model(folder, source, f"cut-{kind}-fitted", cut, is_fitted=True)
        copy_model(folder, source, f"flipped-{kind}", flip)
    copy_model(folder, onnx, "no-such-labels", alter=lambda m: m.update(labels="labels.txt"))
    copy_model(folder, onnx, "too-few-labels", alter=lambda m: m.update(labels=["yes", "no"]))
    copy_model(folder, onnx, "no-such-file",
               alter=lambda m: m["files"][0].update(path="nowhere.onnx"))


def sizes(source, suffix):
    size = (FIXTURES / source).with_suffix(suffix).stat().st_size
    return [str(size * 2 // 3), str(size)]


# ---- doing it ----------------------------------------------------------------------------------

class World:
    def __init__(self, options, daemon):
        self.bin, self.daemon = Path(options.bin), daemon
        self.environment = {**os.environ, "HEARTH_SOCKET": str(daemon.socket_path)}

    def run(self, command, stdin=b"", socket=None, **more):
        environment = {**self.environment, **({"HEARTH_SOCKET": str(socket)} if socket else {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.run(command, input=stdin, check=False, env=environment, timeout=120,
                              **pipes)

    def start(self, command):
        """A hearthd: what the environment says would outweigh its file."""
        return subprocess.run(command, capture_output=True, check=False, timeout=120)

    def hearth(self, *words, **more):
        return self.run([str(self.bin / "hearth"), *words], **more)

    def must_be_well(self):
        must(self.daemon.process.poll() is None, "hearthd has ended")
        health = self.daemon.ask("health_check", "health_response", check_type=2)
        must(health["pid"] == self.daemon.process.pid, "another hearthd answers")
        answer = self.hearth("generate", "--model", "tiny", "abc")
        must((answer.returncode, answer.stdout) == (0, b"cba\n"), f"the next request: {answer}")


def must_say(row, text, where):
    for part in [*row.what, row.remedy]:
        must(part in text, f"{where} does not say {part!r}: {text}")


def check_told(row, done):
    """What a person reads."""
    text = done.stderr.decode(errors="replace")
    must(done.returncode == row.exit_code, f"exit code {done.returncode}: {text}")
    must(done.stdout == b"", f"standard output has {done.stdout[:200]}")
    must_say(row, text, "standard error")


def check_json(row, done):
    must(done.returncode == row.exit_code, f"--json: exit code {done.returncode}: {done}")
    error = json.loads(done.stdout)["error"]
    must(error["name"] == row.error and v2.ERRORS[error["code"]] == row.error,
         f"--json: the error is {error}")
    must_say(row, error["message"] + "\n" + error["remedy"], "--json")
    must(row.remedy in error["remedy"], f"--json: the remedy is {error['remedy']}")


def check_row(world, row):
    if row.act:
        row.act(world, row)
    else:
        check_told(row, world.hearth(*row.command, stdin=row.stdin))
        if row.error:
            check_json(row, world.hearth(*row.command, "--json", stdin=row.stdin))
    world.must_be_well()


# ---- what needs more than a command line -------------------------------------------------------

def check_answer(row, answer):
    must(v2.ERRORS.get(answer["code"], "ok") == row.error, f"answered {answer['code']}: {answer}")
    must_say(row, answer["error"], "the answer")


def over_the_socket(texts):
    def act(world, row):
        check_answer(row, world.daemon.infer(model_id="whole-onnx", task=0, texts=texts))
    return act


def is_accepted(command, stdin, count):
    def act(world, _):
        done = world.hearth(*command, "--json", stdin=stdin)
        must(done.returncode == 0, f"{done}")
        must(len(json.loads(done.stdout)["results"]) == count, "another number of results")
    return act


def accepts_a_full_batch(world, _):
    answer = world.daemon.infer(model_id="whole-onnx", task=0,
                                texts=[{"text": "hello"}] * LIMIT_BATCH)
    must(answer["code"] == 0 and len(answer["results"]) == LIMIT_BATCH, f"{answer['error']}")


def starts_a_second_daemon(world, row):
    check_told(row, world.start(world.daemon.command()))


def asks_where_nobody_is(world, row):
    socket = world.daemon.home / "nobody.sock"
    check_told(row, world.hearth(*row.command, socket=socket))
    check_json(row, world.hearth(*row.command, "--json", socket=socket))


def writes_an_unknown_key(world, row):
    config = world.daemon.home / "bad.conf"
    config.write_text("[daemon]\n# a comment\nsoket = /somewhere\n")
    check_told(row, world.start([str(world.bin / "hearthd"), "--config", str(config)]))


def writes_vectors_to_a_full_disk(world, row):
    with Daemon(world.bin, "fixtures/models/echo", ["embedder"]) as daemon:
        other = World(argparse.Namespace(bin=world.bin), daemon)
        check_told(row, other.hearth("embed", "--output", "/dev/full", "hello"))


def asks_for_an_empty_token(world, row):
    config = world.daemon.home / "token.conf"
    config.write_text(f"[daemon]\ntoken_sha256 = {hashlib.sha256(b'').hexdigest()}\n")
    check_told(row, world.start([str(world.bin / "hearthd"), "--config", str(config)]))


def uses_a_run_folder_that_is_read_only(world, row):
    """As a user to whom permissions apply."""
    with tempfile.TemporaryDirectory(prefix="hearth-test-") as name:
        home, run = Path(name), Path(name) / "run"
        run.mkdir()
        shutil.copy(world.bin / "hearthd", home / "hearthd")
        config = home / "hearthd.conf"
        config.write_text(f"[daemon]\nsocket = {run}/hearthd.sock\nmodels = {name}\n")
        for path, mode in ((home, 0o755), (config, 0o644), (home / "hearthd", 0o755), (run, 0o555)):
            path.chmod(mode)
        prefix = ["setpriv", "--reuid", str(NOBODY), "--clear-groups"] if os.getuid() == 0 else []
        done = world.start([*prefix, str(home / "hearthd"), "--config", str(config)])
        must(f"{run}" in done.stderr.decode(), f"it does not name the folder: {done.stderr}")
        check_told(row, done)
        must(list(run.iterdir()) == [], "it left files")


def loads_without_the_engine(kind, model):
    def act(world, row):
        with tempfile.TemporaryDirectory(prefix="hearth-workers-") as workers:
            shutil.copy(world.bin / "hearth-worker-echo", workers)
            folders = ["fixtures/models/echo", f"fixtures/models/{kind}"]
            with Daemon(world.bin, folders, ["tiny"], workers=workers) as daemon:
                other = World(argparse.Namespace(bin=world.bin), daemon)
                check_told(row, other.hearth("models", "load", model))
                check_json(row, other.hearth("models", "load", model, "--json"))
                other.must_be_well()
    return act


# ---- the table ---------------------------------------------------------------------------------

def load(model):
    return ["models", "load", model]


def model_rows():
    refetch, replace = "scripts/download_models.sh", "replace the model file"
    return [
        Row("a model that is not there", ["classify", "--model", "nowhere", "hello"],
            error="no_model", what=['"nowhere"', "none of the model folders"],
            remedy="hearth models"),
        Row("a load of a model that is not there", load("nowhere"), error="no_model",
            what=['"nowhere"', "none of the model folders"], remedy="hearth models"),
        Row("a manifest whose file is not there", load("no-such-file"), error="model_invalid",
            what=["no-such-file", "nowhere.onnx", "No such file"], remedy=replace),
        Row("labels that are the name of a file", load("no-such-labels"), error="model_invalid",
            what=["no-such-labels", "labels", "an array"], remedy=replace),
        Row("labels that are fewer than the classes", load("too-few-labels"),
            error="model_invalid", what=["too-few-labels", "2 labels", "4"], remedy=replace),
        Row("an ONNX file cut short", load("cut-onnx"), error="model_invalid",
            what=["tinybert-classifier.onnx", "the manifest says",
                  *sizes("onnx/tinybert-classifier", ".onnx")], remedy=replace),
        Row("a GGUF file cut short", load("cut-gguf"), error="model_invalid",
            what=["tiny-llama.gguf", "the manifest says", *sizes("gguf/tiny-llama", ".gguf")],
            remedy=replace),
        Row("an ONNX file cut short with a manifest that fits", load("cut-onnx-fitted"),
            error="model_invalid", what=["cut-onnx-fitted", "the model", "cut off"], remedy=replace),
        Row("a GGUF file cut short with a manifest that fits", load("cut-gguf-fitted"),
            error="model_invalid", what=["cut-gguf-fitted", "tensors", "cut off"], remedy=replace),
        Row("a flipped bit in an ONNX file", load("flipped-onnx"), error="digest_mismatch",
            what=["tinybert-classifier.onnx", "SHA-256", "the manifest says"], remedy=refetch),
        Row("a flipped bit in a GGUF file", load("flipped-gguf"), error="digest_mismatch",
            what=["tiny-llama.gguf", "SHA-256", "the manifest says"], remedy=refetch),
        Row("the ONNX engine is not built", error="no_engine",
            what=["hearth-worker-onnx", "HEARTH_ONNX"], remedy="-DHEARTH_ONNX=ON",
            act=loads_without_the_engine("onnx", "tinybert-classifier")),
        Row("the GGUF engine is not built", error="no_engine",
            what=["hearth-worker-gguf", "HEARTH_GGUF"], remedy="-DHEARTH_GGUF=ON",
            act=loads_without_the_engine("gguf", "tiny-llama")),
    ]


def request_rows():
    classify = ["classify", "--model", "whole-onnx"]
    too_long = ["texts[0].text", f"{LIMIT_BYTES + 1} bytes", f"limit is {LIMIT_BYTES}"]
    no_utf8 = ["texts[0].text", "not valid UTF-8 at byte 2"]
    correct = "correct the field"
    return [
        Row("a text of the largest size is accepted",
            act=is_accepted(classify, b"x" * LIMIT_BYTES, 1)),
        Row("a text one byte over 64 KiB", classify, b"x" * (LIMIT_BYTES + 1), error="too_large",
            what=too_long, remedy="send less"),
        Row("a text one byte over 64 KiB over the socket", error="too_large", what=too_long,
            act=over_the_socket([{"text": "x" * (LIMIT_BYTES + 1)}])),
        Row("a batch of 32 is accepted", act=accepts_a_full_batch),
        Row("a batch of 33 over the socket", error="too_large",
            what=["texts", f"{LIMIT_BATCH + 1}", f"{LIMIT_BATCH}"],
            act=over_the_socket([{"text": "hello"}] * (LIMIT_BATCH + 1))),
        Row("33 lines are sent as two batches", act=is_accepted(classify, b"hello\n" * 33, 33)),
        Row("invalid UTF-8 on standard input", classify, b"ab\xffcd\n", error="input_invalid",
            what=no_utf8, remedy=correct),
        Row("invalid UTF-8 as an argument", [*classify, b"ab\xffcd"], error="input_invalid",
            what=no_utf8, remedy=correct),
        Row("invalid UTF-8 over the socket", error="input_invalid", what=no_utf8,
            act=over_the_socket([{"text": b"ab\xffcd"}])),
    ]


def program_rows():
    return [
        Row("a second daemon on one socket", what=["another daemon", "hearthd.sock", "in_use"],
            remedy="stop it or choose another --socket", act=starts_a_second_daemon),
        Row("a run folder that is read-only", what=["Permission denied", "denied"],
            remedy="--socket", act=uses_a_run_folder_that_is_read_only),
        Row("no daemon", ["classify", "--model", "tiny", "hello"], exit_code=3, error="no_daemon",
            what=["nobody.sock", "No such file"], remedy="start one with `hearthd`",
            act=asks_where_nobody_is),
        Row("an unknown key in hearthd.conf", exit_code=2,
            what=["bad.conf:3", "soket", "no such key", "config"], remedy="correct the line",
            act=writes_an_unknown_key),
        Row("an empty token in hearthd.conf", exit_code=2,
            what=["token.conf:2", "token_sha256", "empty token"], remedy="correct the line",
            act=asks_for_an_empty_token),
        Row("a mistyped command", ["clasify", "hello"], exit_code=2,
            what=["no command 'clasify'"], remedy="did you mean 'classify'?"),
        Row("an unknown option", ["classify", "--modle", "tiny", "hello"], exit_code=2,
            what=["unknown option --modle"], remedy="try: hearth classify --help"),
    ]


def peer_rows():
    time, token = "frame_timeout_ms", "HEARTH_TOKEN"
    return [
        Row("a frame of 17 MiB", error="too_large", what=["16777216"],
            act=peers.sends_a_frame_of_17_mib),
        Row("a frame of 5000 bytes before the handshake", error="too_large", what=["4096"],
            act=peers.sends_5000_bytes_before_the_handshake),
        Row("a JSON message over its limit", error="too_large", what=["262144", "V2"],
            act=peers.sends_json_over_its_limit),
        Row("a peer that stops in mid-frame", error="expired", what=[time],
            act=peers.stops_in_mid_frame),
        Row("a peer that sends a frame byte by byte", error="expired", what=[time],
            act=peers.sends_a_frame_byte_by_byte),
        Row("a wrong token", error="unauthenticated", what=["wrong", token],
            act=peers.shows_a_token("wrong")),
        Row("an empty token", error="unauthenticated", what=["asks for", token],
            act=peers.shows_a_token("")),
        Row("the 65th connection", error="too_many_connections", what=["64", "max_connections"],
            act=peers.is_the_65th),
        Row("a peer that says nothing", error="expired", what=["handshake"],
            act=peers.says_nothing),
        Row("a slow reader", error="expired", what=["not read", time],
            act=peers.reads_nothing),
        Row("a peer that closes its sending half", act=peers.closes_its_sending_half),
        Row("a peer that closes its sending half in a frame", error="malformed",
            what=["inside a frame"], act=peers.closes_its_sending_half_in_a_frame),
        Row("a peer that vanishes with requests open", act=peers.vanishes_with_requests_open),
        Row("no space left for the log", act=peers.logs_to_a_full_disk),
        Row("no space left for the answer", ["generate", "--model", "tiny", "abc"],
            what=["the output could not be written"], remedy="see where it goes to", act=peers.writes_to_a_full_disk),
        Row("no space left for the vectors", what=["/dev/full", "No space left"],
            remedy="correct what the message names", act=writes_vectors_to_a_full_disk),
        Row("no descriptors left", act=peers.uses_up_all_descriptors),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    models = tempfile.TemporaryDirectory(prefix="hearth-models-")
    make_models(models.name)
    with models, Daemon(options.bin, models.name, ["tiny", "whole-onnx"]) as daemon:
        world, tests = World(options, daemon), []
        for row in [*model_rows(), *request_rows(), *program_rows(), *peer_rows()]:
            def test(row=row):
                check_row(world, row)
            test.__name__ = row.name
            tests.append(test)
        return run_tests(tests)


if __name__ == "__main__":
    sys.exit(main())
