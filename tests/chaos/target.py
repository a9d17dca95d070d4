# SPDX-License-Identifier: MIT
"""A target that does whatever a broken, restarted or overloaded one would do, and that watches.

What it does is drawn: for the listening socket in `Weather` (up, refusing, accepting and hanging up, and so
on), for each request in `plan`. It never lies in a way that nobody could notice: after bytes that were not
asked for, half an answer or silence, a connection whose answers are told by their order is *lost*; nothing is
answered on it any more, since a later answer would be taken for another one.

When the storm is over (`calm`) it serves: what it owes is answered, what is lost is reset.
"""

import asyncio
import os
import select
import socket
import struct

from calm import Calm, close_now
from wires import Torn

LINGER_RESET = struct.pack("ii", 1, 0)
READ_BYTES = 1 << 16
ENDED = select.POLLRDHUP | select.POLLHUP | select.POLLERR


def peer_has_ended(sock):
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return any(event & (ENDED | select.POLLNVAL) for _, event in poll.poll(0))


def set_buffers(sock, sizes):
    send, receive = sizes
    if send:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send)
    if receive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)


class Lost(Exception):
    """This connection is of no use any more; whoever reads it only waits for its end."""


class Connection:
    def __init__(self, target, sock, number):
        self.target = target
        self.sock = sock
        self.number = number
        self.cutter = target.wire.request_cutter()
        self.owed = []  # requests that are not answered, in order
        self.arrived = asyncio.Event()
        self.is_lost = False
        self.is_reading = True
        self.ended = False
        self.task = None  # that serves it
        self.open_ended = None  # the request whose answer has no end but that of the connection

    @property
    def rng(self):
        return self.target.rng

    # ---- what comes ----

    async def read(self):
        loop = asyncio.get_running_loop()
        try:
            while True:
                if self.rng.random() < self.target.rates["pause"] and not self.target.calm.is_set():
                    self.is_reading = False
                    await self.target.calm.nap(self.rng.uniform(0.01, 0.8))
                    self.is_reading = True
                size = READ_BYTES if self.target.calm.is_set() else self.rng.choice([1, 100, READ_BYTES, READ_BYTES])
                data = await loop.sock_recv(self.sock, size)
                if not data:
                    break
                self.hear(data)
        except OSError:
            pass
        self.ended = True
        self.arrived.set()

    def hear(self, data):
        try:
            for message in self.cutter.feed(data):
                self.check_crowd(message)
                self.target.ledger.hear(self, message)
                if message.kind == "ask":
                    self.owed.append(message)
                    self.arrived.set()
        except Torn as torn:
            sentence = "connection %d of the target got bytes that are no request: %s"
            self.target.ledger.violate(sentence % (self.number, torn))
            raise OSError from None

    def check_crowd(self, message):
        """By identifier a request that was given up frees its place, and nobody tells the target."""
        ledger = self.target.ledger
        if self.is_lost or ledger.by_id:
            return
        if len(self.owed) >= ledger.in_flight:
            ledger.violate("request %d came to the target behind %d others that are not answered"
                           % (message.number, len(self.owed)), numbers=[message.number])  # fmt: skip
        elif self.owed and ledger.wire.name == "http":
            both = [self.owed[-1].number, message.number]
            if any(ledger.records[number].ask.alone for number in both if number < len(ledger.records)):
                ledger.violate("request %d came to the target behind %d, and one has to be alone" % (both[1], both[0]),
                               numbers=both)  # fmt: skip

    # ---- what goes ----

    async def serve(self):
        reader = asyncio.create_task(self.read())
        try:
            if self.is_lost:
                raise Lost
            await self.answer_all()
        except (Lost, OSError):
            await self.wait_for_end(reader)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            self.close()

    async def wait_for_end(self, reader):
        """Nothing is answered any more. At the end of the storm such a connection is reset."""
        self.is_lost = True
        calm = asyncio.create_task(self.target.calm.nap())
        await asyncio.wait([reader, calm], return_when=asyncio.FIRST_COMPLETED)
        calm.cancel()
        if not reader.done():
            self.reset()

    async def answer_all(self):
        while True:
            while not self.owed:
                if self.ended:
                    return
                self.arrived.clear()
                await self.arrived.wait()
            await self.answer_one()

    async def answer_one(self):
        target = self.target
        plan = target.plan()
        by_id = target.ledger.by_id
        index = self.rng.randrange(len(self.owed)) if by_id else 0
        message = self.owed[index]
        if plan in ("late", "very late"):
            await target.calm.nap(self.rng.uniform(0, 0.05 if plan == "late" else 1.5))
        elif plan == "silent" and by_id:
            await target.calm.nap(self.rng.uniform(0.1, 1))
            self.owed.append(self.owed.pop(index))  # for now
            return
        elif plan == "silent":
            raise Lost
        elif plan == "close unanswered":
            return self.close()
        elif plan == "reset unanswered":
            return self.reset()
        data = target.wire.write_answer(message, target.ledger.sendings, target.ledger.effects)
        if plan == "refusal" and hasattr(target.wire, "write_refusal"):
            data = target.wire.write_refusal(message)
            if message.how[0] != 200:
                target.ledger.records[message.number].refused = True
            else:
                target.ledger.shared_refusals += 1
        if target.ledger.ignores_id:
            data = self.rng.randbytes(2) + data[2:]
        await self.send_answer(plan, index, message, data)

    async def send_answer(self, plan, index, message, data):
        target = self.target
        self.open_ended = message.number if self.is_open_ended(message) and message.how[1] == "end" else None
        if plan in ("close midway", "reset midway", "stall midway"):
            await self.send(data[: self.rng.randrange(1, len(data))])
            if plan == "close midway":
                return self.close()
            if plan == "stall midway":
                raise Lost
            return self.reset()
        if plan == "stray behind" and self.is_open_ended(message):
            plan = "answer"  # what follows would be its body
        if plan == "garbage" and (garbage := target.wire.garbage_answer(self.rng)) is not None:
            await self.send(garbage)
            raise Lost
        if plan == "stray instead" and not target.ledger.tells_strays:
            target.ledger.strays += 1
            await self.send(target.wire.write_stray(self.rng))
            raise Lost
        if plan == "stray instead":
            await self.send(target.wire.write_stray(self.rng))
        if plan == "dribble":
            await self.dribble(data[:-1])
            data = data[-1:]
        elif plan == "stray behind":
            target.ledger.strays += not target.ledger.tells_strays
            data += target.wire.write_stray(self.rng)
        del self.owed[index]
        await self.send(data)
        if not (target.wire.by_id and message.how[0] == 200):
            target.ledger.records[message.number].sent_answer = target.ledger.now()
        if plan == "stray behind" and not target.ledger.tells_strays:
            raise Lost
        if plan == "twice" and target.ledger.by_id:
            await self.send(data)
        await self.end_behind(plan, message)

    def is_open_ended(self, message):
        return self.target.wire.name == "http" and self.target.wire.ends_behind(message)

    async def end_behind(self, plan, message):
        self.open_ended = None
        if self.is_open_ended(message) or plan == "close behind":
            self.close()
        elif plan == "reset behind":
            self.reset()
        elif plan == "finish behind":
            self.sock.shutdown(socket.SHUT_WR)
            raise Lost

    async def dribble(self, data):
        pieces = self.rng.randint(2, 12)
        step = 1 + len(data) // pieces
        for at in range(0, len(data), step):
            await self.send(data[at : at + step])
            await self.target.calm.nap(self.rng.choice([0, 0.005, 0.05]))

    async def send(self, data):
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    # ---- its end ----

    def close(self):
        self.shut(is_reset=False)

    def reset(self):
        """Over a unix socket that is a close."""
        self.shut(is_reset=self.target.family != socket.AF_UNIX)

    def shut(self, is_reset):
        if self.sock.fileno() < 0:
            return
        if self.open_ended is not None and not is_reset:
            self.target.ledger.records[self.open_ended].is_cut = True  # nobody can tell that there was more
        if is_reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.target.forget(self)
        close_now(self.sock)
        self.ended = True
        self.owed.clear()
        self.arrived.set()
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()


class Target:
    def __init__(self, wire, ledger, rng, address, limit, buffers):
        self.wire = wire
        self.ledger = ledger
        self.rng = rng
        self.limit = limit  # connections at a time
        self.buffers = buffers
        self.calm = Calm()
        self.rates = self.draw_rates()
        self.manner = "serve"  # or what is done with new connections
        self.connections = []
        self.count = 0
        self.tasks = set()
        self.family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.name = address
        self.listener = None
        self.accepting = None
        self.up()

    def draw_rates(self):
        """How often which plan is drawn; many a target does only some of it."""
        plans = [
            "late", "very late", "silent", "close unanswered", "reset unanswered", "refusal", "close midway",
            "reset midway", "stall midway", "garbage", "stray instead", "stray behind", "twice", "dribble",
            "close behind", "reset behind", "finish behind",
        ]  # fmt: skip
        wild = self.rng.choice([0.0, 0.2, 0.5, 1.0])
        rates = {plan: self.rng.choice([0, 0.003, 0.02]) * wild for plan in plans}
        rates["late"] *= 5
        rates["pause"] = self.rng.choice([0, 0, 0.01, 0.1])
        rates["hang up"] = self.rng.choice([0, 0, 0.1, 0.4]) * wild
        return rates

    def plan(self):
        if self.calm.is_set():
            return "answer"
        plans = [plan for plan in self.rates if plan not in ("pause", "hang up")]
        drawn = self.rng.random()
        for plan in plans:
            drawn -= self.rates[plan]
            if drawn < 0:
                return plan
        return "answer"

    # ---- listening ----

    def bind(self):
        listener = socket.socket(self.family)
        if self.family == socket.AF_UNIX:
            if os.path.exists(self.name):
                os.unlink(self.name)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        set_buffers(listener, self.buffers)
        listener.bind(self.name)
        listener.setblocking(False)
        self.name = listener.getsockname()
        return listener

    def up(self):
        if self.accepting is None:
            self.listener = self.listener or self.bind()
            self.listener.listen(64)
            self.accepting = asyncio.create_task(self.accept())

    async def down(self):
        """Refuses from now on; the port stays ours. Whoever waits here may be cancelled, so all is done before."""
        if self.accepting is not None:
            accepting, self.accepting = self.accepting, None
            accepting.cancel()
            close_now(self.listener)
            self.listener = self.bind()
            await asyncio.gather(accepting, return_exceptions=True)

    async def restart(self, seconds):
        """As a program that is started anew: all connections end, and for a while nobody listens."""
        await self.down()
        for connection in list(self.connections):
            connection.reset() if self.rng.random() < 0.5 else connection.close()
        await self.calm.nap(seconds)
        self.up()

    async def accept(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self.listener)
            self.count += 1
            self.check_count(sock)
            if not self.calm.is_set() and self.rng.random() < self.rates["hang up"]:
                self.hang_up(sock)
                continue
            connection = Connection(self, sock, self.count)
            self.connections.append(connection)
            if self.manner == "greet" and not self.calm.is_set():
                await self.greet(connection)
            connection.task = self.keep(connection.serve())

    async def greet(self, connection):
        self.ledger.strays += not self.ledger.tells_strays
        try:
            await connection.send(self.wire.write_stray(self.rng))
        except OSError:
            pass
        connection.is_lost = not self.ledger.tells_strays

    def keep(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def check_count(self, new):
        """A connection whose bytes we do not read may have an end behind them, so it is not counted."""
        alive = [one for one in self.connections if one.is_reading and not peer_has_ended(one.sock)]
        if len(alive) + 1 > self.limit and not peer_has_ended(new):
            numbers = ", ".join(str(one.number) for one in alive)
            self.ledger.violate("the target got connection %d beside %s" % (self.count, numbers))

    def hang_up(self, sock):
        if self.rng.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        sock.close()

    def forget(self, connection):
        if connection in self.connections:
            self.connections.remove(connection)

    # ---- the storm ----

    async def storm(self):
        """What happens to the target as a whole, until it is cancelled."""
        while True:
            await asyncio.sleep(self.rng.uniform(0.1, 1.5))
            what = self.rng.choice(["rates", "rates", "down", "restart", "greet", "serve", "close all"])
            if what == "rates":
                self.rates = self.draw_rates()
            elif what == "down":
                await self.down()
                await self.calm.nap(self.rng.uniform(0.05, 1))
                self.up()
            elif what == "restart":
                await self.restart(self.rng.uniform(0, 0.7))
            elif what == "close all":
                for connection in list(self.connections):
                    connection.close() if self.rng.random() < 0.5 else connection.reset()
            else:
                self.manner = what

    def settle(self):
        self.manner = "serve"
        self.calm.set()
        self.up()

    async def stop(self):
        await self.down()
        self.listener.close()
        for connection in list(self.connections):
            connection.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
