#!/usr/bin/env python3
"""The daemon with three models works for a minute under strace and makes Unix sockets only; no
program of ours links a network library. Prints TAP."""

import argparse
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                       # noqa: E402
from daemon import Daemon, must, run_tests      # noqa: E402

WORK_SECONDS = 62
CONNECTIONS = 3
NETWORK_LIBRARIES = re.compile(r"lib(curl|ssl|gnutls|nghttp|nss3|resolv|ssh|websockets|zmq|grpc)")


def work(daemon, end, counts, problems):
    """Asks for all three kinds of answer until the time is over."""
    try:
        connection = daemon.connect()
        while time.monotonic() < end:
            for message in (
                    {"model_id": "hearth-intent", "task": 0, "texts": [{"text": "wake me at six"}]},
                    {"model_id": "all-minilm-l6-v2", "task": 1, "texts": [{"text": "a cat"}]},
                    {"model_id": "smollm2-135m-instruct", "task": 3, "max_tokens": 16,
                     "messages": [{"role": 1, "content": "Say hello."}]}):
                answer = daemon.infer(connection, **message)
                must(answer["code"] == 0, f"{v2.ERRORS.get(answer['code'])}: {answer['error']}")
                counts.append(message["task"])
        connection.close()
    except Exception as problem:    # carried to the main thread
        problems.append(f"{type(problem).__name__}: {problem}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    models = ["hearth-intent", "all-minilm-l6-v2", "smollm2-135m-instruct"]
    programs = ["hearthd", "hearth", "hearth-worker-onnx", "hearth-worker-gguf",
                "hearth-worker-echo"]

    def no_program_links_a_network_library():
        library = Path(options.bin).parent / "lib" / "libhearth.so.0"
        for path in [Path(options.bin) / p for p in programs] + [library]:
            needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
            must(not NETWORK_LIBRARIES.search(needed), f"{path.name} links {needed}")

    def a_minute_of_work_makes_unix_sockets_only():
        daemon = Daemon(options.bin, "models/store", models)
        trace = daemon.home / "trace"
        # -D: the process that the test ends is hearthd itself and not the one that watches it.
        daemon.prefix = ["strace", "-D", "-f", "-q", "-e", "trace=network", "-o", str(trace)]
        with daemon:
            counts, problems, began = [], [], time.monotonic()
            threads = [threading.Thread(target=work, args=(daemon, began + WORK_SECONDS, counts,
                                                           problems)) for _ in range(CONNECTIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            must(not problems, "; ".join(problems))
            must(time.monotonic() - began >= 60, "less than a minute of work")
            must(set(counts) == {0, 1, 3}, f"only tasks {set(counts)} were asked for")
            calls = trace.read_text(errors="replace")
            sockets = re.findall(r"\bsocket(?:pair)?\((\w+),", calls)
            addresses = set(re.findall(r"sa_family=(\w+)", calls))
            must(sockets, "strace saw no socket at all")
            print(f"# {len(counts)} answers; {len(sockets)} sockets, families {sorted(set(sockets))}")
            must(set(sockets) == {"AF_UNIX"}, f"sockets of {set(sockets)}")
            must(addresses <= {"AF_UNIX"}, f"addresses of {addresses}")

    return run_tests([no_program_links_a_network_library, a_minute_of_work_makes_unix_sockets_only])


if __name__ == "__main__":
    sys.exit(main())
