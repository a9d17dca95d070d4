# SPDX-License-Identifier: MIT
"""One client's trouble stays its own: the rows of the failure table that begin with "client"."""

import socket

import pytest

from lib.multiplexer import Watch
from lib.target import answer, answering, held
from lib.wire import ECHO, ISO8583, MPU


def taken_in(started, connect, clients_so_far):
    """Returns when the multiplexer has seen all that clients sent before: it accepts after it reads."""
    connect()
    started.wait_for_log("#%d: " % (clients_so_far + 1))


def test_a_request_whose_client_has_gone_while_it_waits_is_never_sent(trio):
    device, started, connect = trio(held)
    one, two = connect(), connect()
    one.send(b"first")
    device.wait_for_requests(1)
    two.send(b"never seen")
    taken_in(started, connect, 2)
    two.reset()
    started.wait_for_log("closed .*client=2.*reason=client_reset")
    device.release(2)
    assert one.receive() == answer(b"first")
    assert one.ask(b"last") == answer(b"last")
    assert device.requests == [b"first", b"last"]
    assert len(device.connections) == 1


def test_the_answer_of_a_client_that_has_gone_is_swallowed_and_the_link_stays_in_step(trio):
    device, started, connect = trio(held)
    one, two = connect(), connect()
    one.send(b"of nobody")
    device.wait_for_requests(1)
    two.send(b"second")
    one.reset()
    started.wait_for_log("closed .*client=1.*reason=client_reset")
    device.release(2)
    assert two.receive() == answer(b"second")
    assert len(device.connections) == 1


def test_a_link_with_half_a_request_of_a_client_that_has_gone_is_replaced(target, mux, client):
    device = target(ECHO, answering, reads=False)
    started = mux(device, "--max-message", "20MiB", "-v")
    one, two = client(started), client(started)
    one.send(b"x" * (16 << 20))  # more than the kernel holds for a target that does not read
    started.wait_for_log(r"#1 -> link 1: request")
    two.send(b"second")
    one.reset()
    started.wait_for_log("closed .*link=1.*reason=half_request")
    device.read_on()
    assert two.receive() == answer(b"second")
    assert device.requests == [b"second"]
    assert set(device.connections[0].left_over) == {ord("x")}
    assert device.connections[1].left_over == b""


def test_a_client_that_half_closes_after_its_requests_gets_every_answer(trio):
    device, started, connect = trio(held)
    one = connect()
    one.send(b"first", b"second", b"third")
    one.finish()
    taken_in(started, connect, 1)
    device.release(3)
    assert [one.receive() for _ in range(3)] == [answer(b"first"), answer(b"second"), answer(b"third")]
    one.expect_end()
    started.wait_for_log("closed .*client=1.*reason=client_ended")


def test_half_a_message_before_a_clients_end_is_discarded(trio):
    device, _, connect = trio(answering)
    one = connect()
    one.send_raw(one.wire.encode(b"whole") + one.wire.encode(b"not whole")[:-1])
    one.finish()
    assert one.receive() == answer(b"whole")
    one.expect_end()
    assert connect().ask(b"another") == answer(b"another")
    assert device.requests == [b"whole", b"another"]


def test_a_client_that_sends_garbage_is_closed_in_order_and_nobody_else_notices(target, mux, client):
    device = target(MPU)
    started = mux(device, expect=["closed .*reason=client_malformed"])
    good, bad = client(started, MPU), client(started, MPU)
    bad.send_raw(MPU.encode(b"in order") + MPU.garbage)
    assert bad.receive() == answer(b"in order")
    bad.expect_end()
    started.wait_for_log("warn +closed .*client=2.*reason=client_malformed")
    assert good.ask(b"good") == answer(b"good")
    assert device.requests == [b"in order", b"good"]


def test_a_client_that_sends_an_oversized_message_is_closed_in_order_and_nobody_else_notices(trio):
    device, started, connect = trio(answering, "--max-message", "1000", expect=["closed .*reason=client_too_large"])
    good, bad = connect(), connect()
    bad.send(b"in order", b"x" * 1001, b"never seen")
    assert bad.receive() == answer(b"in order")
    bad.expect_end()
    started.wait_for_log("warn +closed .*client=2.*reason=client_too_large")
    assert good.ask(b"good") == answer(b"good")
    assert device.requests == [b"in order", b"good"]


def test_warnings_about_malformed_clients_are_few_and_count_the_others(target, mux, client):
    started = mux(target(MPU), expect=["closed .*reason=client_malformed"])
    for _ in range(20):
        one = client(started, MPU)
        one.send_raw(MPU.garbage)
        one.expect_end()
        one.close()
    started.wait_for_log("closed .*reason=client_malformed", count=20)
    assert len(started.log.find("warn .*client_malformed")) == 1


def test_a_client_that_stops_reading_is_closed_and_the_others_are_served_meanwhile(target, mux, client):
    def bulky(connection):
        while True:
            payload = connection.receive()
            connection.send(b"x" * 500_000 if payload == b"bulk" else answer(payload))

    started = mux(target(ECHO, bulky), "--write-timeout", "400ms", expect=["closed .*reason=write_timeout"])
    stuck, good = client(started, receive_buffer=4096), client(started)
    stuck.send(*[b"bulk"] * 40)  # 20 MB: more than the kernel holds
    with Watch() as watch:
        while not started.log.find("closed .*client=1.*reason=write_timeout"):
            assert good.ask(b"good") == answer(b"good")
            assert watch.elapsed() < 5
    assert good.ask(b"good") == answer(b"good")


@pytest.mark.parametrize("sent", [1, 3])
def test_a_client_that_stalls_inside_a_request_holds_nothing_and_is_closed(trio, sent):
    device, started, connect = trio(
        answering, "--client-timeout", "300ms", expect=["closed .*reason=client_timeout"]
    )
    stalled, good = connect(), connect()
    stalled.send_raw(stalled.wire.encode(b"never whole")[:sent])
    with Watch() as watch:
        taken_in(started, connect, 2)
        assert good.ask(b"good") == answer(b"good")
        stalled.expect_end()
    assert 0.25 < watch.seconds < 2
    started.wait_for_log("closed .*client=1.*reason=client_timeout")
    assert device.requests == [b"good"]


def test_a_client_that_dribbles_is_closed_all_the_same(target, mux, client):
    """--client-timeout is for the whole of a message: bytes do not begin it anew."""
    started = mux(target(ISO8583), "--client-timeout", "300ms", expect=["closed .*reason=client_timeout"])
    one, clock = client(started, ISO8583), client(started, ISO8583)
    one.send_raw(ISO8583.encode(b"x" * 9000)[:100])
    with Watch() as watch:
        while not started.log.find("closed .*client=1.*reason=client_timeout"):
            try:
                one.send_raw(b"x")
            except OSError:
                pass  # it was closed, and the line about it is on its way
            clock.sock.settimeout(0.02)
            with pytest.raises(socket.timeout):
                clock.sock.recv(1)
            assert watch.elapsed() < 20
    assert one.receive() is None


def test_who_comes_over_max_clients_is_closed_and_a_place_that_is_free_again_is_given(trio):
    _, started, connect = trio(answering, "--max-clients", "2", expect=["closed .*reason=max_clients"])
    one, two = connect(), connect()
    assert one.ask(b"one") == answer(b"one") and two.ask(b"two") == answer(b"two")
    three = connect()
    three.expect_end()
    started.wait_for_log("warn +closed .*client=3.*reason=max_clients")
    assert one.ask(b"still") == answer(b"still")
    one.close()
    started.wait_for_log("closed .*client=1 ")
    assert connect().ask(b"four") == answer(b"four")


def test_more_buffered_than_buffer_memory_closes_the_longest_stalled_partial_message(target, mux, client):
    device = target(ECHO)
    started = mux(
        device, "--buffer-memory", "1MiB", "--max-message", "310KiB", expect=["buffer-memory", "closed .*buffer_memory"]
    )
    stalled = []
    good = client(started)
    for _ in range(8):
        stalled.append(client(started))
        stalled[-1].send_raw(b"x" * 300_000)
    stalled[0].expect_end()
    started.wait_for_log("closed .*client=2.*reason=buffer_memory")
    assert good.ask(b"good") == answer(b"good")
    assert device.requests == [b"good"]


def test_a_client_that_pipelines_without_end_is_paused_and_loses_nothing(target, mux, client):
    """Past its backlog it is not read; when the target goes on, everything is answered in order."""
    device = target(ECHO, held)
    started = mux(device, "--client-backlog", "4096", "--buffer-memory", "256KiB", "--max-message", "4096")
    one = client(started)
    count = 2000
    one.send(*[b"%05d" % number + b"." * 100 for number in range(count)])
    device.wait_for_requests(1)
    device.release(count)
    for number in range(count):
        assert one.receive().startswith(answer(b"%05d" % number))
