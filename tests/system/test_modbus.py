# SPDX-License-Identifier: MIT
"""Modbus: many masters, one device. What passes, how trouble is told, what is sent again."""

import signal

import pytest

from lib.modbus import (
    BUSY,
    MODBUS,
    NO_ANSWER,
    QUICK_RETRY,
    UNREACHABLE,
    Device,
    address_of,
    exception,
    frame,
    id_of,
    pdu_of,
    read,
    register,
    told,
    values,
    write,
)
from lib.multiplexer import Watch
from lib.settle import settle
from lib.target import closing_on_request, in_turn, resetting_on_request, saying, silent


# ---- what passes ----


def test_clients_with_the_same_transaction_ids_get_their_own_registers(modbus):
    device, _, connect = modbus(Device())
    crowd = [connect() for _ in range(8)]
    for turn in range(5):
        for number, one in enumerate(crowd):
            one.send(read(turn, 10 * number, 3))
        for number, one in enumerate(crowd):
            expected = [register(10 * number + index) for index in range(3)]
            assert one.receive() == values(turn, *expected)
    assert len(device.connections) == 1
    seen = [id_of(request) for request in device.requests]
    assert len(set(seen)) == len(seen) == 40  # those on the link are its own


def test_every_function_and_every_unit_pass_byte_for_byte(modbus):
    device, _, connect = modbus(Device())
    one = connect()
    everything = bytes([65]) + bytes(range(252))
    for unit in (0, 1, 247, 255):
        assert one.ask(frame(0xFFFF, everything, unit)) == frame(0xFFFF, everything, unit)
    assert [pdu_of(request) for request in device.requests] == 4 * [everything]
    assert one.ask(read(7, 5, unit=0)) == values(7, register(5, unit=0), unit=0)
    assert one.ask(frame(8, b"\x2b\x0e\x01\x00")) == exception(8, 1, function=0x2B)
    assert one.ask(read(9, 999, 2)) == exception(9, 2)  # of the device, like any response


def test_a_burst_of_one_client_is_answered_in_order_and_others_have_their_turn(modbus):
    device, started, connect = modbus(Device(waits=True))
    poller, other = connect(), connect()
    poller.send(*[read(index % 3, index) for index in range(10)])
    device.wait_for_requests(1)
    other.send(read(0, 500))
    settle(started, connect)
    device.release(11)
    assert poller.receive() == values(0, register(0))
    assert other.receive() == values(0, register(500))
    for index in range(1, 10):
        assert poller.receive() == values(index % 3, register(index))
    places = [address_of(request) for request in device.requests]
    assert places == [0, 500, *range(1, 10)]


def test_what_is_no_modbus_closes_its_client_and_nobody_else_notices(modbus):
    device, started, connect = modbus(Device(), expect=["closed .*reason=client_malformed"])
    well = connect()
    for garbage in (MODBUS.garbage, frame(1, b"\x03", length=1), frame(1, b"\x03", length=255), b"\0\1\0\1\0\6"):
        rude = connect()
        rude.send_raw(garbage)
        rude.expect_end()
        assert well.ask(read(3, 3)) == values(3, register(3))
    assert len(device.requests) == 4
    assert started.log.find("reason=client_malformed")


def test_what_was_asked_before_garbage_is_answered(modbus):
    _, _, connect = modbus(Device(), expect=["closed .*reason=client_malformed"])
    one = connect()
    one.send(read(1, 1), read(2, 2), MODBUS.garbage)
    assert one.receive() == values(1, register(1))
    assert one.receive() == values(2, register(2))
    one.expect_end()


def test_verbose_tells_each_message_in_words(modbus):
    _, started, connect = modbus(Device(), "-v")
    one = connect()
    one.ask(read(7, 100, 2))
    one.ask(write(8, 6, 1, unit=17))
    one.ask(read(9, 2000))
    for words in (
        r"#1 -> link 1: request unit 1 read holding registers, id \d+, address 100, count 2 ",
        r"link 1 -> #1: response unit 1 read holding registers, id \d+: 2 values %d %d " % (register(100), register(101)),
        r"#1 -> link 1: request unit 17 write single register, id \d+, address 6, value 1 ",
        r"link 1 -> #1: response unit 1 exception to read holding registers, id \d+: illegal data address \(2\) ",
    ):  # fmt: skip
        started.wait_for_log(words)


# ---- how trouble is told ----


def test_without_a_connection_a_client_is_told_so_and_stays(modbus):
    device, _, connect = modbus(
        Device(), "--queue-timeout", "200ms", *QUICK_RETRY, is_up=False,
        expect=["cannot connect", told("queue_timeout")],
    )  # fmt: skip
    one = connect()
    with Watch() as watch:
        assert one.ask(write(7, 1, 1, unit=9)) == exception(7, UNREACHABLE, unit=9, function=6)
    assert 0.15 < watch.seconds < 1.7
    device.up()
    assert one.ask(read(8, 1)) == values(8, register(1))


def test_an_answer_that_does_not_come_is_told_and_the_connection_stays(modbus):
    quiet = Device()
    quiet.asleep.set()
    device, _, connect = modbus(quiet, "--timeout", "200ms", expect=[told("timeout")])
    one = connect()
    assert one.ask(read(7, 1, unit=0)) == exception(7, NO_ANSWER, unit=0)
    quiet.asleep.clear()
    assert one.ask(read(7, 1, unit=0)) == values(7, register(1, unit=0), unit=0)
    assert len(device.connections) == 1


def once_and(ending):
    """A connection that has answered before it ends like that."""

    def behaviour(connection):
        Device(answers=1)(connection)
        ending(connection)

    return behaviour


@pytest.mark.parametrize("ending", [closing_on_request, resetting_on_request])
def test_a_write_whose_connection_breaks_is_never_sent_again(modbus, ending):
    device, _, connect = modbus(
        in_turn(once_and(ending), Device()), *QUICK_RETRY, expect=[told("link_broken"), "closed .*target_reset"]
    )
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    assert one.ask(write(2, 5, 77)) == exception(2, NO_ANSWER, function=6)
    assert one.ask(read(3, 5)) == values(3, register(5))  # not 77: nobody obeyed
    assert len(device.requests) == 3


@pytest.mark.parametrize("ending", [closing_on_request, resetting_on_request])
def test_a_read_whose_connection_breaks_is_sent_once_more(modbus, ending):
    device, _, connect = modbus(
        in_turn(once_and(ending), Device()), *QUICK_RETRY, expect=["closed .*target_reset"]
    )
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    assert one.ask(read(2, 5)) == values(2, register(5))
    assert len(device.requests) == 3


def test_a_read_that_was_sent_twice_in_vain_is_told(modbus):
    device, _, connect = modbus(
        in_turn(once_and(closing_on_request), closing_on_request, Device()), *QUICK_RETRY,
        expect=[told("link_broken")],
    )  # fmt: skip
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    assert one.ask(read(2, 5)) == exception(2, NO_ANSWER)
    assert one.ask(read(3, 5)) == values(3, register(5))
    assert [address_of(request) for request in device.requests] == [1, 5, 5, 5]


def test_who_waits_too_long_for_its_turn_is_told_that_the_device_is_busy(modbus):
    device, _, connect = modbus(Device(waits=True), "--wait-timeout", "300ms", expect=[told("wait_timeout")])
    one, two = connect(), connect()
    one.send(read(1, 1))
    device.wait_for_requests(1)
    assert two.ask(write(2, 2, 2)) == exception(2, BUSY, function=6)
    device.release(2)
    assert one.receive() == values(1, register(1))
    assert two.ask(read(3, 2)) == values(3, register(2))  # it was not sent


def test_what_is_not_answered_when_the_multiplexer_stops_is_told(modbus):
    device, started, connect = modbus(silent, "--grace", "200ms", expect=["stopped", told("shutdown")])
    one = connect()
    one.send(write(7, 1, 1), read(8, 1))
    device.wait_for_requests(1)
    started.signal(signal.SIGTERM)
    assert one.receive() == exception(7, NO_ANSWER, function=6)
    assert one.receive() == exception(8, NO_ANSWER)
    one.expect_end()
    started.wait()


def test_who_comes_over_max_clients_is_told_that_the_device_is_busy(modbus):
    device, _, connect = modbus(Device(), "--max-clients", "1", expect=["max_clients"])
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    other = connect()
    assert other.ask(read(7, 3)) == exception(7, BUSY)
    other.expect_end()
    connect().expect_end()  # says nothing, and is not waited for
    assert one.ask(read(2, 2)) == values(2, register(2))
    assert [address_of(request) for request in device.requests] == [1, 2]


def test_garbage_of_the_device_is_told_and_the_connection_replaced(modbus):
    device, _, connect = modbus(
        in_turn(saying(b"\0\1\0\1\0\6"), Device()), *QUICK_RETRY,
        expect=[told("link_broken"), "closed .*reason=target_malformed"],
    )  # fmt: skip
    one = connect()
    assert one.ask(write(1, 1, 1)) == exception(1, NO_ANSWER, function=6)
    assert one.ask(read(2, 1)) == values(2, register(1))
    assert len(device.connections) == 2


# ---- sharing ----


def test_identical_reads_share_an_answer_and_each_gets_its_own_id(modbus):
    device, started, connect = modbus(Device(waits=True), "--coalesce")
    first, crowd = connect(), [connect() for _ in range(5)]
    first.send(read(0, 1))
    device.wait_for_requests(1)
    for number, one in enumerate(crowd):
        one.send(read(100 + number, 10, 2))
        one.send(read(200, 20 + number))
    settle(started, connect)
    device.release(20)
    assert first.receive() == values(0, register(1))
    for number, one in enumerate(crowd):
        assert one.receive() == values(100 + number, register(10), register(11))
        assert one.receive() == values(200, register(20 + number))
    started.stop()
    places = [address_of(request) for request in device.requests]
    assert sorted(places) == [1, 10, 20, 21, 22, 23, 24]
    assert started.log.find(r"coalesced=4")


def test_what_differs_is_not_shared(modbus):
    device, _, connect = modbus(Device(waits=True), "--coalesce")
    asked = [read(0, 10), read(0, 10, 2), read(0, 10, unit=2), read(0, 11)]
    crowd = [connect() for _ in asked]
    for one, request in zip(crowd, asked):
        one.send(request)
    device.release(20)
    assert crowd[0].receive() == values(0, register(10))
    assert crowd[1].receive() == values(0, register(10), register(11))
    assert crowd[2].receive() == values(0, register(10, unit=2), unit=2)
    assert crowd[3].receive() == values(0, register(11))
    assert len(device.requests) == 4


def test_a_read_after_a_write_does_not_join_one_from_before_it(modbus):
    device, _, connect = modbus(Device(waits=True), "--coalesce")
    early, writer = connect(), connect()
    early.send(read(1, 10))
    device.wait_for_requests(1)
    writer.send(write(2, 10, 77), read(3, 10))
    device.release(10)
    assert early.receive() == values(1, register(10))
    assert writer.receive() == write(2, 10, 77)
    assert writer.receive() == values(3, 77)
