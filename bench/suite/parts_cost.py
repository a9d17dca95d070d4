# SPDX-License-Identifier: MIT
"""How the cost of a request grows: with clients, with the size of messages, with requests in flight."""

from contenders import OURS, RELAY
from part import Part
from report import Section, Table, number
from session import Session
from store import Store
from tables import CPU, RATE, View

CLIENTS = [1 << exponent for exponent in range(13)]
BYTES = [64, 256, 1024, 4096, 16384, 65536]
IN_FLIGHT = [1, 4, 16, 64, 256, 1024]
QUICK_CLIENTS = [1, 32, 1024]
QUICK_BYTES = [64, 4096, 65536]
QUICK_IN_FLIGHT = [1, 64, 1024]
SIZE_CLIENTS = 64
FLIGHT_CLIENTS = 1024
PIPELINED = "pipelined"
ROUNDS_MAX = 3


def measure_cost(session: Session) -> None:
    is_quick = session.options.quick
    with session.cast() as cast:
        target = cast.echo()
        relay, lock = cast.relay(target), cast.mux("echo", target)
        muxes = {depth: cast.mux("echo", target, "--in-flight", depth)
                 for depth in (QUICK_IN_FLIGHT if is_quick else IN_FLIGHT)}
        servers = {RELAY: relay, OURS: lock, PIPELINED: muxes[1024]}

        jobs = []
        for count in QUICK_CLIENTS if is_quick else CLIENTS:
            jobs += session.jobs("clients", count, servers, "echo", "--clients", count)
        for size in QUICK_BYTES if is_quick else BYTES:
            jobs += session.jobs("bytes", size, servers, "echo", "--clients", SIZE_CLIENTS, "--size", size)
        for depth, mux in muxes.items():
            jobs += session.jobs("in flight", depth, {OURS: mux}, "echo", "--clients", FLIGHT_CLIENTS)
        session.measure("cost", jobs, min(ROUNDS_MAX, session.options.rounds))


def cost_sections(store: Store) -> list[Section]:
    section = Section(
        "Cost as the work grows",
        "CPU of each `echo` request as one thing grows and everything else stays. A line that stays flat is "
        "a cost that does not depend on it; with the size of messages, what rises is the copying that the "
        "kernel does too.")
    for case, caption in (("clients", "clients"), ("bytes", f"bytes of a message, {SIZE_CLIENTS} clients")):
        view = View(store, "cost", case)
        section.tables.append(view.table(case, OURS, [RELAY], [CPU, RATE], f"By {caption}, the lock"))
        section.plots.append(view.plot(f"cost-{case}", f"CPU of a request, by {caption}", case, "µs",
                                       [RELAY, OURS, PIPELINED], CPU.name))
    view = View(store, "cost", "in flight")
    rows = [[str(depth), number(view.median(OURS, depth, CPU.name), 2),
             number(view.median(OURS, depth, RATE.name))] for depth in view.points()]
    section.tables.append(Table(["--in-flight", CPU.label, RATE.label], rows,
                                f"By requests in flight, {FLIGHT_CLIENTS} clients"))
    section.plots.append(view.plot("cost-in-flight", f"CPU of a request, {FLIGHT_CLIENTS} clients",
                                   "--in-flight", "µs", [OURS], CPU.name))
    return [section]


PARTS = [Part("cost", measure_cost, cost_sections)]
