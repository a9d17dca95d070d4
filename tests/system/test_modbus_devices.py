# SPDX-License-Identifier: MIT
"""Modbus devices with a character: a test for each quirk, with and without the flag that it needs.

docs/modbus.md has the recipes; what a user sees of a quirk is what is asserted here.
"""

import shlex
from pathlib import Path

import pytest

from lib.modbus import (
    MODBUS,
    NO_ANSWER,
    QUICK_RETRY,
    STRAY,
    UNREACHABLE,
    Device,
    address_of,
    exception,
    id_of,
    read,
    register,
    told,
    values,
    write,
)
from lib.multiplexer import Watch
from lib.target import in_turn



# ---- Huawei: not ready right after connecting, silence between requests ----


def test_a_device_that_is_not_ready_after_connecting_ignores_the_first_request_without_delay(modbus):
    huawei = Device(ready_after=0.5)
    device, _, connect = modbus(huawei, "--on-demand", "--timeout", "200ms", expect=[told("timeout")])
    assert connect().ask(read(1, 1)) == exception(1, NO_ANSWER)
    assert len(huawei.ignored) == 1


def test_with_delay_a_device_that_is_not_ready_after_connecting_serves_the_first_request(modbus):
    huawei = Device(ready_after=0.3)
    device, _, connect = modbus(huawei, "--on-demand", "--delay", "400ms", "--timeout", "1s")
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    with Watch() as watch:
        assert one.ask(read(2, 2)) == values(2, register(2))
    assert watch.seconds < 0.3  # it is paid for once
    assert huawei.ignored == [] and len(device.connections) == 1


def test_with_hold_the_next_connection_is_made_before_the_next_request(modbus):
    """The device hangs up after each answer, and is not ready right after connecting."""
    huawei = Device(ready_after=0.2, answers=1)
    device, started, connect = modbus(huawei, "--delay", "300ms", "--hold", "--timeout", "1s", "-v")
    one = connect()
    for number in range(1, 4):
        device.wait_for_connections(number)
        assert one.ask(read(number, number)) == values(number, register(number))
        device.wait_for_end(number)
    assert huawei.ignored == []


def test_a_device_that_needs_silence_ignores_what_comes_too_soon_without_gap(modbus):
    huawei = Device(gap=0.2)
    _, _, connect = modbus(huawei, "--timeout", "300ms", expect=[told("timeout")])
    one = connect()
    one.send(read(1, 1), read(2, 2), read(3, 3))
    assert one.receive() == values(1, register(1))
    assert one.receive() == exception(2, NO_ANSWER)
    assert one.receive() == values(3, register(3))
    assert [address_of(request) for request in huawei.ignored] == [2]


@pytest.mark.parametrize("hangs_up", [False, True])
def test_with_gap_a_device_that_needs_silence_serves_everybody(modbus, hangs_up):
    huawei = Device(gap=0.05, hangs_up=hangs_up)
    device, _, connect = modbus(huawei, "--gap", "50ms")
    crowd = [connect() for _ in range(4)]
    for number, one in enumerate(crowd):
        one.send(*[read(index, 10 * number + index) for index in range(3)])
    for number, one in enumerate(crowd):
        for index in range(3):
            assert one.receive() == values(index, register(10 * number + index))
    assert huawei.ignored == [] and len(device.connections) == 1


# ---- Sungrow, Marstek: exceptions with a wrong length ----


@pytest.mark.parametrize("length", [2, 4])
def test_exceptions_with_a_wrong_length_are_delivered_with_the_right_one(modbus, length):
    device, _, connect = modbus(Device(exception_length=length))
    one, two = connect(), connect()
    for turn in range(3):
        one.send(read(turn, 5000), read(100, 1))
        two.send(read(turn, 2))
        assert one.receive() == exception(turn, 2)
        assert one.receive() == values(100, register(1))
        assert two.receive() == values(turn, register(2))
    assert len(device.connections) == 1


def test_a_device_that_really_sends_what_it_announces_gets_another_connection(modbus):
    """Ten bytes and not nine: the last one would be taken for the beginning of the next answer."""

    def talkative(connection):
        request = connection.receive()
        connection.send_raw(exception(id_of(request), 2, length=4) + b"\0")
        Device()(connection)

    device, _, connect = modbus(
        in_turn(talkative, Device()), *QUICK_RETRY, expect=["closed .*reason=stray", STRAY]
    )
    one = connect()
    assert one.ask(read(1, 5000)) == exception(1, 2)
    assert one.ask(read(2, 2)) == values(2, register(2))
    assert one.ask(read(3, 3)) == values(3, register(3))
    assert len(device.connections) == 2


# ---- gateways that answer for a failing slave with the header alone ----


@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("flags", [(), ("--modbus-ignore-id",), ("--in-flight", "4")], ids=["", "by order", "pipelined"])
def test_an_answer_without_a_function_costs_its_own_request_only(modbus, length, flags):
    def gateway(connection):
        while True:
            request = connection.receive()
            header = request[:4] + bytes([0, length]) + request[6 : 6 + length]
            connection.send_raw(header if address_of(request) == 999 else values(id_of(request), 42))

    device, _, connect = modbus(gateway, *flags, expect=[STRAY, told("target_malformed")])
    one, two = connect(), connect()
    for turn in range(3):
        one.send(read(0x5FFD, 999))
        two.send(read(turn, 1))
        assert one.receive() == exception(0x5FFD, NO_ANSWER)
        assert two.receive() == values(turn, 42)
    assert len(device.requests) == 6 and len(device.connections) == 1  # nothing is asked twice


# ---- gateways that answer with a unit of their own ----


def of_unit_1(connection):
    while True:
        connection.send_raw(values(id_of(connection.receive()), 42, unit=1))


def test_an_answer_of_another_unit_goes_to_nobody(modbus):
    _, _, connect = modbus(of_unit_1, "--timeout", "200ms", expect=[STRAY, told("timeout")])
    assert connect().ask(read(7, 1, unit=3)) == exception(7, NO_ANSWER, unit=3)


def test_with_ignore_unit_each_client_gets_its_own_unit_back(modbus):
    _, _, connect = modbus(of_unit_1, "--modbus-ignore-unit")
    one, two = connect(), connect()
    for turn in range(3):
        one.send(read(turn, 1, unit=3))
        two.send(read(turn, 1, unit=200))
        assert one.receive() == values(turn, 42, unit=3)
        assert two.receive() == values(turn, 42, unit=200)


def test_with_ignore_unit_the_id_still_counts(modbus):
    def confused(connection):
        id = id_of(connection.receive())
        connection.send_raw(values(wrong(id), 1, unit=9) + values(id, 2, unit=9, function=4) + values(id, 3, unit=9))
        connection.receive()

    _, _, connect = modbus(confused, "--modbus-ignore-unit", expect=[STRAY])
    assert connect().ask(read(7, 1)) == values(7, 3)


# ---- Growatt, PUSR: wrong transaction ids ----


def wrong(id):
    return (id + 0x1111) & 0xFFFF


def test_answers_with_a_wrong_id_go_to_nobody(modbus):
    device, _, connect = modbus(
        Device(answer_id=wrong), "--timeout", "200ms", expect=[STRAY, told("timeout")]
    )
    one = connect()
    assert one.ask(read(1, 1)) == exception(1, NO_ANSWER)
    assert len(device.requests) == 1


def test_with_ignore_id_answers_with_a_wrong_id_are_served(modbus):
    device, _, connect = modbus(Device(answer_id=wrong), "--modbus-ignore-id")
    crowd = [connect() for _ in range(4)]
    for turn in range(3):
        for number, one in enumerate(crowd):
            one.send(read(turn, 10 * number))
        for number, one in enumerate(crowd):
            assert one.receive() == values(turn, register(10 * number))
    assert len(device.connections) == 1


def test_with_ignore_id_an_answer_of_another_unit_goes_to_nobody(modbus):
    """As a gateway does that mixes up the answers of two connections."""

    def confused(connection):
        request = connection.receive()
        connection.send_raw(values(0, 1, unit=9) + values(0, 2, function=4) + values(0, 3))
        connection.receive()

    _, _, connect = modbus(confused, "--modbus-ignore-id", expect=[STRAY])
    assert connect().ask(read(7, 1)) == values(7, 3)


def test_with_ignore_id_a_late_answer_is_never_the_next_ones(modbus):
    """Only its place tells whose answer it is, so the connection that lost its place is given up."""
    growatt = Device(answer_id=wrong, late={1})
    device, _, connect = modbus(
        growatt, "--modbus-ignore-id", "--timeout", "300ms", *QUICK_RETRY,
        expect=[told("timeout"), "closed .*reason=timeout", STRAY],
    )  # fmt: skip
    one, two = connect(), connect()
    one.send(read(1, 1))
    device.wait_for_requests(1)
    two.send(read(1, 2))
    assert one.receive() == exception(1, NO_ANSWER)
    assert two.receive() == values(1, register(2))
    assert len(device.connections) == 2


# ---- SolarEdge: late answers ----


@pytest.mark.parametrize("behind", [False, True], ids=["in order", "out of order"])
def test_a_late_answer_goes_to_nobody_and_shifts_no_other(modbus, behind):
    solaredge = Device(late={1}, late_behind=behind)
    device, _, connect = modbus(
        solaredge, "--timeout", "200ms", expect=[STRAY, told("timeout")]
    )
    one, two = connect(), connect()
    for turn in range(3):
        assert one.ask(read(turn, 1)) == exception(turn, NO_ANSWER)
        # Now both come: the late answer to the first, and this one, or the other way round.
        assert two.ask(read(turn, 2)) == values(turn, register(2))
        assert one.ask(read(turn, 3)) == values(turn, register(3))
    assert len(device.connections) == 1


def test_a_write_that_was_answered_late_is_not_sent_again(modbus):
    solaredge = Device(late={1})
    _, _, connect = modbus(solaredge, "--timeout", "200ms", expect=[STRAY, told("timeout")])
    one = connect()
    assert one.ask(write(1, 1, 77)) == exception(1, NO_ANSWER, function=6)
    assert one.ask(read(2, 0, 2)) == values(2, register(0), 77)  # who asks sees what became of it


# ---- WiNet-S: hangs up who is idle ----


def test_a_device_that_hangs_up_idle_connections_is_connected_again_by_the_next_request(modbus):
    device, started, connect = modbus(Device(idle_close=0.2))
    one = connect()
    for number in range(1, 4):
        assert one.ask(read(number, number)) == values(number, register(number))
        device.wait_for_end(number)
        started.wait_for_log("closed .*link=%d " % number)
    assert len(device.connections) == 3


def test_with_link_idle_the_connection_is_closed_before_the_device_does_it(modbus):
    device, started, connect = modbus(Device(idle_close=5), "--on-demand", "--link-idle", "200ms")
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    started.wait_for_log("closed .*link=1 reason=link_idle")
    assert one.ask(read(2, 2)) == values(2, register(2))
    assert len(device.connections) == 2


# ---- one slot, and somebody else who wants it ----


def test_a_device_whose_only_slot_is_taken_serves_when_it_is_free(target, mux, client):
    """Somebody else is connected: who comes then is accepted and hung up on."""
    device = target(MODBUS, Device(), stays=True)
    foreign = client(device.address, MODBUS)
    device.wait_for_connections(1)
    started = mux(
        device, *QUICK_RETRY, "--queue-timeout", "300ms",
        expect=["cannot connect", "closed .*target_reset", told("queue_timeout"), told("link_broken")],
    )  # fmt: skip
    one = client(started, MODBUS)
    refused = one.ask(read(1, 1))
    assert refused in (exception(1, UNREACHABLE), exception(1, NO_ANSWER))
    foreign.close()
    device.connections[0].close()
    device.violations.clear()  # knocking is how it is noticed that the slot is free
    answer = one.ask(read(2, 2))
    while answer in (exception(2, UNREACHABLE), exception(2, NO_ANSWER)):  # one that knocked just before
        answer = one.ask(read(2, 2))
    assert answer == values(2, register(2))


def test_a_controller_that_throws_out_the_oldest_connection_is_left_to_the_other_for_the_pause(target, mux, client):
    """The M218. While the other is connected and nobody asks, it is not thrown out in turn."""
    device = target(MODBUS, Device(), slots=9)
    started = mux(device)
    one = client(started, MODBUS)
    assert one.ask(read(1, 1)) == values(1, register(1))
    other = client(device.address, MODBUS)
    device.wait_for_connections(2)
    device.connections[0].close()
    started.wait_for_log("closed .*link=1 ")
    assert other.ask(read(5, 5)) == values(5, register(5))
    assert len(device.connections) == 2
    assert one.ask(read(2, 2)) == values(2, register(2))
    assert len(device.connections) == 3


# ---- night and morning ----


def test_a_device_that_sleeps_at_night_is_found_in_the_morning(modbus):
    """It refuses, as when its interface is up and nothing listens."""
    device, started, connect = modbus(
        Device(), "--queue-timeout", "200ms", *QUICK_RETRY,
        expect=["cannot connect", told("queue_timeout"), "closed .*target_reset"],
    )  # fmt: skip
    one = connect()
    assert one.ask(read(1, 1)) == values(1, register(1))
    device.down()
    started.wait_for_log("closed .*link=1 ")
    for number in range(2):
        assert one.ask(read(number, 1)) == exception(number, UNREACHABLE)
    device.up()
    assert one.ask(read(7, 7)) == values(7, register(7))


def test_a_device_that_falls_silent_gets_another_connection_after_three_time_outs(modbus):
    """It is still connected as far as anybody can see, and would be silent for ever."""
    asleep = Device()
    device, started, connect = modbus(
        in_turn(asleep, Device()), "--timeout", "200ms", *QUICK_RETRY,
        expect=[told("timeout"), "closed .*reason=timeout"],
    )  # fmt: skip
    one = connect()
    assert one.ask(read(0, 1)) == values(0, register(1))
    asleep.asleep.set()
    for number in range(3):
        assert one.ask(read(number, 1)) == exception(number, NO_ANSWER)
    assert one.ask(read(7, 7)) == values(7, register(7))
    assert len(device.connections) == 2


def test_a_device_that_nothing_reaches_at_night_is_found_in_the_morning(target, mux, client):
    """Nobody refuses and nobody answers, as in a network without the device."""
    device = target(MODBUS, Device(), is_up=False, slots=3)
    device.vanish()
    started = mux(
        device, "--connect-timeout", "200ms", "--queue-timeout", "300ms", *QUICK_RETRY,
        expect=["cannot connect", told("queue_timeout")],
    )  # fmt: skip
    started.wait_for_log("cannot connect.*reason=connect_timeout")
    one = client(started, MODBUS)
    for number in range(2):
        assert one.ask(read(number, 1)) == exception(number, UNREACHABLE)
    device.up()
    answer = one.ask(read(7, 7))
    if answer == exception(7, UNREACHABLE):  # an attempt that was under way at dawn
        answer = one.ask(read(7, 7))
    assert answer == values(7, register(7))


# ---- the page ----


def recipes():
    """The command lines of docs/modbus.md, as lists of flags without target and listening address."""
    text = (Path(__file__).parents[2] / "docs" / "modbus.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("tcp-multiplexer server ")]
    for words in lines:
        assert words[2:4] == ["-p", "modbus"] and words[4] == "-t" and words[6:8] == ["-l", "5020"], words
    return [words[8:] for words in lines]


@pytest.mark.parametrize("flags", recipes(), ids=" ".join)
def test_every_recipe_of_the_page_is_taken_and_serves(modbus, flags):
    device, _, connect = modbus(Device(), *flags)
    one = connect()
    assert one.ask(read(7, 1, 2)) == values(7, register(1), register(2))
    assert len(device.connections) == 1
