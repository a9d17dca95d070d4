# SPDX-License-Identifier: MIT
"""HTTP beside HAProxy, which can share one connection too, and nginx, which has no such limit."""

import contextlib
import filecmp
import os
import pathlib
import re

from contenders import DIRECT, HAPROXY, NGINX, OURS
from part import Part
from processes import SERVERS, Server, Trouble, cpu_ns
from report import Section
from session import Job, Session
from store import Store
from tables import CPU, P50, P99, RATE, Measure, View

PACKAGES = ("haproxy", "nginx-light", "wrk", "curl")
HTTP_CLIENTS = [1, 64, 512]
BENCH = "bench-load and bench-target"
REAL = "wrk and an nginx server"

# ---- small requests ----


def measure_http(session: Session) -> None:
    counts = session.clients(HTTP_CLIENTS, HTTP_CLIENTS)
    with session.cast() as cast:
        target = cast.target("http")
        servers = {HAPROXY: cast.haproxy(target), NGINX: cast.nginx_proxy(target),
                   OURS: cast.mux("http", target)}
        jobs = []
        for count in counts:
            jobs += session.jobs(BENCH, count, servers, "http", "--clients", count)
        session.measure("http", jobs)
    with session.cast() as cast:
        target = cast.nginx_server()
        servers = {HAPROXY: cast.haproxy(target), OURS: cast.mux("http", target)}
        session.measure("http", [wrk_job(session, name, server, count)
                                 for count in counts for name, server in servers.items()])


def wrk_job(session: Session, name: str, server: Server, count: int) -> Job:
    return Job(REAL, name, count, lambda: run_wrk(session, server, count))


def run_wrk(session: Session, server: Server, count: int) -> dict:
    seconds = session.options.seconds
    before = cpu_ns(server.pid)
    status, output, errors = session.crew.run(
        ["wrk", "-t", 1, "-c", count, "-d", f"{seconds}s", "--latency", f"http://{server.address}/"],
        SERVERS.load, seconds + 60)
    used = cpu_ns(server.pid) - before
    if status != 0 or re.search("Socket errors|Non-2xx", output):
        raise Trouble(f"wrk in front of {server.name} failed: {' '.join((output + errors).split()[-12:])}")
    return {**wrk_values(output), "cpu_us_per_request": used / 1e3 / wrk_requests(output)}


def wrk_requests(output: str) -> int:
    return max(1, int(re.search(r"(\d+) requests in", output).group(1)))


UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def wrk_values(output: str) -> dict:
    """Rate and percentiles from what wrk prints."""
    values = {"requests_per_second": float(re.search(r"Requests/sec:\s+([0-9.]+)", output).group(1))}
    for name, percentile in (("latency_p50_us", "50%"), ("latency_p99_us", "99%")):
        value, unit = re.search(rf"{percentile}\s+([0-9.]+)(us|ms|s)", output).groups()
        values[name] = float(value) * UNITS[unit]
    return values


def http_sections(store: Store) -> list[Section]:
    section = Section(
        "HTTP, small requests",
        "HAProxy shares one connection too when told so (`http-reuse always`, `maxconn 1`, "
        "`pool-max-conn 1`). nginx as a proxy opens as many connections to the target as it likes, and "
        "stands here for orientation.")
    for case in store.cases("http"):
        others = [name for name in (HAPROXY, NGINX) if name in store.contenders("http", case)]
        section.tables.append(View(store, "http", case).table(
            "clients", OURS, others, [CPU, RATE, P50, P99], f"With {case}, each request"))
    view = View(store, "http", BENCH)
    section.plots = [
        view.plot("http-cpu", "CPU of a small HTTP request", "clients", "µs", [HAPROXY, NGINX, OURS],
                  CPU.name),
        view.plot("http-rate", "Small HTTP requests", "clients", "requests/s", [HAPROXY, NGINX, OURS],
                  RATE.name)]
    return [section]


# ---- large bodies ----

LARGE_BYTES = 256 * 1024 * 1024
NS_PER_BYTE = Measure("CPU, ns/byte", "cpu_ns_per_byte", 3)
SPEED = Measure("MB/s", "megabytes_per_second", 0, "plain")
UP = "upload"
DOWN = "download"
FILE_DOWN = "download of an nginx server's file, with curl"


def measure_bodies(session: Session) -> None:
    with session.cast() as cast:
        target = cast.target("http")
        servers = {DIRECT: target, HAPROXY: cast.haproxy(target), OURS: cast.mux("http", target)}
        jobs = []
        for way in (DOWN, UP):
            jobs += session.jobs("http", way, servers, "http", f"--{way}", LARGE_BYTES, "--clients", 1,
                                 adjust=with_megabytes)
        session.measure("bodies", jobs)
    with session.cast() as cast, large_file(session.crew.work / "www") as large:
        target = cast.nginx_server()
        servers = {DIRECT: target, HAPROXY: cast.haproxy(target), OURS: cast.mux("http", target)}
        session.measure("bodies", [curl_job(session, name, server, large)
                                   for name, server in servers.items()])


def curl_job(session: Session, name: str, server: Server, large: pathlib.Path) -> Job:
    return Job("http", name, FILE_DOWN, lambda: run_curl(session, server, large))


def with_megabytes(values: dict) -> dict:
    return {**values, "megabytes_per_second": values["bytes_per_second"] / 1e6}


@contextlib.contextmanager
def large_file(directory: pathlib.Path):
    """A file that takes no space on the disk."""
    directory.mkdir()
    file = directory / "large"
    file.touch()
    os.truncate(file, LARGE_BYTES)
    yield file
    file.unlink()
    directory.rmdir()


def run_curl(session: Session, server: Server, large: pathlib.Path) -> dict:
    got = session.crew.work / "download"
    before = cpu_ns(server.pid)
    command = ["curl", "-sS", "-o", got, "-w", "%{speed_download}", f"http://{server.address}/large"]
    status, output, errors = session.crew.run(command, SERVERS.load, 120)
    used = cpu_ns(server.pid) - before
    if status != 0 or not filecmp.cmp(got, large, shallow=False):
        raise Trouble(f"curl got other bytes through {server.name}, status {status}: {errors.strip()}")
    got.unlink()
    return with_megabytes({"bytes_per_second": float(output), "cpu_ns_per_byte": used / LARGE_BYTES})


def bodies_sections(store: Store) -> list[Section]:
    section = Section(
        "Large bodies",
        f"One client moves bodies of {LARGE_BYTES >> 20} MiB; they are passed on as they come. The CPU of "
        "the direct column is the server's own.")
    view = View(store, "bodies", "http")
    section.tables.append(view.table("body", OURS, [HAPROXY, DIRECT], [NS_PER_BYTE, SPEED]))
    section.plots.append(view.plot("bodies", "Large bodies", "", "MB/s", [DIRECT, HAPROXY, OURS], SPEED.name,
                                   bars=True))
    return [section]


PARTS = [
    Part("http", measure_http, http_sections, PACKAGES),
    Part("bodies", measure_bodies, bodies_sections, PACKAGES),
]
