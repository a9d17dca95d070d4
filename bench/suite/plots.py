# SPDX-License-Identifier: MIT
"""Plots, drawn by gnuplot as SVG: lines over a growing number, or bars beside one another."""

import dataclasses
import pathlib
import shutil
import textwrap

from processes import Crew, Trouble
from store import Spread

STYLE = """\
set terminal svg size 760,420 dynamic background rgb 'white' font 'sans-serif,13'
set border 3 lc rgb '#666666'
set tics nomirror
set grid ytics lc rgb '#dddddd' lt 1
set key outside right top
set linetype 1 lc rgb '#1565c0' lw 2 pt 7 ps 0.6
set linetype 2 lc rgb '#757575' lw 2 pt 5 ps 0.6
set linetype 3 lc rgb '#ef6c00' lw 2 pt 9 ps 0.6
set linetype 4 lc rgb '#2e7d32' lw 2 pt 11 ps 0.6
set linetype 5 lc rgb '#8e24aa' lw 2 pt 13 ps 0.6
set linetype 6 lc rgb '#c62828' lw 2 pt 4 ps 0.6
set linetype 7 lc rgb '#00838f' lw 2 pt 6 ps 0.6
set linetype 8 lc rgb '#5d4037' lw 2 pt 8 ps 0.6
"""

# Whoever is in many plots has the same colour in all of them.
LINE_TYPES = {"multiplexer": 1, "relay": 2, "HAProxy": 3, "nginx": 4, "direct": 5}
LINE_TYPES_COUNT = 8
LABEL_COLUMNS = 14


@dataclasses.dataclass
class Series:
    label: str
    points: list[tuple[int | str, Spread]]


@dataclasses.dataclass
class Plot:
    name: str  # of the file, without its ending
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    bars: bool = False
    log_y: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.svg"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def line_types(labels: list[str]) -> list[int]:
    """That of the label, or the next that nobody has."""
    free = [number for number in range(1, LINE_TYPES_COUNT + 1)
            if number not in [LINE_TYPES.get(label) for label in labels]]
    return [LINE_TYPES[label] if label in LINE_TYPES else (free.pop(0) if free else LINE_TYPES_COUNT)
            for label in labels]


def data_lines(series: Series) -> list[str]:
    """x, middle, least and greatest; words in quotes."""
    return [" ".join([f'"{x}"' if isinstance(x, str) else f"{x}",
                      *(f"{value:.6g}" for value in (spread.middle, spread.low, spread.high))])
            for x, spread in series.points]


def bar_lines(plot: Plot) -> list[str]:
    """A row for each place on the x axis, a column for each series; `nan` where there is nothing."""
    columns = [dict(series.points) for series in plot.series]
    return [" ".join(f"{column[place].middle:.6g}" if place in column else "nan" for column in columns)
            for place in places_of(plot)]


def places_of(plot: Plot) -> list:
    return list(dict.fromkeys(x for series in plot.series for x, _ in series.points))


def place_labels(plot: Plot) -> str:
    """Long names are broken, so that they do not run into one another."""
    labels = ["\\n".join(textwrap.wrap(str(place), LABEL_COLUMNS)) for place in places_of(plot)]
    return ", ".join(f'"{label}" {number}' for number, label in enumerate(labels))


def script_of(plot: Plot, file: pathlib.Path) -> str:
    lines = [STYLE, f"set output {quoted(str(file))}", f"set title {quoted(plot.title)} noenhanced",
             f"set xlabel {quoted(plot.x_label)} noenhanced", f"set ylabel {quoted(plot.y_label)} noenhanced"]
    lines.append("set logscale y" if plot.log_y else "set yrange [0:*]")
    if plot.bars:
        return "\n".join(lines + bar_script(plot)) + "\n"
    return "\n".join(lines + line_script(plot)) + "\n"


def with_types(plot: Plot) -> list[tuple[Series, int]]:
    return list(zip(plot.series, line_types([series.label for series in plot.series])))


def bar_script(plot: Plot) -> list[str]:
    lines = ["set style data histograms", "set style histogram clustered gap 1",
             "set style fill solid 0.85 noborder", "set bmargin 5",
             f"set xrange [-0.6:{len(places_of(plot)) - 0.4}]", f"set xtics ({place_labels(plot)})",
             "$rows << END", *bar_lines(plot), "END"]
    parts = [f"$rows using {number + 1} lt {line_type} title {quoted(series.label)} noenhanced"
             for number, (series, line_type) in enumerate(with_types(plot))]
    return [*lines, "plot " + ", ".join(parts)]


def line_script(plot: Plot) -> list[str]:
    """Lines through the medians, with a bar from the least to the greatest, and room for those at the ends."""
    places = places_of(plot)
    lines = ["set logscale x 2", "set xtics rotate by -35",
             f"set xrange [{min(places) / 1.1}:{max(places) * 1.1}]"]
    parts = []
    for number, (series, line_type) in enumerate(with_types(plot)):
        lines += [f"$series{number} << END", *data_lines(series), "END"]
        parts.append(f"$series{number} using 1:2:3:4 with yerrorlines lt {line_type} "
                     f"title {quoted(series.label)} noenhanced")
    return [*lines, "plot " + ", ".join(parts)]


def can_draw() -> bool:
    return shutil.which("gnuplot") is not None


def draw(crew: Crew, plots: list[Plot], directory: pathlib.Path) -> None:
    for plot in plots:
        if not any(series.points for series in plot.series):
            continue
        script = crew.work / f"{plot.name}.gnuplot"
        script.write_text(script_of(plot, directory / plot.file_name))
        status, _, errors = crew.run(["gnuplot", script], None, 60)
        if status != 0:
            raise Trouble(f"gnuplot cannot draw {plot.file_name}: {errors.strip().splitlines()[-1:]}")
