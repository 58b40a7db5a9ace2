#!/usr/bin/env python3
"""Vectors from GGUF models, through a daemon: equal to a program that knows llama.h only, and for
BERT to a forward pass in numpy that shares nothing with either.

    test_embed.py BIN_FOLDER REFERENCE_EMBED PROJECT_ROOT
"""

import hashlib
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

BIN, REFERENCE, ROOT = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
sys.path[:0] = [str(ROOT / "tests" / "kit"), str(ROOT / "fixtures")]
import daemon  # noqa: E402
import v2      # noqa: E402
import numpy   # noqa: E402

import gguf_architectures as made  # noqa: E402

must = daemon.must
LEAST_COSINE = 0.9999
MEAN, CLS, LAST, RANK = 1, 2, 3, 4
# name: (architecture, pooling in the file or None, options of the manifest)
MODELS = {
    "bert-mean": ("bert", MEAN, {}), "bert-cls": ("bert", CLS, {}),
    "bert-untold": ("bert", None, {"pooling": "cls", "normalize": False}),
    "nomic": ("nomic-bert", MEAN, {}), "jina": ("jina-bert-v2", MEAN, {}),
    "modern": ("modern-bert", CLS, {}),
    "llama-last": ("llama", LAST, {}), "llama-mean": ("llama", MEAN, {}),
    "qwen3-last": ("qwen3", LAST, {"context_tokens": 100}), "gemma3-mean": ("gemma3", MEAN, {}),
}
REFUSED = {"rank": ("bert", RANK, {}), "none": ("bert", None, {}),
           "magic": ("bert", MEAN, {"pooling": "magic"})}
WORDS = "the fox and the hen went to the den hound a b c".split()
TEXTS = ([" ".join(WORDS[:n]) for n in range(1, len(WORDS) + 1)]
         + ["unknown words fall apart", "x", "the fox " * 9, "7 ! ? é", "walking and walked."]
         + [" ".join(WORDS[n % 12] for n in range(start, start + 24)) for start in range(13)])
server, folder = None, None


def write_model(place, name, architecture, pooling, options, capability="embedding"):
    def say_pooling(keys):
        key = f"{architecture}.pooling_type"
        keys.pop(key, None)
        if pooling is not None:
            keys[key] = struct.pack("<II", 4, pooling)

    data = made.make(architecture, say_pooling)
    target = Path(place) / name
    target.mkdir()
    (target / "model.gguf").write_bytes(data)
    (target / "manifest.json").write_text(json.dumps({
        "model_id": name, "name": name, "version": "1.0.0", "license": "Apache-2.0",
        "capabilities": [capability], "architecture": "gguf", "options": options,
        "files": [{"role": "model", "path": "model.gguf", "size_bytes": len(data),
                   "sha256": hashlib.sha256(data).hexdigest()}]}))


def reference(name, texts):
    architecture = MODELS[name][0]
    way = "encode" if architecture in made.ENCODERS else "decode"
    feed = b"".join(b"%d\n%s" % (len(text.encode()), text.encode()) for text in texts)
    done = subprocess.run([REFERENCE, Path(folder) / name / "model.gguf", way], input=feed,
                          capture_output=True, timeout=120, check=False)
    must(done.returncode == 0, f"{name}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask(name, texts, **form):
    answer = server.infer(model_id=name, task=v2.TASKS["embed"],
                          texts=[{"text": text} for text in texts], **form)
    must(answer["code"] == 0, f"{name}: {answer['error']}")
    return answer["results"]


def cosine(a, b):
    return float(numpy.dot(a, b) / numpy.linalg.norm(a) / numpy.linalg.norm(b))


def vectors_equal_the_library_alone():
    """Several texts in one call here, one a call there."""
    for name in MODELS:
        if name == "bert-untold":
            continue    # the reference knows only what the file says
        worst = 1.0
        for result, wanted in zip(ask(name, TEXTS), reference(name, TEXTS)):
            vector = numpy.array(result["vector"])
            must(len(vector) == made.HIDDEN, f"{name}: {len(vector)} numbers")
            must(abs(numpy.linalg.norm(vector) - 1) < 1e-5, f"{name}: not of length 1")
            must(result["tokens"] == len(wanted["ids"]), f"{name}: {result['tokens']} tokens")
            worst = min(worst, cosine(vector, wanted["vector"]))
        print(f"# {name}: worst cosine {worst:.8f} of {len(TEXTS)}")
        must(worst >= LEAST_COSINE, f"{name}: cosine {worst}")


# ---- BERT in numpy -----------------------------------------------------------------------------

def norm(x, weight, bias):
    x = x - x.mean(-1, keepdims=True)
    return x / numpy.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * weight + bias


def bert(ids):
    """The vectors of all tokens of one text; weights straight from their maker."""
    _, vocabulary = made.keys_of("bert")
    w = {name: made.weights("bert", name, shape).astype(numpy.float64)
         for name, shape in made.tensors_of("bert", vocabulary)}
    gelu = numpy.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))
    x = (w["token_embd.weight"][ids] + w["position_embd.weight"][:len(ids)]
         + w["token_types.weight"][0])
    x = norm(x, w["token_embd_norm.weight"], w["token_embd_norm.bias"])
    for block in range(made.BLOCKS):
        def part(name, value, p=f"blk.{block}."):
            return value @ w[p + name + ".weight"].T + w[p + name + ".bias"]

        q, k, v = (part(name, x).reshape(len(ids), made.HEADS, made.HEAD).transpose(1, 0, 2)
                   for name in ("attn_q", "attn_k", "attn_v"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(made.HEAD)
        scores = numpy.exp(scores - scores.max(-1, keepdims=True))
        seen = (scores / scores.sum(-1, keepdims=True)) @ v
        x = norm(x + part("attn_output", seen.transpose(1, 0, 2).reshape(len(ids), -1)),
                 w[f"blk.{block}.attn_output_norm.weight"], w[f"blk.{block}.attn_output_norm.bias"])
        x = norm(x + part("ffn_down", gelu(part("ffn_up", x))),
                 w[f"blk.{block}.layer_output_norm.weight"],
                 w[f"blk.{block}.layer_output_norm.bias"])
    return x


def vectors_of_bert_equal_a_forward_pass_in_numpy():
    for name, pool in (("bert-mean", lambda x: x.mean(0)), ("bert-cls", lambda x: x[0]),
                       ("bert-untold", lambda x: x[0])):
        ids = [answer["ids"] for answer in reference("bert-mean", TEXTS)]
        worst = min(cosine(result["vector"], pool(bert(each)))
                    for result, each in zip(ask(name, TEXTS), ids))
        print(f"# {name}: worst cosine {worst:.8f} against numpy")
        must(worst >= LEAST_COSINE, f"{name}: cosine {worst}")


# ---- what a request may ask --------------------------------------------------------------------

def vectors_come_cut_packed_and_as_long_as_asked():
    plain = [numpy.array(r["vector"]) for r in ask("bert-mean", TEXTS, normalize=2)]
    must(max(abs(numpy.linalg.norm(v) - 1) for v in plain) > 0.01, "normalize: no had no effect")
    for size, normalize in ((8, 1), (8, 2), (made.HIDDEN, 1)):
        form = {"dimensions": size, "normalize": normalize}
        wanted = [v[:size] / (numpy.linalg.norm(v[:size]) if normalize == 1 else 1) for v in plain]
        for given, half, byte, vector in zip(ask("bert-mean", TEXTS, **form),
                                             ask("bert-mean", TEXTS, vector_type=1, **form),
                                             ask("bert-mean", TEXTS, vector_type=2, **form), wanted):
            near = numpy.abs(vector).max()
            must(numpy.abs(given["vector"] - vector).max() <= 1e-5 * max(1, near), f"{form}: float32")
            halves = numpy.frombuffer(half["packed"], "<f2").astype(float)
            must(numpy.abs(halves - vector).max() <= near / 1000, f"{form}: float16")
            small = numpy.frombuffer(byte["packed"], numpy.int8).astype(float) * byte["scale"]
            must(numpy.abs(small - vector).max() <= near / 250, f"{form}: int8")


def ids_are_taken_as_they_are():
    ids = reference("bert-mean", ["the fox"])[0]["ids"]
    text, = ask("bert-mean", ["the fox"])
    given = server.infer(model_id="bert-mean", task=v2.TASKS["embed"], texts=[{"tokens": ids}])
    must(cosine(given["results"][0]["vector"], text["vector"]) > 0.999999, "other vectors")
    wrong = server.infer(model_id="bert-mean", task=v2.TASKS["embed"],
                         texts=[{"tokens": [1, 2**31]}])
    must(v2.ERRORS[wrong["code"]] == "input_invalid" and "token id 1 of 2" in wrong["error"], f"{wrong}")


def a_text_too_long_is_refused_with_both_numbers():
    for name, most in (("bert-mean", made.CONTEXT), ("qwen3-last", 100)):
        text = "the fox " * most
        count = len(reference(name, [text])[0]["ids"])
        answer = server.infer(model_id=name, task=v2.TASKS["embed"], texts=[{"text": text}])
        must(v2.ERRORS[answer["code"]] == "too_long", f"{answer}")
        must(f"has {count} tokens, the model takes {most}" in answer["error"], answer["error"])


def a_cancelled_request_has_one_end_and_the_next_is_right():
    wanted, = ask("bert-mean", ["the hen"])
    connection = server.connect()
    for number in range(1, 21):
        connection.send("inference_request", request_id=number, model_id="bert-mean", priority=1,
                        task=v2.TASKS["embed"], texts=[{"text": TEXTS[-1]}] * 32, **v2.SAMPLING)
        connection.send("cancel_request", request_id=number)
        ends = 0
        told = False
        while not (ends and told):
            kind, answer = connection.receive()
            ends += kind == "inference_response"
            told |= kind == "cancel_response"
            if kind == "inference_response":
                must(v2.ERRORS.get(answer["code"], "ok") in ("ok", "cancelled"), f"{answer['error']}")
        must(ends == 1, f"{ends} ends")
    connection.close()
    again, = ask("bert-mean", ["the hen"])
    must(cosine(again["vector"], wanted["vector"]) > 0.999999, "a vector after cancels differs")


def what_makes_no_vectors_is_refused_by_name():
    for name, code, says in (("rank", "unsupported", "rank"), ("none", "config", "option pooling"),
                             ("magic", "config", "magic"),
                             ("writer", "unsupported", "capability embedding")):
        answer = server.ask("load_request", "load_response", model_id=name)
        must(v2.ERRORS.get(answer["code"]) == code and says in answer["error"], f"{name}: {answer}")


def main():
    global server, folder
    with tempfile.TemporaryDirectory() as folder:
        for name, what in {**MODELS, **REFUSED}.items():
            write_model(folder, name, *what)
        write_model(folder, "writer", "bert", MEAN, {}, capability="text_generation")
        with daemon.Daemon(BIN, folder, list(MODELS)) as server:
            return daemon.run_tests([
                vectors_equal_the_library_alone, vectors_of_bert_equal_a_forward_pass_in_numpy,
                vectors_come_cut_packed_and_as_long_as_asked, ids_are_taken_as_they_are,
                a_text_too_long_is_refused_with_both_numbers,
                a_cancelled_request_has_one_end_and_the_next_is_right,
                what_makes_no_vectors_is_refused_by_name])


if __name__ == "__main__":
    sys.exit(main())
