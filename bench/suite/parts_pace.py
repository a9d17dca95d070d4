# SPDX-License-Identifier: MIT
"""Whether --gap and --delay are kept, and kept no longer than they have to be, as a device sees it."""

import socket
import statistics
import threading
import time

from contenders import OURS
from part import Part
from report import Section, Table, number
from session import Job, Session
from store import Store

GAP_MS, DELAY_MS = 50, 300
PACE_CLIENTS = 8
REQUESTS, REQUESTS_QUICK = 400, 40
HEADER = 6  # of MBAP, up to its length


class Device:
    """Sends each frame back at once, and notes when a connection and when each request came."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.connected_at: list[float] = []
        self.asked_at: list[float] = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # closed
            self.connected_at.append(time.monotonic())
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        rest = b""
        while data := connection.recv(4096):
            now = time.monotonic()
            rest += data
            while len(rest) >= HEADER and len(rest) >= (size := HEADER + int.from_bytes(rest[4:6], "big")):
                self.asked_at.append(now)
                connection.sendall(rest[:size])
                rest = rest[size:]

    def gaps_us(self) -> list[float]:
        return [(after - before) * 1e6 for before, after in zip(self.asked_at, self.asked_at[1:])]


def measure_pace(session: Session) -> None:
    session.measure("pace", [Job("modbus", OURS, PACE_CLIENTS, lambda: measure_once(session))], 1)


def measure_once(session: Session) -> dict:
    requests = REQUESTS_QUICK if session.options.quick else REQUESTS
    device = Device()
    with session.cast() as cast:
        server = cast.mux("modbus", device, "--gap", f"{GAP_MS}ms", "--delay", f"{DELAY_MS}ms")
        values = session.load(server, "modbus", "--clients", PACE_CLIENTS, "--requests", requests,
                              seconds=requests * GAP_MS // 1000 + 60)
    device.listener.close()
    gaps = sorted(device.gaps_us())
    return {"requests": values["requests"], "delay_us": (device.asked_at[0] - device.connected_at[0]) * 1e6,
            "least_us": gaps[0], "median_us": statistics.median(gaps),
            "p99_us": gaps[len(gaps) * 99 // 100], "longest_us": gaps[-1]}


def late_us(store: Store, name: str) -> float | None:
    """Behind the time at which a request was allowed."""
    value = store.median("pace", "modbus", OURS, PACE_CLIENTS, name)
    return None if value is None else value - GAP_MS * 1000


def pace_sections(store: Store) -> list[Section]:
    names = ("least_us", "median_us", "p99_us", "longest_us")
    section = Section(
        "Pace",
        f"`--gap {GAP_MS}ms --delay {DELAY_MS}ms`: how long behind the gap the next request comes, as the device "
        f"sees it, while {PACE_CLIENTS} clients wait. It may never come too early. The device is in Python and "
        "answers within some tens of microseconds, which count.")
    row = [number(late_us(store, name)) for name in names]
    delay = store.median("pace", "modbus", OURS, PACE_CLIENTS, "delay_us")
    section.tables.append(Table(["requests", "earliest, µs", "median", "p99", "latest", "first, ms"],
                                [[number(store.median("pace", "modbus", OURS, PACE_CLIENTS, "requests")), *row,
                                  number(delay / 1000 if delay else None, 1)]]))
    return [section]


PARTS = [Part("pace", measure_pace, pace_sections)]
