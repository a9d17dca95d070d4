# SPDX-License-Identifier: MIT
"""Clients that come and go, and clients that are merely there: rate, memory, and their cost to others."""

import subprocess

from contenders import DIRECT, HAPROXY, OURS, RELAY
from part import Part
from processes import SERVERS, Trouble, private_bytes, wait_for_line
from report import Section, Table, number
from session import Job, Session
from store import Store
from tables import CPU, P50, P99, RATE, Measure, View

# ---- churn ----

CHURN_CLIENTS = 16
CHURN_RATE = Measure("connections/s", "requests_per_second")
CHURN_CPU = Measure("CPU, µs", "cpu_us_per_request", 2, "plain")


def measure_churn(session: Session) -> None:
    with session.cast() as cast:
        target = cast.echo()
        servers = {DIRECT: target, HAPROXY: cast.haproxy(target, mode="tcp"), RELAY: cast.relay(target),
                   OURS: cast.mux("echo", target)}
        session.measure("churn", session.jobs("echo", CHURN_CLIENTS, servers, "echo", "--churn", "--clients",
                                              CHURN_CLIENTS))


def churn_sections(store: Store) -> list[Section]:
    section = Section(
        "Clients that come and go",
        "Each request is on a new connection, which is closed after its answer. HAProxy in mode tcp and the "
        "relay open a connection to the target for each of them; the multiplexer does not have to.")
    view = View(store, "churn", "echo")
    section.tables.append(view.table("clients at a time", OURS, [HAPROXY, RELAY, DIRECT],
                                     [CHURN_RATE, CHURN_CPU]))
    section.plots.append(view.plot("churn", "A new connection for each request", "clients at a time",
                                   "connections/s", [DIRECT, RELAY, HAPROXY, OURS], RATE.name, bars=True))
    return [section]


# ---- idle ----

ACTIVE_CLIENTS = 100
WITH = "with"
WITHOUT = "without"
FRESH = "fresh"
USED = "after one request each"


def measure_idle(session: Session) -> None:
    measure_memory(session)
    idle = session.options.idle
    with session.cast() as cast:
        target = cast.echo()
        places = ("--max-clients", idle + ACTIVE_CLIENTS)
        servers = {WITHOUT: cast.mux("echo", target, *places), WITH: cast.mux("echo", target, *places)}
        extra = {WITHOUT: (), WITH: ("--beside", idle)}

        def run(name: str) -> dict:
            values = session.load(servers[name], "echo", "--clients", ACTIVE_CLIENTS, *extra[name],
                                  watch=servers[name])
            session.settle(1 if extra[name] else 0)
            return values

        session.measure("idle", [Job("beside", name, idle, lambda name=name: run(name)) for name in servers])


def measure_memory(session: Session) -> None:
    idle = session.options.idle
    for name, requests in ((FRESH, ()), (USED, ("--requests", idle))):
        session.say(f"idle: memory of {idle} clients, {name}")
        with session.cast() as cast:
            mux = cast.mux("echo", cast.echo(), "--max-clients", idle)
            before = private_bytes(mux.pid)
            command = session.load_command(mux, "echo", "--idle", "--clients", idle, *requests)
            holder = session.crew.spawn(command, SERVERS.load, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
            if not wait_for_line(holder, "ready", 120):
                raise Trouble(f"{idle} idle clients cannot connect")
            session.settle(1)  # memory that is not needed any more goes back within 0.2 s
            used = private_bytes(mux.pid) - before
            output, _ = holder.communicate(b"\n", timeout=60)
            if session.crew.reap(holder) != 0:
                said = output.decode(errors="replace").strip()
                raise Trouble(f"idle clients lost their connections: {said}")
            session.store.add("idle", "memory", OURS, name, 1,
                              {"bytes_per_client": used / idle, "clients": idle})


def idle_sections(store: Store) -> list[Section]:
    section = Section(
        "Idle clients",
        "What a connected client costs that asks nothing: memory, private and dirty, beyond what the process "
        "has without clients; and whether those who do ask notice the others.")
    view = View(store, "idle", "memory")
    rows = [[str(name), number(view.median(OURS, name, "clients")),
             number(view.median(OURS, name, "bytes_per_client"))] for name in view.points()]
    section.tables.append(Table(["clients", "their number", "bytes each"], rows,
                                "Memory of each idle client"))
    section.tables.append(View(store, "idle", "beside").table(
        "idle clients", WITH, [WITHOUT], [Measure(f"{WITH}: {RATE.label}", RATE.name), CPU, P50, P99],
        f"{ACTIVE_CLIENTS} active clients in lock-step, with and without the idle ones"))
    return [section]


PARTS = [
    Part("churn", measure_churn, churn_sections, ("haproxy",)),
    Part("idle", measure_idle, idle_sections),
]
