#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A thousand hostile clients beside twenty honest ones, and what that costs.

A third of the attackers queues requests as fast as they are taken, a third asks and never reads, and a third
sends messages that never become whole. Those that are closed come again. The honest clients come, ask a few
things, check every answer, and go. Twice the multiplexer is run: with as many idle clients, for comparison, and
attacked. Right is: every honest request is answered, and the resident memory never exceeded that with the idle
clients by more than the limit, a quarter of it, and 8 MiB. `--attack pin` is another attack, on the slabs of queued requests.
"""
import argparse
import asyncio
import os
import random
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time

MIB = 1 << 20
SLACK = 8 * MIB
HONEST = 20


class Echo:
    name, flags = "echo", []

    @staticmethod
    def request(number, size):
        return b"%d %s\n" % (number, b"x" * size)

    @staticmethod
    def is_answer(number, size, answer):
        return answer == Echo.request(number, size)

    @staticmethod
    async def read(reader):
        return await reader.readuntil(b"\n")

    read_request = read

    @staticmethod
    def answer(request):
        return request

    part = b"x" * 6000
    dribble = b"x"


class Http:
    name, flags = "http", []

    @staticmethod
    def request(number, size):
        return b"GET /%d/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (number, size)

    @staticmethod
    def body(path):
        number, size = path.strip(b"/").split(b"/")
        return b"%s %s" % (number, b"x" * int(size))

    @staticmethod
    def is_answer(number, size, answer):
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200") and body == b"%d %s" % (number, b"x" * size)

    @staticmethod
    async def read(reader):
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"(?i)content-length: *(\d+)", head)
        return head + (await reader.readexactly(int(size[1])) if size else b"")

    read_request = read

    @staticmethod
    def answer(request):
        body = Http.body(request.split(b" ", 2)[1])
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    part = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + b"x" * 6000
    dribble = b"x"


class Modbus:
    name, flags = "modbus", ["--coalesce", "--in-flight", "8"]

    @staticmethod
    def request(number, size):
        # The register tells the number, so that an answer that is not this one's is noticed.
        return struct.pack(">HHHBBHH", number & 0xFFFF, 0, 6, 1, 3, number & 0xFFFF, 1 + size % 125)

    @staticmethod
    def is_answer(number, size, answer):
        return answer == Modbus.answer(Modbus.request(number, size))

    @staticmethod
    async def read(reader):
        head = await reader.readexactly(6)
        return head + await reader.readexactly(struct.unpack(">H", head[4:])[0])

    read_request = read

    @staticmethod
    def answer(request):
        transaction, _, _, unit, function, register, count = struct.unpack(">HHHBBHH", request)
        data = b"".join(struct.pack(">H", register + i & 0xFFFF) for i in range(count))
        return struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data)) + data

    part = b"\0\1\0\0\0\xf0\1\3"
    dribble = b""


PROTOCOLS = {protocol.name: protocol for protocol in (Echo, Http, Modbus)}


def child(body):
    """Runs it in a process of its own, which ends with this one."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            body()
        finally:
            os._exit(0)
    return pid


# ---- the target ----


def serve(protocol, listener, service):
    async def serve_one(reader, writer):
        try:
            while True:
                request = await protocol.read_request(reader)
                if service > 0:
                    await asyncio.sleep(service)
                writer.write(protocol.answer(request))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run():
        server = await asyncio.start_server(serve_one, sock=listener, limit=4 * MIB)
        await server.serve_forever()

    asyncio.run(run())


# ---- the attackers ----


class Attacker:
    def __init__(self, protocol, kind, address, poll):
        self.protocol, self.kind, self.address, self.poll = protocol, kind, address, poll
        self.number = random.randrange(1 << 30)
        self.again_at = self.next_at = 0
        self.socket = None

    def connect(self):
        self.socket = socket.socket()
        if self.kind == "deaf":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.setblocking(False)
        self.socket.connect_ex(self.address)
        self.rest = self.protocol.part if self.kind == "dribble" else b""
        self.poll.register(self.socket, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        return self.socket.fileno()

    def close(self):
        self.socket.close()
        self.socket = None
        self.again_at = time.monotonic() + 0.2

    def words(self):
        if self.kind == "dribble":
            return self.protocol.dribble
        requests = []
        for _ in range(50):
            self.number += 1
            requests.append(self.protocol.request(self.number, 0 if self.kind == "queue" else 1000))
        return b"".join(requests)

    def act(self):
        """Says what it can. False: the connection is over."""
        try:
            if self.kind != "deaf":
                while True:
                    if not self.socket.recv(65536):
                        return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            for _ in range(4):
                self.rest = self.rest or self.words()
                if not self.rest:
                    break
                self.rest = self.rest[self.socket.send(self.rest):]
                if self.kind == "dribble" and not self.rest:
                    break
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


def attack(protocol, address, count):
    poll = select.epoll()
    kinds = ("queue", "deaf", "dribble")
    attackers = [Attacker(protocol, kinds[i % 3], address, poll) for i in range(count)]
    while True:
        now = time.monotonic()
        for attacker in attackers:
            if attacker.socket is None and attacker.again_at <= now:
                attacker.connect()
            if attacker.socket is not None and attacker.next_at <= now:
                attacker.next_at = now + random.uniform(0.05, 0.15)
                if not attacker.act():
                    attacker.close()
        poll.poll(0.005)


KEEPERS = 60  # of the attackers who pin
AT_ONCE = 20  # requests of one connection; a slab has room for some 120
PART = 60000


class Pinner:
    """A connection of `pin`, which sends what is taken at the moment."""

    def __init__(self, address):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.rest = b""

    def send(self, words):
        self.rest = self.rest or words
        try:
            self.rest = self.rest[self.socket.send(self.rest):]
        except OSError:
            pass

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def pin(protocol, address, count):
    """Fills what may be queued, every sixth part of a slab from another connection and one request between them from
    a keeper; lets go of all but the keepers', and fills the memory again with large blocks."""
    keepers = [Pinner(address) for _ in range(KEEPERS)]
    while True:
        fillers = [Pinner(address) for _ in range(count - KEEPERS)]
        for turn in range(400 // AT_ONCE):
            for number, filler in enumerate(fillers):
                filler.send(protocol.request(number, 0) * AT_ONCE)
                if number % 6 == 0:
                    keepers[(turn * len(fillers) + number) // 6 % KEEPERS].send(protocol.request(number, 0))
            time.sleep(0.01)
        for filler in fillers:
            filler.reset()
        uploads = [Pinner(address) for _ in range(count - KEEPERS)]
        for upload in uploads:
            upload.send(b"x" * PART)
        time.sleep(0.5)
        for upload in uploads:
            upload.reset()


# ---- the honest ----


class Honest:
    def __init__(self, protocol, port):
        self.protocol, self.port = protocol, port
        self.number = 0
        self.times, self.failures = [], []

    async def ask(self, reader, writer):
        self.number += 1
        number, size = self.number, random.choice((1, 10, 100, 1000))
        begun = time.monotonic()
        writer.write(self.protocol.request(number, size))
        answer = await asyncio.wait_for(self.protocol.read(reader), 30)
        if not self.protocol.is_answer(number, size, answer):
            raise ValueError("wrong answer %r" % answer[:80])
        self.times.append(time.monotonic() - begun)

    async def come_and_go(self, until):
        while time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                for _ in range(random.randint(1, 5)):
                    await self.ask(reader, writer)
                    await asyncio.sleep(random.uniform(0, 0.01))
                writer.close()
                await writer.wait_closed()
            except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
                self.failures.append(repr(error))

    async def run(self, seconds):
        until = time.monotonic() + seconds
        await asyncio.gather(*(self.come_and_go(until) for _ in range(HONEST)))


# ---- the multiplexer ----


class Multiplexer:
    def __init__(self, options, target_port):
        self.process = subprocess.Popen(
            [options.binary, "server", "-p", options.protocol, "-t", "127.0.0.1:%d" % target_port,
             "-l", "127.0.0.1:0", "--buffer-memory", options.memory, *PROTOCOLS[options.protocol].flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                sys.exit("the multiplexer has ended")
            match = re.search(r"listening 127\.0\.0\.1:(\d+)", line)
            if match:
                self.port = int(match[1])
                break
        self.log_reader = child(self.discard_log)
        self.process.stdout.close()

    def discard_log(self):
        while os.read(self.process.stdout.fileno(), 65536):
            pass

    def peak(self):
        """The highest resident memory so far."""
        with open("/proc/%d/status" % self.process.pid) as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024

    def stop(self):
        self.process.kill()
        self.process.wait()
        os.waitpid(self.log_reader, 0)


def idle_bytes(options, target_port):
    multiplexer = Multiplexer(options, target_port)
    clients = [socket.create_connection(("127.0.0.1", multiplexer.port))
               for _ in range(options.attackers + HONEST)]
    protocol = PROTOCOLS[options.protocol]
    for client in (clients[0], clients[-1]):  # accepted in order: the last is served, so all are there
        client.sendall(protocol.request(1, 1))
        client.recv(65536)
    peak = multiplexer.peak()
    multiplexer.stop()
    for client in clients:
        client.close()
    return peak


def size_of(text):
    units = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}
    return int(text[:-3]) * units[text[-3:]] if text[-3:] in units else int(text)


def run(options, target_port):
    protocol = PROTOCOLS[options.protocol]
    idle = idle_bytes(options, target_port)
    multiplexer = Multiplexer(options, target_port)
    address = ("127.0.0.1", multiplexer.port)
    attackers = child(lambda: ATTACKS[options.attack](protocol, address, options.attackers))
    try:
        honest = Honest(protocol, multiplexer.port)
        asyncio.run(honest.run(options.seconds))
        peak = multiplexer.peak()
        is_alive = multiplexer.process.poll() is None
    finally:
        os.kill(attackers, signal.SIGKILL)
        os.waitpid(attackers, 0)
        multiplexer.stop()
    most = idle + size_of(options.memory) * 5 // 4 + SLACK
    times = sorted(honest.times) or [0]
    print("%s --buffer-memory %s: %d attackers (%s), %d honest: %d answers, %d failures, p50 %.1f ms, p99 %.1f ms; "
          "memory %.1f MiB with idle clients, %.1f at most, %.1f allowed"
          % (options.protocol, options.memory, options.attackers, options.attack, HONEST, len(honest.times),
             len(honest.failures), times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3,
             idle / MIB, peak / MIB, most / MIB), flush=True)
    for failure in sorted(set(honest.failures))[:5]:
        print("  failure: %s (%d)" % (failure, honest.failures.count(failure)))
    return is_alive and not honest.failures and len(honest.times) > 0 and peak <= most


ATTACKS = {"mixed": attack, "pin": pin}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), default="echo")
    parser.add_argument("--attack", choices=sorted(ATTACKS), default="mixed")
    parser.add_argument("--memory", default="64MiB", help="--buffer-memory (default: 64MiB)")
    parser.add_argument("--attackers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listener = socket.create_server(("127.0.0.1", 0))
    service = 0.001 if options.attack == "pin" else 0  # so that what is queued stays for a while
    target = child(lambda: serve(PROTOCOLS[options.protocol], listener, service))
    try:
        return 0 if run(options, listener.getsockname()[1]) else 1
    finally:
        os.kill(target, signal.SIGKILL)
        os.waitpid(target, 0)


if __name__ == "__main__":
    sys.exit(main())
