#!/usr/bin/env python3
"""Model files as the onnx package writes them: what is sound loads, what is not is refused before the
library sees it. Prints TAP. usage: test_files.py DRIVER"""

import sys
import tempfile
from pathlib import Path

import numpy
from onnx import TensorProto, helper, numpy_helper

from engine import Engine, expect_refused, must
from daemon import run_tests

DRIVER = sys.argv[1]
KEPT = tempfile.TemporaryDirectory(prefix="hearth-files-")      # gone when the program ends
FOLDER = Path(KEPT.name)
MODEL = FOLDER / "m.onnx"
FILES = {"model": "m.onnx"}
OURS = "my.domain"


def port(name, shape=(2,)):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def write(nodes, initialisers=(), functions=(), opsets=(("", 17),), sparse=(), ir_version=10):
    graph = helper.make_graph(nodes, "g", [port("x")], [port("y")], list(initialisers),
                              sparse_initializer=list(sparse))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in opsets],
                              ir_version=ir_version, functions=list(functions))
    MODEL.write_bytes(model.SerializeToString())


def function(name, calls, domain=OURS):
    """b = the calls one after the other on a."""
    names = ["a", *(f"t{i}" for i in range(len(calls) - 1)), "b"]
    nodes = [helper.make_node(op, [names[i]], [names[i + 1]], domain=OURS if op.startswith("F") else "")
             for i, op in enumerate(calls)]
    return helper.make_function(domain, name, ["a"], ["b"], nodes,
                                [helper.make_opsetid("", 17), helper.make_opsetid(OURS, 1)])


def run(files=FILES):
    with Engine(DRIVER, FOLDER, "tensors", files) as engine:
        found = engine.run({"x": numpy.array([1, 2], numpy.float32)})
        must(isinstance(found, dict), f"{found}")
        return found["y"].tolist()


def refused(name, part, files=FILES):
    expect_refused(name, part, DRIVER, FOLDER, "tensors", files)


def functions_of_the_file_itself_are_operators():
    double = helper.make_function(OURS, "F0", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
                                  [helper.make_opsetid("", 17)])
    write([helper.make_node("F0", ["x"], ["t"], domain=OURS), helper.make_node("F1", ["t"], ["y"], domain=OURS)],
          functions=[function("F1", ["F0", "Identity"]), double], opsets=(("", 17), (OURS, 1)))
    must(run() == [4, 8], "twice doubled")


def functions_that_grow_without_end_are_refused():
    call = [helper.make_node("F0", ["x"], ["y"], domain=OURS)]
    ours = (("", 17), (OURS, 1))
    write(call, functions=[function("F0", ["F0"])], opsets=ours)
    refused("model_invalid", "function \"F0\" calls itself")
    write(call, functions=[function("F0", ["F1"]), function("F1", ["Identity", "F0"])], opsets=ours)
    refused("model_invalid", "calls itself")
    twice = [function(f"F{i}", [f"F{i + 1}"] * 2) for i in range(30)] + [function("F30", ["Identity"])]
    write(call, functions=twice, opsets=ours)
    refused("model_invalid", "more than 65536 nodes")
    chain = [function(f"F{i}", [f"F{i + 1}"]) for i in range(40)] + [function("F40", ["Identity"])]
    write(call, functions=chain, opsets=ours)
    refused("model_invalid", "more than 32 functions inside functions")
    write(call, functions=[function("F0", ["Identity"])] * 2, opsets=ours)
    refused("model_invalid", "function \"F0\" stands twice")
    write([helper.make_node("Identity", ["x"], ["y"])], functions=[function("F0", ["F0"])], opsets=ours)
    refused("model_invalid", "calls itself")


def domains_and_versions_are_known_or_named():
    same = [helper.make_node("Identity", ["x"], ["y"])]
    written_by_ort = [(d, 1) for d in ("com.microsoft", "com.microsoft.nchwc", "ai.onnx.training",
                                       "ai.onnx.preview.training", "com.microsoft.experimental",
                                       "org.pytorch.aten")]
    write(same, opsets=(("", 17), ("ai.onnx.ml", 3), ("com.ms.internal.nhwc", 17), *written_by_ort))
    must(run() == [1, 2], "imports that nothing uses")
    cases = [((("", 6),), "opset 6 of domain \"\"; 7 to 28 are read"),
             ((("", 29),), "opset 29 of domain \"\"; 7 to 28 are read"),
             ((("", 17), ("ai.onnx.ml", 6)), "opset 6 of domain \"ai.onnx.ml\"; 1 to 5 are read"),
             ((("", 17), ("com.microsoft", 2)), "opset 2 of domain \"com.microsoft\"; 1 to 1 are read"),
             ((("", 17), ("org.example", 1)), "an opset of the custom domain \"org.example\"")]
    for opsets, part in cases:
        write(same, opsets=opsets)
        refused("unsupported", part)
    write([helper.make_node("Warp", ["x"], ["y"], domain="org.example")])
    refused("unsupported", "operator Warp of the custom domain \"org.example\"")
    write([helper.make_node("Warp", ["x"], ["y"])])         # the library's own refusal
    refused("unsupported", "Warp")


def names_that_cannot_be_shown_are_refused():
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["yyyy"])], "g", [port("x")], [port("yyyy")])
    sound = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    for name in (b"y\xff\xc0y", b"y\ny!", b"y\x1b[m", b"y\0yy", b"yy\x7fy", b"\xed\xa0\x80y"):
        MODEL.write_bytes(sound.replace(b"yyyy", name))
        refused("unsupported", "names have 1 to 128 bytes of UTF-8, no control characters")
    MODEL.write_bytes(sound.replace(b"yyyy", "模y".encode()))
    with Engine(DRIVER, FOLDER, "tensors", FILES) as engine:
        must(list(engine.outputs) == ["模y"], f"{engine.outputs}")


def an_operator_inside_a_branch_is_seen():
    def branch(operator, domain=""):
        return helper.make_graph([helper.make_node(operator, ["x"], ["z"], domain=domain)], "b", [],
                                 [port("z")])
    yes = numpy_helper.from_array(numpy.array(True), "yes")
    for other, domain in (("Neg", ""), ("Warp", "org.example")):
        write([helper.make_node("If", ["yes"], ["y"], then_branch=branch("Neg"), else_branch=branch(other, domain))],
              [yes])
        if domain:
            refused("unsupported", "operator Warp of the custom domain")
        else:
            must(run() == [-1, -2], "the branch")


def sparse_tensors_are_refused():
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [3.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    write([helper.make_node("Add", ["x", "w"], ["y"])], sparse=[helper.make_sparse_tensor(values, indices, [2])])
    refused("unsupported", "a sparse tensor; export the model with dense weights")


def typed_data_must_be_as_much_as_the_shape_says():
    add = [helper.make_node("Add", ["x", "w"], ["y"])]
    write(add, [helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])])
    must(run() == [2, 4], "typed data")
    for shape, filled, part in (([3], "float_data", "holds 2 values in field 4, its type and shape need 3"),
                                ([1 << 40], "float_data", "holds 2 values in field 4"),
                                ([2], "double_data", "values in field 4, its type and shape need 2"),
                                ([0], "float_data", "need 0")):
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=shape)
        getattr(tensor, filled).extend([1.0, 2.0])
        write(add, [tensor])
        refused("model_invalid", part)
    every = {TensorProto.INT4: [5], TensorProto.BOOL: [1, 0], TensorProto.FLOAT16: [15360, 0],
             TensorProto.INT8: [1, 2], TensorProto.UINT32: [1, 2], TensorProto.DOUBLE: [1.0, 2.0],
             TensorProto.INT64: [-1, 2], TensorProto.BFLOAT16: [1, 2]}
    for kind, numbers in every.items():     # unused: only looked at
        tensor = TensorProto(name="unused", data_type=kind, dims=[2])
        field = {TensorProto.UINT32: "uint64_data", TensorProto.DOUBLE: "double_data",
                 TensorProto.INT64: "int64_data"}.get(kind, "int32_data")
        getattr(tensor, field).extend(numbers)
        write([helper.make_node("Identity", ["x"], ["y"])], [tensor])
        must(run() == [1, 2], f"type {kind}")


def write_external(**changes):
    tensor = numpy_helper.from_array(numpy.array([10, 20], numpy.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.data", "offset": "8", "length": "8", **changes}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (FOLDER / "w.data").write_bytes(bytes(8) + numpy.array([10, 20], numpy.float32).tobytes())
    write([helper.make_node("Add", ["x", "w"], ["y"])], [tensor])


def external_data_lies_in_the_listed_file_and_inside_it():
    beside = {**FILES, "weights": "w.data"}
    write_external()
    must(run(beside) == [11, 22], "external data")
    refused("model_invalid", "is not one of the model's files in its manifest")
    for changes, part in (({"offset": "12"}, "external data of 8 bytes at 12 of \"w.data\", which has 16"),
                          ({"length": "4"}, "its shape needs 8"),
                          ({"location": "../w.data"}, "leads out of the model's folder"),
                          ({"location": "/etc/passwd"}, "is an absolute path"),
                          ({"location": "sub/w.data"}, "lies in another folder"),
                          ({"location": "other.data"}, "is not one of the model's files")):
        write_external(**changes)
        refused("model_invalid", part, beside)


TESTS = [functions_of_the_file_itself_are_operators,
         functions_that_grow_without_end_are_refused,
         domains_and_versions_are_known_or_named,
         names_that_cannot_be_shown_are_refused,
         an_operator_inside_a_branch_is_seen,
         sparse_tensors_are_refused,
         typed_data_must_be_as_much_as_the_shape_says,
         external_data_lies_in_the_listed_file_and_inside_it]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
