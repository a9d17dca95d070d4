# SPDX-License-Identifier: MIT
"""The last row of the failure table: the terminate signal, and the others."""

import signal

import pytest

from lib.multiplexer import Watch
from lib.target import answer, answering, held, silent


def test_term_serves_what_was_asked_and_exits_with_zero(trio):
    device, started, connect = trio(held)
    one, two, idle, partial = connect(), connect(), connect(), connect()
    one.send(b"in flight")
    device.wait_for_requests(1)
    two.send(b"waiting")
    partial.send_raw(partial.wire.encode(b"not whole")[:-1])
    connect()
    started.wait_for_log("#5: ")
    started.signal(signal.SIGTERM)
    started.wait_for_log("TERM: ")
    idle.expect_end()
    partial.expect_end()
    device.release(2)
    assert one.receive() == answer(b"in flight")
    assert two.receive() == answer(b"waiting")
    one.expect_end()
    two.expect_end()
    started.wait()
    started.wait_for_log(r"stopped.*clients=5.*requests=2.*cut=0")
    assert device.requests == [b"in flight", b"waiting"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_an_idle_multiplexer_stops_quickly(target, mux, number):
    started = mux(target())
    started.wait_for_log("new target connection")
    with Watch() as watch:
        started.signal(number)
        started.wait()
    assert watch.seconds < 1.5
    started.wait_for_log("stopped.*cut=0")


def test_nobody_is_accepted_after_term(target, mux, client):
    device = target(behaviour=held)
    started = mux(device)
    one, idle = client(started), client(started)
    one.send(b"in flight")
    device.wait_for_requests(1)
    started.wait_for_log("#2: ")
    started.signal(signal.SIGTERM)
    idle.expect_end()
    with pytest.raises(ConnectionRefusedError):
        client(started)
    device.release()
    assert one.receive() == answer(b"in flight")
    one.expect_end()
    started.wait()


def test_what_is_not_answered_within_grace_is_cut_and_counted(trio):
    device, started, connect = trio(silent, "--grace", "300ms")
    one, two = connect(), connect()
    one.send(b"never answered")
    device.wait_for_requests(1)
    two.send(b"never sent")
    connect()
    started.wait_for_log("#3: ")
    with Watch() as watch:
        started.signal(signal.SIGTERM)
        one.expect_end()
        two.expect_end()
        started.wait()
    assert 0.25 < watch.seconds < 2.5
    started.wait_for_log("stopped.*cut=2")
    assert device.requests == [b"never answered"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_stops_at_once(target, mux, client, second):
    device = target(behaviour=silent)
    started = mux(device)
    one = client(started)
    one.send(b"never answered")
    device.wait_for_requests(1)
    started.signal(signal.SIGTERM)
    started.wait_for_log("TERM: ")
    with Watch() as watch:
        started.signal(second)
        started.wait()
    assert watch.seconds < 1
    started.wait_for_log("stopped.*cut=1")


def test_quit_stops_at_once(target, mux, client):
    device = target(behaviour=silent)
    started = mux(device)
    one = client(started)
    one.send(b"never answered")
    device.wait_for_requests(1)
    with Watch() as watch:
        started.signal(signal.SIGQUIT)
        started.wait()
    assert watch.seconds < 1
    started.wait_for_log("stopped.*cut=1")


def test_hup_is_told_that_there_is_nothing_to_reload_and_changes_nothing(target, mux, client):
    started = mux(target(behaviour=answering))
    one = client(started)
    assert one.ask(b"before") == answer(b"before")
    started.signal(signal.SIGHUP)
    started.wait_for_log("info +HUP: there is nothing to reload")
    assert one.ask(b"after") == answer(b"after")


def test_a_client_that_vanishes_while_it_is_answered_raises_no_signal(target, mux, client):
    """PIPE is ignored."""
    device = target(behaviour=held)
    started = mux(device)
    for number in range(10):
        one = client(started)
        one.send(b"a", b"b", b"c")
        device.wait_for_requests(1 + number)
        one.reset()
        device.release(3)
    device.release(100)
    assert client(started).ask(b"alive") == answer(b"alive")
