#!/usr/bin/env python3
"""Checks that models/catalogue.json tells the truth.

    check_catalogue.py [--catalogue FILE] [--lock deps/deps.lock] [--store models/store] [--verify]

It must keep its own rules (catalogue.py), name packages and archives as the lock does, carry the
labels of the trained head, and agree with what is in the store: every file by size, with --verify
by digest too, and every manifest word by word.
"""

import argparse
import configparser
import json
import sys
from pathlib import Path

import catalogue
import make_models

ROOT = catalogue.MODELS_DIR.parent
HEAD_PATH = catalogue.MODELS_DIR / "intent" / "head.json"


def check_lock(contents, lock_path):
    lock = configparser.ConfigParser(interpolation=None)
    lock.read_string(lock_path.read_text(encoding="utf-8"))
    for name, package in contents["packages"].items():
        wanted = (package["version"], package["archive"])
        if name not in lock:
            yield f"{name}: not in {lock_path.name}"
        elif (lock[name]["version"], lock[name]["file"]) != wanted:
            yield f"{name}: {lock_path.name} says {lock[name]['version']}, {lock[name]['file']}"


def check_labels(contents):
    head = json.loads(HEAD_PATH.read_text(encoding="utf-8"))
    for model in contents["models"]:
        if model["name"] == "hearth-intent" and model["labels"] != head["labels"]:
            yield "hearth-intent: its labels are not those of head.json"


def check_shared(contents):
    """A file that belongs to another model must be given with the digest it has there."""
    files = {(model["name"], entry["path"]): entry
             for model in contents["models"] for entry in model["files"]}
    for (name, path), entry in files.items():
        source = entry["source"]
        if "model" not in source:
            continue
        origin = files.get((source["model"], source["path"]))
        if origin is None:
            yield f"{name}: {path}: {source['model']} has no file {source['path']}"
        elif (origin["sha256"], origin["size_bytes"]) != (entry["sha256"], entry["size_bytes"]):
            yield f"{name}: {path}: differs from {source['model']}/{source['path']}"


def check_store(contents, store, verify):
    for model in contents["models"]:
        folder = store / model["name"]
        if make_models.is_int8_default(store, model["name"]):
            continue
        if catalogue.is_fetched(model) and not folder.exists():
            continue    # nobody has to fetch it
        manifest = folder / "manifest.json"
        wanted = catalogue.manifest_text(catalogue.manifest(model))
        if not manifest.is_file() or manifest.read_text(encoding="utf-8") != wanted:
            yield f"{manifest}: missing, or not what the catalogue says"
        for entry in model["files"]:
            path = folder / entry["path"]
            if not path.is_file() or path.stat().st_size != entry["size_bytes"]:
                yield f"{path}: missing, or not of {entry['size_bytes']} bytes"
            elif verify and make_models.digest(path) != entry["sha256"]:
                yield f"{path}: its sha256 is not {entry['sha256']}"


def complaints(options):
    try:
        contents = catalogue.load(options.catalogue)
    except (catalogue.CatalogueError, KeyError, TypeError, AttributeError) as error:
        return [str(error) or repr(error)]
    found = [*check_labels(contents), *check_shared(contents)]
    if options.lock.is_file():
        found += check_lock(contents, options.lock)
    else:
        found.append(f"{options.lock}: there is no lock to compare with")
    if options.store.is_dir():
        found += check_store(contents, options.store, options.verify)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalogue", type=Path, default=catalogue.CATALOGUE_PATH)
    parser.add_argument("--lock", type=Path, default=ROOT / "deps" / "deps.lock")
    parser.add_argument("--store", type=Path, default=catalogue.MODELS_DIR / "store")
    parser.add_argument("--verify", action="store_true", help="digest every file of the store")
    found = complaints(parser.parse_args())
    for text in found:
        print(f"check_catalogue: {text}", file=sys.stderr)
    if not found:
        print("check_catalogue: the catalogue keeps its rules and agrees with lock and store")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
