# SPDX-License-Identifier: MIT
"""ISO 8583: a host that speaks of its own accord, and whose messages show what they answer."""

import pytest

from lib.wire import ISO8583, MPU

ECHO_TEST = b"0800822000000000000004000000000000000326094750018386301"
STRAY = ["stray", "does not answer MTI"]


def with_trace(mti, number):
    """A message with field 11 and nothing else, in ASCII."""
    return mti + b"0020000000000000" + b"%06d" % number


@pytest.fixture(params=[ISO8583, MPU], ids=repr)
def iso(request, target, mux, client):
    """`iso(behaviour, *flags)` gives the host, the multiplexer and `connect()`."""

    def make(behaviour, *flags, expect=()):
        host = target(request.param, behaviour)
        started = mux(host, *flags, expect=expect)
        return host, started, lambda: client(started, request.param)

    return make


def speaking_first(host):
    while True:
        request = host.receive()
        host.send(ECHO_TEST, b"")
        host.send(b"0210" + request[4:])
        host.send(ECHO_TEST, b"")


def test_a_hosts_own_messages_reach_nobody_and_cost_nobody(iso):
    host, _, connect = iso(speaking_first, expect=STRAY)
    clients = [connect() for _ in range(5)]
    for number in range(20):
        asked = [b"0200%d.%d" % (index, number) for index in range(len(clients))]
        for one, request in zip(clients, asked):
            one.send(request)
        for one, request in zip(clients, asked):
            assert one.receive() == b"0210" + request[4:]
    assert len(host.connections) == 1
    assert len(host.requests) == 100


def test_the_log_says_why_and_names_the_way_out(iso):
    _, started, connect = iso(speaking_first, expect=STRAY)
    one = connect()
    one.send(b"0200x")
    assert one.receive() == b"0210x"
    started.wait_for_log("MTI 0800 does not answer MTI 0200; --iso-ignore-mti accepts it")


def test_the_answer_to_another_trace_number_reaches_nobody(iso):
    def twice(host):
        previous = None
        while True:
            request = host.receive()
            if previous is not None:
                host.send(previous)
            previous = with_trace(b"0210", int(request[-6:]))
            host.send(previous)

    _, started, connect = iso(twice, expect=STRAY)
    one = connect()
    for number in range(1, 10):
        one.send(with_trace(b"0200", number))
        assert one.receive() == with_trace(b"0210", number)
    started.wait_for_log("MTI 0210 with field 11 000001 does not answer MTI 0200 with field 11 000002")


def test_a_host_with_trace_numbers_of_its_own_is_served_and_told_of_once(iso):
    def renumbering(host):
        while True:
            request = host.receive()
            host.send(with_trace(b"0210", int(request[-6:]) + 500))

    _, started, connect = iso(renumbering, expect=["an answer was delivered that may be another's"])
    one = connect()
    for number in range(1, 10):
        one.send(with_trace(b"0200", number))
        assert one.receive() == with_trace(b"0210", number + 500)
    started.wait_for_log("an answer was delivered that may be another's")
    started.stop()
    assert len(started.log.find("an answer was delivered that may be another's")) == 1


def test_with_ignore_mti_any_message_is_the_answer(iso):
    def echo_test_only(host):
        while True:
            host.receive()
            host.send(ECHO_TEST)

    _, _, connect = iso(echo_test_only, "--iso-ignore-mti")
    one = connect()
    one.send(b"0200x")
    assert one.receive() == ECHO_TEST
