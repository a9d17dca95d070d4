# SPDX-License-Identifier: MIT
"""Clients that queue, do not read, or never finish a message: the others are served, and memory is bounded."""

import subprocess
from pathlib import Path

import pytest

from lib.multiplexer import binary, is_sanitized

HOSTILE = Path(__file__).resolve().parents[1] / "soak" / "hostile.py"


@pytest.mark.skipif(is_sanitized(), reason="sanitizers hold memory of their own")
@pytest.mark.parametrize(
    "attack, protocol, memory, seconds",
    [
        ("mixed", "echo", "4MiB", 2),
        ("mixed", "http", "4MiB", 2),
        ("mixed", "modbus", "4MiB", 2),
        ("mixed", "http", "64MiB", 2),
        ("pin", "echo", "64MiB", 4),
    ],
)
def test_attackers_cost_the_honest_nothing_but_a_wait(attack, protocol, memory, seconds):
    """A thousand attackers beside twenty honest clients, for some seconds; script/hostile takes its time."""
    run = subprocess.run(
        ["/usr/bin/python3", HOSTILE, binary(), "--attack", attack, "--protocol", protocol, "--memory", memory]
        + ["--seconds", str(seconds)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
