# SPDX-License-Identifier: MIT
"""Clients that wait for each answer before they ask again: cost, latency, and a given rate."""

from contenders import DIRECT, HAPROXY, OURS, RELAY
from part import Part
from plots import Plot
from processes import BESIDE_LOAD, MIDDLE_ALONE, ONE_CORE, SERVERS, UNPINNED
from report import Section, Table, bold_ratio, number
from session import Session
from store import Store, spread_of
from tables import CPU, P50, P99, RATE, Measure, View

# ---- lockstep ----

LOCKSTEP_CLIENTS = [1, 8, 64, 512, 4096]
LOCKSTEP_QUICK = [1, 64, 512]


def measure_lockstep(session: Session) -> None:
    for wire in session.options.wires:
        with session.cast() as cast:
            target = cast.bare(wire)
            servers = {RELAY: cast.relay(target), OURS: cast.mux(wire, target)}
            jobs = []
            for count in session.clients(LOCKSTEP_CLIENTS, LOCKSTEP_QUICK):
                jobs += session.jobs(wire, count, servers, wire, "--clients", count)
            session.measure("lockstep", jobs)


def lockstep_sections(store: Store) -> list[Section]:
    section = Section(
        "Lock-step",
        "Every client waits for its answer before it sends the next request. The relay looks at nothing and "
        "has a connection to the target for every client: it is the least that a process in the middle can "
        "cost.")
    ratios, costs = [], []
    for wire in store.cases("lockstep"):
        view = View(store, "lockstep", wire)
        section.tables.append(view.table("clients", OURS, [RELAY], [CPU, RATE, P50, P99],
                                         f"`{wire}`, each request"))
        ratios.append(view.ratios(OURS, RELAY, CPU.name, wire))
        costs += [view.values(OURS, CPU.name, wire), view.values(RELAY, CPU.name, f"{wire}, relay")]
    section.plots = [
        Plot("lockstep-ratio", "CPU of a lock-step request, relay = 1", "clients", "ratio", ratios),
        Plot("lockstep-cpu", "CPU of a lock-step request", "clients", "µs", costs)]
    return [section]


# ---- latency ----

MEAN = Measure("mean, µs", "mean_us", 1, "none")
FINE_P50 = Measure("p50, µs", "latency_p50_us", 1, "none")
FINE_P99 = Measure("p99, µs", "latency_p99_us", 1, "none")


def measure_latency(session: Session) -> None:
    with session.cast() as cast:
        jobs = []
        for place in (SERVERS, ONE_CORE):
            target = cast.echo(place)
            servers = {DIRECT: target, RELAY: cast.relay(target, place),
                       OURS: cast.mux("echo", target, place=place)}
            jobs += session.jobs("echo", place.name, servers, "echo", "--clients", 1, place=place,
                                 adjust=with_mean)
        session.measure("latency", jobs)


def with_mean(values: dict) -> dict:
    """One client in lock-step: what a request takes on average is the time divided by their number, and
    that is finer than the buckets of the percentiles."""
    return {**values, "mean_us": 1e6 / values["requests_per_second"]}


def added_latency(store: Store, place: str) -> dict:
    """What the middle adds to a direct connection, in each round: by contender and round. And the ratio."""
    direct = store.by_round("latency", "echo", DIRECT, place, "mean_us")
    added = {name: {number: mean - direct[number] for number, mean in
                    store.by_round("latency", "echo", name, place, "mean_us").items() if number in direct}
             for name in (OURS, RELAY)}
    ratio = {number: added[OURS][number] / added[RELAY][number] for number in added[OURS]
             if added[RELAY].get(number, 0) > 0}
    return {**added, "ratio": ratio}


def added_rows(store: Store) -> list[list[str]]:
    rows = []
    for place in store.points("latency", "echo"):
        added = added_latency(store, place)
        found = {name: spread_of(list(by_round.values())) for name, by_round in added.items()}
        means = [number(found[name].middle if found[name] else None, 1) for name in (OURS, RELAY)]
        rows.append([place, *means, bold_ratio(found["ratio"])])
    return rows


def latency_sections(store: Store) -> list[Section]:
    section = Section(
        "Added latency",
        "One client in lock-step: the time of a request directly, through the relay, and through the "
        "multiplexer. On one core nothing waits for another processor to wake up, so that the difference is "
        "work.")
    view = View(store, "latency", "echo")
    section.tables.append(view.table("placement", OURS, [RELAY, DIRECT], [MEAN, FINE_P50, FINE_P99]))
    section.tables.append(Table(["placement", "added, µs", RELAY, "ratio"], added_rows(store),
                                "The mean, less that of a direct connection"))
    for measure, word in ((MEAN, "mean"), (FINE_P99, "p99")):
        section.plots.append(view.plot(f"latency-{word}", f"Latency of one client, {word}", "", "µs",
                                       [DIRECT, RELAY, OURS], measure.name, bars=True))
    return [section]


# ---- open loop ----

OPEN_CLIENTS = 64
OPEN_WIRES = ("echo", "http")
DONE = Measure("done", "requests_per_second", 0, "none")
P999 = Measure("p99.9, µs", "latency_p999_us", 0, "none")


def measure_open_loop(session: Session) -> None:
    for wire in [wire for wire in OPEN_WIRES if wire in session.options.wires]:
        with session.cast() as cast:
            target = cast.bare(wire)
            servers = {RELAY: cast.relay(target), OURS: cast.mux(wire, target)}
            capacity = min(session.load(server, wire, "--clients", OPEN_CLIENTS)["requests_per_second"]
                           for server in servers.values())
            rate = max(1, int(capacity / 2))
            session.measure("openloop", session.jobs(wire, rate, servers, wire, "--clients", OPEN_CLIENTS,
                                                     "--rate", rate))


def open_loop_sections(store: Store) -> list[Section]:
    section = Section(
        "Open loop",
        f"Requests of {OPEN_CLIENTS} clients come at a fixed rate, half of what the slower of the two can do "
        "in lock-step, and each latency counts from when the request was due: a server that stalls is "
        "charged for everything that had to wait meanwhile.")
    for wire in store.cases("openloop"):
        section.tables.append(View(store, "openloop", wire).table(
            "requests/s due", OURS, [RELAY], [DONE, P50, P99, P999, CPU], f"`{wire}`"))
    return [section]


# ---- cores ----

CORES_CLIENTS = 64
CORES_PLACES = (MIDDLE_ALONE, ONE_CORE, BESIDE_LOAD, UNPINNED)


def measure_cores(session: Session) -> None:
    with session.cast() as cast:
        jobs = []
        for place in CORES_PLACES:
            target = cast.target("http", place=place)
            servers = {HAPROXY: cast.haproxy(target, place), RELAY: cast.relay(target, place),
                       OURS: cast.mux("http", target, place=place)}
            jobs += session.jobs("http", place.name, servers, "http", "--clients", CORES_CLIENTS, place=place)
        session.measure("cores", jobs)


def cores_sections(store: Store) -> list[Section]:
    section = Section(
        "Throughput and placement",
        f"{CORES_CLIENTS} clients in lock-step with HTTP, one request at a time on the one connection: "
        "between two cores every hop may have to wake a sleeping process, which costs more than the work "
        "itself.")
    view = View(store, "cores", "http")
    section.tables.append(view.table("placement", OURS, [HAPROXY, RELAY], [RATE, CPU, P50]))
    section.plots.append(view.plot("cores", f"HTTP, {CORES_CLIENTS} clients in lock-step", "", "requests/s",
                                   [HAPROXY, RELAY, OURS], RATE.name, bars=True))
    return [section]


PARTS = [
    Part("lockstep", measure_lockstep, lockstep_sections),
    Part("latency", measure_latency, latency_sections),
    Part("openloop", measure_open_loop, open_loop_sections),
    Part("cores", measure_cores, cores_sections, ("haproxy",)),
]
