#!/usr/bin/env python3
"""hearth-pull against a hub of this machine that redirects, cuts off, lies and sends wrong bytes.
Prints TAP."""

import argparse
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "kit"))
sys.path.insert(0, str(ROOT / "models" / "make"))
import catalogue                                                    # noqa: E402
import hub as fake                                                  # noqa: E402
from daemon import Skipped, must, poll, run_tests                   # noqa: E402

# Bytes that no two places of a file share, from the standard generator: wrong joins are seen.
MODEL = b"".join(i.to_bytes(4, "little") for i in range(75000))    # 300 kB
TOKENIZER = b'{"version": "1.0"}' + b" " * 4000
TOKEN = "hub-token-nobody-may-see"
GIVE_UP = 120.0
BIN = None


def entry(name="small", files=None, revision=fake.COMMIT):
    """A model of a catalogue: two files of one repository."""
    files = files or {"model": ("model.onnx", "onnx/model.onnx", MODEL),
                      "tokenizer": ("tokenizer.json", "tokenizer.json", TOKENIZER)}
    return {"name": name, "task": "embedding", "version": "1.0.0", "description": "A small one.",
            "licence": "MIT", "architecture": "onnx",
            "files": [{"role": role, "path": path,
                       "source": {"hub": "owner/model", "revision": revision, "file": file},
                       "sha256": fake.sha256(data), "size_bytes": len(data)}
                      for role, (path, file, data) in files.items()],
            "options": {"pooling": "mean", "normalize": True, "max_tokens": 256, "dimensions": 384}}


class World:
    """A hub, a catalogue with the model `small`, an empty cache and no models folder."""

    def __init__(self, models=None, files=None, tls=None):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-pull-")
        self.home = Path(self.folder.name)
        self.models, self.cache = self.home / "new" / "models", self.home / "cache"
        self.entries = models or [entry()]
        self.write_catalogue()
        self.hub = fake.Hub(files or {"onnx/model.onnx": MODEL, "tokenizer.json": TOKENIZER}, tls)

    def write_catalogue(self):
        self.catalogue = self.home / "catalogue.json"
        self.catalogue.write_text(json.dumps({"catalogue_version": 1, "models": self.entries}))

    def __enter__(self):
        self.hub.__enter__()
        return self

    def __exit__(self, *_):
        self.hub.__exit__()
        self.folder.cleanup()

    def command(self, *arguments, program="hearth-pull"):
        return [str(BIN / program), *(["pull"] if program == "hearth" else []),
                "--hub", self.hub.url, "--models", str(self.models), "--cache", str(self.cache),
                "--catalogue", str(self.catalogue), *map(str, arguments)]

    def start(self, *arguments, prefix=(), program="hearth-pull", **options):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C",
                       **options.pop("environment", {})}
        return subprocess.Popen([*prefix, *self.command(*arguments, program=program)], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment, **options)

    def pull(self, *arguments, **options):
        """Runs it to its end; returns exit code, what it printed, what it complained of."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=GIVE_UP)
        must(TOKEN not in out + err, "the token was printed")
        must("signature=" not in out + err, "a signed address was printed")
        return process.returncode, out, err

    def done(self, *arguments, **options):
        code, out, err = self.pull(*arguments, **options)
        must(code == 0, f"exit code {code}: {err}")
        return out, err

    def refused(self, text, *arguments, exit_code=1, **options):
        """Must fail, say `text` and a remedy, and leave nothing that somebody could load."""
        code, out, err = self.pull(*arguments, **options)
        must(code == exit_code, f"exit code {code}, expected {exit_code}: {out} {err}")
        must(text in err and "\n  try: " in err, f"does not say {text!r} and a remedy: {err}")
        must(not (self.models / "small").exists(), "the model appeared all the same")
        return err

    def part(self):
        """The one file under way, or None."""
        parts = [p for p in (self.cache / "pull/parts").glob("*") if p.suffix != ".etag"]
        must(len(parts) <= 1, f"parts {parts}")
        return parts[0] if parts else None

    def blobs(self):
        return sorted(p.name for p in (self.cache / "pull/blobs").glob("*"))

    def must_be_installed(self, name="small"):
        model = next(m for m in self.entries if m["name"] == name)
        for file in model["files"]:
            data = self.hub.files[file["source"]["file"]]
            must((self.models / name / file["path"]).read_bytes() == data, f"{file['path']} differs")
        text = (self.models / name / "manifest.json").read_text()
        must(text == catalogue.manifest_text(catalogue.manifest(model)), f"manifest: {text}")
        names = sorted(p.name for p in (self.models / name).iterdir())
        must(names == sorted(["manifest.json", *(f["path"] for f in model["files"])]), f"{names}")
        must([p.name for p in self.models.iterdir() if p.name.startswith(".pull-")] == [],
             "a folder under way was left")

    def ranges(self):
        return [request.get("range") for request in self.hub.storage_requests]


# ---- the ordinary way ---------------------------------------------------------------------------

def a_model_of_the_catalogue_is_fetched_into_folders_that_it_makes():
    with World() as world:
        out, err = world.done("small")
        world.must_be_installed()
        must("installed" in out and err == "", f"not quiet where there is no terminal: {out} {err}")
        must(len(world.hub.storage_requests) == 2, "each file is asked for once")


def hearth_pull_is_a_command_of_hearth_and_the_daemon_knows_the_model():
    with World() as world:
        world.done("small", program="hearth")
        world.must_be_installed()
        listed = subprocess.run([BIN / "hearth", "run", "--models", world.models, "--", BIN / "hearth",
                                 "models", "list", "--json"], capture_output=True, text=True)
        must(listed.returncode == 0, listed.stderr)
        models = {m["name"]: m for m in json.loads(listed.stdout)["models"]}
        must("small" in models and models["small"]["state"] == "absent", f"{models}")
        code, out, err = world.pull("--wrong", program="hearth")
        must(code == 2 and "--wrong" in err, f"exit code {code}: {err}")


def a_file_of_a_hub_becomes_a_model_with_the_digest_that_the_hub_tells():
    with World(files={"quantised/Tiny.gguf": MODEL}) as world:
        out, _ = world.done(f"hub:owner/model@{fake.COMMIT[:7]}/quantised/Tiny.gguf", "--name", "tiny")
        manifest = json.loads((world.models / "tiny/manifest.json").read_text())
        must(manifest["files"] == [{"role": "model", "path": "Tiny.gguf", "sha256": fake.sha256(MODEL),
                                    "size_bytes": len(MODEL)}], f"{manifest}")
        must(manifest["source"] == {"hub": "owner/model", "revision": fake.COMMIT,
                                    "file": "quantised/Tiny.gguf"}, f"{manifest}")
        must(manifest["model_id"] == "tiny" and manifest["capabilities"] == ["text_generation"],
             f"{manifest}")
        must(fake.sha256(MODEL) in out and fake.COMMIT in out, f"the digest is not told: {out}")
        must(world.hub.hub_requests[0]["path"] ==
             f"/owner/model/resolve/{fake.COMMIT[:7]}/quantised/Tiny.gguf", "the revision is not asked for")


def small_files_are_checked_by_the_name_that_git_has_for_them():
    with World(files={"tokenizer.json": TOKENIZER}) as world:
        out = world.home / "files"
        world.hub.says = [world.hub.small, lambda h, d: world.hub.small(h, b"x" + d[1:],
                                                                     ETag=f'"{fake.git_name(d)}"')]
        world.done("hub:owner/model/tokenizer.json", "--output", out)
        must((out / "tokenizer.json").read_bytes() == TOKENIZER, "differs")
        must(world.hub.hub_requests[0]["path"] == "/owner/model/resolve/main/tokenizer.json", "main")
        shutil.rmtree(out)
        shutil.rmtree(world.cache)
        world.refused("what came has git's name", "hub:owner/model/tokenizer.json", "--output", out)
        must(not (out / "tokenizer.json").exists(), "it appeared all the same")


def a_file_without_any_digest_needs_one_from_whoever_asks():
    with World(files={"a.gguf": MODEL}) as world:
        nothing = lambda h, d: world.hub.redirect(h, d, X_Linked_Etag=None)    # noqa: E731
        world.hub.says = [nothing, nothing, nothing]
        world.refused("tells no digest", "hub:owner/model/a.gguf")
        world.refused("what came has sha256", "hub:owner/model/a.gguf", "--sha256", "0" * 64)
        world.done("hub:owner/model/a.gguf", "--sha256", fake.sha256(MODEL))
        must((world.models / "a/a.gguf").read_bytes() == MODEL, "differs")


# ---- redirects and the token --------------------------------------------------------------------

def the_token_goes_to_the_hub_and_nowhere_else():
    with World() as world:
        token = world.home / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        world.done("small", "--token-file", token)
        world.must_be_installed()
        must(all(r.get("authorization") == f"Bearer {TOKEN}" for r in world.hub.hub_requests),
             "the hub did not get it")
        must(len(world.hub.storage_requests) == 2 and
             not any("authorization" in r for r in world.hub.storage_requests), "the storage got it")


def a_token_that_others_may_read_is_refused():
    with World() as world:
        token = world.home / "token"
        token.write_text(TOKEN)
        token.chmod(0o644)
        world.refused("may be read", "small", "--token-file", token)
        token.chmod(0o600)
        token.write_text("two words")
        world.refused("holds no token", "small", "--token-file", token)
        must(not world.hub.hub_requests, "it was asked all the same")


def redirects_that_lead_elsewhere_are_refused():
    for location in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http://192.0.2.1/x", "http://localhost/x",
                     "gopher://127.0.0.1/", "https://user:password@127.0.0.1/x", "http://[::ffff:1.2.3.4]/"):
        with World() as world:
            world.hub.says = [fake.status(302, ("Location", location))]
            err = world.refused("redirects to", "small", "--retries", "0")
            must("password" not in err and not world.hub.storage_requests, err)


def a_circle_of_redirects_ends():
    with World() as world:
        world.hub.says = [lambda h, d: h.whole(302, b"", ("Location", h.path))] * 100
        world.refused("redirects more than 8 times", "small", "--retries", "0")
        must(len(world.hub.hub_requests) == 9, f"{len(world.hub.hub_requests)} requests")


def a_hub_elsewhere_must_be_https():
    with World() as world:
        for address in ("http://192.0.2.1/", "file:///", "nothing", "https://me:secret@192.0.2.1/"):
            world.hub.url = address
            world.refused("cannot be used", "small", exit_code=2)


def a_hub_must_prove_who_it_is():
    if not shutil.which("openssl"):
        raise Skipped("no openssl to make a certificate with")
    with tempfile.TemporaryDirectory(prefix="hearth-pull-tls-") as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1,IP:127.0.0.2",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        with World(tls=(certificate, key)) as world:
            world.refused("is not who it says it is", "small", "--retries", "0")
            must(not world.hub.hub_requests, "it was asked all the same")
            world.hub.says = [lambda h, d: world.hub.redirect(h, d, Location="http://127.0.0.1/x")]
            world.refused("redirects to http://127.0.0.1", "small", "--ca-file", certificate)
            world.done("small", "--ca-file", certificate)
            world.must_be_installed()


# ---- connections that end -----------------------------------------------------------------------

def a_connection_that_is_cut_goes_on_where_it_was():
    with World() as world:
        world.hub.sends = [fake.cut_after(100000), fake.cut_after(50000)]
        world.done("small")
        world.must_be_installed()
        must(world.ranges()[:3] == [None, "bytes=100000-", "bytes=150000-"], f"{world.ranges()}")
        must(world.hub.storage_requests[1]["if-range"] == f'"{fake.sha256(MODEL)[:16]}"', "If-Range")


def what_never_gets_further_ends_and_is_kept():
    with World() as world:
        world.hub.sends = [fake.cut_after(100000)] + [fake.cut_after(0)] * 10
        err = world.refused("127.0.0.2", "small", "--retries", "1")
        must("what has come is kept" in err, err)
        must(world.part().stat().st_size == 100000, "what came is gone")
        must(len(world.hub.storage_requests) == 3, f"{len(world.hub.storage_requests)} attempts")
        world.hub.sends = []
        world.done("small")
        world.must_be_installed()
        must(world.ranges()[3] == "bytes=100000-", f"{world.ranges()}")


def hold(world, count=120000):
    """Starts a pull and returns it when so many bytes are in its part."""
    behaviour = fake.HoldAfter(count)
    world.hub.sends = [behaviour]
    process = world.start("small")
    must(behaviour.reached.wait(GIVE_UP), "the storage was never asked")
    poll(lambda: world.part() and world.part().stat().st_size == count, "the bytes to be written", GIVE_UP)
    must(not (world.models / "small").exists(), "something is there before all of it is")
    return process, behaviour


def killed_in_the_middle_it_goes_on_the_next_time():
    with World() as world:
        process, behaviour = hold(world)
        process.kill()
        process.communicate()
        behaviour.release.set()
        must(world.part().stat().st_size == 120000 and not world.blobs(), "the part is gone")
        world.done("small")
        world.must_be_installed()
        must(world.ranges()[1] == "bytes=120000-", f"{world.ranges()}")


def interrupted_it_says_so_and_goes_on_the_next_time():
    for number in (signal.SIGINT, signal.SIGTERM):
        with World() as world:
            process, behaviour = hold(world)
            process.send_signal(number)
            _, err = process.communicate(timeout=GIVE_UP)
            behaviour.release.set()
            must(process.returncode == 128 + number and "interrupted" in err and "run the same again" in err,
                 f"exit code {process.returncode}: {err}")
            world.done("small")
            world.must_be_installed()
            must(world.ranges()[1] == "bytes=120000-", f"{world.ranges()}")


def a_drip_is_a_connection_that_has_died():
    with World() as world:
        world.hub.sends = [fake.drip]
        world.refused("stalled", "small", "--stall", "1", "--retries", "0")
        world.done("small")
        world.must_be_installed()


# ---- servers that lie ---------------------------------------------------------------------------

def lengths_that_are_not_true_are_refused():
    longer, shorter = len(MODEL) + 1000, len(MODEL) - 1000
    lies = [(fake.promise(longer), "announced were"), (fake.promise(shorter), "announced were"),
            (fake.promise(len(MODEL), MODEL[:-1]), "127.0.0.2"),
            (fake.chunked(lambda data: data + b"more"), "sent more than"),
            (fake.chunked(lambda data: data[:-1]), "ended after 299999 of 300000 bytes"),
            (fake.raw_header(("Content-Range", "bytes 5-1/9")), "Content-Range that cannot be right"),
            (fake.endless_headers, "headers")]
    for number, (lie, text) in enumerate(lies):
        with World() as world:
            world.hub.sends = [lie] * 5
            err = world.refused(text, "small", "--retries", "0")
            must(not world.blobs(), f"lie {number} is in the cache: {err}")
            world.hub.sends = []
            world.done("small")
            world.must_be_installed()


def an_answer_in_chunks_is_taken_if_it_is_true():
    with World() as world:
        world.hub.sends = [fake.chunked(), fake.chunked()]
        world.done("small")
        world.must_be_installed()


def what_the_hub_announces_must_be_what_the_catalogue_says():
    for changed, text in (({"X_Linked_Size": "5"}, "the hub says 5 bytes"),
                          ({"X_Linked_Etag": f'"{"ab" * 32}"'}, "the hub has a file with sha256 ababab"),
                          ({"X_Linked_Size": "-1"}, "X-Linked-Size that cannot be right")):
        with World() as world:
            world.hub.says = [lambda h, d, c=changed: world.hub.redirect(h, d, **c)]
            world.refused(text, "small", "--retries", "0")
            must(not world.part() or world.part().stat().st_size == 0, "bytes were taken all the same")


def wrong_bytes_are_thrown_away():
    with World() as world:
        world.hub.sends = [fake.other_bytes]
        world.refused("what came has sha256", "small", "--retries", "0")
        must(not world.blobs() and not world.part(), "they are kept")
        world.done("small")
        world.must_be_installed()


def wrong_bytes_behind_right_ones_are_fetched_anew_once():
    with World() as world:
        world.hub.sends = [fake.cut_after(100000), fake.other_bytes]
        world.done("small")
        world.must_be_installed()
        must(world.ranges()[:3] == [None, "bytes=100000-", None], f"{world.ranges()}")


def a_server_without_ranges_sends_all_of_it_again():
    with World() as world:
        world.hub.sends = [fake.cut_after(100000), fake.without_ranges]
        world.done("small")
        world.must_be_installed()


def another_part_than_was_asked_for_is_refused():
    size = len(MODEL)
    for answer in ((99999, size - 1, size), (100000, size, size + 1), (0, 9, size)):
        with World() as world:
            world.hub.sends = [fake.cut_after(100000), fake.range_of(*answer)]
            world.refused("model.onnx", "small", "--retries", "1")
            must(world.part().stat().st_size == 100000, "the part was changed")
            world.done("small")
            world.must_be_installed()


def a_part_of_an_older_file_is_not_joined_to_the_new():
    with World(files={"a.gguf": MODEL}) as world:
        newer = bytes(reversed(MODEL))
        world.hub.sends = [fake.cut_after(100000), fake.cut_after(0)]
        world.refused("127.0.0.2", "hub:owner/model/a.gguf", "--retries", "0")
        world.hub.files["a.gguf"] = newer
        world.hub.sends = []
        world.done("hub:owner/model/a.gguf")
        must((world.models / "a/a.gguf").read_bytes() == newer, "differs")


def a_range_that_cannot_be_begins_anew():
    with World() as world:
        world.hub.sends = [fake.cut_after(100000), fake.status(416, ("Content-Range", "bytes */5"))]
        world.done("small")
        world.must_be_installed()
        must(world.ranges()[:3] == [None, "bytes=100000-", None], f"{world.ranges()}")


def refusals_say_what_to_do():
    for number, text in ((404, "no such file"), (401, "refuses (HTTP 401)"), (403, "--token-file"),
                         (418, "HTTP 418"), (500, "cannot answer now (HTTP 500)")):
        with World() as world:
            world.hub.says = [fake.status(number)]
            world.refused(text, "small", "--retries", "0")
    with World() as world:
        world.hub.says = [fake.status(503)]
        world.done("small", "--retries", "1")
        world.must_be_installed()


# ---- cache, offline, checks ---------------------------------------------------------------------

def what_is_in_the_cache_is_not_fetched_again():
    with World() as world:
        world.done("small")
        asked = len(world.hub.hub_requests)
        shutil.rmtree(world.models)
        world.done("small")
        world.must_be_installed()
        must(len(world.hub.hub_requests) == asked, "the hub was asked again")
        out, _ = world.done("small")
        must("is there already" in out, out)
        world.entries.append(entry("other"))            # the same files under another name
        world.write_catalogue()
        world.done("other")
        world.must_be_installed("other")
        must(len(world.hub.hub_requests) == asked, "the hub was asked again")


def a_damaged_cache_is_not_believed():
    with World() as world:
        world.done("small")
        blob = world.cache / "pull/blobs" / fake.sha256(MODEL)
        blob.chmod(0o644)
        blob.write_bytes(b"?" + MODEL[1:])              # the model's file is the same inode
        shutil.rmtree(world.models)
        world.done("small")
        world.must_be_installed()
        must(blob.read_bytes() == MODEL, "the cache is still damaged")


def offline_nothing_is_asked():
    with World() as world:
        world.refused("is not in the cache", "small", "--offline")
        must(not world.hub.hub_requests, "the hub was asked")
        world.done("small")
        shutil.rmtree(world.models)
        asked, trace = len(world.hub.hub_requests), world.home / "trace"
        strace = ["strace", "-f", "-q", "-e", "trace=network", "-o", str(trace)] \
            if shutil.which("strace") else []
        world.done("small", "--offline", prefix=strace)
        world.must_be_installed()
        must(len(world.hub.hub_requests) == asked, "the hub was asked")
        if strace:
            must("socket(" not in trace.read_text(), f"it made a socket: {trace.read_text()}")


def offline_a_file_of_a_hub_comes_as_it_was_told_last():
    with World(files={"a.gguf": MODEL}) as world:
        world.refused("is not in the cache", "hub:owner/model/a.gguf", "--offline")
        world.done("hub:owner/model/a.gguf")
        before = (world.models / "a/manifest.json").read_text()
        shutil.rmtree(world.models)
        world.done("hub:owner/model/a.gguf", "--offline")
        must((world.models / "a/manifest.json").read_text() == before, "the manifest differs")


def check_finds_what_has_changed():
    with World() as world:
        world.refused('"small" is not in', "--check", "small")
        world.done("small")
        asked = len(world.hub.hub_requests)
        out, _ = world.done("--check", "small")
        must("whole" in out and "the catalogue" in out, out)
        world.done("--check")
        file = world.models / "small" / "model.onnx"
        for change, text in ((lambda: file.write_bytes(MODEL[:-1] + b"?"), "is damaged"),
                             (lambda: file.write_bytes(MODEL[:-1]), "299999 of 300000"),
                             (file.unlink, "model.onnx")):
            file.chmod(0o644)
            change()
            for arguments in (("--check", "small"), ("--check",)):
                code, _, err = world.pull(*arguments)
                must(code == 1 and text in err, f"exit code {code}: {err}")
        must(len(world.hub.hub_requests) == asked, "the hub was asked")
        world.done("--replace", "small")
        world.must_be_installed()
        world.entries = [entry(files={"model": ("model.onnx", "onnx/model.onnx", MODEL + b"new")})]
        world.write_catalogue()
        code, _, err = world.pull("--check", "small")
        must(code == 1 and "not the one of the catalogue" in err, f"exit code {code}: {err}")


def another_model_of_that_name_stays_unless_it_is_to_be_replaced():
    with World() as world:
        mine = world.models / "small"
        mine.mkdir(parents=True)
        (mine / "manifest.json").write_text("mine")
        (mine / "weights").write_text("mine")
        code, _, err = world.pull("small")
        must(code == 1 and "is there already" in err and "--replace" in err, f"{code}: {err}")
        must(sorted(p.name for p in mine.iterdir()) == ["manifest.json", "weights"] and
             (mine / "manifest.json").read_text() == "mine", "it was changed")
        world.done("small", "--replace")
        world.must_be_installed()


def two_at_once_fetch_it_once():
    with World() as world:
        first, behaviour = hold(world)
        second = world.start("small")
        poll(lambda: select.select([second.stderr], [], [], 0)[0], "the second to say that it waits", GIVE_UP)
        behaviour.release.set()
        _, err = first.communicate(timeout=GIVE_UP)
        out, more = second.communicate(timeout=GIVE_UP)
        must(first.returncode == 0 and second.returncode == 0, f"{err} {out} {more}")
        must("waiting" in more, f"the second said {more}")
        world.must_be_installed()
        fetched = [r for r in world.hub.storage_requests if "model.onnx" in r["path"]]
        must(len(fetched) == 1, f"fetched {len(fetched)} times")


# ---- space --------------------------------------------------------------------------------------

def what_does_not_fit_is_not_begun():
    with World() as world:
        world.entries[0]["files"][0]["size_bytes"] = 1 << 40
        world.write_catalogue()
        if shutil.disk_usage(world.home).free > 1 << 40:
            raise Skipped("this disk takes 1 TiB")
        err = world.refused("needs 1.10 TB more", "small")
        must("free; nothing was fetched" in err and not world.hub.hub_requests, err)


def limit_files_to_100_kb():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))


def a_disk_that_is_full_in_the_middle_keeps_what_has_come():
    with World() as world:
        err = world.refused("File too large", "small", preexec_fn=limit_files_to_100_kb)
        must("free some space" in err, err)
        must(world.part().stat().st_size == 100000, "what came is gone")
        world.done("small")
        world.must_be_installed()


def a_full_file_system_keeps_what_has_come():
    """A real one, of 17 MB: the look before finds room for 300 kB and 16 MB to spare; then it fills."""
    with World() as world:
        world.cache.mkdir(parents=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=17m", "none", world.cache],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            raise Skipped("this user may not mount a small file system")
        try:
            process, behaviour = hold(world)
            filler = world.cache / "filler"
            with open(filler, "wb", buffering=0) as file:
                try:
                    while file.write(b"\0" * 4096):
                        pass
                except OSError:
                    pass
            behaviour.release.set()
            _, err = process.communicate(timeout=GIVE_UP)
            must(process.returncode == 1 and "No space left" in err and "free some space" in err, err)
            must(not (world.models / "small").exists(), "the model appeared all the same")
            err = world.refused("needs", "small")
            must("nothing was fetched" in err, err)
            filler.unlink()
            world.done("small")                         # and the cache is on another file system
            world.must_be_installed()
        finally:
            subprocess.run(["umount", world.cache], check=True)


# ---- names, terminal, libraries -----------------------------------------------------------------

def names_that_lead_elsewhere_are_refused():
    with World() as world:
        for name in ("hub:../../etc/passwd", "hub:owner/model/../x.gguf", "hub:owner/model@../x.gguf",
                     "hub:owner/model/", "hub:", "hub:owner/model/a\nb.gguf", "hub:owner/model/.gguf"):
            world.refused("", name, exit_code=2)
        for name in ("../small", "/etc", "nobody", ""):
            world.refused("the catalogue has no model", name)
        must(not world.hub.hub_requests, "the hub was asked")
    for field, value in (("path", "../model.onnx"), ("path", "manifest.json"), ("path", ".hidden"),
                         ("sha256", "short"), ("size_bytes", 0), ("role", "else")):
        with World() as world:
            world.entries[0]["files"][0][field] = value
            world.write_catalogue()
            world.refused(f'catalogue: "small": "files[].{field}"', "small")
            must(not world.hub.hub_requests, "the hub was asked")


def what_is_not_given_comes_from_the_environment():
    with World() as world:
        token = world.home / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        environment = {"PATH": os.environ["PATH"], "HOME": str(world.home), "HEARTH_HUB": world.hub.url,
                       "HEARTH_CACHE": str(world.cache), "HEARTH_CATALOGUE": str(world.catalogue),
                       "HEARTH_HUB_TOKEN_FILE": str(token), "HEARTH_MODELS": f"{world.models}:/nowhere"}
        done = subprocess.run([BIN / "hearth-pull", "small"], env=environment, capture_output=True, text=True)
        must(done.returncode == 0, done.stderr)
        world.must_be_installed()
        must(world.blobs() and world.hub.hub_requests[0].get("authorization") == f"Bearer {TOKEN}",
             "cache or token are others")
        for wrong in (["--retries", "x", "small"], ["--sha256", "ab", "small"], ["--hub"], [],
                      ["--name", "../a", "small"], ["--stall", "-1", "small"]):
            code, _, err = world.pull(*wrong)
            must(code == 2 and "\n  try: " in err, f"{wrong}: exit code {code}: {err}")


def a_terminal_sees_how_far_it_is():
    with World() as world:
        behaviour = fake.HoldAfter(150000)
        world.hub.sends = [behaviour]
        ours, theirs = pty.openpty()
        process = subprocess.Popen(world.command("small"), stdin=subprocess.DEVNULL, stderr=theirs,
                                   stdout=subprocess.DEVNULL)
        os.close(theirs)
        shown = b""
        line = re.compile(rb"model\.onnx +50 % 150 kB of 300 kB, [\d.]+ [kMG]?B/s, \d+ s left")

        def is_shown():
            nonlocal shown
            shown += os.read(ours, 65536) if select.select([ours], [], [], 0)[0] else b""
            return line.search(shown)
        poll(is_shown, "the line of progress", GIVE_UP)
        behaviour.release.set()
        must(process.wait(GIVE_UP) == 0, f"exit code {process.returncode}")
        must(max(len(part) for part in re.split(rb"[\r\n]", shown)) <= 79, "a line is too long")
        os.close(ours)


ORIGINAL = ["phi3-mini-q4km", "tinybert-classifier", "minilm-embedder"]


def the_script_fetches_the_set_of_the_original():
    with World([entry(name) for name in ORIGINAL]) as world:
        script = [str(ROOT / "scripts/download_models.sh"), "--pull", "--hub", world.hub.url, "--models",
                  str(world.models), "--catalogue", str(world.catalogue)]
        environment = dict(os.environ, HEARTH_BIN=str(BIN), HEARTH_CACHE=str(world.cache))
        for command, wanted in ((script + [ORIGINAL[2]], ORIGINAL[2:]), (script, ORIGINAL)):
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            must(done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}")
            found = {p.name for p in world.models.iterdir() if not p.name.startswith(".")}
            must(found == set(wanted), f"{found}")
        for name in ORIGINAL:
            world.must_be_installed(name)
        must(len(world.hub.storage_requests) == 2, "what is in the cache was fetched again")


def the_daemon_takes_the_manifests_of_what_is_fetched():
    with tempfile.TemporaryDirectory(prefix="hearth-pull-") as folder:
        for model in (m for m in catalogue.load()["models"] if catalogue.is_fetched(m)):
            place = Path(folder) / model["name"]
            place.mkdir()
            (place / "manifest.json").write_text(catalogue.manifest_text(catalogue.manifest(model)))
        listed = subprocess.run([BIN / "hearth", "run", "--models", folder, "--", BIN / "hearth", "models",
                                 "list", "--json"], capture_output=True, text=True)
        found = {m["name"]: (m["state"], m.get("error", "")) for m in json.loads(listed.stdout)["models"]}
        must(found == {name: ("absent", "") for name in ORIGINAL}, f"{found} {listed.stderr}")


def only_hearth_pull_links_a_library_of_the_network():
    pattern = re.compile(r"lib(curl|gnutls|nghttp|nss3|ssh|websockets|zmq|grpc)")
    linked, looked_at = [], 0
    for path in [*BIN.glob("hearth*"), BIN.parent / "lib/libhearth.so.0"]:
        needed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        looked_at += "libc.so" in needed
        linked += [path.name] if pattern.search(needed) else []
    must(looked_at >= 4, f"only {looked_at} programs were looked at")
    must(linked == ["hearth-pull"], f"linked by {linked}")


def the_installed_catalogue_is_the_one_of_this_tree():
    listed = subprocess.run([BIN / "hearth-pull", "--list"], capture_output=True, text=True)
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    wanted = [m["name"] for m in catalogue.load()["models"] if catalogue.is_fetched(m)]
    must(names == wanted == ORIGINAL,
         f"{names} {listed.stderr}")
    made = subprocess.run([BIN / "hearth-pull", "hearth-intent"], capture_output=True, text=True)
    must(made.returncode == 1 and "scripts/setup.sh" in made.stderr, made.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=Path)
    BIN = parser.parse_args().bin.resolve()
    sys.exit(run_tests([value for name, value in list(globals().items())
                        if callable(value) and getattr(value, "__module__", "") == "__main__"
                        and not isinstance(value, type) and value.__code__.co_argcount == 0
                        and name not in ("entry", "limit_files_to_100_kb")]))
