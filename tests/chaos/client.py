# SPDX-License-Identifier: MIT
"""A client that comes, asks, and leaves in one of many ways; and that checks every byte that it is given.

A visit is drawn: how many requests in which manner. `MANNERS` has the rude ones; a `polite` client reads all the
time, sends whole requests, and is owed something for each: an answer, an error reply, or the end of its
connection, within the bound that `Bound` makes of the flags. What `settle` sets off ends rude visits.
"""

import asyncio
import socket
import struct
from collections import deque

from calm import close_now
from target import set_buffers
from wires import Torn

LINGER_RESET = struct.pack("ii", 1, 0)
READ_BYTES = 1 << 16
STORY_LINES = 60


class Visit:
    """One connection of a client."""

    def __init__(self, ledger, rng, storm, manner, serial):
        self.ledger = ledger
        self.rng = rng
        self.storm = storm  # has address(), buffers, calm, sizes
        self.manner = manner
        self.serial = serial
        self.pending = deque()  # records that wait for an answer, in order
        self.progress = 0.0  # when something was last asked or answered, while something is pending
        self.is_over = False  # nothing comes any more
        self.why = ""
        self.story = []
        self.sock = None
        self.settled = asyncio.Event()  # set whenever an answer came, or the end
        self.is_deaf = False
        self.awaits_end = False  # has half-closed, and been answered
        self.ends_next = False  # the multiplexer said that it closes
        self.cutter = ledger.wire.answer_cutter(lambda: self.pending[0].ask if self.pending else None)
        self.answers = 0
        self.was_let_down = False  # closed with something unanswered, and for no reason that it knew of

    def tell(self, text):
        if len(self.story) < STORY_LINES * 4:
            self.story.append("%.3f %s" % (self.ledger.now(), text))

    def violate(self, sentence, numbers=()):
        self.ledger.violate("client %d (%s): %s" % (self.serial, self.manner, sentence), self, numbers)

    @property
    def is_polite(self):
        return self.manner in ("polite", "pipelining", "finishing")

    def waits_since(self):
        """Since when nothing has come, if something is owed."""
        return self.progress if not self.is_over and (self.pending or self.awaits_end) else None

    # ---- connecting ----

    async def connect(self):
        family, address = self.storm.address(self.rng)
        self.sock = socket.socket(family)
        set_buffers(self.sock, self.storm.client_buffers)
        self.sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.sock, address)
        self.is_unix = family == socket.AF_UNIX
        self.tell("connected from %s" % (self.sock.getsockname(),))

    # ---- what comes ----

    async def read(self):
        loop = asyncio.get_running_loop()
        try:
            while True:
                if self.is_deaf:
                    await asyncio.sleep(0.05)
                    continue
                size = READ_BYTES
                if self.manner == "slow reader" and not self.storm.calm.is_set():
                    await self.storm.calm.nap(self.rng.uniform(0, 0.1))
                    size = self.rng.choice([1, 50, 2000])
                data = await loop.sock_recv(self.sock, size)
                if not data:
                    break
                self.take(self.cutter.feed(data))
            self.cutter.ended = True
            self.take(self.cutter.feed(b""))
            self.end("closed")
        except Torn as torn:
            self.violate("got bytes that are no answer: %s" % torn)
            self.end("torn")
        except OSError as error:
            self.end("reset: %s" % error)

    def take(self, messages):
        for message in messages:
            self.take_one(message)

    def find(self, message):
        """The request that this answers: the oldest, or where answers have identifiers the one that has it."""
        if not self.pending:
            return None
        if not self.ledger.wire.by_id:
            return self.pending[0]
        for record in self.pending:
            if record.ask.number & 0xFFFF == message.key and message.how == self.ledger.wire.place(record.ask):
                return record
        return None

    def take_one(self, message):
        self.progress = self.ledger.now()
        record = self.find(message)
        if message.kind == "interim":
            return
        if message.kind == "error" and record is None and (message.closes or not self.is_polite):
            return  # about the connection, or what it had not finished
        if record is None:
            self.violate("got what it had not asked for: %s" % message)
            return
        self.ends_next = self.ends_next or message.closes or record.ask.closes or record.ask.answer == "end"
        self.pending.remove(record)
        self.settled.set()
        if message.kind == "answer":
            self.answers += self.ledger.answer(record, message)
            self.tell("answer to %d" % message.number)
        elif message.kind == "error":
            self.ledger.errors += 1
            record.answered = self.ledger.now()
            self.tell("error for %d: %s" % (record.ask.number, message.text))
        elif message.kind == "refusal" and (record.refused or record.ask.is_shared and self.ledger.shared_refusals):
            self.ledger.answered += 1
        elif message.kind == "torn" and self.may_be_cut(record):
            self.ledger.closed += 1
        elif message.kind == "stray" and self.ledger.strays:
            self.ledger.strays_taken += 1
            self.tell("a stray for %d" % record.ask.number)
        else:
            self.violate("got for request %d: %s" % (record.ask.number, message), [record.ask.number])

    def may_be_cut(self, record):
        """Whether an answer without length may look whole and not be it: over a unix socket a reset is an end."""
        is_open = record.ask.answer == "end" or record.ask.old
        return is_open and (record.is_cut or self.is_unix)

    def end(self, why):
        self.is_over = True
        self.why = why
        self.tell("%s with %d unanswered" % (why, len(self.pending)))
        self.ledger.closed += len(self.pending)
        self.was_let_down = len(self.pending) > 0 and not self.ends_next
        torn = len(self.cutter.rest) > 0 and why == "closed" and self.ledger.wire.name != "http"
        if torn and self.is_polite and self.storm.promises_whole:
            self.violate("its connection ended inside an answer: %r" % bytes(self.cutter.rest[:80]))
        self.settled.set()

    # ---- what goes ----

    def prepare(self, size=None):
        """A request, with its bytes."""
        drawn, want = self.storm.draw_sizes(self.rng)
        size = drawn if size is None else size
        record = self.ledger.ask(self, self.rng, size, want)
        return record, self.ledger.wire.write_ask(record.ask)

    async def send(self, data):
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def ask(self, dribbles=False):
        record, data = self.prepare()
        if not self.pending:
            self.progress = self.ledger.now()
        self.pending.append(record)
        self.tell("asks %d, %d bytes" % (record.ask.number, len(data)))
        if dribbles:
            for _ in range(self.rng.randint(1, 6)):
                cut = self.rng.randrange(len(data))
                await self.send(data[:cut])
                data = data[cut:]
                await self.storm.calm.nap(self.rng.choice([0, 0.001, 0.02, 0.1]))
        record.is_whole = True
        await self.send(data)
        return record

    async def ask_half(self):
        """Never its end. What it belongs to is pending all the same: an error reply may come for it."""
        record, data = self.prepare(self.storm.large if self.rng.random() < 0.5 else None)
        self.tell("asks half of %d" % record.ask.number)
        self.pending.append(record)
        await self.send(data[: self.rng.randrange(1, len(data))])

    async def wait_until(self, count):
        """Until at most so many are pending, or the connection is over."""
        while len(self.pending) > count and not self.is_over:
            self.settled.clear()
            await self.settled.wait()

    # ---- manners ----

    async def polite(self):
        for _ in range(self.rng.randint(1, 8)):
            await self.ask()
            await self.wait_until(0)
            if self.is_over or self.ends_next:
                return
            await self.storm.calm.nap(self.rng.choice([0, 0, 0.01, 0.2]))

    async def pipelining(self):
        for _ in range(self.rng.randint(1, 5)):
            for _ in range(self.rng.randint(2, 8)):
                if (await self.ask()).ask.closes:
                    break
            await self.wait_until(0)
            if self.is_over or self.ends_next:
                return

    async def finishing(self):
        """Half-closes behind its requests, and is answered all the same."""
        for _ in range(self.rng.randint(1, 6)):
            if (await self.ask()).ask.closes:
                break
        self.sock.shutdown(socket.SHUT_WR)
        self.tell("half-closes")
        await self.wait_until(0)
        if not self.is_over:
            self.progress = self.ledger.now()
            self.awaits_end = True
            await self.wait_until(-1)

    async def dribbling(self):
        for _ in range(self.rng.randint(1, 5)):
            await self.ask(dribbles=True)
            await self.wait_until(self.rng.choice([0, 0, 1]))
            if self.is_over or self.ends_next:
                return
        await self.wait_until(0)

    async def slow_reader(self):
        for _ in range(self.rng.randint(1, 10)):
            await self.ask()
        await self.wait_until(0)

    async def deaf(self):
        self.is_deaf = True
        for _ in range(self.rng.randint(1, 60)):
            await self.ask()
        await self.storm.calm.nap(self.rng.uniform(0.1, 3))
        self.is_deaf = self.rng.random() < 0.5
        if not self.is_deaf:
            await self.wait_until(0)

    async def leaving(self):
        for _ in range(self.rng.randint(1, 6)):
            await self.ask()
        await self.wait_until(self.rng.randint(1, 5))
        await self.storm.calm.nap(self.rng.choice([0, 0, 0.01, 0.3]))

    async def half(self):
        for _ in range(self.rng.choice([0, 0, 1, 3])):
            await self.ask()
        await self.ask_half()
        if self.rng.random() < 0.3:
            self.sock.shutdown(socket.SHUT_WR)
            self.tell("half-closes inside a request")
            await self.wait_until(-1)
        await self.storm.calm.nap(self.rng.choice([0, 0.01, 0.3, 3]))

    async def garbage(self):
        for _ in range(self.rng.choice([0, 1, 3])):
            await self.ask()
        garbage = self.ledger.wire.garbage_request(self.rng)
        if garbage is not None:
            self.tell("sends garbage %r" % garbage)
            await self.send(garbage)
            await self.storm.calm.nap(self.rng.choice([0, 0.1, 3]))

    async def idle(self):
        await self.storm.calm.nap(self.rng.uniform(0, 4))

    async def flooding(self):
        for _ in range(self.rng.randint(50, 300)):
            await self.ask()
            if self.is_over or self.ends_next:
                return
        await self.wait_until(self.rng.choice([0, 20]))

    MANNERS = {
        "polite": 8, "pipelining": 4, "finishing": 3, "dribbling": 2, "slow reader": 2, "deaf": 1, "leaving": 4,
        "half": 3, "garbage": 1, "idle": 1, "flooding": 0.5,
    }  # fmt: skip

    # ---- the visit ----

    async def run(self):
        reader = None
        try:
            await self.connect()
            reader = asyncio.create_task(self.read())
            await self.behave(reader)
        except OSError as error:
            self.tell("error: %s" % error)
            if reader is not None and self.is_polite:
                await reader  # what came before may still be there
        finally:
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
                if not reader.cancelled() and reader.exception() is not None:
                    self.violate("the reader failed: %r" % reader.exception())
            self.leave()

    async def behave(self, reader):
        """A rude one ends with the storm, and whoever reads ends when its connection does."""
        task = asyncio.create_task(getattr(self, self.manner.replace(" ", "_"))())
        ends = {task, reader}
        calm = None if self.is_polite else asyncio.create_task(self.storm.calm.nap())
        try:
            await asyncio.wait(ends | ({calm} if calm else set()), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for one in (task, calm):
                if one is not None:
                    one.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def leave(self):
        if self.sock is None:
            return
        rude = self.manner in ("leaving", "half", "deaf", "garbage") or not self.is_polite
        if rude and self.rng.random() < 0.5:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            self.tell("resets")
        self.is_over = True
        close_now(self.sock)
