# SPDX-License-Identifier: MIT
"""Fixtures of the system tests: the built program between real sockets.

Everything is on loopback, on ports that the kernel chooses, and waits for events. A test ends with the
multiplexer stopped in order, without a warning that the test did not announce, and with targets that
saw no connection too many.
"""

import os

import pytest

from lib.client import Client
from lib.http import BYTES, naming, site
from lib.modbus import MODBUS
from lib.multiplexer import Multiplexer, binary
from lib.target import Target, answering
from lib.wire import ECHO, WIRES


def pytest_sessionstart(session):
    if not os.access(binary(), os.X_OK):
        pytest.exit("%s is not there: build it, or set TCPMUX_BINARY" % binary(), returncode=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    item.has_failed = getattr(item, "has_failed", False) or outcome.get_result().failed


@pytest.fixture(params=WIRES, ids=repr)
def wire(request):
    """Every protocol in turn."""
    return request.param


@pytest.fixture
def echo_wire():
    return ECHO


@pytest.fixture
def target(request):
    """Makes targets: `target(wire, behaviour, ...)`."""
    made = []

    def make(wire=ECHO, behaviour=answering, **options):
        made.append(Target(wire, behaviour, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
    violations = [violation for one in made for violation in one.violations]
    assert not violations or getattr(request.node, "has_failed", False), violations


@pytest.fixture
def web(target):
    """Makes HTTP targets with one slot, in Python: `web(respond)`."""
    return lambda respond=naming, **options: target(BYTES, site(respond), **options)


@pytest.fixture
def server():
    """Keeps targets that are processes, and ends them: `server(Nginx(tmp_path))`."""
    kept = []

    def keep(one):
        kept.append(one)
        return one

    yield keep
    for one in kept:
        one.stop()


@pytest.fixture
def mux(request, target, server):
    """Starts multiplexers: `mux(target, *flags, expect=[...])`. Stopped before targets and servers are."""
    started = []

    def start(target, *flags, wire=None, **options):
        protocol = wire or getattr(target, "wire", ECHO)
        address = target if isinstance(target, str) else target.address
        started.append(Multiplexer(address, "-p", protocol.name, *flags, **options))
        return started[-1]

    yield start
    failed = getattr(request.node, "has_failed", False)
    try:
        for one in started:
            if not failed and one.process.returncode is None:
                one.stop()
    finally:
        for one in started:
            one.kill()
            if failed:
                print(one.log)


@pytest.fixture
def modbus(mux, target, client):
    """`modbus(behaviour, *flags)` gives the device, the multiplexer and `connect()`."""

    def make(behaviour, *flags, expect=(), **options):
        device = target(MODBUS, behaviour, **options)
        started = mux(device, *flags, expect=expect)
        return device, started, lambda **more: client(started, MODBUS, **more)

    return make


@pytest.fixture
def client():
    """Connects clients: `client(mux)`, or `client(mux, wire)`."""
    connected = []

    def connect(mux, wire=ECHO, **options):
        address = mux if isinstance(mux, str) else mux.address
        connected.append(Client(address, wire, **options))
        return connected[-1]

    yield connect
    for one in connected:
        one.close()


@pytest.fixture
def trio(mux, target, client, wire):
    """The usual three for every protocol: `trio(behaviour, *flags)` gives target, multiplexer, `connect()`."""

    def make(behaviour, *flags, expect=(), **options):
        server = target(wire, behaviour, **options)
        started = mux(server, *flags, expect=expect)
        return server, started, lambda **more: client(started, wire, **more)

    return make
