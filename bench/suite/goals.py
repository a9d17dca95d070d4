# SPDX-License-Identifier: MIT
"""The goals, and whether a run has reached them.

A ratio is compared as it is printed, with two decimals. A goal of which nothing was measured says so.
"""

import dataclasses

import parts_busy
from contenders import DIRECT, HAPROXY, OURS, RELAY
from parts_checks import violations
from parts_clients import CHURN_CLIENTS, WITH, WITHOUT
from parts_http import BENCH
from parts_lockstep import CORES_CLIENTS, added_latency
from parts_pace import late_us
from parts_pipeline import ALONE, BESIDE, PIPELINED, POLITE_CLIENTS
from processes import MIDDLE_ALONE, ONE_CORE
from report import Section, Table
from store import Store, spread_of

BUCKET = 1.03  # percentiles are known within a bucket of a histogram, about 3 %
LESS = "≤"
MORE = "≥"


@dataclasses.dataclass(frozen=True)
class Goal:
    """What is wanted, and what was reached: named values, each of which has to be within the limit."""

    name: str
    sign: str
    limit: float
    reached: dict
    unit: str = ""
    digits: int = 2

    def is_met(self) -> bool | None:
        """None when nothing was measured."""
        values = [round(value, self.digits) for value in self.reached.values() if value is not None]
        if not values:
            return None
        return all(value <= self.limit if self.sign == LESS else value >= self.limit for value in values)

    def row(self) -> list[str]:
        values = ", ".join(f"{name}: {value:.{self.digits}f}" if name else f"{value:.{self.digits}f}"
                           for name, value in self.reached.items() if value is not None)
        verdict = {True: "met", False: "**not met**", None: "not measured"}[self.is_met()]
        return [self.name, f"{self.sign} {self.limit:.{self.digits}f}{self.unit}", values or "–", verdict]


def middle(spread) -> float | None:
    return spread.middle if spread else None


def ratios(store: Store, part: str, case: str, one: str, other: str, name: str, points: list) -> dict:
    """The medians at those points that were measured."""
    return {str(point): middle(store.ratio(part, case, one, other, point, name))
            for point in points if point in store.points(part, case)}


# ---- one function for each kind of goal ----

def lockstep_goals(store: Store) -> list[Goal]:
    goals = []
    for wire in store.cases("lockstep"):
        at = ratios(store, "lockstep", wire, OURS, RELAY, "cpu_us_per_request", [1, 64, 512, 4096])
        reached = {point: value for point, value in at.items() if point != "4096"}
        goals.append(Goal(f"lock-step, `{wire}`: CPU beside the relay, by clients", LESS, 1.15, reached))
        growth = {"": at["4096"] / at["64"]} if at.get("4096") and at.get("64") else {}
        goals.append(Goal(f"lock-step, `{wire}`: that ratio at 4096 clients, beside that at 64", LESS, 1.10,
                          growth))
    return goals


def pipeline_goals(store: Store) -> list[Goal]:
    return [Goal(f"pipelined, `{wire}`: CPU beside the bare server, by clients", LESS, 1.20,
                 ratios(store, "pipeline", wire, OURS, DIRECT, "cpu_us_per_request", [100, 1000]))
            for wire in store.cases("pipeline")]


def latency_goals(store: Store) -> list[Goal]:
    added = spread_of(list(added_latency(store, ONE_CORE.name)["ratio"].values()))
    return [Goal("one client on one core: latency added, beside the relay's", LESS, 1.15,
                 {"": middle(added)})]


def http_goals(store: Store) -> list[Goal]:
    counts = store.points("http", BENCH)

    def beside(name: str) -> dict:
        return ratios(store, "http", BENCH, OURS, HAPROXY, name, counts)

    ways = store.points("bodies", "http")
    return [
        Goal("small HTTP requests: CPU beside HAProxy, by clients", LESS, 0.60, beside("cpu_us_per_request")),
        Goal("small HTTP requests: rate beside HAProxy, by clients", MORE, 1.00,
             beside("requests_per_second")),
        Goal("small HTTP requests: p50 beside HAProxy, by clients", LESS, BUCKET, beside("latency_p50_us")),
        Goal("large bodies: bytes/s beside HAProxy", MORE, 1.00,
             ratios(store, "bodies", "http", OURS, HAPROXY, "bytes_per_second", ways)),
        Goal(f"HTTP, {CORES_CLIENTS} clients, two cores: rate beside HAProxy", MORE, 2.00,
             ratios(store, "cores", "http", OURS, HAPROXY, "requests_per_second", [MIDDLE_ALONE.name])),
    ]


def client_goals(store: Store) -> list[Goal]:
    memory = {str(name): store.median("idle", "memory", OURS, name, "bytes_per_client")
              for name in store.points("idle", "memory")}
    return [
        Goal("memory of an idle client", LESS, 256, memory, " bytes", 0),
        Goal("idle clients beside active ones: rate of the active, beside without", MORE, 0.90,
             ratios(store, "idle", "beside", WITH, WITHOUT, "requests_per_second",
                    store.points("idle", "beside"))),
        Goal("a new connection for each request: rate beside HAProxy in mode tcp", MORE, 1.00,
             {"": middle(store.ratio("churn", "echo", OURS, HAPROXY, CHURN_CLIENTS, "requests_per_second"))}),
    ]


def other_goals(store: Store) -> list[Goal]:
    return [
        Goal("1 ms of service: rate beside direct connections", MORE, 0.95,
             ratios(store, "service", "echo", PIPELINED, DIRECT, "requests_per_second",
                    store.points("service", "echo"))),
        Goal("polite clients beside a greedy one: p99, beside without it", LESS, 1.25,
             {"": middle(store.ratio("fairness", "echo", BESIDE, ALONE, POLITE_CLIENTS, "latency_p99_us"))}),
        Goal("`--gap`: time behind it, p99", LESS, 1000, {"": late_us(store, "p99_us")}, " µs", 0),
        Goal("a strict target: violations", LESS, 0, {"": violations(store)} if store.has("strict") else {},
             digits=0),
    ]


def spin_goals(store: Store) -> list[Goal]:
    return [
        Goal("`--spin auto`, whatever disturbs it: rate beside `off`, the worst", MORE, 0.90,
             parts_busy.worst(store, "requests_per_second", min)),
        Goal("the same: p99 beside `off`, the worst", LESS, 2.00,
             parts_busy.worst(store, "latency_p99_us", max)),
        Goal("`--spin auto` at rest: CPU", LESS, 0.1, parts_busy.at_rest_percent(store), " %"),
    ]


def all_goals(store: Store) -> list[Goal]:
    groups = (lockstep_goals, pipeline_goals, latency_goals, http_goals, client_goals, spin_goals,
              other_goals)
    return [goal for group in groups for goal in group(store)]


def goals_section(store: Store) -> Section:
    rows = [goal.row() for goal in all_goals(store)]
    return Section("Goals", "Each goal, the values reached (medians), and whether all of them are within it.",
                   [Table(["goal", "wanted", "reached", ""], rows)])
