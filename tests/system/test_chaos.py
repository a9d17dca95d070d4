# SPDX-License-Identifier: MIT
"""Chaos, in short: a target and clients that misbehave in every way, for some seconds a seed.

The programs are those of script/soak, see tests/soak. They check every answer and what the target sees;
here it is checked that they are content, and that the multiplexer ends in order. The build with
sanitizers is preferred, since a use of freed memory or an overflow shows itself there.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from lib.multiplexer import Multiplexer, binary

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5
PATIENCE = 4000  # milliseconds: --wait-timeout, --timeout, and as long again
WITHIN = SECONDS + 15  # until the clients have ended: the longest request, on a busy machine
SHORT_TIMES = (
    "--timeout", "500ms", "--queue-timeout", "500ms", "--wait-timeout", "1500ms", "--client-timeout", "700ms",
    "--write-timeout", "500ms", "--idle-timeout", "1s", "--retry-delay", "20ms", "--retry-delay-max", "200ms",
    "--max-clients", "180", "--buffer-memory", "2MiB", "--max-message", "512KiB",
)  # fmt: skip
# Everything may go wrong here, and is logged as a warning; what a sanitizer or an assertion says is none.
ANY_WARNING = r"^(closed |cannot connect|the target |--buffer-memory|cannot accept|limit )"


def program(name):
    """One of the soak programs, of the build that is there."""
    for build in (Path(binary()).parent, ROOT / "build", ROOT / "build-asan"):
        path = build / "tests" / "soak" / name
        if os.access(path, os.X_OK):
            return str(path)
    pytest.fail("%s is not built" % name)


def numbers(summary):
    return {name: int(value) for name, value in re.findall(r"([a-z_-]+)=(\d+)", summary)}


@pytest.fixture(autouse=True)
def sanitized_build(monkeypatch):
    built = ROOT / "build-asan" / "tcp-multiplexer"
    if "TCPMUX_BINARY" not in os.environ and os.access(built, os.X_OK):
        monkeypatch.setenv("TCPMUX_BINARY", str(built))
    monkeypatch.setenv("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")


@pytest.fixture
def run():
    """Starts programs that are killed at the end, whatever happens: `run(name, argument, ...)`."""
    started = []

    def start(name, *arguments):
        command = [program(name), *map(str, arguments)]
        started.append(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def summary_of(process):
    """What it printed last, once it has ended; its complaints if it is not content."""
    output, complaints = process.communicate(timeout=WITHIN)
    assert process.returncode == 0, complaints + output
    return numbers(output.splitlines()[-1])


def soak(run, seed, target_options=(), client_options=()):
    target = run("soak-target", "127.0.0.2:0", "--seed", seed, "--mischief", 200, "--slow", 700, *target_options)
    address = target.stdout.readline().split()[1]
    mux = Multiplexer(address, "-p", "echo", *SHORT_TIMES, expect=[ANY_WARNING])
    try:
        clients = run(
            "soak-clients", mux.address, "--clients", 200, "--seconds", SECONDS, "--seed", seed,
            "--patience", PATIENCE, *client_options,
        )  # fmt: skip
        said = summary_of(clients)
        mux.stop()
    finally:
        mux.kill()
    target.send_signal(signal.SIGTERM)
    seen = summary_of(target)
    # One at least of what goes wrong did, or this was no chaos; and much was answered all the same.
    assert said["unanswered"] > 0 and seen["connections"] > 2, (said, seen)
    assert said["answered"] > 100, (said, seen)
    assert said["strays"] <= seen["crossed"], (said, seen)


@pytest.mark.parametrize("seed", range(1, 4))
def test_nobody_gets_a_foreign_answer_whatever_target_and_clients_do(run, seed):
    soak(run, seed)


@pytest.mark.parametrize("seed", [11, 12])
def test_tiny_kernel_buffers_cut_messages_anywhere_and_nothing_is_lost(run, seed):
    tiny = ("--send-buffer", 4096, "--receive-buffer", 2048)
    soak(run, seed, tiny, tiny)
