# SPDX-License-Identifier: MIT
"""Modbus clients and servers that nobody here wrote: libmodbus and pymodbus, each with each.

Sixteen clients at once count their transaction ids alike and read registers of their own, through one connection to
a server with one slot. TCPMUX_MODBUS_ROUNDS makes it longer: 2000 are some minutes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.modbus import MODBUS
from lib.multiplexer import binary
from lib.program import Server

CLIENTS = 16
ROUNDS = int(os.environ.get("TCPMUX_MODBUS_ROUNDS", "100"))
WITHIN = 20 + ROUNDS  # seconds; much longer than it takes
LISTENING = r"listening 127\.0\.0\.1:(\d+)"

pytestmark = pytest.mark.timeout(2 * WITHIN)


def python_peer(name):
    return [sys.executable, str(Path(__file__).parent / "peers" / name)]


def c_peer(name):
    """Built beside the program where libmodbus was there when the build was configured."""
    path = Path(binary()).parent / "tests" / "modbus" / name
    assert path.exists(), "%s was not built: install libmodbus-dev and configure the build again" % path
    return [str(path)]


def pymodbus_clients(port):
    return [python_peer("pymodbus_clients.py") + [str(port), str(CLIENTS), str(ROUNDS)]]


def libmodbus_clients(port):
    return [c_peer("modbus-client") + [str(port), str(number), str(ROUNDS)] for number in range(CLIENTS)]


@pytest.fixture
def server():
    started = []

    def start(command):
        started.append(Server(command, LISTENING, merge=True))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def run_all(commands):
    """All at the same time: what they printed."""
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for command in commands
    ]
    try:
        outputs = [one.communicate(timeout=WITHIN)[0] for one in running]
    finally:
        for one in running:
            one.kill()
            one.wait()
    assert [one.returncode for one in running] == [0] * len(running), outputs
    return outputs


@pytest.mark.parametrize("flags", [[], ["--coalesce"]], ids=["plain", "coalesce"])
@pytest.mark.parametrize("clients", [pymodbus_clients, libmodbus_clients])
@pytest.mark.parametrize("device", ["pymodbus", "libmodbus"])
def test_sixteen_clients_read_their_own_registers_through_one_connection(server, mux, device, clients, flags):
    command = python_peer("pymodbus_server.py") if device == "pymodbus" else c_peer("modbus-server")
    started_server = server(command)
    started = mux(started_server.address, *flags, wire=MODBUS)
    outputs = run_all(clients(started.port))
    assert sum(int(output.split()[0]) for output in outputs) == 4 * CLIENTS * ROUNDS
    started.stop()
    started_server.stop()
    lines = started_server.log.lines
    assert lines.count("connection") == 1 and "refused" not in lines
    total = int(started.log.find(r"stopped .*responses=(\d+)")[0][1])
    assert total == 4 * CLIENTS * ROUNDS
