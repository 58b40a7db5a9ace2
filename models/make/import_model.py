"""Puts a model of your own into a models folder: finds what it is, copies its files, writes its
manifest.json.

SOURCE is a folder as exporters leave it (an .onnx file, alone or in onnx/; tokenizer.json;
config.json; for sentence encoders modules.json and 1_Pooling/config.json), or one .gguf file, which
generates text or, with --task embedding, makes vectors. What the folder or the file says is taken;
what it does not say has to be given (--task, --labels, --pooling), never guessed. Nothing is run and
no network is asked. Files are hard links where the file system allows.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import catalogue

TASKS = sorted(catalogue.CAPABILITY_OF_TASK)
MODEL_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")    # what the daemon takes as a name
LEAST_TOKENS, MOST_TOKENS = 2, 8192                           # and as max_tokens
LABEL_BYTES = 128                                              # and as a label
LFS_POINTER = b"version https://git-lfs"
HEADS = {"ForSequenceClassification": "text-classification",
         "ForTokenClassification": "token-classification"}
POOLING_MODES = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls",
                 "pooling_mode_max_tokens": "max", "pooling_mode_lasttoken": "lasttoken"}
GGUF_TASKS = ("text-generation", "embedding")
GGUF_POOLINGS = ("mean", "cls", "lasttoken")    # as the file numbers them, from 1
GGUF_ENCODERS = ("bert", "nomic-bert", "jina-bert-v2", "modern-bert")    # they write nothing
# Their first token has the position behind the padding token's.
COUNT_FROM_PADDING = {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"}
ACTIVATIONS = {"multi_label_classification": "sigmoid", "regression": "none"}
# How the field's cross-encoders say what becomes of their score, by the end of the name.
SCORE_ACTIVATIONS = {".Identity": "none", ".Sigmoid": "sigmoid"}
# Parts of a sentence encoder that are in the graph or that the daemon computes; others are not.
KNOWN_MODULES = (".Transformer", ".Pooling", ".Normalize")


class Refused(ValueError):
    """What is missing or wrong, and what to do."""


def read_json(path, kind=dict):
    """Returns what @path holds, which is a @kind; an empty one if there is no such file."""
    if not path.is_file():
        return kind()
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(f"{path}: not JSON: {error}") from error
    if not isinstance(value, kind):
        raise Refused(f"{path}: must be JSON of one {'object' if kind is dict else 'array'}")
    return value


def check_is_fetched(path):
    with path.open("rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise Refused(f"{path}: is a pointer of Git LFS, not the file itself. "
                          "Fetch it: git lfs pull")


def find_model(source):
    """Returns the model file of a folder: the only one, or the one that is called model.onnx."""
    if source.is_file():
        return source
    found = sorted([*source.glob("*.onnx"), *source.glob("onnx/*.onnx"), *source.glob("*.gguf")])
    plain = [path for path in found if path.name == "model.onnx"]
    if len(found) != 1 and len(plain) != 1:
        names = ", ".join(str(path.relative_to(source)) for path in found) or "none"
        raise Refused(f"{source}: one .onnx or .gguf file is wanted, found: {names}. "
                      "Give the file itself as SOURCE (its folder is then looked at too)")
    return plain[0] if len(found) != 1 else found[0]


def find_folder(source, model):
    """The folder of the configuration: beside the model, or above onnx/."""
    if source.is_dir():
        return source
    return model.parent.parent if model.parent.name == "onnx" else model.parent


def external_files(model):
    """Returns the names of the files beside @model that hold its weights."""
    import onnx    # only for ONNX files
    from google.protobuf.message import DecodeError
    try:
        graph = onnx.load(model, load_external_data=False).graph
    except DecodeError as error:
        raise Refused(f"{model}: is cut off or no ONNX model. Fetch or export it again") from error
    names = set()
    for tensor in graph.initializer:
        names |= {entry.value for entry in tensor.external_data if entry.key == "location"}
    if len(names) > 1:
        raise Refused(f"{model}: its weights are in {len(names)} files, one is supported. Save it "
                      "again with all external data in one file")
    for name in names:
        if Path(name).name != name or not (model.parent / name).is_file():
            raise Refused(f"{model}: its weights file {name!r} is not beside it")
    return sorted(names)


def task_of(folder, config, asked):
    """Returns the task, from --task or from what the folder says."""
    if asked:
        return asked
    labels = config.get("id2label") or {}
    for architecture in config.get("architectures") or []:
        for suffix, task in HEADS.items():
            if not architecture.endswith(suffix):
                continue
            is_score = (task == "text-classification" and len(labels) == 1
                        and config.get("problem_type") != "regression")
            return "text-ranking" if is_score else task
    if (folder / "1_Pooling").is_dir() or (folder / "modules.json").is_file():
        return "embedding"
    told = "does not tell what the model is for" if config else "is missing"
    raise Refused(f"{folder}: config.json {told}. Give --task, one of {', '.join(TASKS)}")


def labels_of(config, asked):
    labels = asked
    if labels is None:
        names = config.get("id2label")
        if not isinstance(names, dict) or set(names) != {str(i) for i in range(len(names))}:
            raise Refused("config.json has no id2label with ids from 0 on. Give --labels A,B,...")
        labels = [str(names[str(i)]) for i in range(len(names))]
    for label in labels:
        if not 1 <= len(label.encode()) <= LABEL_BYTES:
            raise Refused(f"label {label!r}: must have 1 to {LABEL_BYTES} bytes. "
                          "Give --labels A,B,...")
    return labels


def pooling_of(folder, asked):
    if asked:
        return asked
    if not (folder / "1_Pooling" / "config.json").is_file():
        raise Refused(f"{folder}: there is no 1_Pooling/config.json. Give --pooling, one of "
                      + ", ".join(POOLING_MODES.values()))
    config = read_json(folder / "1_Pooling" / "config.json")
    modes = [mode for key, mode in POOLING_MODES.items() if config.get(key)]
    others = [key for key in config
              if key.startswith("pooling_mode_") and config[key] is True and key not in POOLING_MODES]
    if len(modes) != 1 or others:
        raise Refused(f"{folder}: 1_Pooling/config.json does not name one pooling of "
                      f"{', '.join(POOLING_MODES.values())}. Give --pooling")
    return modes[0]


def is_normalised(folder, asked):
    """True if there is a normalisation in the folder's list of modules, or as --normalize says."""
    if asked:
        return asked == "yes"
    if not (folder / "modules.json").is_file():
        raise Refused(f"{folder}: there is no modules.json that would tell whether vectors are "
                      "brought to length 1. Give --normalize yes or --normalize no")
    types = [str(entry.get("type", "")) for entry in read_json(folder / "modules.json", list)
             if isinstance(entry, dict)]
    for name in types:
        if not name.endswith(KNOWN_MODULES):
            raise Refused(f"{folder}: modules.json has a module {name.split('.')[-1]}, which would "
                          "not be computed: the vectors would be wrong. Use a model without it")
    return any(name.endswith(".Normalize") for name in types)


def activation_of(task, config):
    """What becomes of the logits, if the configuration tells."""
    if task == "text-classification":
        return ACTIVATIONS.get(config.get("problem_type"))
    if task != "text-ranking":
        return None
    newer = config.get("sentence_transformers")
    name = (newer.get("activation_fn") if isinstance(newer, dict) else None) \
        or config.get("sbert_ce_default_activation_function") or ""
    for end, activation in SCORE_ACTIVATIONS.items():
        if str(name).endswith(end):
            return activation
    return None


def max_tokens_of(folder, config):
    """The first of: the sentence encoder's own limit, the tokenizer's, the model's positions."""
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in COUNT_FROM_PADDING:
        positions -= config.get("pad_token_id", 1) + 1
    candidates = [read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
                  read_json(folder / "tokenizer_config.json").get("model_max_length"), positions]
    for value in candidates:
        if isinstance(value, int) and 2 <= value <= 10**6:
            return min(value, MOST_TOKENS)
    return None


def check_options(task, asked):
    """What was given and would mean nothing is an error, not silence."""
    texts = [name for name in TASKS if name not in ("tensors", "text-generation")]
    labelled = list(HEADS.values())
    for option, tasks in (("pooling", ["embedding"]), ("normalize", ["embedding"]),
                          ("labels", labelled), ("max_tokens", texts)):
        if getattr(asked, option) is not None and task not in tasks:
            raise Refused(f"--{option.replace('_', '-')}: is for {', '.join(tasks)}, this is {task}. "
                          "Leave it out")


def read_gguf(model):
    """(architecture, number of its pooling or None) of a GGUF file."""
    from gguf import GGUFReader    # only for GGUF files
    try:
        fields = GGUFReader(model).fields
        architecture = fields["general.architecture"].contents()
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise Refused(f"{model}: is cut off or no GGUF model. Fetch it again") from error
    pooling = fields.get(f"{architecture}.pooling_type")
    return architecture, None if pooling is None else int(pooling.contents())


def gguf_task(model, asked):
    """(task, options) of a GGUF file."""
    architecture, pooling = read_gguf(model)
    is_encoder = architecture in GGUF_ENCODERS
    task = asked.task or GGUF_TASKS[is_encoder]
    if task not in GGUF_TASKS:
        raise Refused(f"{model}: a .gguf file is for {' or '.join(GGUF_TASKS)}, not for {task}")
    if is_encoder and task != "embedding":
        raise Refused(f"{model}: architecture {architecture} is an encoder and writes nothing. "
                      "Give --task embedding")
    check_options(task, asked)
    if asked.max_tokens:
        raise Refused("--max-tokens: is for .onnx files; a text that is too long for a .gguf model is "
                      "refused, not cut. Leave it out")
    if task != "embedding":
        return task, {}
    if asked.pooling and asked.pooling not in GGUF_POOLINGS:
        raise Refused(f"--pooling {asked.pooling}: of a .gguf model one of {', '.join(GGUF_POOLINGS)} "
                      "is possible")
    if not asked.pooling and pooling not in (1, 2, 3):
        raise Refused(f"{model}: does not say how vectors of tokens become one. Give --pooling, one of "
                      + ", ".join(GGUF_POOLINGS))
    told = {"pooling": asked.pooling, "normalize": asked.normalize and asked.normalize == "yes"}
    return task, {key: value for key, value in told.items() if value is not None}


def options_of(task, folder, config, asked):
    options = {}
    if task == "text-generation":
        raise Refused("an .onnx file generates no text here. Import the model's .gguf file, or give "
                      "another --task")
    check_options(task, asked)
    if task == "embedding":
        options["pooling"] = pooling_of(folder, asked.pooling)
        options["normalize"] = is_normalised(folder, asked.normalize)
    activation = activation_of(task, config)
    if activation:
        options["activation"] = activation
    limit = asked.max_tokens or max_tokens_of(folder, config)
    if limit and task not in ("tensors", "text-generation"):
        options["max_tokens"] = limit
    return options


def digest(path):
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put(source, target):
    """A second name for the same bytes if possible, else a copy; never a symbolic link."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def collect(model, folder, task):
    """Returns (role, file) of everything that belongs to the model."""
    files = [("model", model)]
    if model.suffix == ".onnx":
        files += [("weights", model.parent / name) for name in external_files(model)]
        tokenizer = folder / "tokenizer.json"
        if tokenizer.is_file():
            check_is_fetched(tokenizer)
            files.append(("tokenizer", tokenizer))
        elif task != "tensors":
            raise Refused(f"{folder}: tokenizer.json is missing. Save the model's fast tokenizer "
                          "there; other tokenizer files are not read")
    return files


def name_of(model, source, asked):
    name = asked if asked is not None else source.resolve().name if source.is_dir() else model.stem
    if not MODEL_ID.fullmatch(name):
        raise Refused(f"{name!r}: a name is 1 to 128 of A-Z a-z 0-9 . _ - and begins with none of "
                      ". -. Give --name")
    return name


def import_model(arguments):
    source = Path(arguments.source)
    if not source.exists():
        raise Refused(f"{source}: there is no such file or folder")
    model = find_model(source)
    folder = find_folder(source, model)
    name = name_of(model, source, arguments.name)
    target = Path(arguments.models) / name
    if target.exists():
        raise Refused(f"{target}: is there already. Remove it, or give another --name")
    check_is_fetched(model)
    config = read_json(folder / "config.json")
    is_onnx = model.suffix == ".onnx"
    if is_onnx:
        task = task_of(folder, config, arguments.task)
        options = options_of(task, folder, config, arguments)
    else:
        task, options = gguf_task(model, arguments)
    has_labels = task in ("text-classification", "token-classification")
    labels = labels_of(config, arguments.labels) if has_labels else None
    files = collect(model, folder, task)

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".import-") as staging:
        entries = []
        for role, path in files:
            put(path, Path(staging) / path.name)
            entries.append({"role": role, "path": path.name, "sha256": digest(path),
                            "size_bytes": path.stat().st_size})
        manifest = catalogue.make_manifest(name, arguments.version, task,
                                           "onnx" if is_onnx else "gguf", arguments.licence,
                                           entries, options, labels)
        (Path(staging) / "manifest.json").write_text(catalogue.manifest_text(manifest),
                                                     encoding="utf-8")
        os.chmod(staging, 0o755)
        os.rename(staging, target)
        Path(staging).mkdir()    # for the context manager to remove
    told = [f"{key} {str(value).lower()}" for key, value in options.items()]
    print(f"{target}: {task}, {len(files)} files, {', '.join(told) or 'no options'}")
    print(f"Next: hearth models load {name}")


def token_count(text):
    if not text.isdecimal() or not LEAST_TOKENS <= int(text) <= MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"{text!r}: must be {LEAST_TOKENS} to {MOST_TOKENS}")
    return int(text)


def main():
    parser = argparse.ArgumentParser(prog="import_model.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--models", default=catalogue.MODELS_DIR / "store",
                        help="the models folder; default: models/store of this tree")
    parser.add_argument("--name", help="what the daemon calls it; default: the folder's name")
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--labels", type=lambda text: text.split(","), help="A,B,... by column")
    parser.add_argument("--pooling", choices=sorted(POOLING_MODES.values()))
    parser.add_argument("--normalize", choices=["yes", "no"], help="vectors to length 1")
    parser.add_argument("--max-tokens", type=token_count, help="longer texts are cut to this")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--licence", default="unknown", help="SPDX name")
    try:
        import_model(parser.parse_args())
    except (Refused, OSError) as error:
        print(f"import_model.sh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
