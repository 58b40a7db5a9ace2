"""The ONNX engine of onnx_engine_driver, spoken to in V2; and small models made for one test."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
import v2                                               # noqa: E402
from daemon import ROOT, must                           # noqa: E402

ROLES = {"model": 0, "weights": 1, "tokenizer": 2, "config": 3}
ELEMENTS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "int64": TensorProto.INT64,
            "int32": TensorProto.INT32}
TOKENIZER = ROOT / "fixtures/models/onnx/minilm-embedder.tokenizer.json"
VOCABULARY = 4096       # more than the tokenizer has
HIDDEN = 24


class Refused(Exception):
    """The engine would not load: its error's name and text."""

    def __init__(self, code, text):
        super().__init__(f"{v2.ERRORS[code]}: {text}")
        self.name, self.text = v2.ERRORS[code], text


class Engine:
    """One loaded model. files: {role: path in folder}."""

    def __init__(self, driver, folder, task, files, labels=(), options=None, threads=2):
        self.task = v2.TASKS[task]
        self.process = subprocess.Popen([driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.write("worker_plan", model_id="m", engine=1, task=self.task, folder=str(folder), threads=threads,
                   labels=[{"name": n} for n in labels],
                   files=[{"role": ROLES[r], "path": p, "size_bytes": (Path(folder) / p).stat().st_size}
                          for r, p in files.items()],
                   options=[{"key": k, "value": str(v)} for k, v in (options or {}).items()])
        kind, answer = self.read()
        if kind == "worker_failed":
            self.close()
            raise Refused(answer["code"], answer["error"])
        self.ready = answer
        self.facts = {f["key"]: f["value"] for f in answer["facts"]}
        self.inputs = {p["name"]: (p["type"], p["shape"]) for p in answer["inputs"]}
        self.outputs = {p["name"]: (p["type"], p["shape"]) for p in answer["outputs"]}

    def write(self, name, **values):
        payload = v2.encode(name, **values)
        self.process.stdin.write(struct.pack("<I", len(payload)) + payload)
        self.process.stdin.flush()

    def read(self):
        head = self.process.stdout.read(4)
        if len(head) < 4:
            raise EOFError(f"the driver ended with {self.process.wait(60)}")
        size = struct.unpack("<I", head)[0]
        return v2.decode(self.process.stdout.read(size))

    def ask(self, texts=(), **fields):
        """The terminal of one request; a text may be a pair."""
        records = [{"text": t[0], "pair": t[1]} if isinstance(t, tuple) else {"text": t} for t in texts]
        self.write("inference_request", request_id=1, task=self.task, model_id="m", texts=records, **fields)
        return self.read()[1]

    def results(self, texts, **fields):
        answer = self.ask(texts, **fields)
        must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
        return sorted(answer["results"], key=lambda r: r["index"])

    def run(self, feed, outputs=()):
        """Raw tensors: numpy arrays in, {name: array} out; an error is returned as its text."""
        answer = self.ask(tensors=[{"name": n, "type": v2.TENSOR_TYPES[str(a.dtype)], "shape": list(a.shape),
                                    "data": a.tobytes()} for n, a in feed.items()],
                          outputs=[{"name": n} for n in outputs])
        if answer["code"] != 0:
            return f"{v2.ERRORS[answer['code']]}: {answer['error']}"
        kinds = {number: name for name, number in v2.TENSOR_TYPES.items()}
        return {t["name"]: numpy.frombuffer(t["data"], kinds[t["type"]]).reshape(t["shape"])
                for t in answer["tensors"]}

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        self.process.stdout.close()
        must(code == 0, f"the driver ended with {code}")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()


def expect_refused(name, part, *args, **kwargs):
    """Loading fails with this code, and the text says @part."""
    try:
        Engine(*args, **kwargs).close()
    except Refused as found:
        must(found.name == name and part in found.text, f"wanted {name} with {part!r}, got {found}")
        return
    raise AssertionError(f"it loaded; wanted {name} with {part!r}")


def weights(rng, *shape):
    return rng.normal(size=shape).astype(numpy.float32)


class Graph:
    """Nodes and initialisers of a small model."""

    def __init__(self):
        self.nodes, self.initialisers = [], []

    def value(self, name, array):
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def ids_as_int64(graph, name, element):
    return name if element == "int64" else graph.node("Cast", [name], name + "_64", to=TensorProto.INT64)


def embed_tokens(graph, rng, inputs, positions):
    """[batch, tokens, HIDDEN] of ids, types and positions, with something of the whole text in each
    row, by the mask: a padded token that is not masked out changes every answer."""
    rows = graph.node("Gather", [graph.value("words", weights(rng, VOCABULARY, HIDDEN)),
                                 ids_as_int64(graph, "input_ids", inputs["input_ids"])], "rows_0")
    for name, size in (("token_type_ids", 2), ("position_ids", positions)):
        if name in inputs:
            more = graph.node("Gather", [graph.value(name + "_w", weights(rng, size, HIDDEN)),
                                         ids_as_int64(graph, name, inputs[name])], name + "_rows")
            rows = graph.node("Add", [rows, more], name + "_sum")
    if "attention_mask" not in inputs:
        return rows
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    column = graph.node("Unsqueeze", [mask, graph.value("last", numpy.array([-1]))], "column")
    kept = graph.node("Mul", [rows, column], "kept")
    total = graph.node("ReduceSum", [kept, graph.value("one", numpy.array([1]))], "total", keepdims=1)
    count = graph.node("ReduceSum", [column, "one"], "count", keepdims=1)
    mean = graph.node("Div", [total, count], "mean")
    return graph.node("Tanh", [graph.node("Add", [rows, mean], "mixed")], "hidden")


def pooled(graph, rows):
    """The first row of a text."""
    return graph.node("Gather", [rows, graph.value("zero", numpy.array(0))], "first", axis=1)


def make_encoder(path, seed, inputs=None, outputs=("last_hidden_state",), width=0, element="float32",
                 batch="batch", tokens="tokens", output_shape=True, positions=1024):
    """Writes a model; outputs by name: logits are of the first row, token_logits (called "logits") of
    each, sentence_embedding and pooler_output the first row, anything else all rows."""
    inputs = inputs or {"input_ids": "int64", "attention_mask": "int64", "token_type_ids": "int64"}
    rng, graph, declared = numpy.random.default_rng(seed), Graph(), []
    rows = embed_tokens(graph, rng, inputs, positions)
    for name in outputs:
        source, shape = rows, [batch, tokens, HIDDEN]
        if name in ("logits", "sentence_embedding", "pooler_output", "flat"):
            source, shape = pooled(graph, rows), [batch, HIDDEN]
        if "logits" in name:
            name, shape = "logits", [*shape[:-1], width]
            source = graph.node("MatMul", [source, graph.value("head", weights(rng, HIDDEN, width))], "scores")
        if name == "flat":
            source, shape = graph.node("ReduceSum", [source, graph.value("axis1", numpy.array([1]))], "sum",
                                       keepdims=0), [batch]
        graph.node("Cast", [source], name, to=ELEMENTS.get(element, element))
        declared.append(helper.make_tensor_value_info(name, ELEMENTS.get(element, element),
                                                      shape if output_shape else None))
    asked = [helper.make_tensor_value_info(n, ELEMENTS[e], [batch, tokens]) for n, e in inputs.items()]
    save(path, graph, asked, declared)


def save(path, graph, inputs, outputs, **fields):
    made = helper.make_graph(graph.nodes, "g", inputs, outputs, graph.initialisers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="test", producer_version="7", **fields)
    onnx.save(model, str(path))


def write_config(folder, **keys):
    (Path(folder) / "config.json").write_text(json.dumps(keys))
