"""One engine, one model, one task, in a process of its own: run by gguf_engines.py.

    gguf_probe.py '{"engine": "llama-server" | "xllamacpp", "model": PATH, "threads": N, "context": N,
                    "prompts": [[id, ...], ...], "tokens": N, "program": PATH}'

Prints one JSON object: seconds to load, and of each prompt its text, tokens a second of prompt and of
answer, and milliseconds to the first token; last the peak resident set. Both engines are asked with
the same body and tell their own times ("timings"), so that Python is in none of them.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 600


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class LlamaServer:
    """The program that deps/bench built from the locked source."""

    def __init__(self, task):
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-probe-")
        self.socket = os.path.join(self.folder.name, "http.sock")
        command = [task["program"], "--model", task["model"], "--host", self.socket, "--parallel", "1",
                   "--ctx-size", str(task["context"]), "--threads", str(task["threads"])]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        while not self.is_ready():
            code = self.process.poll()
            if code is not None:
                self.folder.cleanup()
                if code < 0:                # its death is this process's death
                    os.kill(os.getpid(), -code)
                sys.exit(1)
            time.sleep(0.002)

    def is_ready(self):
        try:
            return self.request("GET", "/health", None)[0] == 200
        except OSError:
            return False

    def request(self, method, path, body):
        connection = UnixConnection(self.socket)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data

    def complete(self, body):
        status, data = self.request("POST", "/v1/completions", body)
        if status != 200:
            sys.exit(1)
        return json.loads(data)

    def pid(self):
        return self.process.pid

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.folder.cleanup()


class Xllamacpp:
    """Another release of the same library, as its wheel has it, inside this process."""

    def __init__(self, task):
        import xllamacpp
        params = xllamacpp.CommonParams()
        params.model.path = task["model"]
        params.n_ctx, params.n_parallel = task["context"], 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = task["threads"]
        try:
            self.server = xllamacpp.Server(params)
        except RuntimeError:
            sys.exit(1)

    def complete(self, body):
        answer = self.server.handle_completions(body)
        return json.loads(answer) if isinstance(answer, (str, bytes)) else answer

    def pid(self):
        return os.getpid()

    def close(self):
        pass


def peak_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", text.read(), re.M)[1]) / 1000


def ask(engine, prompt, tokens):
    answer = engine.complete({"prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": False,
                              "cache_prompt": False})
    timings = answer["timings"]
    return {"text": answer["choices"][0]["text"], "first_ms": timings["prompt_ms"],
            "prompt_rate": timings["prompt_per_second"], "rate": timings["predicted_per_second"]}


def main():
    task = json.loads(sys.argv[1])
    begin = time.monotonic()
    engine = {"llama-server": LlamaServer, "xllamacpp": Xllamacpp}[task["engine"]](task)
    ask(engine, [300, 301], 1)
    load_s = time.monotonic() - begin
    found = [ask(engine, prompt, task["tokens"]) for prompt in task["prompts"]]
    print(json.dumps({"load_s": load_s, "prompts": found, "peak_mb": peak_mb(engine.pid())}))
    sys.stdout.flush()
    engine.close()
    os._exit(0)     # what the library's threads do at the end is not what is measured


if __name__ == "__main__":
    main()
