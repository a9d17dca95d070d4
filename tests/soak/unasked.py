#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Three clients under load in front of a target that now and then says something that nobody asked for.

Four pairs of multiplexer and target run side by side: `echo`, where such a line cannot be told from an answer;
`echo` with --ignore-line, `iso8583` and `mpu`, where it can. Each client asks, waits for the answer, and looks
whose it is. Right is: nobody gets the answer to somebody else's question, but with plain `echo` for one interval
between checks after an event (docs/echo.md); and nobody is left without an answer or an end.
"""
import argparse
import collections
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

HOST = "127.0.0.1"
CLIENTS = 3
SERVICE = 0.005  # seconds that the target takes
FIRST_EVENT = 0.3
CHECK_FIRST, CHECK_MAX = 1.0, 10.0  # the interval between checks grows with the age of a connection
SLACK = 0.5  # for a machine that is busy
ANSWER_WITHIN = 10


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class Echo:
    protocol, flags, tells_apart = "echo", (), False

    @staticmethod
    def read(sock):
        line = b""
        while not line.endswith(b"\n"):
            line += read_exactly(sock, 1)
        return line

    @staticmethod
    def request(client, number):
        return b"%d.%d\n" % (client, number)

    @staticmethod
    def answer(request):
        return b"re " + request

    @staticmethod
    def event(number):
        return b"EVENT volume %d\n" % number

    @staticmethod
    def is_event(message):
        return message.startswith(b"EVENT")


class EchoIgnoring(Echo):
    flags, tells_apart = ("--ignore-line", "EVENT"), True


class Iso8583:
    """MTI, a bitmap with field 11 alone, and field 11; the host's own messages are an 0800 and a sign of life."""

    protocol, flags, tells_apart = "iso8583", (), True
    prefix_size = 2

    @classmethod
    def frame(cls, body):
        return len(body).to_bytes(2, "big") + body

    @classmethod
    def size_of(cls, prefix):
        return int.from_bytes(prefix, "big")

    @classmethod
    def read(cls, sock):
        prefix = read_exactly(sock, cls.prefix_size)
        return prefix + read_exactly(sock, cls.size_of(prefix))

    @classmethod
    def message(cls, mti, stan):
        return cls.frame(b"%s0020000000000000%06d" % (mti, stan))

    @classmethod
    def request(cls, client, number):
        return cls.message(b"0200", client * 100000 + number % 100000)

    @classmethod
    def answer(cls, request):
        return cls.message(b"0210", int(request[-6:]))

    @classmethod
    def event(cls, number):
        return cls.frame(b"") if number % 2 else cls.message(b"0800", 999999)

    @classmethod
    def is_event(cls, message):
        return message in (cls.event(0), cls.event(1))


class Mpu(Iso8583):
    protocol = "mpu"
    prefix_size = 4

    @classmethod
    def frame(cls, body):
        return b"%04d" % len(body) + body

    @classmethod
    def size_of(cls, prefix):
        return int(prefix)


class Target:
    """Answers one connection after the other, and says something unasked when its time has come."""

    def __init__(self, wire, pause):
        self.wire, self.pause = wire, pause
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.events = 0
        self.event_at = self.age_at_event = None
        self.next_at = time.monotonic() + FIRST_EVENT
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.serve(sock)
            except (EOFError, OSError):
                pass
            sock.close()

    def serve(self, sock):
        began = time.monotonic()
        while True:
            request = self.wire.read(sock)
            time.sleep(SERVICE / 2)
            if time.monotonic() >= self.next_at:
                self.speak(sock, began)
            time.sleep(SERVICE / 2)
            sock.sendall(self.wire.answer(request))

    def speak(self, sock, began):
        self.age_at_event = time.monotonic() - began
        self.event_at = time.monotonic()
        self.next_at = self.event_at + random.uniform(*self.pause)
        sock.sendall(self.wire.event(self.events))
        self.events += 1

    def may_be_shifted_for(self):
        """For how long after the last event answers may go to others."""
        if self.wire.tells_apart or self.event_at is None:
            return 0
        return min(CHECK_MAX, CHECK_FIRST + self.age_at_event) + SLACK


class Multiplexer:
    def __init__(self, binary, wire, target, flags):
        command = [binary, "server", "-p", wire.protocol, "-t", "%s:%d" % (HOST, target.port), "-l", HOST + ":0"]
        self.process = subprocess.Popen([*command, *wire.flags, *flags], stderr=subprocess.PIPE)
        self.port = None
        for line in self.process.stderr:
            if found := re.search(rb" listening \S+:(\d+)", line):
                self.port = int(found[1])
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ANSWER_WITHIN) == 0


class Pair:
    def __init__(self, binary, wire, pause, flags):
        self.wire = wire
        self.target = Target(wire, pause)
        self.mux = Multiplexer(binary, wire, self.target, flags)
        self.counts = collections.Counter()
        self.foreign = []  # (seconds since the last event, seconds that it may be)
        self.lock = threading.Lock()

    def start(self, until):
        self.clients = [threading.Thread(target=self.ask_until, args=(name, until)) for name in range(1, CLIENTS + 1)]
        for client in self.clients:
            client.start()

    def ask_until(self, name, until):
        number, sock = 0, None
        while time.monotonic() < until:
            number += 1
            request = self.wire.request(name, number)
            try:
                if sock is None:
                    sock = socket.create_connection((HOST, self.mux.port), ANSWER_WITHIN)
                sock.sendall(request)
                self.look_at(request, self.wire.read(sock))
            except TimeoutError:
                self.count("left waiting")
                sock = None
            except (EOFError, OSError):
                self.count("ended without an answer")
                sock = None

    def look_at(self, request, reply):
        if reply == self.wire.answer(request):
            self.count("answers")
        elif self.wire.is_event(reply):
            self.count("events taken for an answer")
        else:
            since = time.monotonic() - (self.target.event_at or 0)
            with self.lock:
                self.foreign.append((since, self.target.may_be_shifted_for()))

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def finish(self):
        """Prints what has happened. False: it was not right."""
        for client in self.clients:
            client.join()
        ended_well = self.mux.stop()
        outside = [pair for pair in self.foreign if pair[0] > pair[1]]
        events_taken = self.counts["events taken for an answer"]
        is_right = (ended_well and self.counts["answers"] > 0 and not outside and not self.counts["left waiting"]
                    and self.target.events > 0 and not (self.wire.tells_apart and events_taken))
        details = ["%d %s" % (count, what) for what, count in sorted(self.counts.items())]
        print("%s  %s: %d events; %s; %d answers of others, %d of them outside one check interval%s"
              % ("right" if is_right else "WRONG", " ".join((self.wire.protocol, *self.wire.flags)), self.target.events,
                 ", ".join(details), len(self.foreign), len(outside),
                 "; the last %.2f s after an event, %.2f s may be" % max(self.foreign) if self.foreign else ""),
              flush=True)
        return is_right


WIRES = {"echo": Echo, "ignore-line": EchoIgnoring, "iso8583": Iso8583, "mpu": Mpu}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", choices=sorted(WIRES), help="one of the four pairs")
    parser.add_argument("--pause", type=float, nargs=2, default=(3, 14), metavar=("LEAST", "MOST"),
                        help="seconds between two events (default: 3 14)")
    parser.add_argument("--flag", action="append", default=[], help="a flag for the multiplexer, as --flag=--check-gap=0")
    options = parser.parse_args()
    wires = [WIRES[options.only]] if options.only else list(WIRES.values())
    pairs = [Pair(options.binary, wire, options.pause, options.flag) for wire in wires]
    until = time.monotonic() + options.seconds
    for pair in pairs:
        pair.start(until)
    return 0 if all([pair.finish() for pair in pairs]) else 1


if __name__ == "__main__":
    sys.exit(main())
