# SPDX-License-Identifier: MIT
"""Many clients: all are served, and nobody ever gets the answer of another."""

import asyncio
import random
import socket
import struct
import time

from lib.client import Client
from lib.target import answer, echoing
from lib.wire import ECHO


def test_a_thousand_clients_that_connect_in_a_burst_are_all_served(target, mux):
    device = target()
    started = mux(device, "-v")  # which leaves no line out
    clients = [Client(started.address, ECHO) for _ in range(1000)]
    for number, one in enumerate(clients):
        one.send(b"client %d" % number)
    for number, one in enumerate(clients):
        assert one.receive() == answer(b"client %d" % number)
    for one in clients:
        one.close()
    started.wait_for_log("closed .*client=", count=1000)
    assert len(device.connections) == 1


class Visitor:
    """Comes, asks some lines that carry its name, and leaves in one way or another."""

    def __init__(self, port, dice, served):
        self.port = port
        self.dice = dice
        self.served = served

    async def visit(self, name):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for round_number in range(self.dice.randrange(1, 5)):
                await self.ask(reader, writer, b"%s round %d" % (name, round_number))
            await self.leave(reader, writer, name)
        finally:
            writer.close()

    async def ask(self, reader, writer, text):
        lines = [b"%s line %d" % (text, number) for number in range(self.dice.randrange(1, 6))]
        writer.write(b"".join(line + b"\n" for line in lines))
        for line in lines:
            given = await reader.readline()
            assert given == line + b"\n", "asked %r, got %r" % (line, given)
            self.served.append(given)

    async def leave(self, reader, writer, name):
        way = self.dice.randrange(4)
        if way == 0:  # vanishes with a request under way
            writer.write(name + b" last words\n")
            self.reset_on_close(writer)
        elif way == 1:  # vanishes inside a request
            writer.write(name + b" never whole")
            self.reset_on_close(writer)
        elif way == 2:  # half-closes, and still gets its answer
            writer.write(name + b" half closed\n")
            writer.write_eof()
            assert await reader.read() == name + b" half closed\n"

    def reset_on_close(self, writer):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_two_hundred_clients_that_come_and_go_never_get_a_foreign_answer(target, mux):
    device = target(ECHO, echoing)
    started = mux(device)
    seed = 20240521
    served = []
    until = time.monotonic() + 2

    async def regular(number):
        dice = random.Random(seed + number)
        visits = 0
        while time.monotonic() < until:
            visits += 1
            await Visitor(started.port, dice, served).visit(b"client %d visit %d" % (number, visits))

    async def crowd():
        await asyncio.gather(*[regular(number) for number in range(200)])

    asyncio.run(crowd())
    assert len(served) > 500
    assert len(device.connections) == 1, "a link was replaced without need"
