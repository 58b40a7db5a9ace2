"""A model hub on this machine for tests: names files as hubs do, redirects to a storage of its own,
and misbehaves on demand. Both sides note every request."""

import hashlib
import http.server
import socket
import ssl
import threading
import time

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB_HOST, STORAGE_HOST = "127.0.0.1", "127.0.0.2"    # two hosts, both of this machine


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_name(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.hub.answer(self)

    def log_message(self, *_):
        pass

    def start(self, status, *headers):
        """Status line and headers, with no word of ours about the length."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def whole(self, status, body, *headers):
        self.start(status, ("Content-Length", str(len(body))), *headers)
        self.wfile.write(body)

    def end(self):
        """Ends the connection, whatever was promised."""
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):    # a client that left in the middle is what these tests are about
        pass


def first_byte(handler):
    """Where the asked range begins; 0 without one."""
    asked = handler.headers.get("Range")
    return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0


def serve(handler, data):
    """What an honest storage does, ranges and If-Range included."""
    etag, at = f'"{sha256(data)[:16]}"', first_byte(handler)
    if handler.headers.get("If-Range", etag) != etag:
        at = 0
    if at >= len(data) and handler.headers.get("Range"):
        handler.whole(416, b"", ("Content-Range", f"bytes */{len(data)}"))
    elif handler.headers.get("Range") and at > 0:
        handler.whole(206, data[at:], ("ETag", etag),
                      ("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}"))
    else:
        handler.whole(200, data, ("ETag", etag))


class Hub:
    """A context manager. `files` is {path in the repository: bytes}; `says` changes what the hub's own
    answer is, `sends` what the storage's is: each a list of functions (handler, data), one for each
    request in turn, and honest ones when the list has ended."""

    def __init__(self, files, tls=None):
        self.files, self.says, self.sends = dict(files), [], []
        self.hub_requests, self.storage_requests = [], []
        self.tls, self.lock = tls, threading.Lock()

    def __enter__(self):
        self.servers = [self._listen(HUB_HOST), self._listen(STORAGE_HOST)]
        self.hub_server, self.storage_server = self.servers
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://{HUB_HOST}:{self.hub_server.server_port}"
        self.storage_url = f"{scheme}://{STORAGE_HOST}:{self.storage_server.server_port}"
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
        return self

    def _listen(self, host):
        server = Server((host, 0), Handler)
        server.hub = self
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        return server

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def path(self, file, revision=COMMIT, repository="owner/model"):
        return f"/{repository}/resolve/{revision}/{file}"

    def answer(self, handler):
        is_hub = handler.server is self.hub_server
        with self.lock:
            (self.hub_requests if is_hub else self.storage_requests).append(
                {"path": handler.path, **{k.lower(): v for k, v in handler.headers.items()}})
            turns = self.says if is_hub else self.sends
            behave = turns.pop(0) if turns else None
        name = next((file for file in self.files if handler.path.split("?")[0].endswith("/" + file)), None)
        if name is None:
            handler.whole(404, b"Entry not found")
        elif behave:
            behave(handler, self.files[name])
        elif is_hub:
            self.redirect(handler, self.files[name])
        else:
            serve(handler, self.files[name])

    def redirect(self, handler, data, **changed):
        """What hubs say of a large file. A header is left out by giving None for it."""
        headers = {"Location": f"{self.storage_url}{handler.path}?signature=secret",
                   "X-Linked-Etag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data)),
                   "X-Repo-Commit": COMMIT}
        headers.update({key.replace("_", "-"): value for key, value in changed.items()})
        handler.whole(302, b"Found", *[(k, v) for k, v in headers.items() if v is not None])

    def small(self, handler, data, **changed):
        """What hubs say of a small file: it is not redirected, and called as git calls it."""
        headers = {"ETag": f'"{git_name(data)}"', "X-Repo-Commit": COMMIT, **changed}
        handler.whole(200, data, *[(k, v) for k, v in headers.items() if v is not None])


# ---- a storage that misbehaves: each is what one request gets -----------------------------------

def cut_after(count):
    """Promises all and ends after so many bytes of what was asked for."""
    def behave(handler, data):
        at = first_byte(handler)
        if at:
            handler.start(206, ("Content-Length", str(len(data) - at)),
                          ("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}"))
        else:
            handler.start(200, ("Content-Length", str(len(data))), ("ETag", f'"{sha256(data)[:16]}"'))
        handler.wfile.write(data[at:at + count])
        handler.end()
    return behave


def promise(length, body=None):
    """Says `length` bytes and sends `body`, or the file."""
    def behave(handler, data):
        handler.start(200, ("Content-Length", str(length)))
        handler.wfile.write(data if body is None else body)
        handler.end()
    return behave


def chunked(change=lambda data: data):
    """Without any length: in chunks of 10 kB, to the end that the protocol has for it."""
    def behave(handler, data):
        data = change(data)
        handler.start(200, ("Transfer-Encoding", "chunked"))
        for at in range(0, len(data), 10000):
            piece = data[at:at + 10000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")
    return behave


def without_ranges(handler, data):
    handler.whole(200, data)


def other_bytes(handler, data):
    at = first_byte(handler)
    body = bytes(b ^ 255 for b in data[at:])
    if at:
        handler.whole(206, body, ("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}"))
    else:
        handler.whole(200, body)


def range_of(first, last, total):
    """A 206 that claims this, whatever was asked."""
    def behave(handler, data):
        handler.whole(206, data[:10], ("Content-Range", f"bytes {first}-{last}/{total}"))
    return behave


def status(number, *headers):
    def behave(handler, _):
        handler.whole(number, b"no", *headers)
    return behave


def raw_header(line):
    def behave(handler, data):
        handler.start(200, ("Content-Length", str(len(data))), *[line])
        handler.wfile.write(data)
    return behave


def endless_headers(handler, _):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    try:
        for number in range(100000):
            handler.wfile.write(b"X-%d: %s\r\n" % (number, b"x" * 200))
    except OSError:
        pass
    handler.end()


def drip(handler, data):
    """A byte now and then: never silent, never done."""
    handler.start(200, ("Content-Length", str(len(data))))
    try:
        for at in range(600):
            handler.wfile.write(data[at:at + 1])
            time.sleep(0.1)
    except OSError:
        pass
    handler.end()


class HoldAfter:
    """Sends so many bytes and then waits for `release`; `reached` is set when they are out."""

    def __init__(self, count):
        self.count, self.reached, self.release = count, threading.Event(), threading.Event()

    def __call__(self, handler, data):
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handler.start(200, ("Content-Length", str(len(data))), ("ETag", f'"{sha256(data)[:16]}"'))
        handler.wfile.write(data[:self.count])
        handler.wfile.flush()
        self.reached.set()
        self.release.wait(60)
        try:
            handler.wfile.write(data[self.count:])
        except OSError:
            pass
