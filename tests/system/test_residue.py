# SPDX-License-Identifier: MIT
"""Nothing is left behind: no descriptor, no memory, no busy loop, whatever the target does."""

import pytest

from lib.multiplexer import is_sanitized
from lib.target import answer, answering, closing_at_once, held, silent
from lib.wire import ECHO

CPU_SECONDS_MAX = 0.25  # for 30 clients and half a second; a loop that spins takes all of the time
QUICK = (
    "--queue-timeout", "400ms", "--timeout", "300ms", "--wait-timeout", "500ms",
    "--retry-delay", "20ms", "--retry-delay-max", "50ms",
)  # fmt: skip
TROUBLE = ["cannot connect", "closed .*reason=(queue_timeout|wait_timeout|timeout|link_broken|target_reset)"]


def assert_no_growth(started, before, size):
    if not is_sanitized():
        assert started.resident_bytes() - before < size


def visit_in_vain(started, client, count, first):
    """Clients that ask, are told nothing, and are closed."""
    crowd = [client(started) for _ in range(count)]
    for one in crowd:
        one.send(b"question")
    for one in crowd:
        assert one.receive() is None
        one.close()
    for number in range(first, first + count):
        started.wait_for_log("closed .*client=%d " % number)


@pytest.mark.parametrize(
    "behaviour, is_up",
    [(answering, False), (silent, True), (closing_at_once, True), (held, True)],
    ids=["down", "silent", "closing at once", "slow"],
)
def test_a_target_in_trouble_leaves_nothing_behind(target, mux, client, behaviour, is_up):
    device = target(ECHO, behaviour, is_up=is_up)
    started = mux(device, *QUICK, "--on-demand", "--link-idle", "50ms", expect=TROUBLE)
    before = started.descriptors()
    visit_in_vain(started, client, 10, first=1)
    resident, spent = started.resident_bytes(), started.cpu_seconds()
    for batch in range(3):
        visit_in_vain(started, client, 10, first=11 + 10 * batch)
    assert started.cpu_seconds() - spent < CPU_SECONDS_MAX
    # A link that is being retired may be there for a moment more.
    assert started.descriptors() <= before + 1
    assert_no_growth(started, resident, 2 << 20)


def test_an_idle_multiplexer_uses_no_processor_time(target, mux, client):
    started = mux(target())
    crowd = [client(started) for _ in range(100)]
    for one in crowd:
        assert one.ask(b"question") == answer(b"question")
    spent = started.cpu_seconds()
    crowd[0].sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        crowd[0].sock.recv(1)
    assert started.cpu_seconds() - spent <= 0.02


def test_waiting_for_a_target_that_is_down_uses_no_processor_time(target, mux, client):
    started = mux(
        target(is_up=False), "--queue-timeout", "800ms", "--retry-delay", "100ms", expect=TROUBLE
    )
    one = client(started)
    spent = started.cpu_seconds()
    one.send(b"question")
    one.expect_end()
    assert started.cpu_seconds() - spent <= 0.03


def test_a_client_that_does_not_read_uses_no_processor_time(target, mux, client):
    def bulky(connection):
        while True:
            connection.receive()
            connection.send(b"x" * 500_000)

    device = target(ECHO, bulky)
    started = mux(device, "--write-timeout", "600ms", expect=["closed .*reason=write_timeout"])
    stuck = client(started, receive_buffer=4096)
    stuck.send(*[b"bulk"] * 40)
    device.wait_for_requests(1)
    spent = started.cpu_seconds()
    started.wait_for_log("closed .*client=1.*reason=write_timeout")
    assert started.cpu_seconds() - spent <= 0.05


def test_idle_clients_cost_almost_nothing(target, mux, client):
    started = mux(target(), "-v")  # which leaves no line out
    before, descriptors = started.resident_bytes(), started.descriptors()
    crowd = [client(started) for _ in range(1000)]
    for one in crowd:
        assert one.ask(b"question") == answer(b"question")
    assert_no_growth(started, before, 2 << 20)
    assert started.descriptors() <= descriptors + 1001
    for one in crowd:
        one.close()
    started.wait_for_log("closed .*client=", count=1000)
    assert started.descriptors() <= descriptors + 1


def test_memory_of_large_messages_goes_back(target, mux, client):
    started = mux(target(), "--max-message", "16MiB")
    one = client(started)
    assert one.ask(b"warm") == answer(b"warm")
    before = started.resident_bytes()
    for _ in range(3):
        assert len(one.ask(b"x" * (8 << 20))) == (8 << 20) + 3
    assert one.ask(b"small") == answer(b"small")
    assert_no_growth(started, before, 4 << 20)


def test_descriptors_that_run_out_pause_accepting_and_it_goes_on_later(target, mux, client):
    """Clients over the limit wait in the backlog; no spinning meanwhile."""
    started = mux(
        target(), wrapper=["sh", "-c", 'ulimit -n 40; exec "$@"', "sh"], expect=["limit on open files", "cannot accept"]
    )
    crowd = [client(started) for _ in range(60)]
    assert crowd[0].ask(b"first") == answer(b"first")
    spent = started.cpu_seconds()
    crowd[59].send(b"patient")
    crowd[59].sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        crowd[59].sock.recv(1)
    assert started.cpu_seconds() - spent <= 0.1
    crowd[59].sock.settimeout(5)
    for one in crowd[:40]:
        one.close()
    assert crowd[59].receive() == answer(b"patient")
