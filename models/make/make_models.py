#!/usr/bin/env python3
"""Makes the models of models/catalogue.json from the fetched packages.

    make_models.py --cache DIR [--out models/store] [--only NAME]...
                   [--verify] [--repair] [--accept]

Reads   DIR/downloads/<archive of the package>
Writes  OUT/<name>/<files> and OUT/<name>/manifest.json

A file appears under its name only when it is complete and its digest is the catalogue's. A run with
nothing to do looks at sizes and times only; --verify digests every file. A file whose bytes have
changed since it was made is an error, and --repair makes it again. --accept writes the digests of
newly made files into the catalogue; it is for those who change a model.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

import catalogue

ROOT = catalogue.MODELS_DIR.parent
STAMP_NAME = ".stamp.json"
CHUNK_BYTES = 1 << 20


class ModelError(Exception):
    """What failed, why, and what to do: printed as it is."""


class Packages:
    """The archives in the cache; what is read is checked by the digest of what is made of it."""

    def __init__(self, folder, entries):
        self.folder = folder
        self.entries = entries

    def read(self, package, member):
        archive = self.folder / self.entries[package]["archive"]
        if not archive.is_file():
            raise ModelError(f"{archive}: the package {package} {self.entries[package]['version']} "
                             "has not been fetched. Remedy: run scripts/setup.sh")
        try:
            with zipfile.ZipFile(archive) as file:
                return file.read(member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ModelError(f"{archive}: {member} cannot be read ({error}). "
                             "Remedy: delete the archive and run scripts/setup.sh") from error


class Store:
    """OUT: the finished files, and a stamp that remembers size, time and digest of each."""

    def __init__(self, folder):
        self.folder = folder
        self.stamp_path = folder / STAMP_NAME
        try:
            self.stamps = json.loads(self.stamp_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.stamps = {}

    def state(self, model, entry, verify):
        """Returns "ok", "missing", "stale" (an older version of ours) or "changed" (not ours)."""
        path = self.folder / model["name"] / entry["path"]
        stamp = self.stamps.get(self._key(path), {})
        try:
            facts = path.stat()
        except FileNotFoundError:
            return "missing"
        untouched = (stamp.get("size"), stamp.get("mtime_ns")) == (facts.st_size, facts.st_mtime_ns)
        found = stamp["sha256"] if untouched and not verify else digest(path)
        if found == entry["sha256"]:
            if not untouched:
                self._remember(path, found)
            return "ok"
        return "stale" if found == stamp.get("sha256") else "changed"

    def put(self, model, entry, data):
        """Writes one file; `data` is bytes, or the path of a file to share by hard link."""
        path = self.folder / model["name"] / entry["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.folder / ".partial"
        partial.unlink(missing_ok=True)
        if isinstance(data, Path):
            try:
                os.link(data, partial)
            except OSError:
                partial.write_bytes(data.read_bytes())
        else:
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
        # Renaming one hard link onto another of the same file does nothing and leaves the first.
        partial.unlink(missing_ok=True)
        self._remember(path, entry["sha256"])

    def put_manifest(self, model):
        path = self.folder / model["name"] / "manifest.json"
        text = catalogue.manifest_text(catalogue.manifest(model))
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        partial = self.folder / ".partial"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)

    def _remember(self, path, sha256):
        facts = path.stat()
        self.stamps[self._key(path)] = {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns,
                                        "sha256": sha256}
        partial = self.stamp_path.with_suffix(".new")
        partial.write_text(json.dumps(self.stamps, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(partial, self.stamp_path)

    def _key(self, path):
        return path.relative_to(self.folder).as_posix()


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha.update(chunk)
    return sha.hexdigest()


class Maker:
    """Knows how each file comes about; the encoder's two files are made together and kept."""

    def __init__(self, packages, store):
        self.packages = packages
        self.store = store
        self.encoders = {}

    def make(self, model, entry):
        source = entry["source"]
        if "package" in source:
            return self.packages.read(source["package"], source["member"])
        if "model" in source:
            origin = source["model"]
            is_moved = is_int8_default(self.store.folder, origin)
            return self.store.folder / (f"{origin}-fp32" if is_moved else origin) / source["path"]
        return self._encoder(model)[entry["role"]]

    def _encoder(self, model):
        if model["name"] not in self.encoders:
            self.encoders[model["name"]] = self._export(model)
        return self.encoders[model["name"]]

    def _export(self, model):
        # Imported here: a run with nothing to do must not wait for them.
        import bert_onnx
        import safetensors_file

        entry = next(file for file in model["files"] if file["role"] == "model")
        parts = {Path(part.get("member") or part["file"]).name: part
                 for part in entry["source"]["from"]}
        tensors = safetensors_file.read(self._part(parts["model.safetensors"]))
        config = json.loads(self._part(parts["config.json"]))
        head = read_head(self._part(parts["head.json"])) if "head.json" in parts else None
        graph, weights = bert_onnx.build(tensors, shape_of(config), head, weights_name(model))
        return {"model": graph, "weights": weights}

    def _part(self, part):
        if "file" in part:
            return (ROOT / part["file"]).read_bytes()
        return self.packages.read(part["package"], part["member"])


def weights_name(model):
    return next(file["path"] for file in model["files"] if file["role"] == "weights")


def shape_of(config):
    import bert_onnx
    known = {"hidden_act": "gelu", "position_embedding_type": "absolute", "model_type": "bert"}
    for key, value in known.items():
        if config.get(key) != value:
            raise ModelError(f"config.json: {key} is {config.get(key)!r}; only {value!r} is known. "
                             "Remedy: extend models/make/bert_onnx.py")
    return bert_onnx.BertShape(config["num_hidden_layers"], config["hidden_size"],
                               config["num_attention_heads"], config["layer_norm_eps"])


def read_head(data):
    import bert_onnx
    import numpy as np
    head = json.loads(data)
    unit = head["unit"]
    weight = (np.array(head["weight"], np.float64).T * unit).astype(np.float32)
    bias = (np.array(head["bias"], np.float64) * unit).astype(np.float32)
    return bert_onnx.Head(tuple(head["layers"]), weight, bias)


def make_model(model, store, maker, options):
    made = 0
    if is_int8_default(store.folder, model["name"]):
        print(f"  {model['name']}: served in int8; what was made here is {model['name']}-fp32",
              flush=True)
        return
    for entry in model["files"]:
        where = f"{model['name']}/{entry['path']}"
        state = store.state(model, entry, options.verify)
        if state == "changed" and not (options.repair or options.accept):
            raise ModelError(
                f"{store.folder / where}: the file has changed since it was made: its sha256 is "
                f"{digest(store.folder / where)}, the catalogue says {entry['sha256']}. "
                f"Remedy: delete {store.folder / model['name']} and run scripts/setup.sh")
        if state == "ok":
            continue
        print(f"  {where}: making {entry['size_bytes'] / 1e6:.1f} MB", flush=True)
        data = maker.make(model, entry)
        check_made(where, entry, data, options.accept)
        store.put(model, entry, data)
        made += 1
    store.put_manifest(model)
    total = sum(entry["size_bytes"] for entry in model["files"])
    work = f"{made} files made" if made else "complete"
    print(f"  {model['name']} {model['version']}: {work}, {total / 1e6:.1f} MB", flush=True)


def is_int8_default(folder, name):
    """True if scripts/quantize.sh --default gave the name to the int8 model."""
    return (folder / f"{name}-fp32" / "manifest.json").is_file()


def check_made(where, entry, data, accept):
    found = digest(data) if isinstance(data, Path) else hashlib.sha256(data).hexdigest()
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if (found, size) == (entry["sha256"], entry["size_bytes"]):
        return
    if not accept:
        raise ModelError(f"{where}: came out with sha256 {found} and {size} bytes; the catalogue "
                         f"says {entry['sha256']} and {entry['size_bytes']}. Remedy: check that "
                         "the packages are those of deps/deps.lock; if the model was changed on "
                         "purpose, run make_models.py --accept")
    entry["sha256"], entry["size_bytes"] = found, size


@contextlib.contextmanager
def exclusive(folder):
    """Two runs at once would make the same files; the second waits and then finds them made."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="holds downloads/")
    parser.add_argument("--out", type=Path, default=catalogue.MODELS_DIR / "store")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this model")
    parser.add_argument("--verify", action="store_true", help="digest every file")
    parser.add_argument("--repair", action="store_true", help="make changed files again")
    parser.add_argument("--accept", action="store_true", help="write new digests to the catalogue")
    return parser.parse_args()


def run(options):
    contents = catalogue.load()
    models = [model for model in contents["models"] if not catalogue.is_fetched(model)]
    names = [model["name"] for model in models]
    for name in options.only or []:
        if name not in names:
            raise ModelError(f"--only {name}: no such model. Remedy: one of {', '.join(names)}")
    with exclusive(options.out):
        store = Store(options.out)
        maker = Maker(Packages(options.cache / "downloads", contents["packages"]), store)
        wanted = needed(models, options.only)
        for model in wanted:
            make_model(model, store, maker, options)
    if options.accept:
        text = json.dumps(contents, indent=2, ensure_ascii=False) + "\n"
        catalogue.CATALOGUE_PATH.write_text(text, encoding="utf-8")


def needed(models, only):
    """The wanted models and those whose files they share, in catalogue order."""
    wanted = set(only or [model["name"] for model in models])
    for model in models:
        if model["name"] in wanted:
            wanted |= {entry["source"]["model"] for entry in model["files"]
                       if "model" in entry["source"]}
    return [model for model in models if model["name"] in wanted]


def main():
    try:
        run(parse_arguments())
    except (ModelError, catalogue.CatalogueError) as error:
        print(f"make_models: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"make_models: {error.filename}: {error.strerror}. Remedy: free some space or make "
              "the folder writable, then run again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
