"""Synthetic ONNX models compute what their random weights say: by an independent forward pass, by
ONNX Runtime and by hearthd.

    test_synthetic_encoders.py BIN_FOLDER
"""

import contextlib
import functools
import io
import sys
import tempfile
from pathlib import Path

import tap     # before numpy, which it keeps to one thread

import numpy
import onnx
import onnxruntime
import tokenizers

sys.path.insert(0, str(tap.ROOT / "tests" / "kit"))
import bert_numpy               # noqa: E402
import daemon                   # noqa: E402
import make_synthetic_model     # noqa: E402
import synthetic_onnx           # noqa: E402
from daemon import must         # noqa: E402

STORE = tap.ROOT / "models/store"
TEXTS = ["The quick brown fox jumps over the lazy dog.", "Zwölf Boxkämpfer, 12345!"]
CONFIG = {"layer_norm_eps": 1e-12, "num_attention_heads": 12, "hidden_size": 384,
          "num_hidden_layers": 6}
# Eight bits for what flows between the layers cost a little; half precision of weights nothing.
LEAST_COSINE = {"f32": 0.999999, "f16": 0.999999, "int8": 0.999}
out = None      # a folder with minilm in each quant
tokenizer = None


def name_of(quant):
    return f"synthetic-minilm-{quant}"


def ids_of(text):
    return tokenizer.encode(text).ids


@functools.cache
def session(quant):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(out / name_of(quant) / "model.onnx"), options)


def by_onnx_runtime(quant, text):
    ids = numpy.array([ids_of(text)], numpy.int64)
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids)}
    return session(quant).run(None, feed)[0][0]


def weights_of(quant):
    """The file's weights by their usual names and layouts, as numbers."""
    model = onnx.load(str(out / name_of(quant) / "model.onnx"))
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, array in found.items():
        if name.startswith("encoder.") and array.ndim == 2:
            found[name] = array.T * found.get(f"{name}_scale", numpy.float32(1))
    return found


def cosine(left, right):
    left, right = left.ravel().astype(numpy.float64), right.ravel().astype(numpy.float64)
    return float(left @ right / numpy.linalg.norm(left) / numpy.linalg.norm(right))


def the_files_are_valid_onnx():
    for quant in synthetic_onnx.QUANTS:
        onnx.checker.check_model(str(out / name_of(quant) / "model.onnx"))


def onnx_runtime_loads_them_and_equals_an_independent_forward_pass():
    for quant in synthetic_onnx.QUANTS:
        found = by_onnx_runtime(quant, TEXTS[0])
        must(numpy.isfinite(found).all(), f"{quant}: not all numbers are finite")
        wanted = bert_numpy.last_hidden_state(weights_of(quant), CONFIG, ids_of(TEXTS[0]))
        near = cosine(found, wanted)
        print(f"# {quant}: cosine {near:.7f}")
        must(near >= LEAST_COSINE[quant], f"{quant}: cosine {near}")


def hearthd_answers_as_onnx_runtime_does():
    names = [name_of(quant) for quant in synthetic_onnx.QUANTS]
    with daemon.Daemon(sys.argv[1], [out], names) as server:
        for quant, name in zip(synthetic_onnx.QUANTS, names):
            answer = server.infer(model_id=name, task=1, texts=[{"text": text} for text in TEXTS])
            must(answer["code"] == 0, answer["error"])
            for result in answer["results"]:
                text = TEXTS[result["index"]]
                must(result["tokens"] == len(ids_of(text)), f"{result['tokens']} tokens")
                near = cosine(numpy.array(result["vector"]), by_onnx_runtime(quant, text).mean(0))
                must(near >= 0.99999, f"{quant}: cosine {near}")


def what_is_planned_is_what_is_written():
    for quant in synthetic_onnx.QUANTS:
        maker = synthetic_onnx.Maker("x", synthetic_onnx.SHAPES["minilm"], quant, 1, None, STORE)
        files = [path for path in (out / name_of(quant)).iterdir() if path.name != "manifest.json"]
        size = sum(path.stat().st_size for path in files)
        must(maker.size == size, f"{quant}: {maker.size} planned, {size} written")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        out = Path(folder)
        codes = [make_synthetic_model.main(["--shape", "minilm", "--quant", quant, "--out", folder])
                 for quant in synthetic_onnx.QUANTS]
        tokenizer = tokenizers.Tokenizer.from_file(str(STORE / "all-minilm-l6-v2/tokenizer.json"))
        tokenizer.no_padding()
        with contextlib.redirect_stdout(sys.__stdout__):
            must(codes == [0, 0, 0], f"{codes}")
            sys.exit(daemon.run_tests([
                the_files_are_valid_onnx,
                onnx_runtime_loads_them_and_equals_an_independent_forward_pass,
                hearthd_answers_as_onnx_runtime_does,
                what_is_planned_is_what_is_written]))
