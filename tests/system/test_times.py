# SPDX-License-Identifier: MIT
"""Times that a user sets: each ends what it should, not earlier, and soon after."""

import pytest

from lib.multiplexer import Watch
from lib.target import answer, answering, answering_once, held, silent

QUICK_RETRY = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")
SLACK = 1.5  # seconds that a busy machine may add


def pauses(connection):
    """At the target: from each answer to the next request, on one connection."""
    return [request.at - sent for sent, request in zip(connection.answered_at, connection.requests[1:])]


def test_idle_timeout_closes_a_client_without_an_exchange(target, mux, client):
    device = target(behaviour=held)
    started = mux(device, "--idle-timeout", "300ms")
    busy, idle = client(started), client(started)
    busy.send(b"question")
    with Watch() as watch:
        idle.expect_end()
    assert 0.25 < watch.seconds < 0.3 + SLACK
    # Who waits for an answer is not idle; afterwards it is.
    device.release()
    with Watch() as watch:
        assert busy.receive() == answer(b"question")
        busy.expect_end()
    assert 0.25 < watch.seconds < 0.3 + SLACK
    started.wait_for_log("info +closed .*client=2.*reason=idle_timeout")


def test_wait_timeout_ends_a_request_that_waits_behind_another(target, mux, client):
    device = target(behaviour=held)
    started = mux(device, "--wait-timeout", "300ms", expect=["closed .*reason=wait_timeout"])
    one, two = client(started), client(started)
    one.send(b"first")
    device.wait_for_requests(1)
    with Watch() as watch:
        two.send(b"never sent")
        two.expect_end()
    assert 0.25 < watch.seconds < 0.3 + SLACK
    device.release()
    assert one.receive() == answer(b"first")
    assert device.requests == [b"first"]


def test_queue_timeout_does_not_count_while_a_link_is_up(target, mux, client):
    device = target(behaviour=held)
    started = mux(device, "--queue-timeout", "100ms")
    one, two, clock = client(started), client(started), client(started)
    one.send(b"first")
    device.wait_for_requests(1)
    two.send(b"second")
    clock.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        clock.sock.recv(1)
    device.release(2)
    assert one.receive() == answer(b"first") and two.receive() == answer(b"second")


def test_delay_passes_between_connecting_and_the_first_request(target, mux, client):
    device = target()
    started = mux(device, "--delay", "300ms", "--on-demand", "--queue-timeout", "100ms")
    one = client(started)
    assert one.ask(b"first") == answer(b"first")
    link = device.connections[0]
    # The clock starts when the multiplexer sees the connection, after the target's kernel took it.
    assert 0.29 < link.requests[0].at - link.connected_at < 0.3 + SLACK
    with Watch() as watch:
        assert one.ask(b"second") == answer(b"second")
    assert watch.seconds < 0.25


@pytest.mark.parametrize("clients", [1, 4])
def test_gap_is_never_shorter_at_the_target(trio, clients):
    device, _, connect = trio(answering, "--gap", "50ms")
    crowd = [connect() for _ in range(clients)]
    for one in crowd:
        one.send(*[b"%d" % number for number in range(8 // clients)])
    for one in crowd:
        for number in range(8 // clients):
            assert one.receive() == answer(b"%d" % number)
    measured = pauses(device.connections[0])
    assert len(measured) == 7
    assert min(measured) >= 0.05
    assert sorted(measured)[3] < 0.05 + SLACK


def test_gap_is_counted_from_the_last_byte_on_the_link_and_costs_nothing_when_it_has_passed(target, mux, client):
    started = mux(target(), "--gap", "100ms")
    one, clock = client(started), client(started)
    assert one.ask(b"first") == answer(b"first")
    clock.sock.settimeout(0.15)
    with pytest.raises(TimeoutError):
        clock.sock.recv(1)
    with Watch() as watch:
        assert one.ask(b"second") == answer(b"second")
    assert watch.seconds < 0.09


def test_on_demand_connects_only_with_the_first_request(target, mux, client):
    device = target()
    started = mux(device, "--on-demand")
    one = client(started)
    started.wait_for_log("#1: ")
    assert device.connections == [] and started.log.find("creating target connection") == []
    assert one.ask(b"question") == answer(b"question")
    assert len(device.connections) == 1


def test_without_on_demand_the_link_is_there_before_the_first_client(target, mux):
    device = target()
    mux(device).wait_for_log("new target connection")
    device.wait_for_connections(1)


def test_link_idle_closes_a_link_without_requests_and_the_next_request_opens_one(target, mux, client):
    device = target()
    started = mux(device, "--link-idle", "200ms")
    one = client(started)
    assert one.ask(b"first") == answer(b"first")
    with Watch() as watch:
        device.wait_for_end(1)
    assert 0.15 < watch.seconds < 0.2 + SLACK
    started.wait_for_log("info +closed .*link=1.*reason=link_idle")
    assert one.ask(b"second") == answer(b"second")
    assert len(device.connections) == 2


def test_link_idle_does_not_end_a_link_that_is_waited_for(target, mux, client):
    device = target(behaviour=held)
    started = mux(device, "--link-idle", "100ms")
    one, clock = client(started), client(started)
    one.send(b"question")
    device.wait_for_requests(1)
    clock.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        clock.sock.recv(1)
    device.release()
    assert one.receive() == answer(b"question")
    assert len(device.connections) == 1


def test_the_first_reconnect_after_a_link_that_had_answered_is_immediate(target, mux, client):
    started = mux(target(behaviour=answering_once), "--retry-delay", "10s")
    one = client(started)
    with Watch() as watch:
        assert one.ask(b"first") == answer(b"first")
        started.wait_for_log("closed .*link=1")
        assert one.ask(b"second") == answer(b"second")
    assert watch.seconds < SLACK


def test_timeout_counts_for_each_request_anew(target, mux, client):
    """Three requests that take 150 ms each, pipelined, with a time-out of 400 ms."""

    def slow(connection):
        while True:
            payload = connection.receive()
            with connection.target.changed:
                connection.target.changed.wait_for(lambda: connection.target.stopping, 0.15)
            connection.send(answer(payload))

    device = target(behaviour=slow)
    one = client(mux(device, "--timeout", "400ms"))
    one.send(b"first", b"second", b"third", b"fourth")
    for payload in (b"first", b"second", b"third", b"fourth"):
        assert one.receive() == answer(payload)
    assert len(device.connections) == 1


def test_bare_numbers_are_seconds(target, mux, client):
    started = mux(target(behaviour=silent), "--timeout", "0.3", *QUICK_RETRY, expect=["reason=timeout"])
    one = client(started)
    with Watch() as watch:
        one.send(b"never answered")
        one.expect_end()
    assert 0.25 < watch.seconds < 0.3 + SLACK
