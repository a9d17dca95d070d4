# SPDX-License-Identifier: MIT
"""Clients that queue, do not read, or never finish a message: the others are served, and memory is bounded."""

import subprocess
from pathlib import Path

import pytest

from lib.multiplexer import binary, is_sanitized

HOSTILE = Path(__file__).resolve().parents[1] / "soak" / "hostile.py"


@pytest.mark.skipif(is_sanitized(), reason="sanitizers hold memory of their own")
@pytest.mark.parametrize(
    "protocol, memory", [("echo", "4MiB"), ("http", "4MiB"), ("modbus", "4MiB"), ("http", "64MiB")]
)
def test_attackers_cost_the_honest_nothing_but_a_wait(protocol, memory):
    """A thousand attackers beside twenty honest clients, for two seconds; script/hostile takes its time."""
    run = subprocess.run(
        ["/usr/bin/python3", HOSTILE, binary(), "--protocol", protocol, "--memory", memory, "--seconds", "2"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
