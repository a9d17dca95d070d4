# SPDX-License-Identifier: MIT
"""Many requests in flight on the one connection, and clients that have many queued."""

import subprocess
import time
from collections.abc import Callable

from contenders import DIRECT, LOCK, OURS, RELAY
from part import Part
from plots import Plot
from processes import BESIDE_LOAD, SERVERS, UNPINNED, Server, Trouble
from report import Section
from session import Job, Session
from store import Store
from tables import CPU, P50, P99, RATE, Measure, View

# ---- pipeline ----

PIPELINE_WIRES = ("echo", "modbus", "http")
PIPELINE_CLIENTS = [1, 8, 64, 100, 512, 1000, 4096]
PIPELINE_QUICK = [1, 100, 1000]
IN_FLIGHT = 1024


def measure_pipeline(session: Session) -> None:
    for wire in [wire for wire in PIPELINE_WIRES if wire in session.options.wires]:
        with session.cast() as cast:
            target = cast.bare(wire)
            servers = {DIRECT: target, OURS: cast.mux(wire, target, "--in-flight", IN_FLIGHT),
                       LOCK: cast.mux(wire, target)}
            jobs = []
            for count in session.clients(PIPELINE_CLIENTS, PIPELINE_QUICK):
                jobs += session.jobs(wire, count, servers, wire, "--clients", count)
            session.measure("pipeline", jobs)


def pipeline_sections(store: Store) -> list[Section]:
    section = Section(
        "Pipelined",
        f"`--in-flight {IN_FLIGHT}`: requests of many clients leave together and come back together. Beside "
        "it the lock, which is the same program with one request in flight, and the bare server itself, with "
        "a connection for each client and nobody in between: its CPU is what serving a client costs at "
        "least.")
    ratios, rates = [], []
    for wire in store.cases("pipeline"):
        view = View(store, "pipeline", wire)
        section.tables.append(view.table("clients", OURS, [DIRECT, LOCK], [CPU, RATE], f"`{wire}`"))
        section.tables.append(view.table("clients", OURS, [DIRECT, LOCK], [P50, P99], f"`{wire}`, latency"))
        ratios.append(view.ratios(OURS, DIRECT, CPU.name, wire))
        rates += [view.values(OURS, RATE.name, f"{wire}, pipelined"),
                  view.values(LOCK, RATE.name, f"{wire}, lock")]
    section.plots = [
        Plot("pipeline-ratio", "CPU of a pipelined request, bare server = 1", "clients", "ratio", ratios),
        Plot("pipeline-rate", "Throughput, pipelined and with the lock", "clients", "requests/s", rates)]
    return [section]


# ---- service ----

SERVICE_CLIENTS = 16
SERVICE_PLACES = (SERVERS, BESIDE_LOAD, UNPINNED)
PIPELINED = f"--in-flight {SERVICE_CLIENTS}"


def measure_service(session: Session) -> None:
    with session.cast() as cast:
        jobs = []
        for place in SERVICE_PLACES:
            target = cast.target("echo", "--mode", "concurrent", "--service", 1000, place=place)
            servers = {DIRECT: target, RELAY: cast.relay(target, place),
                       PIPELINED: cast.mux("echo", target, "--in-flight", SERVICE_CLIENTS, place=place),
                       LOCK: cast.mux("echo", target, place=place)}
            jobs += session.jobs("echo", place.name, servers, "echo", "--clients", SERVICE_CLIENTS,
                                 place=place)
        session.measure("service", jobs)


def service_sections(store: Store) -> list[Section]:
    section = Section(
        "A target that takes a millisecond",
        f"The target takes 1 ms for each request and works on many at once; {SERVICE_CLIENTS} clients. A "
        "connection that carries one request at a time cannot pass 1000 a second; one that carries many "
        "should be as good as a connection for each client.")
    view = View(store, "service", "echo")
    others = [DIRECT, LOCK, RELAY]
    section.tables.append(view.table("placement", PIPELINED, others,
                                     [Measure(f"{PIPELINED}: {RATE.label}", RATE.name)]))
    section.tables.append(view.table("placement", PIPELINED, others, [
        Measure(f"{PIPELINED}: {P50.label}", P50.name, 0, "none"),
        Measure(f"{PIPELINED}: {P99.label}", P99.name, 0, "none")]))
    section.plots.append(view.plot("service", f"1 ms of service, {SERVICE_CLIENTS} clients", "", "requests/s",
                                   [DIRECT, RELAY, PIPELINED, LOCK], RATE.name, bars=True))
    return [section]


# ---- fairness ----

POLITE_CLIENTS = 15
GREEDY_DEPTH = 200
ALONE = "without it"
BESIDE = "beside it"


def measure_fairness(session: Session) -> None:
    with session.cast() as cast:
        fair = cast.mux("echo", cast.target("echo", "--service", 100))

        def polite() -> dict:
            return session.load(fair, "echo", "--clients", POLITE_CLIENTS)

        session.measure("fairness", [
            Job("echo", ALONE, POLITE_CLIENTS, polite),
            Job("echo", BESIDE, POLITE_CLIENTS, lambda: beside_a_greedy_one(session, fair, polite))])


def beside_a_greedy_one(session: Session, server: Server, run: Callable[[], dict]) -> dict:
    command = session.load_command(server, "echo", "--clients", 1, "--depth", GREEDY_DEPTH,
                                   "--seconds", session.options.seconds + 1)
    greedy = session.crew.spawn(command, SERVERS.load, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    values = run()
    if session.crew.reap_when_done(greedy, 60) != 0:
        raise Trouble("the greedy client failed")
    return values


def fairness_sections(store: Store) -> list[Section]:
    section = Section(
        "Fairness",
        f"{POLITE_CLIENTS} polite clients in lock-step, a target with 100 µs of service, and one client that "
        f"has {GREEDY_DEPTH} requests queued all the time: served in turn, it costs the others one request "
        "each round.")
    section.tables.append(View(store, "fairness", "echo").table("polite clients", BESIDE, [ALONE], [
        Measure("beside it: p99, µs", P99.name), Measure("beside it: p50, µs", P50.name, 0, "plain"),
        Measure("beside it: requests/s", RATE.name, 0, "plain")]))
    return [section]


PARTS = [
    Part("pipeline", measure_pipeline, pipeline_sections),
    Part("service", measure_service, service_sections),
    Part("fairness", measure_fairness, fairness_sections),
]
