# SPDX-License-Identifier: MIT
"""Waiting awake where it might do harm: beside processes that keep a processor busy, with a quota of
processor time, at a rate of requests that comes whether or not they are answered, and at rest.

What counts is the ratio of `--spin auto` to `--spin off`. Each is measured for two seconds at least, since
the pauses of `auto` last up to one.
"""

import contextlib
import dataclasses
import os
import subprocess

from group import Group, missing_groups
from part import Part
from processes import MIDDLE_ALONE, ONE_CORE, SERVERS, UNPINNED, Placement, Server, Trouble, cpu_ns, wait_for_line
from report import Section, Table, bold_ratio, number
from session import Job, Session
from store import Store
from tables import CPU, P50, P99, RATE, View

AUTO = "--spin auto"
OFF = "--spin off"
BUSY = "busy"
CLOSED_WIRE = "http"
CLOSED_CLIENTS = (1, 64)
CLOSED_PLACES = (UNPINNED, MIDDLE_ALONE, ONE_CORE)
OPEN_CLIENTS = 64
OPEN_RATES = (10, 300, 3000, 10000)
OPEN_SERVICES_US = (0, 1000)
NEAR = "9/10 of the capacity"
ROUNDS_MAX = 3
SECONDS_MIN = 2
SLOW_SECONDS = 8  # for 10 requests/s
IDLE_CLIENTS = 100
IDLE = "idle"


@dataclasses.dataclass(frozen=True)
class Trial:
    """What else is on the machine: processes that are always busy, by processor; whether all are in one
    control group, which is where `sched_yield` gives way; the share of a processor's time that the multiplexer may use."""

    name: str
    hogs: tuple = ()
    together: bool = False
    share: float | None = None

    @property
    def needs_group(self) -> bool:
        return self.together or self.share is not None


TRIALS = (Trial("quiet"), Trial("a busy process on processor 0", (0,)), Trial("on processor 1", (1,)),
          Trial("on both", (0, 1)), Trial("on both, all in one control group", (0, 1), together=True),
          Trial("a quota of 50 %", share=0.5), Trial("a quota of 25 %", share=0.25))


@contextlib.contextmanager
def undergoing(session: Session, trial: Trial, server: Server, target: Server):
    group = Group(trial.share) if trial.needs_group else None
    hogs = []
    try:
        if group:
            group.hold(server.pid)
        if trial.together:
            group.hold(target.pid)
            group.hold(os.getpid())  # and what it starts: the busy processes and the load
        hogs += [session.crew.spawn(["sh", "-c", "while :; do :; done"], processor, stdin=subprocess.DEVNULL)
                 for processor in trial.hogs]
        session.settle(0.2)
        yield
    finally:
        for hog in hogs:
            session.crew.reap(hog)
        if group:
            group.release()


def trials(session: Session) -> list[Trial]:
    why = missing_groups()
    if why:
        session.say(f"{BUSY}: NO QUOTAS AND CONTROL GROUPS ARE MEASURED: {why}")
    return [trial for trial in TRIALS if not (trial.needs_group and why)]


def seconds_of(session: Session, rate: int | None = None) -> int:
    if session.options.quick:
        return 1
    return SLOW_SECONDS if rate == OPEN_RATES[0] else max(SECONDS_MIN, session.options.seconds)


@dataclasses.dataclass(frozen=True)
class Rig:
    """A target with both multiplexers in front of it."""

    session: Session
    wire: str
    place: Placement
    target: Server
    servers: dict

    def jobs(self, case: str, trial: Trial, seconds: int, *flags) -> list[Job]:
        return [Job(case, name, trial.name, lambda name=name: self.run(name, trial, seconds, *flags))
                for name in self.servers]

    def run(self, name: str, trial: Trial, seconds: int, *flags) -> dict:
        server = self.servers[name]
        with undergoing(self.session, trial, server, self.target):
            return self.session.load(server, self.wire, *flags, watch=server, place=self.place,
                                     seconds=seconds)


def rig(session: Session, cast, wire: str, target: Server, place: Placement, *flags) -> Rig:
    return Rig(session, wire, place, target, {
        name: cast.mux(wire, target, *name.split(), *flags, place=place) for name in (OFF, AUTO)})


def measure(session: Session, jobs: list[Job]) -> None:
    session.measure(BUSY, jobs, min(ROUNDS_MAX, session.options.rounds))


def measure_busy(session: Session) -> None:
    found = trials(session)
    measure_closed(session, found)
    measure_open(session, found)
    measure_idle(session)


# ---- in lock-step ----

def closed_case(place: Placement, count: int) -> str:
    return f"{place.name}, {count} client{'' if count == 1 else 's'}"


def touches(trial: Trial, place: Placement) -> bool:
    """A busy process on a processor that none of the three uses is no trial."""
    used = {place.target, place.middle, place.load}
    return None in used or not trial.hogs or any(hog in used for hog in trial.hogs)


def measure_closed(session: Session, found: list[Trial]) -> None:
    for place in CLOSED_PLACES:
        with session.cast() as cast:
            made = rig(session, cast, CLOSED_WIRE, cast.target(CLOSED_WIRE, place=place), place)
            jobs = []
            for count in CLOSED_CLIENTS:
                for trial in found:
                    jobs += made.jobs(closed_case(place, count), trial, seconds_of(session), "--clients",
                                      count) if touches(trial, place) else []
            measure(session, jobs)


# ---- open loop ----

def open_case(service_us: int, rate: int | str) -> str:
    return f"{service_us // 1000} ms of service, {rate} requests/s" if rate != NEAR else NEAR


def measure_open(session: Session, found: list[Trial]) -> None:
    rates = OPEN_RATES[1:3] if session.options.quick else OPEN_RATES
    for service_us in OPEN_SERVICES_US:
        with session.cast() as cast:
            target = cast.target("echo", "--mode", "concurrent", "--service", service_us, place=UNPINNED)
            made = rig(session, cast, "echo", target, UNPINNED, "--in-flight", OPEN_CLIENTS)
            jobs = []
            for rate in rates:
                for trial in found:
                    jobs += made.jobs(open_case(service_us, rate), trial, seconds_of(session, rate),
                                      "--clients", min(rate, OPEN_CLIENTS), "--rate", rate)
            measure(session, jobs)
    measure_near(session, found)


def measure_near(session: Session, found: list[Trial]) -> None:
    """The capacity is that of `off`, under the same trial."""
    with session.cast() as cast:
        made = rig(session, cast, "echo", cast.target("echo", place=UNPINNED), UNPINNED)
        jobs = []
        for trial in found:
            capacity = made.run(OFF, trial, seconds_of(session), "--clients", OPEN_CLIENTS)
            rate = max(1, int(capacity["requests_per_second"] * 0.9))
            jobs += made.jobs(NEAR, trial, seconds_of(session), "--clients", OPEN_CLIENTS, "--rate", rate)
        measure(session, jobs)


# ---- at rest ----

def measure_idle(session: Session) -> None:
    with session.cast() as cast:
        servers = rig(session, cast, "echo", cast.echo(), SERVERS).servers
        measure(session, [Job(IDLE, name, IDLE, lambda server=server: at_rest(session, server))
                          for name, server in servers.items()])


def at_rest(session: Session, server: Server) -> dict:
    """The CPU of a server that was busy a moment ago and has clients that are silent."""
    session.load(server, "echo", seconds=1)
    command = session.load_command(server, "echo", "--idle", "--clients", IDLE_CLIENTS)
    holder = session.crew.spawn(command, SERVERS.load, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if not wait_for_line(holder, "ready", 60):
        raise Trouble(f"{IDLE_CLIENTS} idle clients cannot connect")
    session.settle(0.5)
    seconds = seconds_of(session)
    before_ns = cpu_ns(server.pid)
    session.settle(seconds)
    used_ns = cpu_ns(server.pid) - before_ns
    session.crew.reap(holder)
    return {"cpu_percent": used_ns / (seconds * 1e9) * 100}


# ---- what is told ----

def rows_of(store: Store, case: str) -> list[list[str]]:
    view = View(store, BUSY, case)
    rows = []
    for point in view.points():
        ratios = [store.ratio(BUSY, case, AUTO, OFF, point, measure.name)
                  for measure in (RATE, P99, P50, CPU)]
        rows.append([point, number(view.median(OFF, point, RATE.name)),
                     *(bold_ratio(ratio) for ratio in ratios)])
    return rows


def busy_sections(store: Store) -> list[Section]:
    section = Section(
        "Waiting awake beside others",
        "`--spin auto` divided by `--spin off`: beside processes that are always busy, and with a quota of "
        "processor time for the multiplexer. It should nowhere have less than 0.9 of the rate, nor twice the "
        "p99. Where the rate of `off` is below what is due, both are overloaded, and latencies say little.")
    for case in store.cases(BUSY):
        if case != IDLE:
            section.tables.append(Table([case, f"{OFF}, requests/s", "rate", "p99", "p50", "CPU"],
                                        rows_of(store, case)))
    idle = [[name, number(store.median(BUSY, IDLE, name, IDLE, "cpu_percent"), 3)]
            for name in store.contenders(BUSY, IDLE)]
    if idle:
        section.tables.append(Table([f"{IDLE_CLIENTS} silent clients", "CPU, %"], idle))
    if not any("quota" in str(point) for case in store.cases(BUSY) for point in store.points(BUSY, case)):
        section.notes.append("**No quotas and control groups were measured**: this system lets us make none.")
    return [section]


def worst(store: Store, name: str, choose) -> dict:
    """The ratio that is worst of all, and where it was found."""
    found = {f"{case}, {point}": store.ratio(BUSY, case, AUTO, OFF, point, name)
             for case in store.cases(BUSY) if case != IDLE for point in store.points(BUSY, case)}
    middles = {where: ratio.middle for where, ratio in found.items() if ratio}
    where = choose(middles, key=middles.get, default=None)
    return {} if where is None else {where: middles[where]}


def at_rest_percent(store: Store) -> dict:
    value = store.median(BUSY, IDLE, AUTO, IDLE, "cpu_percent")
    return {} if value is None else {"": value}


PARTS = [Part(BUSY, measure_busy, busy_sections)]
