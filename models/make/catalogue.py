"""Reads models/catalogue.json and refuses one that breaks the rules of models/README.md."""

import json
import re
from pathlib import Path, PurePosixPath

CATALOGUE_VERSION = 1
MODELS_DIR = Path(__file__).resolve().parent.parent
CATALOGUE_PATH = MODELS_DIR / "catalogue.json"

CAPABILITY_OF_TASK = {
    "embedding": "embedding",
    "text-classification": "text_classification",
    "text-generation": "text_generation",
    "text-ranking": "reranking",
    "token-classification": "named_entity_recognition",
    "tensors": "tensors",
}
OPTIONS_OF_TASK = {
    "embedding": {"pooling", "normalize", "max_tokens", "dimensions"},
    "text-classification": {"max_tokens"},
    "text-generation": {"context_tokens"},
}
ROLES_OF_ARCHITECTURE = {
    "onnx": {"required": {"model", "tokenizer"}, "allowed": {"model", "weights", "tokenizer"}},
    "gguf": {"required": {"model"}, "allowed": {"model"}},
}
MODEL_KEYS = {"name", "task", "version", "description", "licence", "architecture", "files",
              "options"}
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}[a-z0-9]")
SHA256 = re.compile(r"[0-9a-f]{64}")
HUB = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")


class CatalogueError(ValueError):
    """The catalogue breaks one of its own rules; the text says where."""


def load(path=CATALOGUE_PATH):
    """Returns the list of models, in catalogue order, each checked."""
    try:
        catalogue = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CatalogueError(f"{path}: not JSON: {error}") from error
    _need(catalogue.get("catalogue_version") == CATALOGUE_VERSION, path,
          f"catalogue_version is not {CATALOGUE_VERSION}")
    packages = catalogue.get("packages", {})
    for name, package in packages.items():
        _need(set(package) == {"version", "archive"}, name, "a package has version and archive")
    names = [model.get("name") for model in catalogue["models"]]
    _need(len(names) == len(set(names)), path, "a model name occurs twice")
    for model in catalogue["models"]:
        _check_model(model, packages)
    return catalogue


def _check_model(model, packages):
    name = model.get("name", "?")
    _need(NAME.fullmatch(name), name, "name is not lower-case letters, digits, '.' and '-'")
    extra = {"labels"} if model.get("task") == "text-classification" else set()
    _need(set(model) == MODEL_KEYS | extra, name, f"keys are {sorted(model)}")
    _need(model["task"] in OPTIONS_OF_TASK, name, f"unknown task {model['task']}")
    _need(set(model["options"]) == OPTIONS_OF_TASK[model["task"]], name,
          f"options are {sorted(model['options'])}")
    for key in ("version", "description", "licence"):
        _need(isinstance(model[key], str) and model[key] and "\n" not in model[key], name,
              f"{key} is not one line of text")
    roles = ROLES_OF_ARCHITECTURE.get(model["architecture"])
    _need(roles is not None, name, f"unknown architecture {model['architecture']}")
    found = [entry["role"] for entry in model["files"]]
    _need(len(found) == len(set(found)), name, "a role occurs twice")
    _need(roles["required"] <= set(found) <= roles["allowed"], name, f"roles are {found}")
    fetched = [entry for entry in model["files"] if "hub" in entry.get("source", {})]
    _need(len(fetched) in (0, len(model["files"])), name, "all of its files are from a hub, or none")
    if extra:
        labels = model["labels"]
        _need(len(labels) >= 2 and len(labels) == len(set(labels)), name, "labels are not distinct")
    for entry in model["files"]:
        _check_file(name, entry, packages)


def _check_file(name, entry, packages):
    where = f"{name}: {entry.get('path', '?')}"
    _need(set(entry) == {"role", "path", "source", "sha256", "size_bytes"}, where,
          f"keys are {sorted(entry)}")
    _need(PurePosixPath(entry["path"]).name == entry["path"], where, "path is not a plain name")
    _check_digest(where, entry)
    source = entry["source"]
    if "made_by" in source:
        _need((MODELS_DIR.parent / source["made_by"]).is_file(), where,
              f"{source['made_by']} does not exist")
        for part in source.get("from", []):
            _check_source(where, part, packages)
    else:
        _check_source(where, source, packages)


def _check_source(where, source, packages):
    """A source is a member of a package, a file of this project, of another model, or of a hub."""
    kinds = ["hub"] if "hub" in source else [k for k in ("package", "file", "model") if k in source]
    _need(len(kinds) == 1, where, "a source names a package, a file, a model or a hub")
    if kinds == ["package"]:
        _need(source["package"] in packages, where, f"unknown package {source['package']}")
        _need(isinstance(source.get("member"), str), where, "a package source names its member")
    elif kinds == ["hub"]:
        _need(set(source) == {"hub", "revision", "file"} and HUB.fullmatch(source["hub"]), where,
              "a hub source is OWNER/REPOSITORY, revision and file")
        _need(COMMIT.fullmatch(source["revision"]), where, "revision is not a whole commit")
        parts = source["file"].split("/")
        _need(all(part not in ("", ".", "..") for part in parts), where, "file is not a plain path")
    elif kinds == ["file"]:
        _need((MODELS_DIR.parent / source["file"]).is_file(), where,
              f"{source['file']} does not exist")


def _check_digest(where, entry):
    _need(SHA256.fullmatch(entry["sha256"]), where, "sha256 is not 64 lower-case hex digits")
    _need(type(entry["size_bytes"]) is int and entry["size_bytes"] > 0, where,
          "size_bytes is not a positive number")


def _need(holds, where, text):
    if not holds:
        raise CatalogueError(f"catalogue: {where}: {text}")


def is_fetched(model):
    """True for a model that hearth-pull fetches from a hub; the others are made by make_models.py."""
    return any("hub" in entry["source"] for entry in model["files"])


def manifest(model):
    """Returns the manifest.json of a model as the daemon's registry reads it (models/README.md)."""
    keys = ("role", "path", "sha256", "size_bytes")
    entries = [{key: entry[key] for key in keys} for entry in model["files"]]
    return make_manifest(model["name"], model["version"], model["task"], model["architecture"],
                         model["licence"], entries, model["options"], model.get("labels"))


def make_manifest(name, version, task, architecture, licence, files, options, labels=None):
    result = {
        "model_id": name, "name": name, "version": version, "task": task,
        "capabilities": [CAPABILITY_OF_TASK[task]], "architecture": architecture,
        "license": licence,
    }
    if labels is not None:
        result["labels"] = labels
    result["files"] = files
    result["options"] = options
    return result


def manifest_text(value):
    """The one spelling of a manifest, so that making it twice gives the same bytes."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
