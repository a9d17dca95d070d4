# SPDX-License-Identifier: MIT
"""Targets in threads of the test: servers that behave as a function says, and take note of everything.

A target has slots, one unless told otherwise: who connects while they are taken is reset, and noted as a
violation, which fails the test at its end. A slot is free again when the target has seen its connection end.

A behaviour is a function of a `Connection`; it runs in a thread of its own and ends the connection when
it returns. Meanwhile another thread reads what comes, so that an end is noticed at once.
"""

import os
import queue
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

from .wire import Stream, format_address

WITHIN = 5  # seconds


class Stopped(Exception):
    """The target is being stopped, or the connection has ended: the behaviour need not go on."""


@dataclass
class Request:
    payload: bytes
    at: float  # time.monotonic() when it was whole


class Connection:
    def __init__(self, target, sock, number):
        self.target = target
        self.sock = sock
        self.number = number  # from 1
        self.requests = []
        self.answered_at = []
        self.connected_at = time.monotonic()
        self.alive = True  # takes a slot
        self.left_over = b""  # half a message before the end
        self._arrived = queue.Queue()
        self._wake = os.eventfd(0)  # readable when the reading thread is to end
        self._runner = threading.Thread(target=self._run, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)

    # ---- for behaviours ----

    def receive(self, within=None):
        """The next request's payload. Raises Stopped at the end of the stream, and queue.Empty when nothing
        came `within` so many seconds."""
        payload = self._arrived.get(timeout=within)
        if payload is None:
            self._arrived.put(None)
            raise Stopped
        return payload

    def send(self, *payloads):
        self.send_raw(b"".join(self.target.wire.encode(payload) for payload in payloads))

    def send_raw(self, data):
        self.answered_at.append(time.monotonic())
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Stopped from error

    def reset(self):
        self.close(reset=True)

    def close(self, reset=False):
        """Frees the slot first: who sees the end may connect again at once."""
        with self.target.changed:
            if not self.alive:
                return
            self.alive = False
            self.target.changed.notify_all()
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self._shut_down()
        # While a thread waits in the kernel for the socket, closing it has no effect.
        os.eventfd_write(self._wake, 1)
        if threading.current_thread() is not self._reader:
            self._reader.join(WITHIN)
        self.sock.close()

    def _shut_down(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster

    # ---- threads ----

    def start(self):
        self._reader.start()
        self._runner.start()

    def join(self):
        for thread in (self._runner, self._reader):
            thread.join(WITHIN)
            assert not thread.is_alive(), "a thread of the target does not end"
        os.close(self._wake)

    def _run(self):
        try:
            self.target.behaviour(self)
        except Stopped:
            pass
        finally:
            self.close()

    def recv(self, size):
        """For Stream: as of a socket, and empty when the thread is to end."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        ready = [fd for fd, _ in poll.poll()]
        return b"" if self._wake in ready else self.sock.recv(size)

    def _read(self):
        with self.target.changed:
            self.target.changed.wait_for(lambda: self.target.reads or not self.alive)
        stream = Stream(self, self.target.wire)
        try:
            while self.alive and (payload := stream.read()) is not None:
                with self.target.changed:
                    self.requests.append(Request(payload, time.monotonic()))
                    self.target.changed.notify_all()
                self._arrived.put(payload)
        except OSError:
            pass
        self.left_over = stream.rest
        self._arrived.put(None)
        if not self.target.stays:
            self.close()


class Target:
    """`behaviour` may be replaced at any time; it holds for connections from then on."""

    def __init__(self, wire, behaviour, address=("127.0.0.1", 0), slots=1, is_up=True, reads=True, stays=False):
        self.wire = wire
        self.behaviour = behaviour
        self.slots = slots
        self.reads = reads  # False: what comes is left in the kernel until read_on()
        self.stays = stays  # True: the end of what comes does not end a connection, only its behaviour does
        self.connections = []
        self.violations = []
        self.changed = threading.Condition()
        self.stopping = False
        self._released = threading.Semaphore(0)
        self._family = (
            socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        )
        self._name = address
        self._listener = None
        self._thread = None
        self._fillers = []
        self._bind()
        self.address = format_address(self._listener)
        self._name = self._listener.getsockname()
        if is_up:
            self.up()

    # ---- up and down: the port stays ours all the time ----

    def _bind(self):
        listener = socket.socket(self._family, socket.SOCK_STREAM)
        if self._family != socket.AF_UNIX:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif os.path.exists(self._name):
            os.unlink(self._name)
        listener.bind(self._name)
        self._listener = listener

    def up(self):
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def down(self):
        """Refuses from now on, and ends the connections it has."""
        self._stop_listening()
        self._bind()
        for connection in list(self.connections):
            connection.close()

    def vanish(self):
        """Attempts to connect are not even refused, until up(): a listening socket whose backlog is full drops
        them. What fills it ends when the target is up again, and takes a slot for that moment."""
        self._listener.listen(0)
        self._fillers = [socket.socket(self._family) for _ in range(2)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())

    def _stop_listening(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # was not listening
        if self._thread is not None:
            self._thread.join(WITHIN)
            self._thread = None
        self._listener.close()

    def stop(self):
        with self.changed:
            if self.stopping:
                return
            self.stopping = True
            self.changed.notify_all()
        self._stop_listening()
        for filler in self._fillers:
            filler.close()
        for connection in self.connections:
            connection.close()
            for _ in range(100):
                self._released.release()
        for connection in self.connections:
            connection.join()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                self._admit(sock)
                self.changed.notify_all()

    def _admit(self, sock):
        connection = Connection(self, sock, len(self.connections) + 1)
        taken = sum(other.alive for other in self.connections)
        if taken >= self.slots:
            self.violations.append("a connection while %d of %d slots were taken" % (taken, self.slots))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            return
        if self._family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.append(connection)
        connection.start()

    # ---- for tests ----

    @property
    def requests(self):
        """All payloads, in order of arrival."""
        with self.changed:
            everything = [request for connection in self.connections for request in connection.requests]
        return [request.payload for request in sorted(everything, key=lambda request: request.at)]

    def wait(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, WITHIN), "the target never saw " + what

    def wait_for_requests(self, count):
        def seen():
            return sum(len(connection.requests) for connection in self.connections) >= count

        self.wait(seen, "%d requests" % count)
        return self.requests

    def wait_for_connections(self, count):
        self.wait(lambda: len(self.connections) >= count, "%d connections" % count)
        return self.connections[count - 1]

    def wait_for_end(self, number):
        """Until connection `number` (from 1) has ended."""
        connection = self.wait_for_connections(number)
        self.wait(lambda: not connection.alive, "the end of connection %d" % number)
        return connection

    def read_on(self):
        with self.changed:
            self.reads = True
            self.changed.notify_all()

    def release(self, count=1):
        """Lets a behaviour that waits for it go on."""
        self._released.release(count)

    def wait_for_release(self):
        self._released.acquire()
        if self.stopping:
            raise Stopped


# ---- behaviours ----


def answer(payload):
    """What a target here answers; recognisable, and not the same as the request."""
    return b"re:" + payload


def answering(connection):
    while True:
        connection.send(answer(connection.receive()))


def echoing(connection):
    while True:
        connection.send(connection.receive())


def held(connection):
    """Answers each request when the test says so."""
    while True:
        payload = connection.receive()
        connection.target.wait_for_release()
        connection.send(answer(payload))


def silent(connection):
    """Takes everything and says nothing."""
    while True:
        connection.receive()


def closing_at_once(connection):
    """Accepts and hangs up."""


def closing_on_request(connection):
    connection.receive()


def resetting_on_request(connection):
    connection.receive()
    connection.reset()


def answering_once(connection):
    """One answer per connection."""
    connection.send(answer(connection.receive()))


def saying(data):
    """Answers with these bytes, whatever they mean, and waits for the end."""

    def behaviour(connection):
        connection.receive()
        connection.send_raw(data)
        connection.receive()

    return behaviour


def saying_and_closing(data):
    """The same, and does not wait."""

    def behaviour(connection):
        connection.receive()
        connection.send_raw(data)

    return behaviour


def breaking_off(connection):
    """Half an answer, then the end."""
    whole = connection.target.wire.encode(answer(connection.receive()))
    connection.send_raw(whole[: len(whole) // 2])


def in_turn(*behaviours):
    """The first connection behaves as the first says, and so on; the last one holds for the rest."""

    def behaviour(connection):
        behaviours[min(connection.number, len(behaviours)) - 1](connection)

    return behaviour
