# SPDX-License-Identifier: MIT
"""What requests and answers look like, so that everybody can tell whose they are.

Each request carries its number in the round, each answer the number of the request that it answers and the
number of the sending that the target saw; what else is in them is filler that follows from the number. So
whoever reads one can tell a foreign, a torn and an invented one from the right one.

A cutter takes bytes as they come (`feed`) and gives whole messages: `Message`, whose `kind` says what it is.
"""

import random
from dataclasses import dataclass

LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FILLER = bytes(random.Random(7).choices(LETTERS, k=1 << 16))
FILLER = FILLER * 33  # longer than what any message here has


def filler(number, size):
    begin = number * 7919 % (1 << 16)
    return FILLER[begin : begin + size]


@dataclass
class Ask:
    """A request, before it is written."""

    number: int
    size: int = 0  # of its filler
    want: int = 0  # filler of the answer
    kind: str = ""
    has_effect: bool = True  # may reach the target once
    alone: bool = False
    closes: bool = False  # the client asks for the end of its connection
    answer: str = ""  # http: how the answer is framed
    old: bool = False  # http: 1.0
    chunked: bool = False
    is_shared: bool = False  # another may ask for the same, and get the same answer


@dataclass
class Message:
    kind: str  # "ask", "answer", "interim", "error", "stray", "refusal" (the target's own), "torn"
    number: int = 0
    sending: int = 0
    effects: int = 0
    want: int = 0
    key: int = 0  # modbus: transaction id, as it stood there
    closes: bool = False
    text: str = ""  # of an error, or of what is wrong
    how: object = None  # for the target: what it has to know to answer


class Torn(Exception):
    """What came is no message of anybody."""


class Cutter:
    """Keeps what has come; `cut` of the subclass returns (message, size) or None."""

    def __init__(self):
        self.rest = bytearray()
        self.ended = False

    def feed(self, data):
        """Yields messages; what is done with one may change how the next is read."""
        self.rest += data
        while (found := self.cut()) is not None:
            message, size = found
            del self.rest[:size]
            yield message


# Of iso8583 and mpu: request, answer, and what a host says of its own accord; then a bitmap without fields.
TYPES = {b"Q": b"0200", b"A": b"0210", b"S": b"0800"}
NO_FIELDS = bytes(8)
TYPE_SIZE = 12


def decode(payload):
    """A message of echo, iso8583 or mpu: `K number sending want filler`, behind a type where there are types."""
    payload = payload[TYPE_SIZE:] if payload[4:TYPE_SIZE] == NO_FIELDS else payload
    try:
        kind, number, sending, want, rest = bytes(payload).split(b" ", 4)
        number = int(number)
        name = {b"Q": "ask", b"A": "answer", b"S": "stray"}[kind]
        if rest != filler(number, len(rest)):
            raise ValueError
    except (ValueError, KeyError):
        return Message("torn", text=repr(bytes(payload[:80])))
    return Message(name, number, int(sending), want=int(want), how=len(rest))


class BoundedCutter(Cutter):
    def __init__(self, wire):
        super().__init__()
        self.wire = wire
        self.looked = 0

    def cut(self):
        found = self.wire.cut(self.rest, self.looked)
        if found is None:
            self.looked = len(self.rest)
            return None
        self.looked = 0
        begin, end, size = found
        message = decode(self.rest[begin:end])
        if message.kind in ("ask", "answer") and message.how != self.filler_size(message):
            message = Message("torn", text="%s %d has %d bytes" % (message.kind, message.number, message.how))
        return message, size

    def filler_size(self, message):
        return message.want if message.kind == "answer" else message.how


class Bounded:
    """echo, iso8583 and mpu: one payload, framed in three ways."""

    by_id = False
    has_errors = False

    def __init__(self, name, frame, cut, largest, is_typed=True):
        self.name = name
        self.frame = frame
        self.is_typed = is_typed
        self.cut = cut
        self.largest = largest  # payload

    def encode(self, payload):
        return self.frame((TYPES[payload[:1]] + NO_FIELDS if self.is_typed else b"") + payload)

    def ask(self, rng, number, size, want):
        return Ask(number, min(size, self.largest - 60), min(want, self.largest - 60))

    def write_ask(self, ask):
        return self.encode(b"Q %d 0 %d %s" % (ask.number, ask.want, filler(ask.number, ask.size)))

    def request_cutter(self):
        return BoundedCutter(self)

    def answer_cutter(self, awaited):
        return BoundedCutter(self)

    def write_answer(self, message, sending, effects):
        want = message.want
        return self.encode(b"A %d %d %d %s" % (message.number, sending, want, filler(message.number, want)))

    def write_stray(self, rng):
        return self.encode(b"S %d 0 0 %s" % (rng.randrange(99), b""))

    def garbage_answer(self, rng):
        return b"GARBAGE! " if self.name == "mpu" else None

    def garbage_request(self, rng):
        return rng.choice([b"GET / HTTP/1.0\r\n\r\n", b"12x4", b"\0\0\0\0"]) if self.name == "mpu" else None


def cut_line(data, looked):
    end = data.find(b"\n", looked)
    return None if end < 0 else (0, end, end + 1)


def cut_prefixed(prefix, length_of):
    def cut(data, looked):
        if len(data) < prefix:
            return None
        try:
            end = prefix + length_of(bytes(data[:prefix]))
        except ValueError:
            raise Torn("no length: %r" % bytes(data[:40])) from None
        return None if len(data) < end else (prefix, end, end)

    return cut


ECHO = Bounded("echo", lambda payload: payload + b"\n", cut_line, 1 << 20, is_typed=False)
ISO8583 = Bounded(
    "iso8583",
    lambda payload: len(payload).to_bytes(2, "big") + payload,
    cut_prefixed(2, lambda prefix: int.from_bytes(prefix, "big")),
    65535,
)
MPU = Bounded("mpu", lambda payload: b"%04d" % len(payload) + payload, cut_prefixed(4, int), 9999)


# ---- modbus ----

READ, WRITE, CUSTOM = 3, 6, 65
SHARED_UNIT = 200  # reads that several ask for
STRAY_UNIT = 251
SHARED_ADDRESSES = 4


class ModbusCutter(Cutter):
    def cut(self):
        if len(self.rest) < 8:
            return None
        if self.rest[2] != 0 or self.rest[3] != 0:
            raise Torn("protocol id: %r" % bytes(self.rest[:12]))
        size = 6 + int.from_bytes(self.rest[4:6], "big")
        if size < 8 or size > 260:
            raise Torn("length: %r" % bytes(self.rest[:12]))
        if len(self.rest) < size:
            return None
        frame = bytes(self.rest[:size])
        message = self.read(frame[6], frame[7], frame[8:])
        message.key = int.from_bytes(frame[:2], "big")
        return message, size

    @staticmethod
    def torn(unit, function, data):
        return Message("torn", text="unit %d function %d %r" % (unit, function, data[:24]))


class ModbusRequestCutter(ModbusCutter):
    def read(self, unit, function, data):
        if function == READ and len(data) == 4:
            address = int.from_bytes(data[:2], "big")
            number = address if unit == SHARED_UNIT else (unit - 1) << 16 | address
            message = Message("ask", number, want=int.from_bytes(data[2:], "big"))
        elif function == WRITE and len(data) == 4:
            message = Message("ask", int.from_bytes(data[2:], "big") << 16 | int.from_bytes(data[:2], "big"))
        elif function == CUSTOM and len(data) >= 5:
            message = Message("ask", int.from_bytes(data[:4], "big"), want=data[4])
            if data[5:] != filler(message.number, len(data) - 5):
                return self.torn(unit, function, data)
        else:
            return self.torn(unit, function, data)
        message.how = (unit, function, data)
        return message


class ModbusAnswerCutter(ModbusCutter):
    def read(self, unit, function, data):
        message = self.torn(unit, function, data)
        if unit == STRAY_UNIT:
            message = Message("stray")
        elif function & 0x80 and len(data) == 1:
            kind = "error" if data[0] in (6, 10, 11) else "refusal"
            message = Message(kind, text="exception %d" % data[0])
        elif function == READ and len(data) >= 13 and data[0] == len(data) - 1:
            number, sending, effects = (int.from_bytes(data[at : at + 4], "big") for at in (1, 5, 9))
            if data[13:] == filler(number, len(data) - 13):
                message = Message("answer", number, sending, effects, want=data[0] // 2)
        elif function == WRITE and len(data) == 4:
            number = int.from_bytes(data[2:], "big") << 16 | int.from_bytes(data[:2], "big")
            message = Message("answer", number)
        elif function == CUSTOM and len(data) >= 8:
            number, sending = (int.from_bytes(data[at : at + 4], "big") for at in (0, 4))
            if data[8:] == filler(number, len(data) - 8):
                message = Message("answer", number, sending, want=len(data) - 8)
        message.how = (unit, function & 0x7F)
        return message


class Modbus:
    name = "modbus"
    is_typed = True
    by_id = True
    has_errors = True
    largest = 230

    def ask(self, rng, number, size, want):
        kind = rng.choice(["read", "read", "shared", "write", "custom", "custom"])
        if kind == "shared":
            address = rng.randrange(SHARED_ADDRESSES)
            return Ask(number, address, 10, kind, has_effect=False, is_shared=True)
        if kind == "read":
            return Ask(number, 0, rng.randint(6, 125), kind, has_effect=False)
        return Ask(number, min(size, 200), min(want, 200) if kind == "custom" else 0, kind)

    @staticmethod
    def place(ask):
        """Unit and function."""
        if ask.kind == "shared":
            return SHARED_UNIT, READ
        if ask.kind == "read":
            return 1 + (ask.number >> 16), READ
        return 1 + ask.number % 100, WRITE if ask.kind == "write" else CUSTOM

    def write_ask(self, ask):
        unit, function = self.place(ask)
        if ask.kind == "shared":
            data = ask.size.to_bytes(2, "big") + ask.want.to_bytes(2, "big")
        elif ask.kind == "read":
            data = (ask.number & 0xFFFF).to_bytes(2, "big") + ask.want.to_bytes(2, "big")
        elif ask.kind == "write":
            data = (ask.number & 0xFFFF).to_bytes(2, "big") + (ask.number >> 16).to_bytes(2, "big")
        else:
            data = ask.number.to_bytes(4, "big") + bytes([ask.want]) + filler(ask.number, ask.size)
        return self.frame(ask.number & 0xFFFF, unit, function, data)

    @staticmethod
    def frame(key, unit, function, data):
        return key.to_bytes(2, "big") + b"\0\0" + (len(data) + 2).to_bytes(2, "big") + bytes([unit, function]) + data

    def request_cutter(self):
        return ModbusRequestCutter()

    def answer_cutter(self, awaited):
        return ModbusAnswerCutter()

    def write_answer(self, message, sending, effects):
        unit, function, data = message.how
        head = message.number.to_bytes(4, "big") + sending.to_bytes(4, "big")
        if function == READ:
            size = 2 * message.want
            values = (head + effects.to_bytes(4, "big") + filler(message.number, size - 12))[:size]
            data = bytes([size]) + values
        elif function == CUSTOM:
            data = head + filler(message.number, message.want)
        return self.frame(message.key, unit, function, data)

    def write_refusal(self, message):
        unit, function, _ = message.how
        return self.frame(message.key, unit, function | 0x80, b"\2")

    def write_stray(self, rng):
        return self.frame(rng.randrange(1 << 16), STRAY_UNIT, rng.choice([3, 99, 0x83]), b"\2")

    def garbage_answer(self, rng):
        return b"\0\1\0\7garbage"

    def garbage_request(self, rng):
        return rng.choice([b"\0\1\7\7\0\6\1\3\0\0\0\1", b"\0\1\0\0\0\0\1\3", b"\0\1\0\0\1\xff\1\3"])
