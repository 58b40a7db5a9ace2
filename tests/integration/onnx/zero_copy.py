#!/usr/bin/env python3
"""A tensor in a memfd is not copied: a model that reads three rows of 256 MiB touches three rows. Prints
TAP.

    zero_copy.py --bin BUILD/bin
"""

import argparse
import fcntl
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kit"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures"))
import architectures                                # noqa: E402
import memfds                                       # noqa: E402
import v2                                           # noqa: E402
from daemon import Daemon, must, run_tests          # noqa: E402

ROWS, WIDTH, MIB = 65536, 1024, 1 << 20             # 256 MiB of float32
WANTED = [5, ROWS - 1, 30000]
daemon = None


def gather():
    """rows[i]: reads what it gives and no more."""
    inputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", WIDTH]),
              helper.make_tensor_value_info("i", TensorProto.INT64, ["k"])]
    outputs = [helper.make_tensor_value_info("picked", TensorProto.FLOAT, ["k", WIDTH])]
    graph = helper.make_graph([helper.make_node("Gather", ["rows", "i"], ["picked"])], "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def sparse_memfd():
    """Only the rows that are asked for have pages."""
    fd = os.memfd_create("rows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, ROWS * WIDTH * 4)
    for row in WANTED:
        os.pwrite(fd, numpy.full(WIDTH, row, numpy.float32).tobytes(), row * WIDTH * 4)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, memfds.SEALS)
    return fd


def most_resident(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def ask():
    connection = memfds.Connection(daemon.socket_path)
    connection.handshake()
    index = numpy.array(WANTED, numpy.int64)
    tensors = [{"name": "rows", "type": v2.TENSOR_TYPES["float32"], "shape": [ROWS, WIDTH],
                "memfd_bytes": ROWS * WIDTH * 4},
               {"name": "i", "type": v2.TENSOR_TYPES["int64"], "shape": [len(WANTED)], "data": index.tobytes()}]
    connection.send_with("inference_request", [sparse_memfd()], **{**v2.SAMPLING, "request_id": 1, "priority": 1},
                         model_id="gather", task=v2.TASKS["tensors"], tensors=tensors)
    _, answer = connection.receive()
    connection.close()
    return answer


def large_inputs_are_read_where_the_client_put_them():
    worker = daemon.model("gather")["worker_pid"]
    pids = {"worker": worker, "daemon": daemon.process.pid}
    before = {name: most_resident(pid) for name, pid in pids.items()}
    answer = ask()
    must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
    picked = numpy.frombuffer(answer["tensors"][0]["data"], numpy.float32).reshape(len(WANTED), WIDTH)
    must((picked == numpy.array(WANTED, numpy.float32)[:, None]).all(), "other rows")
    for name, pid in pids.items():
        grown = most_resident(pid) - before[name]
        print(f"# the {name}'s peak grew by {grown / MIB:.1f} MiB for a tensor of 256 MiB")
        must(grown < 16 * MIB, f"the {name} grew by {grown} bytes")


def main():
    global daemon
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearth-models-") as folder:
        architectures.write_model(folder, "gather", "tensors", {"model": ("model.onnx", gather())})
        with Daemon(options.bin, [folder], ["gather"]) as started:
            daemon = started
            return run_tests([large_inputs_are_read_where_the_client_put_them])


if __name__ == "__main__":
    sys.exit(main())
