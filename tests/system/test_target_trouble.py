# SPDX-License-Identifier: MIT
"""The target may fail in every way: the rows of the failure table that begin with "target" or "link".

The protocols here have no way to say that something failed: a client whose request ends without an answer
is closed in order, with nothing but whole answers before.
"""

import socket

import pytest

from lib.multiplexer import Watch
from lib.target import (
    answer,
    answering,
    answering_once,
    breaking_off,
    closing_at_once,
    closing_on_request,
    in_turn,
    resetting_on_request,
    saying,
    silent,
)
from lib.wire import ECHO, ISO8583, MPU

QUICK_RETRY = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")
BROKEN = "closed .*reason=(link_broken|target_reset)"


# ---- connecting ----


def test_requests_wait_for_a_target_that_refuses_and_end_after_queue_timeout(trio):
    _, started, connect = trio(
        answering, "--queue-timeout", "400ms", is_up=False, expect=["cannot connect", "closed .*reason=queue_timeout"]
    )
    started.wait_for_log("warn +cannot connect .*reason=refused")
    one, two = connect(), connect()
    with Watch() as watch:
        one.send(b"first", b"second")
        two.send(b"third")
        one.expect_end()
        two.expect_end()
    assert 0.35 < watch.seconds < 2
    started.wait_for_log("closed .*client=1.*reason=queue_timeout")


def test_a_target_that_comes_up_serves_the_requests_that_wait(trio):
    device, started, connect = trio(
        answering, *QUICK_RETRY, is_up=False, expect=["cannot connect"]
    )
    started.wait_for_log("cannot connect")
    one = connect()
    one.send(b"patient")
    device.up()
    assert one.receive() == answer(b"patient")
    assert len(device.connections) == 1


def test_a_target_that_goes_down_and_comes_back_is_found_again_without_help(trio):
    device, started, connect = trio(answering, *QUICK_RETRY, expect=["cannot connect", "closed .*target_reset"])
    one = connect()
    assert one.ask(b"before") == answer(b"before")
    device.down()
    started.wait_for_log("closed .*link=1")
    one.send(b"meanwhile")
    started.wait_for_log("cannot connect")
    device.up()
    assert one.receive() == answer(b"meanwhile")
    assert one.ask(b"after") == answer(b"after")
    assert len(device.connections) == 2


def test_failing_connects_are_tried_with_growing_pauses_and_warned_about_once(target, mux, client):
    device = target(is_up=False)
    started = mux(
        device, "-v", "--retry-delay", "50ms", "--retry-delay-max", "200ms", "--queue-timeout", "900ms",
        expect=["cannot connect", "closed .*reason=queue_timeout"],
    )  # fmt: skip
    one = client(started)
    one.send(b"nobody answers")
    one.expect_end()
    attempts = len(started.log.find("creating target connection"))
    # 50, 100, 200, 200, ... ms and up to a quarter more each: between 5 and 7 attempts in 900 ms.
    assert 4 <= attempts <= 8
    assert len(started.log.find("warn +cannot connect")) == 1


def test_connecting_to_a_target_that_does_not_answer_ends_after_connect_timeout(target, mux, client):
    """A listening socket with a full backlog drops what else would connect."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    fillers = []
    for _ in range(2):
        fillers.append(socket.socket())
        fillers[-1].setblocking(False)
        fillers[-1].connect_ex(address)
    started = mux(
        "127.0.0.1:%d" % address[1], "--connect-timeout", "200ms", "--queue-timeout", "600ms", *QUICK_RETRY,
        expect=["cannot connect", "closed .*reason=queue_timeout"],
    )  # fmt: skip
    one = client(started)
    with Watch() as watch:
        one.send(b"nobody answers")
        one.expect_end()
    assert 0.5 < watch.seconds < 2
    started.wait_for_log("cannot connect.*reason=connect_timeout")
    for one in [listener, *fillers]:
        one.close()


# ---- links that break ----


@pytest.mark.parametrize("ending", [closing_on_request, resetting_on_request])
def test_a_link_that_breaks_before_the_answer_ends_that_request_only(trio, ending):
    device, started, connect = trio(in_turn(ending, answering), *QUICK_RETRY, expect=[BROKEN])
    one, two = connect(), connect()
    one.send(b"lost")
    one.expect_end()
    assert two.ask(b"second") == answer(b"second")
    # A second copy might have had a second effect.
    assert device.requests == [b"lost", b"second"]
    started.wait_for_log("closed .*client=1.*reason=link_broken")


def test_requests_that_wait_behind_one_whose_link_breaks_are_served_on_the_next_link(trio):
    def breaking(connection):
        connection.receive()
        connection.target.wait_for_release()

    device, started, connect = trio(in_turn(breaking, answering), *QUICK_RETRY, expect=[BROKEN])
    one, two = connect(), connect()
    one.send(b"lost")
    device.wait_for_requests(1)
    two.send(b"second", b"third")
    connect()
    started.wait_for_log("#3: ")
    device.release()
    one.expect_end()
    assert two.receive() == answer(b"second") and two.receive() == answer(b"third")
    assert device.requests == [b"lost", b"second", b"third"]


def test_a_link_that_breaks_before_anything_was_written_loses_no_request(trio):
    """The request waits for --delay on a link that ends meanwhile."""

    def ending(connection):
        connection.target.wait_for_release()

    device, started, connect = trio(in_turn(ending, answering), "--delay", "200ms", *QUICK_RETRY, expect=[BROKEN])
    one = connect()
    one.send(b"not lost")
    connect()
    started.wait_for_log("#2: ")
    device.release()
    assert one.receive() == answer(b"not lost")
    assert device.requests == [b"not lost"]


def test_half_an_answer_is_never_delivered_nor_glued_to_another(trio):
    device, started, connect = trio(in_turn(breaking_off, answering), *QUICK_RETRY, expect=[BROKEN])
    one, two = connect(), connect()
    one.send(b"half answered")
    one.expect_end()
    assert two.ask(b"second") == answer(b"second")
    assert device.requests == [b"half answered", b"second"]
    started.wait_for_log("closed .*client=1.*reason=link_broken")


def test_half_an_answer_and_then_the_rest_is_one_answer(trio):
    def pausing(connection):
        while True:
            whole = connection.target.wire.encode(answer(connection.receive()))
            connection.send_raw(whole[:3])
            connection.target.wait_for_release()
            connection.send_raw(whole[3:])

    device, _, connect = trio(pausing)
    one = connect()
    one.send(b"question")
    device.wait_for_requests(1)
    device.release()
    assert one.receive() == answer(b"question")


# ---- answers that do not come ----


def test_an_answer_that_does_not_come_ends_its_request_and_replaces_the_link(trio):
    device, started, connect = trio(
        in_turn(silent, answering), "--timeout", "300ms", *QUICK_RETRY, expect=["closed .*reason=timeout"]
    )
    one, two = connect(), connect()
    with Watch() as watch:
        one.send(b"not answered")
        device.wait_for_requests(1)
        two.send(b"second")
        one.expect_end()
    assert 0.25 < watch.seconds < 2
    assert two.receive() == answer(b"second")
    assert device.requests == [b"not answered", b"second"]
    started.wait_for_log("closed .*client=1.*reason=timeout")
    started.wait_for_log("closed .*link=1.*reason=timeout")


def test_an_answer_that_comes_too_late_reaches_nobody(trio):
    """The link is retired: what the target still says on it is read and dropped."""

    def late(connection):
        payload = connection.receive()
        connection.target.wait_for_release()
        connection.send(answer(payload))

    device, started, connect = trio(
        in_turn(late, answering), "--timeout", "200ms", *QUICK_RETRY, expect=["closed .*reason=timeout"], stays=True
    )
    one, two = connect(), connect()
    one.send(b"too late")
    one.expect_end()
    started.wait_for_log("closed .*link=1.*reason=timeout")
    two.send(b"second")
    device.release()
    assert two.receive() == answer(b"second")
    assert two.ask(b"third") == answer(b"third")


def test_the_answer_before_the_request_was_wholly_sent_is_delivered_and_the_link_replaced(target, mux, client):
    def early(connection):
        connection.target.wait_for_release()
        connection.send(b"enough")
        connection.target.wait_for_release()

    device = target(ECHO, in_turn(early, answering), reads=False)
    started = mux(device, "--max-message", "20MiB", "-v", *QUICK_RETRY, expect=["reason=early_response"])
    one, two = client(started), client(started)
    one.send(b"x" * (16 << 20))
    started.wait_for_log("#1 -> link 1: request")
    device.release()
    assert one.receive() == b"enough"
    one.expect_end()
    device.read_on()
    assert two.ask(b"second") == answer(b"second")
    assert device.requests == [b"second"]


# ---- answers that nobody asked for ----


def test_bytes_on_an_idle_link_are_dropped_and_the_link_is_replaced(trio):
    def chatty(connection):
        connection.send(answer(connection.receive()))
        connection.target.wait_for_release()
        connection.send(b"nobody asked")
        connection.receive()

    device, started, connect = trio(
        in_turn(chatty, answering), *QUICK_RETRY, expect=["reason=stray", "no request waits"]
    )
    assert connect().ask(b"first") == answer(b"first")
    device.release()
    started.wait_for_log("warn .*link=1.*bytes=")
    started.wait_for_log("closed .*link=1.*reason=stray")
    assert connect().ask(b"question") == answer(b"question")


def test_bytes_behind_an_answer_reach_nobody(trio):
    def answering_twice(connection):
        payload = connection.receive()
        connection.send(answer(payload), b"one too many")
        connection.receive()

    device, started, connect = trio(
        in_turn(answering_twice, answering), *QUICK_RETRY, expect=["reason=stray", "no request waits"]
    )
    one, two = connect(), connect()
    assert one.ask(b"first") == answer(b"first")
    assert two.ask(b"second") == answer(b"second")
    assert one.ask(b"third") == answer(b"third")
    assert device.requests == [b"first", b"second", b"third"]
    started.wait_for_log("closed .*link=1.*reason=stray")


def test_a_target_that_greets_serves_everybody(trio):
    def greeting(connection):
        connection.send_raw(b"200\n connected")
        connection.send(b"welcome")
        answering(connection)

    device, started, connect = trio(greeting, "-v")
    for number in range(3):
        assert connect().ask(b"question %d" % number) == answer(b"question %d" % number)
    assert len(device.connections) == 1
    started.wait_for_log("the target speaks before it is asked.* connected")


def test_a_target_that_greets_and_hangs_up_is_not_hammered(target, mux, client):
    def busy(connection):
        connection.send(b"BUSY")

    device = target(behaviour=busy)
    started = mux(device, "--queue-timeout", "300ms", "--retry-delay", "1m", "--retry-delay-max", "1m",
                  expect=["reason=target_ended", "reason=queue_timeout"])  # fmt: skip
    one = client(started)
    one.send(b"question")
    one.expect_end()
    assert len(device.connections) == 1


# ---- answers that are none ----


@pytest.mark.parametrize(
    "wire, garbage, reason",
    [
        (MPU, b"12x4garbage", "target_malformed"),
        (ECHO, b"x" * 3000 + b"\n", "target_too_large"),
        (ISO8583, b"\xff\xff" + b"x" * 3000, "target_too_large"),
        (MPU, b"9999" + b"x" * 9999, "target_too_large"),
    ],
)
def test_garbage_of_the_target_reaches_nobody_and_replaces_the_link(target, mux, client, wire, garbage, reason):
    device = target(wire, in_turn(saying(garbage), answering))
    started = mux(
        device, "--max-message", "1000", *QUICK_RETRY, expect=["closed .*reason=(link_broken|%s)" % reason]
    )
    one, two = client(started, wire), client(started, wire)
    one.send(b"question")
    one.expect_end()
    assert two.ask(b"second") == answer(b"second")
    started.wait_for_log("warn +closed .*link=1.*reason=" + reason)
    assert device.requests == [b"question", b"second"]


# ---- idle ----


def test_a_target_that_closes_while_idle_costs_nothing_and_the_next_request_opens_a_link(trio):
    device, started, connect = trio(answering_once)
    one = connect()
    for number in range(5):
        assert one.ask(b"request %d" % number) == answer(b"request %d" % number)
        started.wait_for_log("info +closed .*link=%d .*reason=target_ended" % (number + 1))
    assert len(device.connections) == 5
    assert device.requests == [b"request %d" % number for number in range(5)]


def ask_at_once(connect, count):
    """As many clients with a request each, which comes while the one before is under way."""
    clients = [connect() for _ in range(count)]
    for number, one in enumerate(clients):
        one.send(b"of %d" % number)
    return [one.receive() for one in clients]


def test_a_request_that_crosses_the_targets_close_is_not_sent_twice(trio):
    """The target closes after each answer, while the next request is on its way: it may end without an answer."""
    device, started, connect = trio(answering_once, *QUICK_RETRY, expect=[BROKEN])
    answers = ask_at_once(connect, 30)
    assert all(given in (answer(b"of %d" % number), None) for number, given in enumerate(answers))
    assert len(set(device.requests)) == len(device.requests)


def test_with_a_gap_a_target_that_closes_after_each_answer_serves_everybody(trio):
    device, started, connect = trio(answering_once, "--gap", "20ms", *QUICK_RETRY)
    assert ask_at_once(connect, 10) == [answer(b"of %d" % number) for number in range(10)]
    assert len(device.connections) >= 10


def test_hold_opens_the_next_link_at_once(trio):
    def ending(connection):
        connection.send(answer(connection.receive()))
        connection.target.wait_for_release()

    device, started, connect = trio(in_turn(ending, answering), "--hold", *QUICK_RETRY)
    assert connect().ask(b"question") == answer(b"question")
    device.release()
    device.wait_for_connections(2)
    started.wait_for_log("new target connection", count=2)


def test_a_target_that_accepts_and_closes_at_once_is_not_stormed(trio):
    """With a pause after connecting, the close is seen before a request is sent, and the request waits on."""
    device, started, connect = trio(
        closing_at_once, "--delay", "20ms", "--queue-timeout", "500ms", "--retry-delay", "50ms",
        expect=["closed .*reason=queue_timeout", BROKEN],
    )  # fmt: skip
    one = connect()
    one.send(b"nobody answers")
    one.expect_end()
    # The first, and then after pauses of 50, 100, 200, 250 (half of --queue-timeout) ms.
    assert 2 <= len(device.connections) <= 8
