# SPDX-License-Identifier: MIT
"""Plants faults one by one and looks whether the tests notice; the command behind script/mutants."""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import queue
import shutil
import signal
import sys
import tempfile
import textwrap
import time

import faults as fault_list
import workshop

ROOT = pathlib.Path(__file__).resolve().parents[2]

DESCRIPTION = """\
Plants small deliberate faults, one at a time, in copies of the tree, and runs the tests against each: unit
tests, simulator, fuzz corpora. A fault that no test notices is alive, and shows what the tests do not
check. The list, and how a fault is aimed, is tests/mutants/faults.toml.

All tests have to pass without a fault first. Then those whose program the fault has changed run, the
quickest first, until one fails.
"""


@dataclasses.dataclass(frozen=True)
class Verdict:
    fault: object
    word: str  # caught, ALIVE, HANGS, BROKEN
    detail: str
    seconds: float
    lines: tuple = ()

    @property
    def is_caught(self):
        return self.word == "caught"

    def line(self):
        return f"{self.word:7} {self.fault.name:44} {self.detail} ({self.seconds:.1f} s)"


def first_failure(shop, tests):
    """The first test that fails with what is planted there, and its outcome."""
    programs = shop.programs()
    affected = [test for test in tests if shop.is_affected(test, programs)]
    for test in affected:
        outcome = shop.run(test)
        if not outcome.passed:
            return test, outcome, len(affected)
    return None, None, len(affected)


def judge(shop, fault, tests):
    """Plants the fault, and takes it out again."""
    started = time.monotonic()
    place = fault_list.find_place(shop.tree, fault)
    text = shop.read(place)
    shop.plant(place, fault_list.with_fault(text, place, fault))
    try:
        shop.build()
        test, outcome, affected = first_failure(shop, tests)
    except workshop.Trouble as trouble:
        return Verdict(fault, "BROKEN", "it does not build", time.monotonic() - started, (str(trouble),))
    finally:
        shop.plant(place, text)
    seconds = time.monotonic() - started
    if test is None:
        detail = f"{affected} tests see the changed code and pass" if affected else "no test has the changed code"
        return Verdict(fault, "ALIVE", f"{place.path}: {detail}", seconds)
    if outcome.hung and not fault.hangs:
        return Verdict(fault, "HANGS", f"{test.name} does not end", seconds, tuple(outcome.lines))
    what = "its time is over" if outcome.hung else outcome.culprit()
    return Verdict(fault, "caught", f"by {test.name}" + (f": {what}" if what else ""), seconds,
                   tuple(outcome.lines))


# ---- the run ----

def make_workshops(count, directory, runner, compiler):
    source = directory / "source"
    workshop.snapshot(ROOT, source)
    return [workshop.Workshop(source, directory / f"worker-{number}", runner, compiler)
            for number in range(count)]


def measure(pool, shops):
    """Runs every test without a fault, and returns them with what they take, the quickest first."""
    shares = [shops[0].tests[number::len(shops)] for number in range(len(shops))]

    def run_share(shop, tests):
        measured = []
        for test in tests:
            outcome = shop.run(dataclasses.replace(test, seconds=60))
            if not outcome.passed:
                raise workshop.Trouble("\n".join([f"without a fault, {test.name} fails:", *outcome.lines[-40:]]))
            measured.append(dataclasses.replace(test, seconds=outcome.seconds))
        return measured

    runs = [pool.submit(run_share, shop, tests) for shop, tests in zip(shops, shares)]
    tests = [test for run in runs for test in run.result()]
    return sorted(tests, key=lambda test: test.seconds)


def judge_all(pool, shops, chosen, tests):
    """Yields verdicts as they come."""
    free = queue.Queue()
    for shop in shops:
        free.put(shop)

    def with_a_shop(fault):
        shop = free.get()
        try:
            return judge(shop, fault, tests)
        finally:
            free.put(shop)

    runs = [pool.submit(with_a_shop, fault) for fault in chosen]
    for run in concurrent.futures.as_completed(runs):
        yield run.result()


def show(verdict, is_verbose):
    print(verdict.line(), flush=True)
    if verdict.word == "ALIVE":
        print(textwrap.indent(textwrap.fill(verdict.fault.breaks, 100), " " * 8), flush=True)
    if verdict.lines and (is_verbose or not verdict.is_caught):
        print(textwrap.indent("\n".join(verdict.lines[-60:]), " " * 8), flush=True)


def run(chosen, options, directory):
    runner = workshop.Runner()
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        shops = make_workshops(options.jobs, directory, runner, options.compiler)
        started = time.monotonic()
        for setup in [pool.submit(shop.setup) for shop in shops]:
            setup.result()
        tests = measure(pool, shops)
        print(f"{len(tests)} tests pass without a fault ({time.monotonic() - started:.1f} s)", flush=True)
        verdicts = []
        for verdict in judge_all(pool, shops, chosen, tests):
            show(verdict, options.verbose)
            verdicts.append(verdict)
    finally:
        runner.stop()
        pool.shutdown(cancel_futures=True)
    return report(verdicts)


def report(verdicts):
    caught = sum(verdict.is_caught for verdict in verdicts)
    rest = [verdict for verdict in verdicts if not verdict.is_caught]
    print(f"{caught} caught, {len(rest)} not" + "".join(f"\n  {verdict.word:7} {verdict.fault.name}"
                                                       for verdict in rest))
    return 0 if not rest and caught > 0 else 1


def choose(faults, names):
    """The faults that are named, by their name, a part of it, or their layer; or all."""
    def is_meant(fault, name):
        return name in fault.name or name == fault.layer

    for name in names:
        if not any(is_meant(fault, name) for fault in faults):
            raise fault_list.Misfit(f"'{name}' is in the name of no fault, and no layer; see script/mutants --list")
    return [fault for fault in faults if not names or any(is_meant(fault, name) for name in names)]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="script/mutants", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only faults of this layer, or with this in their name")
    parser.add_argument("--check", action="store_true",
                        help="build nothing; say which faults do not fit the source any more")
    parser.add_argument("--list", action="store_true", help="print the names and what each fault breaks")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="COUNT",
                        help="copies of the tree to work in at the same time (one per processor)")
    parser.add_argument("--compiler", default="gcc", metavar="CC", help="what to build with (gcc)")
    parser.add_argument("--verbose", action="store_true", help="show the output of the tests that failed")
    parser.add_argument("--keep", action="store_true", help="do not remove the copies, and say where they are")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs wants a number from 1 on")
    return options


def check(faults):
    misfits = fault_list.check_all(ROOT, faults)
    for misfit in misfits:
        print(misfit)
    if not misfits:
        print(f"{len(faults)} faults fit the source")
    return 1 if misfits else 0


def main(arguments):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        faults = choose(fault_list.read_faults(), options.names)
        if options.list:
            for fault in faults:
                print(f"{fault.name:44} {fault.breaks}")
            return 0
        if options.check:
            return check(faults)
        misfits = fault_list.check_all(ROOT, faults)
        if misfits:
            raise fault_list.Misfit("\n".join(misfits))
        directory = pathlib.Path(tempfile.mkdtemp(prefix="mutants-"))
        try:
            return run(faults, options, directory)
        finally:
            if options.keep:
                print(f"the copies are in {directory}")
            else:
                shutil.rmtree(directory, ignore_errors=True)
    except (fault_list.Misfit, workshop.Trouble) as error:
        print(f"script/mutants: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
