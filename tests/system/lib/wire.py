# SPDX-License-Identifier: MIT
"""How each protocol writes a message, and a stream of bytes that is read message by message."""

import socket


class Wire:
    """One protocol. `encode` and `cut` are inverse: payload to bytes and back."""

    def __init__(self, name, encode, cut, payload_max, garbage):
        self.name = name
        self.encode = encode
        self.cut = cut  # bytes -> (payload, rest), or None while the message is not whole
        self.payload_max = payload_max
        self.garbage = garbage  # bytes that begin no message; None: every byte may begin one

    def __repr__(self):
        return self.name


def _cut_line(data):
    end = data.find(b"\n")
    return None if end < 0 else (data[:end], data[end + 1 :])


def _cut_prefixed(prefix_size, length_of):
    def cut(data):
        if len(data) < prefix_size:
            return None
        end = prefix_size + length_of(data[:prefix_size])
        return None if len(data) < end else (data[prefix_size:end], data[end:])

    return cut


ECHO = Wire("echo", lambda payload: payload + b"\n", _cut_line, 1 << 30, None)
ISO8583 = Wire(
    "iso8583",
    lambda payload: len(payload).to_bytes(2, "big") + payload,
    _cut_prefixed(2, lambda prefix: int.from_bytes(prefix, "big")),
    65535,
    None,
)
MPU = Wire(
    "mpu",
    lambda payload: b"%04d" % len(payload) + payload,
    _cut_prefixed(4, int),
    9999,
    b"GET / HTTP/1.1\r\n\r\n",
)
WIRES = [ECHO, ISO8583, MPU]


class Stream:
    """A socket read message by message. `rest` is what came behind the last whole message."""

    def __init__(self, sock, wire):
        self.sock = sock
        self.wire = wire
        self.rest = b""

    def read(self):
        """The next payload; None at the end of the stream (then `rest` is what was left over)."""
        while (cut := self.wire.cut(self.rest)) is None:
            data = self.sock.recv(1 << 18)
            if not data:
                return None
            self.rest += data
        payload, self.rest = cut
        return payload


def parse_address(text):
    """`HOST:PORT`, `[IPV6]:PORT` or `unix:/path` to what a socket takes: (family, address)."""
    if text.startswith("unix:"):
        return socket.AF_UNIX, text[len("unix:") :]
    host, port = text.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def format_address(sock):
    """The local address of a socket, as it is written on the command line."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return "unix:" + name
    return ("[%s]:%d" if sock.family == socket.AF_INET6 else "%s:%d") % name[:2]
