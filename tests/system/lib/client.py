# SPDX-License-Identifier: MIT
"""A client of the multiplexer: blocking, one socket, everything within a time."""

import socket
import struct

from .wire import Stream, parse_address

WITHIN = 5  # seconds; longer than anything takes that works


class Client:
    def __init__(self, address, wire, receive_buffer=None):
        family, name = parse_address(address)
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(WITHIN)
        self.sock.connect(name)
        self.wire = wire
        self.stream = Stream(self.sock, wire)

    @property
    def name(self):
        """`127.0.0.1:58342`, as the log shows it."""
        host, port = self.sock.getsockname()[:2]
        return "%s:%d" % (host, port)

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, *payloads):
        self.send_raw(b"".join(self.wire.encode(payload) for payload in payloads))

    def receive(self):
        """The next message; None when the multiplexer has closed the connection in order."""
        return self.stream.read()

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def expect_end(self):
        """Everything was delivered, and the connection ends in order, without half a message."""
        assert self.receive() is None
        assert self.stream.rest == b"", "half a message before the end"
        self.close()

    def finish(self):
        """Nothing more will be sent; answers are still read."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Vanishes as a crashed program does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()
