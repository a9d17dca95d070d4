# SPDX-License-Identifier: MIT
"""No memory is asked for per message: twenty times as many exchanges need as many allocations."""

import os
from pathlib import Path

import pytest

from lib.http import WHOLE
from lib.modbus import MODBUS, Device, read
from lib.multiplexer import binary, is_sanitized
from lib.target import answering
from lib.wire import ECHO, ISO8583, MPU

FEW, MANY = 50, 1000
COUNTER = Path(binary()).parent / "tests" / "lib" / "libcount-allocations.so"
HTTP_REQUEST = b"GET /%d HTTP/1.1\r\nHost: meter\r\nConnection: keep-alive, x-token\r\nX-Token: 1\r\n\r\n"


def page(request):
    request.answer(b"a page")


def payloads(wire, client):
    """What a client asks, again and again."""
    if wire is MODBUS:
        return lambda number: read(number % 65536, client)
    if wire is WHOLE:
        return lambda number: HTTP_REQUEST % number
    return lambda number: b"%d of %d" % (number, client)


@pytest.mark.skipif(is_sanitized(), reason="sanitizers bring a malloc of their own")
@pytest.mark.parametrize(
    "wire, burst, flags",
    [
        (ECHO, 1, []),
        (ISO8583, 1, []),
        (MPU, 1, []),
        (WHOLE, 1, []),
        (WHOLE, 1, ["--via", "--forwarded"]),
        (MODBUS, 1, []),
        (MODBUS, 1, ["--coalesce"]),
        (ECHO, 8, []),
        (ECHO, 8, ["--in-flight", "8"]),
        (MODBUS, 8, ["--in-flight", "8"]),
        (WHOLE, 8, ["--in-flight", "8"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_no_allocation_per_message(mux, target, web, client, tmp_path, wire, burst, flags):
    def count(rounds):
        """Allocations of a whole run: four clients, each so many rounds of a burst."""
        server = web(page) if wire is WHOLE else target(wire, Device() if wire is MODBUS else answering)
        path = tmp_path / ("count-%d" % rounds)
        environment = dict(os.environ, LD_PRELOAD=str(COUNTER), COUNT_ALLOCATIONS=str(path))
        started = mux(server, *flags, wire=wire, env=environment)
        clients = [client(started, wire) for _ in range(4)]
        asks = [payloads(wire, number) for number in range(len(clients))]
        for number in range(0, rounds * burst, burst):
            for one, ask in zip(clients, asks):
                one.send(*[ask(number + index) for index in range(burst)])
                for _ in range(burst):
                    assert one.receive() is not None
        for one in clients:
            one.close()
        started.stop()
        return int(path.read_text())

    few, many = count(FEW), count(MANY)
    # Buffers grow to what a burst needs, which may be later in one run than in the other.
    assert few > 0 and abs(many - few) <= (0 if burst == 1 else 16)
