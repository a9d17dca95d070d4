# SPDX-License-Identifier: MIT
"""What must hold exactly: a strict target is never asked twice at a time. And instructions, which can be
counted where time can only be measured.

Instructions are counted by callgrind while the multiplexer serves N requests, and again 2N: the difference,
divided by N, is what an exchange takes in user space, without start, connections and end.
"""

import re

from contenders import DIRECT, OURS
from part import Part
from processes import SERVERS, Server, Trouble
from report import Section, Table, number, percent
from session import Job, Session
from store import Store, change_in_percent
from tables import View

# ---- strict ----

STRICT_CLIENTS = 64


def measure_strict(session: Session) -> None:
    jobs = [strict_job(session, wire, name) for wire in session.options.wires for name in (OURS, DIRECT)]
    session.measure("strict", jobs, 1)


def strict_job(session: Session, wire: str, name: str) -> Job:
    return Job(wire, name, STRICT_CLIENTS, lambda: count_violations(session, wire, name))


def count_violations(session: Session, wire: str, name: str) -> dict:
    """Without a multiplexer there are violations: otherwise nobody would know whether they are counted."""
    crew = session.crew
    with session.cast() as cast:
        target = crew.start("bench-target", [
            session.options.programs / "bench-target", "127.0.0.1:0", "--wire", wire, "--mode", "serial",
            "--strict"], SERVERS.target)
        server = cast.mux(wire, target) if name == OURS else target
        values = session.load(server, wire, "--clients", STRICT_CLIENTS)
    status = crew.stop(target, (0, 1))
    found = re.search(r"^violations (\d+)$", target.said(), re.MULTILINE)
    if not found or (status == 0) != (found.group(1) == "0"):
        raise Trouble(f"the strict target ended with status {status} and said: {target.last_line()}")
    if name == DIRECT and found.group(1) == "0":
        raise Trouble(f"the strict target of {wire} counts nothing when many clients connect to it")
    return {**values, "violations": int(found.group(1))}


def violations(store: Store) -> int:
    return sum(int(one.values["violations"]) for one in store.measurements
               if one.part == "strict" and one.contender == OURS)


def strict_sections(store: Store) -> list[Section]:
    section = Section(
        "A strict target",
        "The target counts what it must never see: a second connection, or a request before the last is "
        f"answered. {STRICT_CLIENTS} clients in lock-step want otherwise; those that connect to it directly "
        "show that it counts.")
    views = [View(store, "strict", wire) for wire in store.cases("strict")]
    rows = [[f"`{view.case}`", *(number(view.median(OURS, STRICT_CLIENTS, name))
                                 for name in ("requests", "violations")),
             number(view.median(DIRECT, STRICT_CLIENTS, "violations"))] for view in views]
    section.tables.append(Table(["protocol", "requests", "violations", "without a multiplexer"], rows))
    if violations(store):
        section.notes.append("**THE TARGET SAW WHAT IT MUST NEVER SEE. This is a bug of the multiplexer.**")
    return [section]


# ---- instructions ----

LOCKSTEP = "lock-step"
PIPELINED = "pipelined"
ROUTES = "lock-step beside idle routes"
IDLE_ROUTES = (0, 1000)
REQUESTS = 2000
REQUESTS_QUICK = 500
COUNTED_CLIENTS = (1, 64)


def instruction_cases(session: Session) -> list[tuple]:
    """Mode, protocol, clients, flags."""
    wires = session.options.wires
    cases = [(LOCKSTEP, wire, count, ()) for wire in wires for count in COUNTED_CLIENTS]
    return cases + [(PIPELINED, wire, COUNTED_CLIENTS[-1], ("--in-flight", 1024))
                    for wire in wires if wire != "iso8583"]


def measure_instructions(session: Session) -> None:
    requests = REQUESTS_QUICK if session.options.quick else REQUESTS
    session.measure("instructions", [instruction_job(session, requests, *case)
                                     for case in instruction_cases(session)] +
                    [routes_job(session, requests, idle) for idle in IDLE_ROUTES], 1)


def routes_job(session: Session, requests: int, idle: int) -> Job:
    """One busy route of the engine's own, beside so many that nobody asks."""
    def run() -> dict:
        once, twice = (count_of(session, "echo", 1, number, lambda target: [
            session.options.programs / "bench-routes", "127.0.0.1:0", target.address, idle])
            for number in (requests, 2 * requests))
        return {"instructions": (twice - once) / requests}

    return Job(ROUTES, OURS, f"echo, {idle}", run)


def instruction_job(session: Session, requests: int, mode: str, wire: str, clients: int, flags: tuple) -> Job:
    def run() -> dict:
        once, twice = (count_instructions(session, wire, clients, number, flags)
                       for number in (requests, 2 * requests))
        return {"instructions": (twice - once) / requests}

    return Job(mode, OURS, f"{wire}, {clients}", run)


def count_instructions(session: Session, wire: str, clients: int, requests: int, flags: tuple) -> int:
    return count_of(session, wire, clients, requests, lambda target: [
        session.options.program, "server", "-p", wire, "-t", target.address, "-l", "127.0.0.1:0", "--spin", "off",
        *flags])


def count_of(session: Session, wire: str, clients: int, requests: int, command) -> int:
    crew = session.crew
    file = crew.work / "callgrind"
    with session.cast() as cast:
        target = cast.bare(wire)
        mux = cast.keep(crew.start("multiplexer under valgrind", [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", *command(target)], SERVERS.middle), (0,))
        run_fixed(session, mux, wire, clients, requests)
    return instructions_in(file.read_text())


def run_fixed(session: Session, mux: Server, wire: str, clients: int, requests: int) -> None:
    values = session.load(mux, wire, "--clients", clients, "--requests", requests, seconds=120)
    if values["requests"] != requests:
        raise Trouble(f"{values['requests']:.0f} requests were done instead of {requests}")


def instructions_in(text: str) -> int:
    """The sum that callgrind writes at the end of its file."""
    found = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    if not found:
        raise Trouble("callgrind wrote no sum")
    return int(found.group(1))


def instructions_of(store: Store) -> dict:
    """For raw.json and for comparing: by a name such as `lock-step, echo, 64`."""
    return {f"{mode}, {point}": store.median("instructions", mode, OURS, point, "instructions")
            for mode in store.cases("instructions") for point in store.points("instructions", mode)}


def instruction_table(now: dict, before: dict | None) -> Table:
    """Mode, protocol, clients, instructions, and the change from an earlier run if there is one."""
    head = ["mode", "protocol", "clients", "instructions"]
    rows = [[*name.split(", "), number(value)] for name, value in now.items()]
    if before is not None:
        head += ["before", "change"]
        for row, (name, value) in zip(rows, now.items()):
            old = before.get(name)
            row += [number(old), percent(change_in_percent(old, value) if old else None)]
    return Table(head, rows)


def instruction_sections(store: Store, before: dict | None = None) -> list[Section]:
    section = Section(
        "Instructions",
        "Instructions in user space for each exchange, counted under callgrind; what the kernel does is not "
        "in them. They do not depend on what else the machine does, so that two versions can be compared "
        "where times cannot. With many clients, how many are served in one turn varies, and the count a "
        "little with it.")
    section.tables.append(instruction_table(instructions_of(store), before))
    return [section]


PARTS = [
    Part("strict", measure_strict, strict_sections),
    Part("instructions", measure_instructions, instruction_sections, ("valgrind",)),
]
