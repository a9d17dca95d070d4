# SPDX-License-Identifier: MIT
"""What most sections need of one case of one part: a table that compares contenders, series for a plot."""

import dataclasses

from plots import Plot, Series
from report import Table, bold_ratio, number, plain_ratio
from store import Store


@dataclasses.dataclass(frozen=True)
class Measure:
    label: str
    name: str
    digits: int = 0
    ratio: str = "bold"  # or plain, or none


CPU = Measure("CPU, µs", "cpu_us_per_request", 2)
RATE = Measure("requests/s", "requests_per_second", 0, "plain")
P50 = Measure("p50, µs", "latency_p50_us", 0, "none")
P99 = Measure("p99, µs", "latency_p99_us", 0, "none")


@dataclasses.dataclass(frozen=True)
class View:
    store: Store
    part: str
    case: str

    def points(self) -> list:
        return self.store.points(self.part, self.case)

    def median(self, contender: str, point, name: str) -> float | None:
        return self.store.median(self.part, self.case, contender, point, name)

    def table(self, head: str, one: str, others: list[str], measures: list[Measure],
              caption: str = "") -> Table:
        """A row for each point. For each measure the value of `one`, then that of every other, followed
        by the ratio of `one` to it."""
        titles = [head]
        for measure in measures:
            titles.append(measure.label)
            for other in others:
                titles += [other] if measure.ratio == "none" else [other, "ratio"]
        rows = [[str(point), *self.cells(point, one, others, measures)] for point in self.points()]
        return Table(titles, rows, caption)

    def cells(self, point, one: str, others: list[str], measures: list[Measure]) -> list[str]:
        cells = []
        for measure in measures:
            cells.append(number(self.median(one, point, measure.name), measure.digits))
            for other in others:
                cells.append(number(self.median(other, point, measure.name), measure.digits))
                if measure.ratio != "none":
                    ratio = self.store.ratio(self.part, self.case, one, other, point, measure.name)
                    cells.append(bold_ratio(ratio) if measure.ratio == "bold" else plain_ratio(ratio))
        return cells

    def values(self, contender: str, name: str, label: str = "") -> Series:
        points = [(point, self.store.spread(self.part, self.case, contender, point, name))
                  for point in self.points()]
        return Series(label or contender, [(x, spread) for x, spread in points if spread])

    def ratios(self, one: str, other: str, name: str, label: str) -> Series:
        points = [(point, self.store.ratio(self.part, self.case, one, other, point, name))
                  for point in self.points()]
        return Series(label, [(x, spread) for x, spread in points if spread])

    def plot(self, name: str, title: str, x_label: str, y_label: str, contenders: list[str], value: str,
             bars: bool = False) -> Plot:
        """One value of several contenders."""
        return Plot(name, title, x_label, y_label, [self.values(one, value) for one in contenders], bars)
