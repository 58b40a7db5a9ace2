#!/usr/bin/env python3
"""Raw tensors through the engine: any model, any element type, against ONNX Runtime in Python. Prints
TAP. usage: test_tensors.py DRIVER"""

import sys
import tempfile
from pathlib import Path

import numpy
import onnxruntime
from onnx import TensorProto, helper

from engine import Engine, Graph, Refused, expect_refused, must, save, v2, weights
from daemon import run_tests

DRIVER = sys.argv[1]
KEPT = tempfile.TemporaryDirectory(prefix="hearth-tensors-")      # gone when the program ends
FOLDER = Path(KEPT.name)
ELEMENTS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16,
            "int8": TensorProto.INT8, "int16": TensorProto.INT16, "int32": TensorProto.INT32,
            "int64": TensorProto.INT64, "uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16,
            "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64, "bool": TensorProto.BOOL}


def port(name, element, shape):
    return helper.make_tensor_value_info(name, ELEMENTS.get(element, element), shape)


def load(**more):
    return Engine(DRIVER, FOLDER, "tensors", {"model": "m.onnx"}, **more)


def same(found, wanted, what):
    must(isinstance(found, dict), f"{what}: {found}")
    for name, array in wanted.items():
        must(name in found, f"{what}: no output {name}")
        must(found[name].shape == array.shape and found[name].dtype == array.dtype and
             found[name].tobytes() == array.tobytes(), f"{what}: {name} differs: {found[name]} {array}")
    must(len(found) == len(wanted), f"{what}: outputs {sorted(found)}")


def reference(feed, outputs=None):
    session = onnxruntime.InferenceSession(str(FOLDER / "m.onnx"))
    names = outputs or [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed)))


def values(rng, element, shape):
    if element == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if element.startswith("float"):
        array = rng.normal(size=shape).astype(element)
        if array.size:
            array.flat[0] = numpy.nan
            array.flat[-1] = -numpy.inf
        return array
    info = numpy.iinfo(element)
    array = rng.integers(info.min, info.max, shape, dtype=element, endpoint=True)
    if array.size:
        array.flat[0], array.flat[-1] = info.min, info.max
    return array


def make_mixed():
    """One input and one output of each type; all go through unchanged but for a transposition."""
    graph = Graph()
    for element in ELEMENTS:
        graph.node("Transpose", [element], element + "_out")
    save(FOLDER / "m.onnx", graph, [port(e, e, ["a", "b"]) for e in ELEMENTS],
         [port(e + "_out", e, ["b", "a"]) for e in ELEMENTS])


def every_element_type_comes_and_goes_bit_for_bit():
    make_mixed()
    rng = numpy.random.default_rng(1)
    with load() as engine:
        for shape in ((3, 5), (1, 1), (7, 2)):      # odd sizes: data stands at any address of a frame
            feed = {e: values(rng, e, shape) for e in ELEMENTS}
            same(engine.run(feed), reference(feed), f"{shape}")


def a_tensor_without_elements_passes():
    make_mixed()
    with load() as engine:
        for shape in ((0, 4), (4, 0), (0, 0)):
            feed = {e: values(numpy.random.default_rng(2), e, shape) for e in ELEMENTS}
            same(engine.run(feed), reference(feed), f"{shape}")


def ports_are_told_as_the_library_infers_them():
    make_mixed()
    with load() as engine:
        for element in ELEMENTS:
            wanted = (v2.TENSOR_TYPES[element], [v2.ANY_SIZE, v2.ANY_SIZE])
            must(engine.inputs[element] == wanted and engine.outputs[element + "_out"] == wanted, f"{element}")
        must(engine.facts["opset"] == "17" and engine.facts["producer"] == "test 7", f"{engine.facts}")


def make_affine(seed=3, shape=("n", 4)):
    """y = x W + s, and its argmax; s is a scalar."""
    graph, rng = Graph(), numpy.random.default_rng(seed)
    product = graph.node("MatMul", ["x", graph.value("w", weights(rng, 4, 3))], "product")
    graph.node("Add", [product, "s"], "y")
    graph.node("ArgMax", ["y"], "best", axis=-1, keepdims=0)
    save(FOLDER / "m.onnx", graph, [port("x", "float32", shape), port("s", "float32", [])],
         [port("y", "float32", None), port("best", "int64", None)])


def arithmetic_is_that_of_the_library():
    make_affine()
    rng = numpy.random.default_rng(4)
    with load() as engine:
        for rows in (1, 2, 9):
            feed = {"x": weights(rng, rows, 4), "s": numpy.array(0.5, numpy.float32)}
            same(engine.run(feed), reference(feed), f"{rows} rows")
        must(engine.outputs["y"] == (1, [v2.ANY_SIZE, 3]), f"inferred: {engine.outputs}")
        must(engine.inputs["s"] == (1, []), f"a scalar: {engine.inputs}")


def outputs_come_as_asked_and_in_that_order():
    make_affine()
    feed = {"s": numpy.array(1, numpy.float32), "x": weights(numpy.random.default_rng(5), 2, 4)}
    with load() as engine:
        same(engine.run(feed, ["best"]), reference(feed, ["best"]), "one output")
        found = engine.run(feed, ["best", "y"])
        must(list(found) == ["best", "y"], f"order {list(found)}")


def what_does_not_fit_is_refused_by_name_before_the_run():
    make_affine()
    x, s = numpy.zeros((2, 4), numpy.float32), numpy.array(0, numpy.float32)
    cases = [({"x": x}, (), "input \"s\" is missing; the model takes x, s"),
             ({"x": x, "s": s, "z": s}, (), "tensors[2]: the model has no input of that name; it takes x, s"),
             ({"x": x.astype(numpy.float64), "s": s}, (), "input \"x\": float64 [2, 4] given, float32 [any, 4] wanted"),
             ({"x": x[0], "s": s}, (), "input \"x\": float32 [4] given, float32 [any, 4] wanted"),
             ({"x": x.reshape(4, 2), "s": s}, (), "input \"x\": float32 [4, 2] given, float32 [any, 4] wanted"),
             ({"x": x, "s": s.reshape(1)}, (), "input \"s\": float32 [1] given, float32 [] wanted"),
             ({"x": x, "s": s}, ["y", "z"], "outputs[1]: the model has no output of that name; it gives y, best")]
    with load() as engine:
        for feed, outputs, part in cases:
            found = engine.run(feed, outputs)
            must(isinstance(found, str) and found.startswith("input_invalid") and part in found,
                 f"wanted {part!r}, got {found}")
        must(isinstance(engine.run({"x": x, "s": s}), dict), "the next run suffers")


def a_byte_that_is_no_bool_is_refused():
    graph = Graph()
    graph.node("Not", ["b"], "n")
    save(FOLDER / "m.onnx", graph, [port("b", "bool", [None])], [port("n", "bool", [None])])
    with load() as engine:
        same(engine.run({"b": numpy.array([True, False])}), {"n": numpy.array([False, True])}, "not")
        answer = engine.ask(tensors=[{"name": "b", "type": 9, "shape": [2], "data": b"\x01\x02"}])
        must("a bool is a byte of 0 or 1" in answer["error"], answer["error"])


def an_input_of_open_rank_takes_any():
    graph = Graph()
    graph.node("Identity", ["x"], "y")
    save(FOLDER / "m.onnx", graph, [port("x", "int32", None)], [port("y", "int32", None)])
    with load() as engine:
        for shape in ((), (3,), (1, 2, 3, 4, 5, 6, 7, 8)):
            feed = {"x": values(numpy.random.default_rng(6), "int32", shape)}
            same(engine.run(feed), {"y": feed["x"]}, f"{shape}")


def an_index_that_a_client_sent_is_in_no_error():
    graph = Graph()
    graph.node("Gather", [graph.value("table", weights(numpy.random.default_rng(7), 5, 2)), "i"], "row")
    save(FOLDER / "m.onnx", graph, [port("i", "int64", [None])], [port("row", "float32", [None, 2])])
    with load() as engine:
        found = engine.run({"i": numpy.array([1, 48151623], numpy.int64)})
        must(found.startswith("engine_failed") and "48151623" not in found, found)
        found = engine.run({"i": numpy.array([4], numpy.int64)})
        must(isinstance(found, dict), f"{found}")
    for operator, more in (("GatherND", []), ("ScatterND", ["more"])):      # each words it in its own way
        graph = Graph()
        graph.node(operator, [graph.value("table", weights(numpy.random.default_rng(8), 5)), "i", *more], "row")
        graph.value("more", weights(numpy.random.default_rng(9), 1))
        save(FOLDER / "m.onnx", graph, [port("i", "int64", [None, 1])], [port("row", "float32", [None])])
        with load() as engine:
            found = engine.run({"i": numpy.array([[48151623]], numpy.int64)})
            must(found.startswith("engine_failed") and operator in found and "48151623" not in found, found)


def a_port_that_cannot_travel_is_refused_by_name():
    graph = Graph()
    graph.node("Identity", ["x"], "words")
    for element in (TensorProto.STRING, TensorProto.BFLOAT16):
        save(FOLDER / "m.onnx", graph, [port("x", element, [None])], [port("words", element, [None])])
        expect_refused("unsupported", "input \"x\" is no tensor of numbers", DRIVER, FOLDER, "tensors",
                       {"model": "m.onnx"})
    graph = Graph()
    graph.node("SequenceConstruct", ["x"], "list")
    sequence = helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, [None])
    save(FOLDER / "m.onnx", graph, [port("x", "float32", [None])], [sequence])
    expect_refused("unsupported", "output \"list\" is no tensor", DRIVER, FOLDER, "tensors", {"model": "m.onnx"})


def options_of_texts_mean_nothing_here():
    make_affine()
    for key, value in (("max_tokens", 16), ("pooling", "mean"), ("activation", "none")):
        try:
            load(options={key: value}).close()
        except Refused as found:
            must("has no meaning for the task tensors" in found.text, found.text)
        else:
            raise AssertionError(f"{key} was taken")


TESTS = [every_element_type_comes_and_goes_bit_for_bit,
         a_tensor_without_elements_passes,
         ports_are_told_as_the_library_infers_them,
         arithmetic_is_that_of_the_library,
         outputs_come_as_asked_and_in_that_order,
         what_does_not_fit_is_refused_by_name_before_the_run,
         a_byte_that_is_no_bool_is_refused,
         an_input_of_open_rank_takes_any,
         an_index_that_a_client_sent_is_in_no_error,
         a_port_that_cannot_travel_is_refused_by_name,
         options_of_texts_mean_nothing_here]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
