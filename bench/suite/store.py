# SPDX-License-Identifier: MIT
"""Every single measurement of a run, and what is told about them.

A measurement is what one program said once: the values of one contender, at one point of one case of
one part, in one round. Medians are over the rounds. A ratio of two contenders is taken within each
round, where both were measured right after one another, and then its median, least and greatest.
"""

import dataclasses
import json
import pathlib
import statistics


@dataclasses.dataclass(frozen=True)
class Measurement:
    part: str
    case: str
    contender: str
    point: int | str  # clients, bytes, ...: what a row of a table is about
    round: int
    values: dict


@dataclasses.dataclass(frozen=True)
class Spread:
    middle: float
    low: float
    high: float


def spread_of(values: list) -> Spread | None:
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def change_in_percent(before: float, after: float) -> float:
    return (after - before) / before * 100


class Store:
    def __init__(self):
        self.measurements: list[Measurement] = []

    def add(self, *fields) -> None:
        self.measurements.append(Measurement(*fields))

    def has(self, part: str) -> bool:
        return any(one.part == part for one in self.measurements)

    def select(self, part: str, case: str) -> list[Measurement]:
        return [one for one in self.measurements if one.part == part and one.case == case]

    def cases(self, part: str) -> list[str]:
        return list(dict.fromkeys(one.case for one in self.measurements if one.part == part))

    def points(self, part: str, case: str) -> list:
        """In the order of their measurement, which is that of the table; numbers grow."""
        points = list(dict.fromkeys(one.point for one in self.select(part, case)))
        return sorted(points) if all(isinstance(point, (int, float)) for point in points) else points

    def contenders(self, part: str, case: str) -> list[str]:
        return list(dict.fromkeys(one.contender for one in self.select(part, case)))

    def by_round(self, part: str, case: str, contender: str, point, name: str) -> dict:
        """The value of each round in which there is one."""
        return {one.round: one.values[name] for one in self.select(part, case)
                if one.contender == contender and one.point == point and name in one.values}

    def spread(self, part: str, case: str, contender: str, point, name: str) -> Spread | None:
        return spread_of(list(self.by_round(part, case, contender, point, name).values()))

    def median(self, part: str, case: str, contender: str, point, name: str) -> float | None:
        found = self.spread(part, case, contender, point, name)
        return found.middle if found else None

    def ratio(self, part: str, case: str, one: str, other: str, point, name: str,
              other_point=None) -> Spread | None:
        """`one` divided by `other`, round by round; None when there is nothing to divide."""
        above = self.by_round(part, case, one, point, name)
        below = self.by_round(part, case, other, point if other_point is None else other_point, name)
        return spread_of([above[number] / below[number] for number in above if below.get(number)])

    # ---- in a file ----

    def as_lists(self) -> list[dict]:
        return [dataclasses.asdict(one) for one in self.measurements]

    def write(self, file: pathlib.Path, **rest) -> None:
        """All measurements, and what else is to be kept with them."""
        file.write_text(json.dumps({**rest, "measurements": self.as_lists()}, indent=1) + "\n")

    @classmethod
    def read(cls, file: pathlib.Path) -> tuple["Store", dict]:
        content = json.loads(file.read_text())
        store = cls()
        store.measurements = [Measurement(**one) for one in content.pop("measurements")]
        return store, content
