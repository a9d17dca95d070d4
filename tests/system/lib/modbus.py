# SPDX-License-Identifier: MIT
"""Modbus TCP as these tests write it, and a device that has the quirks of real ones.

A payload on the wire MODBUS is a whole frame, header and all, since the header is what most tests are about. It
is not one of WIRES: the tests for every protocol close a client in trouble, and a Modbus client is told.
"""

import queue
import struct
import threading

from .wire import Wire

UNIT = 1
EXCEPTION = 0x80
UNREACHABLE, NO_ANSWER, BUSY = 0x0A, 0x0B, 0x06  # what the multiplexer tells a client

QUICK_RETRY = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")

# Warnings that belong to a test.
STRAY = "no request waits for"


def told(reason):
    """About a request that was answered with an exception."""
    return "answered with an error.*reason=%s" % reason


def _cut(data):
    if len(data) < 6:
        return None
    end = 6 + int.from_bytes(data[4:6], "big")
    return None if len(data) < end else (data[:end], data[end:])


MODBUS = Wire("modbus", bytes, _cut, 260, b"GET / HTTP/1.1\r\n\r\n")


# ---- frames ----


def frame(id, pdu, unit=UNIT, length=None):
    """A frame; `length` announces a wrong one."""
    return struct.pack(">HHHB", id, 0, len(pdu) + 1 if length is None else length, unit) + pdu


def read(id, address, count=1, unit=UNIT, function=3):
    return frame(id, struct.pack(">BHH", function, address, count), unit)


def write(id, address, value, unit=UNIT):
    return frame(id, struct.pack(">BHH", 6, address, value), unit)


def values(id, *registers, unit=UNIT, function=3):
    """The response to a read."""
    return frame(id, struct.pack(">BB%dH" % len(registers), function, 2 * len(registers), *registers), unit)


def exception(id, code, unit=UNIT, function=3, length=None):
    return frame(id, bytes([function | EXCEPTION, code]), unit, length)


def id_of(message):
    return int.from_bytes(message[:2], "big")


def pdu_of(message):
    return message[7:]


def address_of(request):
    return int.from_bytes(request[8:10], "big")


# ---- a device ----


def register(address, unit=UNIT):
    """What stands in a register that nobody has written: no two the same, for one unit."""
    return (address * 40503 + unit * 257 + 12345) & 0xFFFF


class Device:
    """A behaviour (see target.py) that answers reads and writes of registers. Each quirk is a field.

    Functions 3 and 6 are known; 65 is answered with what was asked; everything else is an illegal function, and
    addresses from `limit` on are illegal.
    """

    def __init__(self, **quirks):
        self.limit = 1000
        self.ready_after = 0  # seconds after connecting in which requests are ignored
        self.gap = 0  # seconds between an answer and the next request; what comes sooner is ignored
        self.hangs_up = False  # what comes too soon ends the connection
        self.exception_length = None  # announced in the header of exceptions
        self.answer_id = lambda id: id  # the transaction id that is answered with
        self.answer_unit = lambda unit: unit
        self.late = set()  # addresses whose answer comes just before that of the next request,
        self.late_behind = False  # or right behind it
        self.reversed_by = 1  # answers so many requests at a time, the last one first
        self.idle_close = None  # seconds of silence after which the connection is closed
        self.patience = None  # seconds after which those that wait for it are answered though they are fewer
        self.answers = None  # how many, before the behaviour is over
        self.waits = False  # for the test to say so, before each answer
        self.asleep = threading.Event()  # while set, nothing is answered
        self.ignored = []  # requests
        self.written = {}  # (unit, address) -> value
        for name, value in quirks.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def __call__(self, connection):
        held, count = [], 0
        while count != self.answers:
            try:
                request = connection.receive(self.patience if held and self.patience else self.idle_close)
            except queue.Empty:
                if not held:
                    return
                connection.send_raw(b"".join(reversed(held)))
                held = []
                continue
            if self._is_ignored(connection, connection.requests[-1].at):
                self.ignored.append(request)
                if self.hangs_up:
                    return
                continue
            held.append(self._answer(request))
            if address_of(request) in self.late or len(held) < self.reversed_by:
                continue
            if self.reversed_by > 1 or self.late_behind:
                held.reverse()
            if self.waits:
                connection.target.wait_for_release()
            connection.send_raw(b"".join(held))
            held, count = [], count + 1

    def _is_ignored(self, connection, at):
        since = connection.answered_at[-1] if connection.answered_at else None
        return (
            self.asleep.is_set()
            or at - connection.connected_at < self.ready_after
            or (self.gap > 0 and since is not None and at - since < self.gap)
        )

    def value(self, address, unit):
        return self.written.get((unit, address), register(address, unit))

    def _answer(self, request):
        pdu, unit = pdu_of(request), request[6]
        answer = self._answer_pdu(pdu, unit)
        length = self.exception_length if answer[0] & EXCEPTION else None
        return frame(self.answer_id(id_of(request)), answer, self.answer_unit(unit), length)

    def _answer_pdu(self, pdu, unit):
        function = pdu[0]
        if function == 65:
            return pdu
        if function not in (3, 6):
            return bytes([function | EXCEPTION, 1])
        address, number = struct.unpack(">HH", pdu[1:5])
        last = address + (number if function == 3 else 1)
        if last > self.limit:
            return bytes([function | EXCEPTION, 2])
        if function == 6:
            self.written[unit, address] = number
            return pdu
        registers = [self.value(place, unit) for place in range(address, last)]
        return struct.pack(">BB%dH" % number, function, 2 * number, *registers)
