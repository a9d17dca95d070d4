# SPDX-License-Identifier: MIT
"""One round: a multiplexer with drawn flags between a model target and model clients, and what is promised.

    storm      everything at once, for some seconds
    calm       rude clients are gone, the target serves: what is owed has to come soon
    recovery   a fresh client is served; descriptors are back
    end        the signal to stop with requests under way; exit status, sanitizers
"""

import asyncio
import os
import random
import re
import signal
import socket
import subprocess
from pathlib import Path

import flags
from calm import Calm
from client import Visit
from http_wire import Http
from ledger import Ledger
from target import Target
from wires import ECHO, ISO8583, MPU, Modbus

WIRES = {"echo": ECHO, "http": Http(), "iso8583": ISO8583, "modbus": Modbus(), "mpu": MPU}
SLACK = 6  # seconds that a busy machine may take for anything
RETIRE = 1.2  # what the multiplexer waits for a target to notice its end
DRIBBLE = 2  # what an answer of the model takes at most, beside a drawn delay
LINGER = 2.5
DESCRIPTORS_SLACK = 1
SANITIZERS_MEMORY = 48 << 20
SANITIZED = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=16",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
ALARMING = re.compile(r"Sanitizer|runtime error|Assertion|\berror  ")
TAIL_LINES = 40


class Refused(Exception):
    """The program does not take these flags."""


class Daemon:
    def __init__(self, program, words, folder, ledger):
        self.words = words
        self.ledger = ledger
        self.log = Path(folder) / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                env={**os.environ, **SANITIZED},
            )  # fmt: skip
        self.addresses = []

    async def start(self, listeners):
        for _ in range(1000):
            text = self.log.read_text()
            found = re.findall(r'listening (unix:[^\s"]+|\S+:\d+)', text)
            if len(found) == listeners:
                break
            if self.process.poll() is not None:
                raise Refused(text)
            await asyncio.sleep(0.02)
        self.addresses = [self.parse(address) for address in found]

    @staticmethod
    def parse(address):
        if address.startswith("unix:"):
            return socket.AF_UNIX, address[len("unix:") :]
        host, port = address.rsplit(":", 1)
        return socket.AF_INET, (host, int(port))

    @property
    def is_alive(self):
        return self.process.poll() is None

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def memory(self, which):
        """Bytes, of "VmRSS" now or "VmHWM" at most."""
        status = Path("/proc/%d/status" % self.process.pid).read_text()
        return int(re.search(which + r":\s+(\d+) kB", status)[1]) << 10

    def signal(self, number):
        if self.is_alive:
            self.process.send_signal(number)

    async def wait(self, seconds):
        """The exit status, or None."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.process.poll() is None and loop.time() < until:
            await asyncio.sleep(0.02)
        return self.process.poll()

    def tail(self):
        lines = self.log.read_text(errors="replace").splitlines()
        alarm = next((at for at, line in enumerate(lines) if ALARMING.search(line)), len(lines))
        return lines[max(0, alarm - TAIL_LINES) : alarm + TAIL_LINES]


class Round:
    def __init__(self, program, seed, folder, only=None, stops=True):
        self.program = program
        self.seed = seed
        self.folder = folder
        self.rng = random.Random(seed)
        self.protocol = only or sorted(WIRES)[seed % len(WIRES)]
        self.wire = WIRES[self.protocol]
        self.stops = stops
        self.visits = set()
        self.serial = 0
        self.words = []
        self.is_ending = False

    # ---- what clients ask their storm ----

    def address(self, rng):
        return rng.choice(self.daemon.addresses)

    def draw_sizes(self, rng):
        return tuple(self.draw_size(rng) for _ in range(2))

    def draw_size(self, rng):
        largest = self.size_max if rng.random() < 0.99 else self.size_max * 3
        return int(min(largest, rng.choice([10, 200, 200, 3000, 3000, self.large]) * rng.random()))

    # ---- drawing ----

    def draw_flags(self):
        listed, self.defaults = flags.options(self.program)
        self.drawn = flags.repair(self.rng, flags.draw(self.rng, self.protocol, listed), self.protocol)

    def draw_addresses(self):
        self.listen = ["127.0.0.1:0"]
        if self.rng.random() < 0.5:
            self.listen.append("unix:%s/listen" % self.folder)
        self.target_name = "%s/target" % self.folder if self.rng.random() < 0.25 else ("127.0.0.1", 0)

    def draw_world(self):
        small = [(0, 0), (0, 0), (4096, 2048), (0, 2048), (4096, 0), (0, 16384)]
        self.client_buffers = self.rng.choice(small)
        self.target_buffers = self.rng.choice(small)
        is_tiny = 0 < min(self.client_buffers[1] or 8192, self.target_buffers[1] or 8192) < 8192
        self.large = self.rng.choice([3000, 20000] if is_tiny else [3000, 60000, 400000])
        self.crowd = self.rng.choice([3, 10, 25, 50])
        self.storm_seconds = self.rng.uniform(2.5, 6)
        self.end_kind = self.rng.choice(["TERM", "TERM", "TERM", "TERM", "INT", "twice", "QUIT"])

    def make_models(self):
        settings = self.settings = flags.Settings(self.drawn, self.defaults)
        self.size_max = max(1, settings.size("max-message") - 100)
        ignored = settings.has("modbus-ignore-id"), settings.has("iso-ignore-mti")
        self.ledger = Ledger(self.wire, int(settings.text("in-flight")), *ignored)
        self.limit = int(settings.text("connections"))
        self.target = Target(self.wire, self.ledger, self.rng, self.target_name, self.limit, self.target_buffers)
        name = self.target.name
        self.target_address = "unix:" + name if isinstance(name, str) else "%s:%d" % name

    async def start(self):
        self.calm = Calm()
        self.draw_flags()
        self.draw_addresses()
        self.draw_world()
        for _ in range(20):
            self.make_models()
            listen = [word for address in self.listen for word in ("-l", address)]
            self.words = ["server", "-p", self.protocol, "-t", self.target_address, *listen]
            self.words += flags.command_line(self.drawn)
            self.daemon = Daemon(self.program, self.words, self.folder, self.ledger)
            try:
                await self.daemon.start(len(self.listen))
                break
            except Refused as refused:
                await self.target.stop()
                self.drop_refused(str(refused))
        self.descriptors = self.daemon.descriptors()
        self.memory = self.daemon.memory("VmRSS")

    def drop_refused(self, text):
        """The first flag of ours that the complaint names is not given."""
        named = [name for name in re.findall(r"--([\w-]+)", text) if name in self.drawn]
        if self.daemon.process.returncode != 2 or not named:
            raise SystemExit("chaos: the program does not start\n%s\n%s" % (" ".join(self.words), text))
        for name in named[:1]:
            del self.drawn[name]

    # ---- bounds ----

    def is_serviceable(self):
        """Whether a fresh client can be served at all: no time is shorter than what a busy machine takes."""
        times = ["client-timeout", "connect-timeout", "queue-timeout", "wait-timeout", "timeout", "write-timeout"]
        offs = ["idle-timeout", "link-lifetime"]
        settings = self.settings
        return (
            all(settings.seconds(name) >= 0.3 for name in times)
            and all(settings.seconds(name) == 0 or settings.seconds(name) >= 0.3 for name in offs)
            and settings.size("max-message") >= 4 << 10
        )

    @property
    def promises_whole(self):
        settings = self.settings
        return (not self.is_ending and settings.seconds("write-timeout") >= 0.5
                and settings.size("buffer-memory") >= 4 << 20)  # fmt: skip

    def patience(self):
        """How long a polite client may wait for the next thing, by the flags. None: that depends on others."""
        settings = self.settings
        in_flight = self.ledger.in_flight
        if in_flight > 1 and not self.ledger.by_id:
            return None
        twice = 2 * (settings.seconds("timeout") + DRIBBLE)
        return (settings.seconds("wait-timeout") + twice + settings.seconds("write-timeout") + settings.seconds("delay")
                + RETIRE + SLACK + self.ledger.stopped)  # fmt: skip

    def patience_in_calm(self):
        settings = self.settings
        pause = min(settings.seconds("queue-timeout"), 1.3 * settings.seconds("retry-delay-max"))
        pending = sum(len(visit.pending) for visit in self.visits)
        silence = max(settings.seconds("gap"), settings.seconds("check-gap"))
        return pause + settings.seconds("delay") + pending * (silence + 0.02) + RETIRE + DRIBBLE + SLACK

    # ---- the storm ----

    def visit(self, manner):
        self.serial += 1
        rng = random.Random(self.rng.random())
        return Visit(self.ledger, rng, self, manner, self.serial)

    async def carry_out(self, visit):
        self.visits.add(visit)
        try:
            await visit.run()
        finally:
            self.visits.discard(visit)

    async def come_and_go(self):
        """One place in the crowd."""
        manners = list(Visit.MANNERS)
        weights = list(Visit.MANNERS.values())
        await self.calm.nap(self.rng.uniform(0, 1))
        while not self.calm.is_set():
            visit = self.visit(self.rng.choices(manners, weights)[0])
            await self.carry_out(visit)
            await self.calm.nap(self.rng.choice([0, 0.01, 0.1, 0.5]))

    async def send_signals(self):
        while True:
            await asyncio.sleep(self.rng.uniform(0.1, 2.5))
            number = self.rng.choice([signal.SIGSTOP, signal.SIGSTOP, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
            if number != signal.SIGSTOP:
                self.daemon.signal(number)
            elif self.stops:
                await self.stop_for(self.rng.choice([0.1, 0.3, 1, 3]) * self.rng.random())

    async def stop_for(self, seconds):
        self.ledger.stopped += seconds
        self.daemon.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.daemon.signal(signal.SIGCONT)

    async def watch(self):
        """No polite client waits too long; the multiplexer is alive."""
        while True:
            await asyncio.sleep(0.2)
            self.check_patience(self.patience(), "which is longer than its flags allow")
            if not self.daemon.is_alive and not self.is_ending:
                self.ledger.violate("the multiplexer has ended with status %s" % self.daemon.process.returncode)
                return

    def check_patience(self, patience, words, since=0.0):
        for visit in list(self.visits):
            begun = visit.waits_since()
            if patience is None or begun is None or not visit.is_polite:
                continue
            waited = self.ledger.now() - max(begun, since)
            if waited > patience:
                numbers = [record.ask.number for record in list(visit.pending)[:3]]
                visit.violate("has waited for %.1f s, %s (%.1f s)" % (waited, words, patience), numbers)
                visit.pending.clear()
                visit.awaits_end = False

    async def storm(self):
        crowd = [asyncio.create_task(self.come_and_go()) for _ in range(self.crowd)]
        others = [asyncio.create_task(one) for one in (self.target.storm(), self.send_signals())]
        await asyncio.wait(crowd, timeout=self.storm_seconds)
        for one in others:
            one.cancel()
        results = await asyncio.gather(*others, return_exceptions=True)
        for result in results:
            if not isinstance(result, asyncio.CancelledError):
                self.ledger.violate("the model failed: %r" % result)
        self.calm.set()
        self.target.settle()
        await self.drain(crowd)

    async def drain(self, crowd):
        """What is owed comes, and then the crowd has gone."""
        since = self.ledger.now()
        patience = self.patience_in_calm()
        left = crowd
        while left and self.daemon.is_alive:
            _, left = await asyncio.wait(left, timeout=0.2)
            self.check_patience(patience, "since the storm is over", since)
            if self.ledger.now() - since > patience + SLACK:
                break
        for task in left:
            task.cancel()
        for result in await asyncio.gather(*crowd, return_exceptions=True):
            if isinstance(result, Exception):
                self.ledger.violate("a model client failed: %r" % result)

    # ---- after it ----

    async def recover(self):
        if not self.is_serviceable():
            return
        for manner in ("polite", "pipelining", "finishing"):
            until = self.ledger.now() + self.patience_in_calm()
            last = None
            while self.ledger.now() < until and self.daemon.is_alive:
                last = self.visit(manner)
                await asyncio.wait([asyncio.create_task(self.carry_out(last))], timeout=SLACK)
                if last.answers > 0 and not last.was_let_down:
                    break
                await asyncio.sleep(0.05)
            else:
                if self.daemon.is_alive:
                    self.ledger.violate("after the storm nobody who is %s is served" % manner, last)

    async def check_descriptors(self):
        until = self.ledger.now() + LINGER + SLACK
        allowed = self.descriptors + self.limit + DESCRIPTORS_SLACK
        while self.daemon.is_alive and self.daemon.descriptors() > allowed:
            if self.ledger.now() > until:
                now = self.daemon.descriptors()
                self.ledger.violate("%d descriptors are open, and there were %d" % (now, self.descriptors))
                return
            await asyncio.sleep(0.05)

    def check_memory(self):
        """A sanitizer keeps what is freed for a while, and surrounds everything."""
        grown = self.daemon.memory("VmHWM") - self.memory
        if grown > 2 * self.settings.size("buffer-memory") + SANITIZERS_MEMORY:
            self.ledger.violate("it had grown by %d MiB" % (grown >> 20))

    async def end(self):
        first = len(self.ledger.records)
        visits = [self.visit("pipelining") for _ in range(self.rng.choice([0, 1, 5, 10]))]
        crowd = [asyncio.create_task(self.carry_out(visit)) for visit in visits]
        await asyncio.sleep(self.rng.choice([0, 0.005, 0.05]))
        self.is_ending = True
        self.daemon.signal({"INT": signal.SIGINT, "QUIT": signal.SIGQUIT}.get(self.end_kind, signal.SIGTERM))
        if self.end_kind == "twice":
            await asyncio.sleep(self.rng.choice([0, 0.01, 0.1]))
            self.daemon.signal(signal.SIGTERM)
        grace = self.settings.seconds("grace")
        asked_at = self.ledger.now()
        status = await self.daemon.wait(grace + LINGER + RETIRE + SLACK)
        if status is None:
            self.ledger.violate("it has not ended %.1f s after %s" % (self.ledger.now() - asked_at, self.end_kind))
            self.daemon.process.kill()
            self.daemon.process.wait()
        elif status != 0 and not (self.end_kind == "twice" and status == -signal.SIGTERM and self.has_stopped()):
            self.ledger.violate("exit status %d after %s" % (status, self.end_kind))
        if crowd:
            _, left = await asyncio.wait(crowd, timeout=SLACK)
            for task in left:
                self.ledger.violate("a client's connection outlives the multiplexer")
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
        self.check_drained(first, asked_at + grace)

    def has_stopped(self):
        """A second signal may meet a process that has done all it had to, and is leaving."""
        return re.search(r"\bstopped\b.*\bresponses\b", "\n".join(self.daemon.tail())) is not None

    def check_drained(self, first, until):
        """What the target has answered within --grace was given to who asked."""
        if self.end_kind not in ("TERM", "INT") or not self.is_serviceable():
            return
        for record in self.ledger.records[first:]:
            sent = record.sent_answer
            if 0 < self.settings.size("max-body") < record.ask.want or record.ask.want > self.size_max:
                continue
            # A client that is closed with more than 64 KiB unread is reset, which may cost it what it has not read.
            if record.client.why.startswith("reset"):
                continue
            if sent is not None and sent < until - 0.3 and record.answered is None:
                sentence = "request %d was answered by the target while the multiplexer stopped, and nobody was told"
                self.ledger.violate(sentence % record.ask.number, record.client, [record.ask.number])

    def check_log(self):
        lines = [line for line in self.daemon.log.read_text(errors="replace").splitlines() if ALARMING.search(line)]
        if lines:
            self.ledger.violate("the log says: %s" % lines[0])

    async def run(self):
        await self.start()
        watch = asyncio.create_task(self.watch())
        try:
            await self.storm()
            if self.daemon.is_alive:
                await self.recover()
                await self.check_descriptors()
                self.check_memory()
            await self.end()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            if self.daemon.is_alive:
                self.daemon.process.kill()
                self.daemon.process.wait()
            await self.target.stop()
        self.check_log()

    # ---- telling ----

    def summary(self):
        ledger = self.ledger
        return {"visits": self.serial, "requests": len(ledger.records) - 1, "answered": ledger.answered,
                "errors": ledger.errors, "closed": ledger.closed, "connections": self.target.count,
                "strays": ledger.strays_taken}  # fmt: skip

    def report(self):
        """The lines that tell of every violation."""
        lines = ["tcp-multiplexer " + " ".join(self.words), "%s" % self.summary()]
        for at, sentence, client, numbers in self.ledger.violations:
            lines.append("%.3f VIOLATION: %s" % (at, sentence))
            for number in numbers:
                lines += ["    " + line for line in self.ledger.story(number)]
            if client is not None:
                lines += ["    client %d: %s" % (client.serial, line) for line in client.story[-30:]]
        return lines + ["log:"] + self.daemon.tail()
