#!/usr/bin/env python3
"""What a GGUF model was said to need, and what its worker took: a table, made by a private daemon.

    check_gguf_memory.py BIN_FOLDER [MODEL.gguf …] [--words N] [--context 0] [--sequences 0]

Each model is loaded without mmap, then every sequence gets a prompt of so many words at once, and the
one of the exact lane another (1400 for a tiny model, which fills its cache, else 200). Needed
is what the inspection reserved; loaded and peak are the resident memory of the worker after the load
and the most that it had under load. By the need's side stands how far it is from the peak (wanted:
-5 % to +25 %), and (peak - cache - 12 MB) / file, what weights cost beside their file. Models: the tiny
one, one for vectors, and smollm2-135m-instruct if it is in the store, unless some are named.
"""

import argparse
import hashlib
import json
import struct
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "kit"), str(ROOT / "fixtures")]
import daemon  # noqa: E402
import v2      # noqa: E402

import gguf_architectures  # noqa: E402
import gguf_keys  # noqa: E402

MODELS = ["fixtures/models/gguf/tiny-llama.gguf",
          "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf"]
LEAST, MOST = -5.0, 25.0
MEGABYTE, BESIDE_MB = 1e6, 12
TINY_BYTES = 10 << 20
EXACT = 1      # sequences of a lane of their own


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_bytes(path, context, sequences):
    """Of keys and values in 16 bits: of all sequences and of the exact one, the context rounded up to
    256 as the library does."""
    with path.open("rb") as file:
        head = file.read(64 << 20)
    keys = gguf_keys.read(head)
    name = keys["general.architecture"][12:].decode()

    def number(key, otherwise=None):
        value = keys.get(f"{name}.{key}")
        return struct.unpack("<I", value[4:8])[0] if value else otherwise

    heads = number("attention.head_count")
    size = number("attention.key_length", number("embedding_length") // heads)
    per_token = number("block_count") * number("attention.head_count_kv", heads) * 2 * size * 2
    context = context or min(4096, number("context_length"))
    return per_token * -(-context // 256) * 256 * ((sequences or 4) + EXACT)


def write_model(folder, path, name, capability, options):
    place = Path(folder) / name
    place.mkdir()
    try:
        (place / path.name).hardlink_to(path)
    except OSError:
        (place / path.name).write_bytes(path.read_bytes())
    (place / "manifest.json").write_text(json.dumps({
        "model_id": name, "name": name, "version": "1.0.0", "license": "Apache-2.0",
        "capabilities": [capability], "architecture": "gguf", "options": options,
        "files": [{"role": "model", "path": path.name, "size_bytes": path.stat().st_size,
                   "sha256": digest(path)}]}))


def most_resident(pid):
    """VmHWM, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise daemon.Broken("no VmHWM")


def load_up(server, name, is_embedder, sequences, words):
    text = " ".join(["the quick brown fox jumps over"] * (words // 6))
    task = v2.TASKS["embed" if is_embedder else "generate"]

    def one(number):
        flags = v2.FLAGS["exact"] if number == sequences else 0
        return server.infer(model_id=name, task=task, texts=[{"text": f"{number} {text}"}],
                            max_tokens=8, temperature=0.0, flags=flags)

    with ThreadPoolExecutor(sequences) as pool:
        for answer in pool.map(one, range(sequences + (0 if is_embedder else EXACT))):
            daemon.must(answer["code"] == 0, f"{name}: {answer['error']}")


def measure(bin_folder, path, name, capability, options, arguments):
    is_embedder = capability == "embedding"
    with tempfile.TemporaryDirectory() as folder:
        write_model(folder, path, name, capability, options)
        with daemon.Daemon(bin_folder, folder, [name]) as server:
            model = server.model(name)
            loaded = most_resident(model["worker_pid"])
            words = arguments.words or (1400 if path.stat().st_size < TINY_BYTES else 200)
            load_up(server, name, is_embedder, options.get("sequences", 4), words)
            peak = most_resident(model["worker_pid"])
            need = model["need_bytes"]
    cache = 0 if is_embedder else cache_bytes(path, arguments.context, arguments.sequences)
    size = path.stat().st_size
    off = 100.0 * (need - peak) / peak
    beside = (peak - cache - BESIDE_MB * MEGABYTE) / size
    print(f"{name:24} {size / MEGABYTE:9.1f} {cache / MEGABYTE:9.1f} {need / MEGABYTE:9.1f} "
          f"{loaded / MEGABYTE:9.1f} {peak / MEGABYTE:9.1f} {off:+8.1f} % {beside:8.2f}", flush=True)
    return LEAST <= off <= MOST


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--words", type=int, default=0)
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--sequences", type=int, default=0)
    arguments = parser.parse_args()
    options = {key: value for key, value in (("context_tokens", arguments.context),
                                             ("sequences", arguments.sequences)) if value}
    paths = arguments.models or [ROOT / m for m in MODELS if (ROOT / m).exists()]
    print(f"{'model':24} {'file MB':>9} {'cache MB':>9} {'need MB':>9} {'loaded MB':>9} {'peak MB':>9} "
          f"{'need off':>10} {'x file':>8}")
    good = [measure(arguments.bin, path, path.stem, "text_generation", options, arguments)
            for path in paths]
    if not arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tiny-bert.gguf"
            path.write_bytes(gguf_architectures.make("bert"))
            arguments.words = 24
            good.append(measure(arguments.bin, path, "tiny-bert", "embedding", {"pooling": "mean"},
                                arguments))
    print("every need is within -5 % and +25 % of the peak" if all(good) else
          "a need is off by more than -5 % or +25 %")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
