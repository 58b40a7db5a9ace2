"""Writes a BERT encoder as an ONNX graph, with an optional classification head.

The graph is plain ONNX (opset 17): the engine fuses what it wants to fuse. The bytes depend on the
weights and on this file only: fixed order, no timestamps, no paths, so a digest can be published.

Inputs   input_ids, attention_mask, token_type_ids   int64 [batch, sequence]
Outputs  last_hidden_state  float32 [batch, sequence, hidden]     (encoder)
         logits             float32 [batch, labels]               (classifier)
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

OPSET = 17
IR_VERSION = 8
PRODUCER = "hearth"
# Page-aligned tensors let the engine map the weights file instead of copying it.
ALIGNMENT_BYTES = 4096
MASKED_SCORE = -10000.0


@dataclass(frozen=True)
class BertShape:
    layers: int
    hidden: int
    heads: int
    layer_norm_eps: float


@dataclass(frozen=True)
class Head:
    """Class scores = (per layer: unit(mean of its token vectors), side by side) @ weight + bias."""
    layers: tuple       # counted from 0, in the order of the weight's rows
    weight: np.ndarray  # float32 [len(layers) * hidden, labels]
    bias: np.ndarray    # float32 [labels]


class GraphWriter:
    """Collects nodes and initialisers; large tensors go to one external file if it has a name."""

    def __init__(self, external_name=None):
        self.external_name = external_name
        self.external = bytearray()
        self.nodes = []
        self.initializers = []
        self.constants = {}

    def node(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name, array):
        """A small tensor that always lives inside the .onnx file."""
        if name not in self.constants:
            array = np.ascontiguousarray(array)
            self.initializers.append(_tensor(name, array, array.tobytes()))
            self.constants[name] = array
        return name

    def weight(self, name, array):
        """A weight of the model: in the external file, if there is one."""
        array = np.ascontiguousarray(array, dtype="<f4")
        if self.external_name is None:
            self.initializers.append(_tensor(name, array, array.tobytes()))
            return name
        self.external.extend(bytes(-len(self.external) % ALIGNMENT_BYTES))
        tensor = _tensor(name, array, None)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": self.external_name, "offset": str(len(self.external)),
                 "length": str(array.nbytes)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)
        self.external.extend(array.tobytes())
        self.initializers.append(tensor)
        return name

    def dense(self, prefix, value, array):
        """The product of a value and a weight [in, out]."""
        weight = self.weight(f"{prefix}.weight", array)
        return self.node("MatMul", [value, weight], f"{prefix}/product")


def _tensor(name, array, raw):
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    tensor = TensorProto(name=name, data_type=kinds[array.dtype.name], dims=array.shape)
    if raw is not None:
        tensor.raw_data = raw
    return tensor


def build(tensors, shape, head=None, external_name=None):
    """Returns (bytes of the .onnx file, bytes of the external weights file or b"").

    `tensors` uses the usual BERT names and layouts (a dense weight is [out, in]).
    """
    graph = GraphWriter(external_name)
    return write(graph, tensors, shape, head), bytes(graph.external)


def write(graph, tensors, shape, head=None):
    """Returns the bytes of the .onnx file; a graph of another kind may keep its weights elsewhere."""
    hidden = _embeddings(graph, tensors, shape)
    bias = _attention_bias(graph)
    states = []
    for layer in range(shape.layers):
        hidden = _layer(graph, tensors, shape, layer, hidden, bias)
        states.append(hidden)
    if head is None:
        graph.node("Identity", [hidden], "last_hidden_state")
        output = _value("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", shape.hidden])
    else:
        _classify(graph, states, head)
        output = _value("logits", TensorProto.FLOAT, ["batch", len(head.bias)])
    return _serialise(graph, output)


def _value(name, kind, dims):
    return helper.make_tensor_value_info(name, kind, dims)


def _serialise(graph, output):
    inputs = [_value(name, TensorProto.INT64, ["batch", "sequence"])
              for name in ("input_ids", "attention_mask", "token_type_ids")]
    body = helper.make_graph(graph.nodes, "bert", inputs, [output], graph.initializers)
    model = helper.make_model(body, producer_name=PRODUCER, ir_version=IR_VERSION,
                              opset_imports=[helper.make_opsetid("", OPSET)])
    if graph.external_name is None:
        onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def _embeddings(graph, tensors, shape):
    words = graph.node("Gather", [_weight(graph, tensors, "embeddings.word_embeddings.weight"),
                                  "input_ids"], "embeddings/words")
    kinds = _weight(graph, tensors, "embeddings.token_type_embeddings.weight")
    types = graph.node("Gather", [kinds, "token_type_ids"], "embeddings/types")
    length = graph.node("Shape", ["input_ids"], "embeddings/length", start=1, end=2)
    places = graph.node("Slice", [_weight(graph, tensors, "embeddings.position_embeddings.weight"),
                                  graph.constant("const/start", np.array([0], np.int64)), length,
                                  graph.constant("const/axis", np.array([0], np.int64))],
                        "embeddings/positions")
    total = graph.node("Add", [words, types], "embeddings/words_and_types")
    total = graph.node("Add", [total, places], "embeddings/sum")
    return _layer_norm(graph, tensors, shape, "embeddings.LayerNorm", total)


def _attention_bias(graph):
    """[batch, 1, 1, sequence]: 0 where a token counts, a large negative score where it is padding."""
    mask = graph.node("Cast", ["attention_mask"], "mask/float", to=TensorProto.FLOAT)
    axes = graph.constant("const/mask_axes", np.array([1, 2], np.int64))
    mask = graph.node("Unsqueeze", [mask, axes], "mask/broadcast")
    padding = graph.node("Sub", [graph.constant("const/one", np.float32(1)), mask], "mask/padding")
    return graph.node("Mul", [padding, graph.constant("const/masked", np.float32(MASKED_SCORE))],
                      "mask/bias")


def _layer(graph, tensors, shape, layer, hidden, bias):
    prefix = f"encoder.layer.{layer}"
    context = _attention(graph, tensors, shape, f"{prefix}.attention.self", hidden, bias)
    context = _dense(graph, tensors, f"{prefix}.attention.output.dense", context)
    hidden = graph.node("Add", [context, hidden], f"{prefix}/attention_residual")
    hidden = _layer_norm(graph, tensors, shape, f"{prefix}.attention.output.LayerNorm", hidden)
    inner = _gelu(graph, prefix, _dense(graph, tensors, f"{prefix}.intermediate.dense", hidden))
    outer = _dense(graph, tensors, f"{prefix}.output.dense", inner)
    hidden = graph.node("Add", [outer, hidden], f"{prefix}/output_residual")
    return _layer_norm(graph, tensors, shape, f"{prefix}.output.LayerNorm", hidden)


def _attention(graph, tensors, shape, prefix, hidden, bias):
    head_size = shape.hidden // shape.heads
    split = graph.constant("const/split_heads", np.array([0, 0, shape.heads, head_size], np.int64))
    merge = graph.constant("const/merge_heads", np.array([0, 0, shape.hidden], np.int64))
    scale = graph.constant("const/scale", np.float32(1 / np.sqrt(head_size)))
    parts = {}
    for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        dense = _dense(graph, tensors, f"{prefix}.{part}", hidden)
        heads = graph.node("Reshape", [dense, split], f"{prefix}.{part}/heads")
        parts[part] = graph.node("Transpose", [heads], f"{prefix}.{part}/transposed", perm=order)
    scores = graph.node("MatMul", [parts["query"], parts["key"]], f"{prefix}/products")
    scores = graph.node("Mul", [scores, scale], f"{prefix}/scaled")
    scores = graph.node("Add", [scores, bias], f"{prefix}/masked")
    chances = graph.node("Softmax", [scores], f"{prefix}/softmax", axis=-1)
    context = graph.node("MatMul", [chances, parts["value"]], f"{prefix}/context")
    context = graph.node("Transpose", [context], f"{prefix}/context_transposed", perm=[0, 2, 1, 3])
    return graph.node("Reshape", [context, merge], f"{prefix}/merged")


def _gelu(graph, prefix, value):
    """Exact GELU spelled out: the engine knows this pattern and fuses it."""
    root = graph.constant("const/sqrt2", np.float32(np.sqrt(2)))
    erf = graph.node("Erf", [graph.node("Div", [value, root], f"{prefix}/gelu_div")],
                     f"{prefix}/gelu_erf")
    erf = graph.node("Add", [erf, graph.constant("const/one", np.float32(1))], f"{prefix}/gelu_add")
    product = graph.node("Mul", [value, erf], f"{prefix}/gelu_mul")
    half = graph.constant("const/half", np.float32(0.5))
    return graph.node("Mul", [product, half], f"{prefix}/gelu")


def state_name(layer):
    """The name inside the graph of the token vectors that a layer puts out."""
    return f"encoder.layer.{layer}.output.LayerNorm/norm"


def _classify(graph, states, head):
    """Per layer the mean over the tokens that count, at unit length; then one dense layer."""
    axis = graph.constant("const/hidden_axis", np.array([2], np.int64))
    over = graph.constant("const/sequence_axis", np.array([1], np.int64))
    least = graph.constant("const/least", np.float32(1e-9))
    mask = graph.node("Unsqueeze", ["mask/float", axis], "pool/mask")
    units = []
    for layer in head.layers:
        # The sum points where the mean points, and only the direction is kept.
        kept = graph.node("Mul", [states[layer], mask], f"pool/{layer}/kept")
        total = graph.node("ReduceSum", [kept, over], f"pool/{layer}/sum", keepdims=0)
        length = graph.node("ReduceL2", [total], f"pool/{layer}/length", axes=[1], keepdims=1)
        safe = graph.node("Max", [length, least], f"pool/{layer}/length_safe")
        units.append(graph.node("Div", [total, safe], f"pool/{layer}/unit"))
    unit = graph.node("Concat", units, "pool/units", axis=1)
    # Inside the .onnx file, so that all classifiers on one encoder share its weights file.
    weight = graph.constant("head.weight", np.asarray(head.weight, np.float32))
    bias = graph.constant("head.bias", np.asarray(head.bias, np.float32))
    graph.node("Gemm", [unit, weight, bias], "logits")


def _weight(graph, tensors, name):
    return graph.weight(name, tensors[name])


def _dense(graph, tensors, prefix, value):
    product = graph.dense(prefix, value, tensors[f"{prefix}.weight"].T)
    bias = graph.weight(f"{prefix}.bias", tensors[f"{prefix}.bias"])
    return graph.node("Add", [product, bias], f"{prefix}/sum")


def _layer_norm(graph, tensors, shape, prefix, value):
    scale = graph.weight(f"{prefix}.weight", tensors[f"{prefix}.weight"])
    bias = graph.weight(f"{prefix}.bias", tensors[f"{prefix}.bias"])
    return graph.node("LayerNormalization", [value, scale, bias], f"{prefix}/norm",
                      axis=-1, epsilon=shape.layer_norm_eps)
