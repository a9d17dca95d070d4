#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs rounds of chaos, some side by side, until the time is over. See storm.py for what a round is.

A round is a process of its own, so that it can be replayed alone: `--round SEED`. What is drawn follows from the
seed; what the kernel and the clock do does not, so a replay finds mostly, and not always, the same.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROUND_SECONDS = 12  # what one takes, mostly
ROUND_SECONDS_MAX = 120


def play(arguments):
    """One round, here. The last line is its summary as JSON."""
    import storm

    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        one = storm.Round(arguments.program, arguments.round, folder, arguments.protocol, not arguments.no_stops)
        asyncio.run(one.run())
        failed = bool(one.ledger.violations)
        if failed or arguments.verbose:
            print("\n".join(one.report()))
        print(json.dumps({"protocol": one.protocol, **one.summary()}))
    return int(failed)


def words_of(arguments, seed):
    words = [sys.executable, "-B", __file__, "--program", arguments.program, "--round", str(seed)]
    words += ["--protocol", arguments.protocol] if arguments.protocol else []
    return words + (["--no-stops"] if arguments.no_stops else [])


class Driver:
    def __init__(self, arguments):
        self.arguments = arguments
        self.next_seed = arguments.seed * 1000
        self.running = {}  # process -> (seed, when it began, its output)
        self.rounds = Counter()
        self.numbers = Counter()
        self.failed = []

    def start(self):
        output = tempfile.TemporaryFile("w+")
        process = subprocess.Popen(words_of(self.arguments, self.next_seed), stdout=output, stderr=output)
        self.running[process] = (self.next_seed, time.monotonic(), output)
        self.next_seed += 1

    def reap(self):
        for process, (seed, began, output) in list(self.running.items()):
            late = time.monotonic() - began > ROUND_SECONDS_MAX
            if process.poll() is None and not late:
                continue
            if process.poll() is None:
                process.kill()
                process.wait()
            del self.running[process]
            output.seek(0)
            self.judge(seed, process.returncode, output.read(), late)
            output.close()

    def judge(self, seed, status, text, late):
        lines = text.splitlines()
        if status == 0 and lines:
            numbers = json.loads(lines[-1])
            self.rounds[numbers.pop("protocol")] += 1
            self.numbers.update(numbers)
            return
        self.failed.append(seed)
        print("---- round %d failed%s" % (seed, ": it does not end" if late else ""))
        print(text)
        print("---- again with: script/chaos --round %d" % seed, flush=True)

    def run(self):
        until = time.monotonic() + self.arguments.seconds
        while time.monotonic() < until or self.running:
            room = len(self.running) < self.arguments.jobs and len(self.failed) < self.arguments.failures
            if room and (time.monotonic() + ROUND_SECONDS < until or not self.rounds and not self.running):
                self.start()
            elif not self.running:
                break
            time.sleep(0.05)
            self.reap()
        return self.tell()

    def tell(self):
        rounds = ", ".join("%d %s" % (count, name) for name, count in sorted(self.rounds.items()))
        print("%d rounds (%s), seed %d: " % (sum(self.rounds.values()), rounds, self.arguments.seed), end="")
        print(", ".join("%d %s" % (count, name) for name, count in self.numbers.items()))
        if self.failed:
            print("%d rounds failed: %s" % (len(self.failed), " ".join(map(str, self.failed))))
        return int(bool(self.failed) or not self.rounds)


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="script/chaos", description="Flags, clients and a target, all drawn.")
    parser.add_argument("seconds", nargs="?", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what is drawn (the time)")
    parser.add_argument("--jobs", type=int, default=3, help="rounds side by side (3)")
    parser.add_argument("--protocol", help="this one only")
    parser.add_argument("--no-stops", action="store_true", help="never stop the multiplexer for a while")
    parser.add_argument("--failures", type=int, default=5, help="no new round after so many failed ones (5)")
    parser.add_argument("--round", type=int, help="replay this round alone")
    parser.add_argument("--verbose", action="store_true", help="with --round: tell the story in any case")
    parser.add_argument("--program", default=str(root / "build-asan" / "tcp-multiplexer"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not os.access(arguments.program, os.X_OK):
        parser.error("%s is not built" % arguments.program)
    return play(arguments) if arguments.round is not None else Driver(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
