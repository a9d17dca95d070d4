# SPDX-License-Identifier: MIT
"""Copies of the tree in which faults are planted, and the tests that run there.

A `Workshop` is a copy with a build directory. It is built once without a fault. A fault then costs
the compilation of what includes its file and the linking of what uses that, twice, since it is taken out
again. Only tests whose program has become another one run: a program that is the same byte for byte
cannot tell the fault.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

SUITES = ("unit", "sim", "fuzz")
BUILD_OPTIONS = ["-Dbuildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined",
                 "-Dunit_tests=enabled"]
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
LINES_KEPT = 4000


class Trouble(Exception):
    """Nothing can be said about the tests: something does not build, or fails without a fault."""


def snapshot(root, destination):
    """Copies what git knows of, with changes that are not committed, and new files."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=root, stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source, target = root / name, destination / name
        if source.is_file():  # not one that was deleted
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


# ---- running a test ----

@dataclasses.dataclass(frozen=True)
class Test:
    name: str
    command: tuple  # the program's path is relative to the build directory
    environment: tuple = ()
    seconds: float = 0.0  # what it takes without a fault

    @property
    def program(self):
        return self.command[0]

    @property
    def limit(self):
        """Seconds after which it hangs."""
        return 30 + 10 * self.seconds


@dataclasses.dataclass
class Outcome:
    passed: bool
    hung: bool
    seconds: float
    lines: list

    def culprit(self):
        """What in the output names the check that failed, as short as it can be told."""
        text = "\n".join(self.lines)
        running = re.findall(r"^\[ RUN      \] (\S+)", text, re.MULTILINE)
        failed = re.search(r"^\[  FAILED  \] (\w+)", text, re.MULTILINE)
        check = re.search(r"^CHECK FAILED: (.*)", text, re.MULTILINE)
        assertion = re.search(r"(\w+): Assertion `(.*)' failed", text)
        sanitizer = re.search(r"(?:ERROR: \w+Sanitizer|runtime error): .*", text)
        seed = re.search(r"^replay: .*?((?:--calm )?--(?:seed|small) \d+)", text, re.MULTILINE)
        told = []
        if failed or running:
            told.append(failed.group(1) if failed else running[-1])
        if seed:
            told.append(seed.group(1))
        if check:
            told.append(f"\"{check.group(1)}\"")
        elif assertion:
            told.append(f"{assertion.group(1)}: assertion `{assertion.group(2)}' failed")
        elif sanitizer:
            told.append(sanitizer.group(0)[:80])
        return ", ".join(told)


class Runner:
    """Starts processes, and ends those that it started when the run is interrupted."""

    def __init__(self):
        self.lock = threading.Lock()
        self.processes = set()
        self.is_stopping = False

    def stop(self):
        with self.lock:
            self.is_stopping = True
            for process in self.processes:
                kill_group(process)

    def start(self, command, directory, environment):
        with self.lock:
            if self.is_stopping:
                raise Trouble("interrupted")
            process = subprocess.Popen(command, cwd=directory, env=environment, text=True, errors="replace",
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            self.processes.add(process)
            return process

    def end(self, process):
        with self.lock:
            self.processes.discard(process)

    def run(self, command, directory, limit, environment=()):
        """Runs until it ends, until the time is over, or until it says that a test has failed."""
        started = time.monotonic()
        process = self.start(command, directory, {**os.environ, **ENVIRONMENT, **dict(environment)})
        expired = threading.Event()

        def expire():
            expired.set()
            kill_group(process)

        timer = threading.Timer(limit, expire)
        timer.start()
        lines, failed = [], False
        try:
            for line in process.stdout:
                lines = [*lines[-LINES_KEPT:], line.rstrip("\n")] if len(lines) > 2 * LINES_KEPT else lines
                lines.append(line.rstrip("\n"))
                if line.startswith("[  FAILED  ]"):
                    failed = True
                    kill_group(process)
                    break
            status = process.wait()
        finally:
            timer.cancel()
            process.stdout.close()
            self.end(process)
        hung = expired.is_set() and not failed
        return Outcome(status == 0 and not failed and not hung, hung, time.monotonic() - started, lines)


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


# ---- a workshop ----

class Workshop:
    def __init__(self, source, directory, runner, compiler):
        self.tree = directory / "tree"
        self.build_directory = directory / "build"
        self.runner = runner
        self.compiler = compiler
        self.tests = []
        self.digests = {}
        shutil.copytree(source, self.tree)

    def must(self, command, what):
        outcome = self.runner.run(command, self.tree, 1800, {"CC": self.compiler}.items())
        if not outcome.passed:
            raise Trouble("\n".join([f"{what}:", *outcome.lines[-40:]]))
        return outcome

    def setup(self):
        """Builds without a fault and finds the tests."""
        self.must(["meson", "setup", str(self.build_directory), *BUILD_OPTIONS], "configuring fails")
        listed = subprocess.run(["meson", "introspect", "--tests", str(self.build_directory)],
                                stdout=subprocess.PIPE, check=True).stdout
        self.tests = [self.read_test(entry) for entry in json.loads(listed)
                      if any(suite.split(":")[-1] in SUITES for suite in entry["suite"])]
        if not self.tests:
            raise Trouble("there are no tests")
        self.build()
        self.digests = self.programs()

    def read_test(self, entry):
        suite = entry["suite"][0].split(":")[-1]
        program = pathlib.Path(entry["cmd"][0]).relative_to(self.build_directory.resolve()).as_posix()
        # Human output, not TAP: it is flushed, and says which test runs when the program dies.
        environment = {**entry["env"], "CMOCKA_MESSAGE_OUTPUT": "STDOUT"}
        arguments = [argument.replace(str(self.tree.resolve()), "{tree}") for argument in entry["cmd"][1:]]
        return Test(f"{suite} {entry['name']}", (program, *arguments), tuple(sorted(environment.items())))

    def build(self):
        programs = sorted({test.program for test in self.tests})
        self.must(["ninja", "-C", str(self.build_directory), *programs], "building fails")

    def programs(self):
        return {test.program: hashlib.sha256((self.build_directory / test.program).read_bytes()).digest()
                for test in self.tests}

    def run(self, test):
        arguments = [argument.replace("{tree}", str(self.tree.resolve())) for argument in test.command[1:]]
        command = [str(self.build_directory / test.program), *arguments]
        return self.runner.run(command, self.build_directory, test.limit, test.environment)

    def plant(self, place, text):
        """Writes the file; the caller writes the old text when it has seen enough."""
        (self.tree / place.path).write_text(text, encoding="utf-8")

    def read(self, place):
        return (self.tree / place.path).read_text(encoding="utf-8")

    def is_affected(self, test, programs):
        return programs[test.program] != self.digests[test.program]
