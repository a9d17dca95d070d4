# SPDX-License-Identifier: MIT
"""The processes of a run: each started on the processor where it belongs, and none left behind.

A `Crew` starts servers and loads. Whatever happens to the run, `end` kills what is still there; servers
are in sessions of their own, so that Ctrl-C reaches this program first, and all of them through it.

The multiplexer, its target and the load each have a place, a processor, or none, where the system
chooses. With one processor there are no places.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

START_SECONDS = 60  # under valgrind, on a busy machine
STOP_SECONDS = 20


class Trouble(Exception):
    """The run cannot go on; one line says why."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """The processor, 0 or 1, of each of the three; None is wherever the system puts it."""

    name: str
    target: int | None
    middle: int | None
    load: int | None


SERVERS = Placement("servers on one core, load on the other", 0, 0, 1)
ONE_CORE = Placement("everything on one core", 0, 0, 0)
MIDDLE_ALONE = Placement("the middle on a core of its own", 1, 0, 1)
BESIDE_LOAD = Placement("the middle beside the load", 0, 1, 1)
UNPINNED = Placement("nothing pinned", None, None, None)


def processors() -> list[int]:
    return sorted(os.sched_getaffinity(0))


STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SET_PARENT_DEATH_SIGNAL = 1  # of prctl(2)
libc = ctypes.CDLL(None)


def prepare_child(processor: int | None) -> None:
    """Called in the child before it becomes its program. It dies with this one, even if that is killed."""
    libc.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    allowed = processors()
    if processor is not None and len(allowed) >= 2:
        os.sched_setaffinity(0, {allowed[processor]})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING_SIGNALS)


@dataclasses.dataclass(eq=False)
class Server:
    name: str
    process: subprocess.Popen
    log: pathlib.Path
    address: str = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def last_line(self) -> str:
        return (self.said().strip().splitlines() or ["nothing"])[-1]

    def state(self) -> str:
        """For a message about trouble."""
        status = self.process.poll()
        how = "runs" if status is None else f"ended with status {status}"
        return f"{self.name} {how} and said: {self.last_line()}"


class Crew:
    def __init__(self, work: pathlib.Path):
        self.work = work
        self.processes: list[subprocess.Popen] = []
        self.servers: list[Server] = []
        self.started_count = 0

    def spawn(self, command: list, processor: int | None, **streams) -> subprocess.Popen:
        """Starts a program; no signal comes between its start and its being known."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
        try:
            process = subprocess.Popen([str(word) for word in command], start_new_session=True,
                                       preexec_fn=lambda: prepare_child(processor), **streams)
            self.processes.append(process)
        except OSError as error:
            raise Trouble(f"cannot start {command[0]}: {error.strerror}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING_SIGNALS)
        return process

    def start(self, name: str, command: list, processor: int | None, port: int | None = None) -> Server:
        """Starts a server and waits until it listens: it says so, or, if it does not, its port answers."""
        self.started_count += 1
        log = self.work / f"{self.started_count}.{re.sub('[^a-z0-9]+', '-', name.lower())}.log"
        with log.open("wb") as output:
            process = self.spawn(command, processor, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        server = Server(name, process, log)
        self.servers.append(server)
        deadline = time.monotonic() + START_SECONDS
        while not server.address:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Trouble(f"{name} does not listen; it said: {server.last_line()}")
            server.address = address_of(server, port)
            time.sleep(0 if server.address else 0.02)
        return server

    def states(self, suspect: Server) -> str:
        """Of one server, and of those that ended without having been asked to."""
        fallen = [server for server in self.servers if server.process.poll() is not None]
        return "; ".join(server.state() for server in dict.fromkeys([*fallen, suspect]))

    def stop(self, server: Server, statuses: tuple = (0, -signal.SIGTERM)) -> int:
        """Ends a server in order; one that is gone already has failed."""
        self.servers.remove(server)
        if server.process.poll() is None:
            server.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(STOP_SECONDS)
        else:
            raise Trouble(f"{server.name} ended by itself with status {server.process.returncode}; "
                          f"it said: {server.last_line()}")
        status = self.reap(server.process)
        if status not in statuses:
            raise Trouble(f"{server.name} ended with status {status}; it said: {server.last_line()}")
        return status

    def run(self, command: list, processor: int | None, seconds: float) -> tuple[int, str, str]:
        """Runs a program to its end: status, output and errors."""
        process = self.spawn(command, processor, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{pathlib.Path(command[0]).name} did not end in {seconds:.0f} s") from None
        self.processes.remove(process)
        return process.returncode, output, errors

    def reap(self, process: subprocess.Popen) -> int:
        """Makes sure that it is gone."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        if process in self.processes:
            self.processes.remove(process)
        return status

    def reap_when_done(self, process: subprocess.Popen, seconds: float) -> int:
        """Waits for the end, for so long at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return self.reap(process)

    def end(self) -> None:
        for process in list(self.processes):
            self.reap(process)


def address_of(server: Server, port: int | None) -> str:
    """Where it listens, or nothing as long as it does not."""
    if port is None:
        found = re.search(r"listening ([0-9.]+:[0-9]+)", server.said())
        return found.group(1) if found else ""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return f"127.0.0.1:{port}"
    return ""


def free_port() -> int:
    """A port that is free now, for programs that tell nobody which one the system gave them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_line(process: subprocess.Popen, word: str, seconds: float) -> bool:
    """Whether the process prints a line with the word in time."""
    deadline = time.monotonic() + seconds
    text = b""
    while time.monotonic() < deadline and word.encode() not in text:
        if select.select([process.stdout], [], [], 0.2)[0]:
            part = os.read(process.stdout.fileno(), 4096)
            if not part:
                break
            text += part
    return word.encode() in text


def private_bytes(pid: int) -> int:
    """What a process has for itself alone."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty:"))


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process."""
    files = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files)
