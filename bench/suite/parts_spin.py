# SPDX-License-Identifier: MIT
"""Looking for events awake before sleeping: what it brings, and what it costs."""

from contenders import HAPROXY
from part import Part
from processes import BESIDE_LOAD, MIDDLE_ALONE, ONE_CORE, UNPINNED
from report import Section
from session import Session
from store import Store
from tables import CPU, P50, RATE, View

SPIN_CLIENTS = (1, 64)
SPIN_WIRE = "http"
SPIN_PLACES = (MIDDLE_ALONE, ONE_CORE, BESIDE_LOAD, UNPINNED)
OFF = "--spin off"
AUTO = "--spin auto"
FIXED = "--spin 50us"


def case(count: int) -> str:
    return f"{count} client{'' if count == 1 else 's'}"


def measure_spin(session: Session) -> None:
    with session.cast() as cast:
        jobs = []
        for place in SPIN_PLACES:
            target = cast.target(SPIN_WIRE, place=place)
            servers = {HAPROXY: cast.haproxy(target, place), OFF: cast.mux(SPIN_WIRE, target, *OFF.split(), place=place),
                       AUTO: cast.mux(SPIN_WIRE, target, *AUTO.split(), place=place),
                       FIXED: cast.mux(SPIN_WIRE, target, *FIXED.split(), place=place)}
            for count in SPIN_CLIENTS:
                jobs += session.jobs(case(count), place.name, servers, SPIN_WIRE, "--clients", count,
                                     place=place)
        session.measure("spin", jobs)


def spin_sections(store: Store) -> list[Section]:
    section = Section(
        "Waiting awake",
        "HTTP in lock-step with `--spin`, which looks for events awake for a moment before it sleeps: it "
        "spares the waking up and pays with CPU. `auto` does so only behind waits that were short.")
    for name in store.cases("spin"):
        view = View(store, "spin", name)
        section.tables.append(view.table("placement", AUTO, [OFF, FIXED, HAPROXY], [RATE], name))
        section.tables.append(view.table("placement", AUTO, [OFF, FIXED], [CPU, P50], f"{name}, cost"))
    return [section]


PARTS = [Part("spin", measure_spin, spin_sections, ("haproxy",))]
