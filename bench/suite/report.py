# SPDX-License-Identifier: MIT
"""The report: sections of sentences, tables and plots, written as Markdown."""

import dataclasses

from store import Spread


@dataclasses.dataclass
class Table:
    head: list[str]
    rows: list[list[str]]
    caption: str = ""


@dataclasses.dataclass
class Section:
    title: str
    why: str
    tables: list[Table] = dataclasses.field(default_factory=list)
    plots: list = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


# ---- cells ----

def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def plain_ratio(ratio: Spread | None) -> str:
    return "–" if ratio is None else f"{ratio.middle:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def bold_ratio(ratio: Spread | None) -> str:
    """The ratio that a reader looks for."""
    return "–" if ratio is None else f"**{ratio.middle:.2f}** ({ratio.low:.2f}–{ratio.high:.2f})"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %"


# ---- Markdown ----

def table_lines(table: Table) -> list[str]:
    """Words of the first column stand left, everything else right."""
    first = "--:" if all(row[0].isdigit() for row in table.rows) else ":--"
    lines = [f"{table.caption}:", ""] if table.caption else []
    lines.append(row_line(table.head))
    lines.append("|" + "|".join([first] + ["--:"] * (len(table.head) - 1)) + "|")
    lines += [row_line(row) for row in table.rows]
    return lines + [""]


def row_line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def section_lines(section: Section, has_plots: bool) -> list[str]:
    lines = [f"## {section.title}", "", section.why, ""]
    for table in section.tables:
        lines += table_lines(table)
    for plot in section.plots if has_plots else []:
        lines += [f"![{plot.title}]({plot.file_name})", ""]
    for note in section.notes:
        lines += [note, ""]
    return lines


def write_report(machine: list[str], sections: list[Section], has_plots: bool = True) -> str:
    lines = ["# Benchmark report", ""]
    lines += [f"- {line}" for line in machine]
    lines += ["", "Values are medians over the rounds. A ratio is taken within each round; the median is",
              "followed by the least and the greatest.", ""]
    if not has_plots:
        lines += ["There are no plots, since gnuplot is not installed.", ""]
    for section in sections:
        lines += section_lines(section, has_plots)
    return "\n".join(lines).rstrip("\n") + "\n"
