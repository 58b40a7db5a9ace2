#!/usr/bin/env python3
"""No model reaches beyond its folder, and no byte of it is used that its manifest does not vouch for:
through the public door, with the null engine. Prints TAP.

    paths.py --bin BUILD/bin
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                               # noqa: E402
from daemon import Daemon, must, run_tests, write_echo_model            # noqa: E402

BIN = None
CONTENT = b"what the manifest vouches for" * 100
SECRET = b"SECRET-OF-ANOTHER-FOLDER" * 100


class Place:
    """A models folder beside one with a secret."""

    def __init__(self):
        self.top = tempfile.TemporaryDirectory()
        self.root, self.other = Path(self.top.name) / "models", Path(self.top.name) / "other"
        self.root.mkdir()
        self.other.mkdir()
        (self.other / "secret").write_bytes(SECRET)

    def add(self, name, path="model.bin", content=CONTENT, folder=None, **entry):
        folder = folder or self.root
        write_echo_model(folder, name, "text_classification", ["x"])
        manifest = json.loads((folder / name / "manifest.json").read_text())
        manifest["files"] = [{"role": "model", "path": path, "size_bytes": len(content),
                              "sha256": hashlib.sha256(content).hexdigest(), **entry}]
        (folder / name / "manifest.json").write_text(json.dumps(manifest))
        return folder / name


def load(daemon, name):
    answer = daemon.ask("load_request", "load_response", request_id=1, model_id=name)
    return v2.ERRORS.get(answer["code"], "none"), answer["error"]


def must_refuse(daemon, name, codes):
    code, text = load(daemon, name)
    must(code in codes, f"{name}: wanted {codes}, got {code}: {text}")
    must("SECRET" not in text and "SECRET" not in daemon.log(), f"{name}: content is told: {text}")
    must(daemon.model(name) is None or daemon.model(name)["worker_pid"] == 0, f"{name} has a worker")


def a_file_of_its_own_is_loaded():
    place = Place()
    (place.add("good") / "model.bin").write_bytes(CONTENT)
    with Daemon(BIN, str(place.root)) as daemon:
        must(load(daemon, "good")[0] == "none", f"{load(daemon, 'good')}")


def paths_that_lead_out_of_the_folder_are_refused():
    place = Place()
    wrong = {"up": "../../other/secret", "absolute": str(place.other / "secret"), "dots": "..", "dot": ".",
             "below": "sub/model.bin", "nul": "model.bin\0.x", "empty": "", "slash": "/", "long": "x" * 300}
    for name, path in wrong.items():
        folder = place.add(name, path, SECRET)
        (folder / "model.bin").write_bytes(SECRET)
        (folder / "sub").mkdir()
        (folder / "sub" / "model.bin").write_bytes(SECRET)
    with Daemon(BIN, str(place.root)) as daemon:
        for name in wrong:
            must_refuse(daemon, name, ["model_invalid"])
            must(daemon.state(name) == "failed", f"{name} is {daemon.state(name)}")


def links_are_refused_wherever_they_lead():
    place = Place()
    os.symlink(place.other / "secret", place.add("out", content=SECRET) / "model.bin")
    inside = place.add("inside")
    (inside / "real.bin").write_bytes(CONTENT)
    os.symlink("real.bin", inside / "model.bin")
    os.symlink("/proc/self/environ", place.add("proc", content=b"x") / "model.bin")
    os.symlink(place.other / "none", place.add("dangling") / "model.bin")
    (place.add("elsewhere", folder=place.other) / "model.bin").write_bytes(CONTENT)
    os.symlink(place.other / "elsewhere", place.root / "elsewhere")
    with Daemon(BIN, str(place.root)) as daemon:
        for name in ("out", "inside", "proc", "dangling", "elsewhere"):
            must_refuse(daemon, name, ["denied"])


def what_is_no_plain_file_is_refused_and_holds_nobody_up():
    place = Place()
    os.mkfifo(place.add("fifo") / "model.bin")
    (place.add("folder") / "model.bin").mkdir()
    os.symlink("/dev/zero", place.add("device") / "model.bin")
    place.add("missing")
    with Daemon(BIN, str(place.root)) as daemon:
        must_refuse(daemon, "fifo", ["denied", "model_invalid"])
        must_refuse(daemon, "folder", ["denied", "model_invalid"])
        must_refuse(daemon, "device", ["denied"])
        must_refuse(daemon, "missing", ["system", "model_invalid", "no_model"])


def a_byte_that_differs_from_the_digest_is_found_before_it_is_used():
    place = Place()
    (place.add("flipped") / "model.bin").write_bytes(CONTENT[:-1] + b"?")
    (place.add("longer") / "model.bin").write_bytes(CONTENT + b"?")
    (place.add("shorter") / "model.bin").write_bytes(CONTENT[:-1])
    with Daemon(BIN, str(place.root)) as daemon:
        must_refuse(daemon, "flipped", ["digest_mismatch"])
        must_refuse(daemon, "longer", ["digest_mismatch", "model_invalid"])
        must_refuse(daemon, "shorter", ["digest_mismatch", "model_invalid"])


def names_of_clients_are_no_paths():
    place = Place()
    (place.add("good") / "model.bin").write_bytes(CONTENT)
    (place.add("hidden", folder=place.other) / "model.bin").write_bytes(CONTENT)
    with Daemon(BIN, str(place.root), preload=["good"]) as daemon:
        for name in ("../other/hidden", str(place.other / "hidden"), "good/../../other/hidden", "good\0",
                     "good/", "./good", "..", ".", "", "good@../../other/hidden"):
            code, text = load(daemon, name)
            must(code in ("no_model", "input_invalid"), f"{name!r}: {code} {text}")
            answer = daemon.infer(model_id=name, task=0, texts=[{"text": "x"}])
            must(v2.ERRORS.get(answer["code"]) in ("no_model", "input_invalid"), f"{name!r}: {answer}")
            answer = daemon.ask("alias_request", "alias_response", request_id=1, name=name, model_id="good")
            must(answer["code"] != 0, f"{name!r} became an alias")
            answer = daemon.ask("swap_request", "swap_response", request_id=1, name="good", model_id=name)
            must(answer["code"] != 0, f"{name!r} was swapped to")
        must(load(daemon, "good")[0] == "none", "the good one is gone")


def main():
    global BIN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", required=True)
    BIN = parser.parse_args().bin
    return run_tests([a_file_of_its_own_is_loaded, paths_that_lead_out_of_the_folder_are_refused,
                      links_are_refused_wherever_they_lead,
                      what_is_no_plain_file_is_refused_and_holds_nobody_up,
                      a_byte_that_differs_from_the_digest_is_found_before_it_is_used,
                      names_of_clients_are_no_paths])


if __name__ == "__main__":
    sys.exit(main())
