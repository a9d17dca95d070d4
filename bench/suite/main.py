# SPDX-License-Identifier: MIT
"""Measures the built multiplexer and writes a report; the part of script/bench that comes after building.

    main.py [OPTION]...             the options are those of script/bench, see its --help
    main.py --packages [OPTION]...  prints the Debian packages that such a run needs, and measures nothing
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import machine
import parts_busy
import parts_checks
import parts_clients
import parts_cost
import parts_http
import parts_lockstep
import parts_pace
import parts_pipeline
import parts_spin
import plots
from goals import goals_section
from processes import STOPPING_SIGNALS, Crew, Trouble
from report import write_report
from session import WIRES, Options, Session
from store import Store

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = {part.name: part for module in (parts_lockstep, parts_spin, parts_busy, parts_pipeline, parts_http, parts_clients,
                                        parts_cost, parts_pace, parts_checks) for part in module.PARTS}
PACKAGES = ("gnuplot-nox", "util-linux")


def words(values: list[str]) -> list[str]:
    """`a b` and `a` `b` are the same."""
    return [word for value in values for word in value.split()]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", add_help=False, usage="see script/bench --help")
    parser.add_argument("--only", nargs="+", action="extend", default=[])
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--clients", nargs="+", action="extend", default=[])
    parser.add_argument("--wires", nargs="+", action="extend", default=[])
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "tcp-multiplexer")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build" / "bench-report")
    parser.add_argument("--compare", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--packages", action="store_true")
    options = parser.parse_args(arguments)
    options.only = known(parser, "part", words(options.only), PARTS)
    options.wires = known(parser, "protocol", words(options.wires), WIRES)
    if not all(word.isdigit() and int(word) > 0 for word in words(options.clients)):
        parser.error("--clients wants numbers from 1 on")
    options.clients = [int(word) for word in words(options.clients)] or None
    options.rounds = options.rounds or (1 if options.quick else 5)
    if min(options.rounds, options.seconds, options.idle) < 1:
        parser.error("--rounds, --seconds and --idle want numbers from 1 on")
    return options


def known(parser: argparse.ArgumentParser, what: str, given: list[str], names) -> list[str]:
    """Those that were given, or all, in their usual order."""
    for name in given:
        if name not in names:
            parser.error(f"there is no {what} '{name}'; there are: {' '.join(names)}")
    return [name for name in names if not given or name in given]


def read_earlier(file: pathlib.Path | None) -> dict | None:
    """The instructions of an earlier run."""
    if file is None:
        return None
    try:
        return dict(json.loads(file.read_text())["instructions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Trouble(f"{file} is no raw.json of an earlier run: {error}") from error


def write_all(session: Session, output: pathlib.Path, about: dict, earlier: dict | None) -> None:
    """Everything that has been measured so far."""
    store = session.store
    sections = []
    for part in PARTS.values():
        if store.has(part.name):
            extra = (earlier,) if part.name == "instructions" else ()
            sections += part.sections(store, *extra)
    sections.append(goals_section(store))
    store.write(output / "raw.json", machine=about, instructions=parts_checks.instructions_of(store))
    if plots.can_draw():
        plots.draw(session.crew, [plot for section in sections for plot in section.plots], output)
    (output / "report.md").write_text(write_report(machine.sentences(about), sections, plots.can_draw()))


def run(options: argparse.Namespace, crew: Crew) -> int:
    earlier = read_earlier(options.compare)
    program = options.program.absolute()
    session = Session(Options(options.rounds, options.seconds, options.clients, options.idle, options.wires,
                              options.quick, program, ROOT / "build" / "bench"), crew, Store())
    about = machine.describe(crew, program)
    about["rounds"] = f"{options.rounds} of {options.seconds} s each"
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        PARTS[name].measure(session)
        write_all(session, options.output, about, earlier)
    print((options.output / "report.md").read_text(), end="")
    print(f"script/bench: the report is {options.output / 'report.md'}", file=sys.stderr)
    if parts_checks.violations(session.store):
        raise Trouble("a strict target saw a second connection or a second request at a time")
    return 0


def keep_logs(work: pathlib.Path, output: pathlib.Path) -> str:
    """What the servers said is what one looks at first, after trouble; returns where it is."""
    logs = list(work.glob("*.log"))
    for log in logs:
        shutil.copy(log, output)
    return f" (all logs: {output}/*.log)" if logs else ""


def end_on_signals() -> None:
    for number in STOPPING_SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.packages:
        needed = [package for name in options.only for package in PARTS[name].packages]
        print(*dict.fromkeys([*PACKAGES, *needed]))
        return 0
    end_on_signals()
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    crew = Crew(work)
    try:
        return run(options, crew)
    except Trouble as trouble:
        print(f"script/bench: {trouble}{keep_logs(work, options.output)}", file=sys.stderr)
        return 1
    finally:
        crew.end()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main(sys.argv[1:]))
