# SPDX-License-Identifier: MIT
"""HTTP for the system tests: a target that understands it, and the clients that the library has.

`BYTES` is HTTP as a target's `Connection` gets it: bytes as they come. `Incoming` reads requests out of
them, and `site(respond)` is a behaviour that answers one after the other.
"""

import http.client
import re
import socket
import struct
from pathlib import Path

from .multiplexer import WITHIN, is_sanitized
from .wire import Wire

BYTES = Wire("http", lambda payload: payload, lambda data: (data, b"") if data else None, 1 << 30, None)


def _cut_whole(data):
    end = data.find(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", data[:end], re.IGNORECASE)
    size = end + 4 + (int(length[1]) if length else 0)
    return None if end < 0 or len(data) < size else (data[:size], data[size:])


# As a wire whose payload is a whole message, head and all; a body has its length announced.
WHOLE = Wire("http", bytes, _cut_whole, 1 << 30, None)
PIECE = 1 << 16
GROWTH_MAX = 4 << 20


class Incoming:
    """The requests of one connection. The end of the stream raises Stopped."""

    def __init__(self, connection):
        self.connection = connection
        self.rest = b""

    def more(self):
        self.rest += self.connection.receive()

    def until(self, mark):
        while mark not in self.rest:
            self.more()
        found, _, self.rest = self.rest.partition(mark)
        return found

    def pieces(self, size):
        """`size` bytes, as they come."""
        while size > 0:
            if not self.rest:
                self.more()
            piece, self.rest = self.rest[:size], self.rest[size:]
            size -= len(piece)
            yield piece

    def head(self):
        """The next request, without its body."""
        first, *fields = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, path, version = first.split(" ")
        return Request(self, method, path, version, dict(self._field(line) for line in fields))

    @staticmethod
    def _field(line):
        name, _, value = line.partition(":")
        return name.lower(), value.strip()


class Request:
    def __init__(self, incoming, method, path, version, fields):
        self.incoming = incoming
        self.connection = incoming.connection
        self.method = method
        self.path = path
        self.version = version
        self.fields = fields

    def body(self):
        """The body, piece by piece."""
        if "chunked" not in self.fields.get("transfer-encoding", ""):
            yield from self.incoming.pieces(int(self.fields.get("content-length", "0")))
            return
        while (size := int(self.incoming.until(b"\r\n").split(b";")[0], 16)) > 0:
            yield from self.incoming.pieces(size)
            assert self.incoming.until(b"\r\n") == b""
        while self.incoming.until(b"\r\n") != b"":
            pass

    def answer(self, body=b"", status="200 OK", fields=()):
        self.connection.send_raw(response(body, status, fields))


def response(body=b"", status="200 OK", fields=()):
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def request(path, method="GET", body=b"", fields=()):
    """The bytes of a request."""
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: test", *fields]
    if body:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join([*lines, "", ""]).encode() + body


def site(respond):
    """A behaviour: `respond(request)` for each request; a body that it left is read afterwards."""

    def behaviour(connection):
        incoming = Incoming(connection)
        while True:
            one = incoming.head()
            seen(connection.target).append((one.method, one.path))
            body = one.body()
            one.body = lambda body=body: body
            respond(one)
            for _ in body:
                pass

    return behaviour


def seen(target):
    """(method, path) of all requests that the target read the head of."""
    if not hasattr(target, "heads"):
        target.heads = []
    return target.heads


def page(path):
    """What `naming` answers for a path; of a size that depends on it."""
    return b"this is " + path.encode() * (1 + sum(path.encode()) % 50)


def naming(one):
    """Each path has a body of its own; what was uploaded is its length."""
    size = sum(len(piece) for piece in one.body())
    one.answer(b"" if one.method == "HEAD" else page(one.path) if one.method == "GET" else b"%d" % size)


def path_of(message):
    """Of a whole request."""
    return message.split(b" ", 2)[1].decode()


def connect(mux):
    """The client of Python's library."""
    return http.client.HTTPConnection("127.0.0.1", mux.port, timeout=WITHIN)


def get(client, path):
    """One request on a connection that may stay: the body."""
    client.request("GET", path)
    got = client.getresponse()
    body = got.read()
    assert got.status == 200, (got.status, body)
    return body


def everything(sock):
    """All bytes until the end."""
    sock.settimeout(WITHIN)
    data = b""
    while piece := sock.recv(PIECE):
        data += piece
    return data


def vanish(sock):
    """As a crashed program does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def resident(started, what):
    """VmRSS is what it takes now, VmHWM the most it ever took."""
    status = Path("/proc/%d/status" % started.pid).read_text()
    return int(re.search(what + r":\s+(\d+) kB", status)[1]) * 1024


class Growth:
    """`with Growth(mux, path):` the multiplexer takes no more memory than before, whatever passes. It has answered
    a request for `path` then."""

    def __init__(self, started, path):
        self.started = started
        self.path = path

    def __enter__(self):
        client = connect(self.started)
        get(client, self.path)
        client.close()
        self.before = resident(self.started, "VmRSS")

    def __exit__(self, failure, *_):
        if failure is None and not is_sanitized():
            grown = resident(self.started, "VmHWM") - self.before
            assert grown < GROWTH_MAX, "%d KiB more" % (grown >> 10)
