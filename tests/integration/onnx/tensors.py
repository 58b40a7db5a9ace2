#!/usr/bin/env python3
"""Raw tensors through the daemon: every element type, shapes, choice of outputs and refusals, beside
ONNX Runtime in Python. Prints TAP.

    tensors.py --bin BUILD/bin
"""

import argparse
import fcntl
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures"))
import architectures                                # noqa: E402
import memfds                                       # noqa: E402
import v2                                           # noqa: E402
from daemon import Daemon, must, run_tests          # noqa: E402

TYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
         "float16": 10, "float64": 11, "uint32": 12, "uint64": 13}
KINDS = {number: name for name, number in TYPES.items()}
ANY = 0xFFFFFFFF
OUTPUTS_MAY_BE_MEMFDS = 8
daemon, sessions = None, {}


def every_type():
    """Of each element type one input [n, 3] and one output [2 n, 3]: the input below itself."""
    nodes = [helper.make_node("Concat", [f"in_{t}", f"in_{t}"], [f"out_{t}"], axis=0) for t in TYPES]
    return graph("every-type", nodes, [(f"in_{t}", t, ["n", 3]) for t in TYPES],
                 [(f"out_{t}", t, [None, 3]) for t in TYPES])


def arithmetic():
    """A scalar, a fixed shape, a free one, rank 4; one output that is a scalar, one that is empty."""
    nodes = [helper.make_node("Mul", ["matrix", "factor"], ["scaled"]),
             helper.make_node("ReduceSum", ["scaled"], ["sum"], keepdims=0),
             helper.make_node("Transpose", ["cube"], ["turned"], perm=[3, 2, 1, 0]),
             helper.make_node("NonZero", ["flags"], ["where"])]
    return graph("arithmetic", nodes,
                 [("matrix", "float32", [2, 3]), ("factor", "float32", []),
                  ("cube", "int32", ["a", "b", "c", "d"]), ("flags", "bool", ["n"])],
                 [("scaled", "float32", [2, 3]), ("sum", "float32", []),
                  ("turned", "int32", ["d", "c", "b", "a"]), ("where", "int64", [1, None])])


def graph(name, nodes, inputs, outputs):
    body = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(i, TYPES[t], dims) for i, t, dims in inputs],
        [helper.make_tensor_value_info(o, TYPES[t], dims) for o, t, dims in outputs])
    model = helper.make_model(body, producer_name="hearth", ir_version=8,
                              opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def said(name, array):
    return {"name": name, "type": TYPES[array.dtype.name], "shape": list(array.shape),
            "data": numpy.ascontiguousarray(array).tobytes()}


def heard(tensor):
    array = numpy.frombuffer(tensor["data"], KINDS[tensor["type"]])
    return array.reshape(tensor["shape"])


def ask(model, feed, outputs=()):
    return daemon.infer(model_id=model, task=v2.TASKS["tensors"],
                        tensors=[said(name, array) for name, array in feed.items()],
                        outputs=[{"name": name} for name in outputs])


def check(model, feed, outputs=()):
    """Bit for bit what ONNX Runtime answers."""
    answer = ask(model, feed, outputs)
    must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
    session = sessions[model]
    names = list(outputs) or [port.name for port in session.get_outputs()]
    wanted = session.run(names, feed)
    must([t["name"] for t in answer["tensors"]] == names, f"{[t['name'] for t in answer['tensors']]}")
    for name, left, tensor in zip(names, wanted, answer["tensors"]):
        right = heard(tensor)
        must(left.dtype == right.dtype and left.shape == right.shape,
             f"{name}: {left.dtype} {left.shape}, ours {right.dtype} {right.shape}")
        must(left.tobytes() == right.tobytes(), f"{name}: other numbers")


def random_arrays(rows, seed):
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    feed = {}
    for kind in TYPES:
        bits = random.integers(0, 256, (rows, 3, numpy.dtype(kind).itemsize), numpy.uint8)
        array = (bits & 1).astype(bool) if kind == "bool" else bits.view(kind)
        feed[f"in_{kind}"] = array.reshape(rows, 3)
    return feed


def small():
    return {"matrix": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 7,
            "factor": numpy.array(-1.5, numpy.float32),
            "cube": numpy.arange(2 * 3 * 4 * 5, dtype=numpy.int32).reshape(2, 3, 4, 5),
            "flags": numpy.array([True, False, True])}


def every_element_type_comes_back_bit_for_bit():
    for rows in (1, 2, 17):
        check("every-type", random_arrays(rows, rows))


def nothing_in_a_dimension_is_a_tensor_too():
    check("every-type", random_arrays(0, 1))
    check("arithmetic", {**small(), "flags": numpy.zeros(0, bool)})
    check("arithmetic", {**small(), "flags": numpy.zeros(5, bool),
                         "cube": numpy.zeros((0, 2, 0, 1), numpy.int32)})


def scalars_and_four_dimensions_equal_the_reference():
    check("arithmetic", small())


def the_outputs_that_are_asked_for_come_in_that_order():
    check("arithmetic", small(), ["turned"])
    check("arithmetic", small(), ["where", "scaled"])


def refused(feed, code, *words, outputs=()):
    answer = ask("arithmetic", feed, outputs)
    must(v2.ERRORS.get(answer["code"]) == code, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
    for word in words:
        must(word in answer["error"], f"{word!r} is not in {answer['error']!r}")


def what_does_not_fit_is_refused_by_its_name():
    wrong = {**small(), "matrix": small()["matrix"].astype(numpy.float64)}
    refused(wrong, "input_invalid", "matrix", "float32", "float64")
    refused({**small(), "matrix": numpy.zeros((2, 4), numpy.float32)}, "input_invalid", "matrix", "[2, 3]")
    refused({**small(), "matrix": numpy.zeros((2, 3, 1), numpy.float32)}, "input_invalid", "matrix")
    refused({name: a for name, a in small().items() if name != "flags"}, "input_invalid", "flags")
    refused({**small(), "more": numpy.zeros(1, numpy.int64)}, "input_invalid", "tensors[4]", "matrix")
    refused(small(), "input_invalid", "outputs[0]", "turned", outputs=["nothing"])


def after_refusals_it_answers_as_before():
    check("arithmetic", small())


def ask_by_memfds(feed, in_memfds, flags, connection):
    """Those of @in_memfds travel as memfds; an answer's are read and put where inline data would be."""
    tensors, fds = [], []
    for name, array in feed.items():
        tensor = said(name, array)
        if name in in_memfds:
            fds.append(memfds.sealed(tensor.pop("data")))
            tensor["memfd_bytes"] = array.nbytes
        tensors.append(tensor)
    connection.send_with("inference_request", fds, **{**v2.SAMPLING, "request_id": 1, "priority": 1},
                         model_id="arithmetic", task=v2.TASKS["tensors"], tensors=tensors, flags=flags)
    kind, answer = connection.receive()
    must(kind == "inference_response", f"{kind}: {answer}")
    for tensor in answer["tensors"]:
        if tensor["memfd_bytes"]:
            tensor["data"] = memfds.content(connection.fds.pop(0))
            must(len(tensor["data"]) == tensor["memfd_bytes"], f"{len(tensor['data'])} bytes in a memfd")
    return answer


def large(elements):
    """A cube of so many int32, and the little ones."""
    return {**small(), "cube": numpy.arange(elements, dtype=numpy.int32).reshape(2, 2, -1, 1)}


def tensors_in_memfds_equal_the_reference():
    feed = large(4 << 20)      # 16 MiB, beyond what a message holds
    wanted = sessions["arithmetic"].run(None, feed)
    connection = memfds.Connection(daemon.socket_path)
    connection.handshake()
    for in_memfds in (["cube"], list(feed)):
        answer = ask_by_memfds(feed, in_memfds, OUTPUTS_MAY_BE_MEMFDS, connection)
        must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
        for left, tensor in zip(wanted, answer["tensors"], strict=True):
            must(heard(tensor).tobytes() == left.tobytes(), f"{tensor['name']}: other numbers")
        must(any(tensor["memfd_bytes"] for tensor in answer["tensors"]), "no output came as a memfd")
        must(connection.fds == [], "a memfd belongs to no tensor")
    connection.close()


def a_large_output_without_leave_for_memfds_is_refused_and_what_fits_is_answered():
    connection = memfds.Connection(daemon.socket_path)
    connection.handshake()
    answer = ask_by_memfds(large(1 << 20), ["cube"], 0, connection)
    must(answer["code"] != 0 and "memfd" in answer["error"], f"{answer['code']} {answer['error']}")
    feed = large(64)
    answer = ask_by_memfds(feed, ["cube"], 0, connection)
    must(answer["code"] == 0 and not any(t["memfd_bytes"] for t in answer["tensors"]), f"{answer['error']}")
    connection.close()


def memfds_that_may_still_change_are_refused():
    for seals in (0, memfds.SEALS & ~fcntl.F_SEAL_WRITE, memfds.SEALS & ~fcntl.F_SEAL_SHRINK):
        connection = memfds.Connection(daemon.socket_path)
        connection.handshake()
        feed = small()
        tensors = [said(name, array) for name, array in feed.items() if name != "cube"]
        tensors.append({**said("cube", feed["cube"]), "data": b"", "memfd_bytes": feed["cube"].nbytes})
        fd = memfds.sealed(feed["cube"].tobytes(), seals)
        connection.send_with("inference_request", [fd], **{**v2.SAMPLING, "request_id": 1, "priority": 1},
                             model_id="arithmetic", task=v2.TASKS["tensors"], tensors=tensors)
        kind, answer = connection.receive()
        must(kind == "inference_response" and v2.ERRORS.get(answer["code"]) == "input_invalid",
             f"seals {seals}: {kind} {answer}")
        connection.close()


def a_model_tells_its_inputs_and_outputs():
    answer = daemon.ask("model_request", "model_response", request_id=1, model_id="arithmetic")
    must(answer["code"] == 0, answer["error"])
    found = {port["name"]: (port["type"], list(port["shape"])) for port in answer["inputs"]}
    must(found == {"matrix": (1, [2, 3]), "factor": (1, []), "cube": (6, [ANY] * 4), "flags": (9, [ANY])},
         f"{found}")
    found = {port["name"]: (port["type"], list(port["shape"])) for port in answer["outputs"]}
    must(found == {"scaled": (1, [2, 3]), "sum": (1, []), "turned": (6, [ANY] * 4), "where": (7, [1, ANY])},
         f"{found}")


def main():
    global daemon
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    made = {"every-type": every_type(), "arithmetic": arithmetic()}
    with tempfile.TemporaryDirectory(prefix="hearth-models-") as folder:
        for name, data in made.items():
            architectures.write_model(folder, name, "tensors", {"model": ("model.onnx", data)})
            sessions[name] = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        with Daemon(options.bin, [folder], list(made)) as started:
            daemon = started
            return run_tests([
                every_element_type_comes_back_bit_for_bit, nothing_in_a_dimension_is_a_tensor_too,
                scalars_and_four_dimensions_equal_the_reference,
                the_outputs_that_are_asked_for_come_in_that_order,
                tensors_in_memfds_equal_the_reference,
                a_large_output_without_leave_for_memfds_is_refused_and_what_fits_is_answered,
                memfds_that_may_still_change_are_refused,
                what_does_not_fit_is_refused_by_its_name, after_refusals_it_answers_as_before,
                a_model_tells_its_inputs_and_outputs])


if __name__ == "__main__":
    sys.exit(main())
