# SPDX-License-Identifier: MIT
"""How measurements are made: loads on their processor, contenders in turns, round by round."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable

import contenders
from processes import SERVERS, Crew, Placement, Server, Trouble
from store import Store

WIRES = ("echo", "iso8583", "modbus", "http")


@dataclasses.dataclass
class Options:
    rounds: int
    seconds: int
    clients: list[int] | None  # None: what each part has
    idle: int
    wires: list[str]
    quick: bool
    program: pathlib.Path
    programs: pathlib.Path  # the folder of those that measure


@dataclasses.dataclass(frozen=True)
class Job:
    """One measurement of each round."""

    case: str
    contender: str
    point: int | str
    run: Callable[[], dict]


class Session:
    def __init__(self, options: Options, crew: Crew, store: Store):
        self.options = options
        self.crew = crew
        self.store = store

    def cast(self):
        return contenders.cast(self.crew, self.options.programs, self.options.program)

    def clients(self, usual: list[int], quick: list[int]) -> list[int]:
        """How many clients: as asked for, or what is usual for the part."""
        return self.options.clients or (quick if self.options.quick else usual)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def measure(self, part: str, jobs: list[Job], rounds: int | None = None) -> None:
        """The contenders of a point run right after one another, the other way round in every other round."""
        rounds = rounds or self.options.rounds
        for number in range(1, rounds + 1):
            for (case, point), group in grouped(jobs).items():
                self.say(f"{part}: round {number} of {rounds}, {case}, {point}")
                for job in group if number % 2 else group[::-1]:
                    self.store.add(part, case, job.contender, point, number, job.run())

    def jobs(self, case: str, point, servers: dict, wire: str, *flags, place: Placement = SERVERS,
             adjust: Callable[[dict], dict] = dict) -> list[Job]:
        """The same load in front of each of the servers, whose CPU time is taken."""
        def job(name: str, server: Server) -> Job:
            return Job(case, name, point, lambda: adjust(
                self.load(server, wire, *flags, watch=server, place=place)))

        return [job(name, server) for name, server in servers.items()]

    def load(self, server: Server, wire: str, *flags, watch: Server | None = None,
             place: Placement = SERVERS, seconds: int | None = None) -> dict:
        """The values that the load generator prints."""
        seconds = seconds or self.options.seconds
        command = self.load_command(server, wire, "--seconds", seconds, *flags)
        if watch is not None:
            command += ["--watch", watch.pid]
        status, output, errors = self.crew.run(command, place.load, seconds + 120)
        values = read_values(output)
        if status != 0 or values.get("errors") != 0:
            said = (errors.strip() or output.strip() or "nothing").splitlines()[-1]
            words = " ".join(str(word) for word in command[1:])
            raise Trouble(f"bench-load {words} ended with status {status} and said: {said}; "
                          f"{self.crew.states(server)}")
        return values

    def load_command(self, server: Server, wire: str, *flags) -> list:
        named = [] if wire == "echo" else ["--wire", wire]
        return [self.options.programs / "bench-load", server.address, *named, *flags]

    def settle(self, seconds: float) -> None:
        """Lets a server finish what the last load left to do, such as closing its connections."""
        time.sleep(seconds)


def grouped(jobs: list[Job]) -> dict:
    groups: dict = {}
    for job in jobs:
        groups.setdefault((job.case, job.point), []).append(job)
    return groups


def read_values(output: str) -> dict:
    """`name value` lines."""
    values = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) == 2:
            try:
                values[words[0]] = float(words[1])
            except ValueError:
                continue
    return values
