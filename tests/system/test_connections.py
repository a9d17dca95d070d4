# SPDX-License-Identifier: MIT
"""Several connections to a target that grants a few: --connections, --link-idle and --link-lifetime."""

import threading
import time

import pytest

from lib.settle import settle
from lib.target import answering, held
from lib.wire import ECHO

QUICK_RETRY = ("--retry-delay", "50ms", "--retry-delay-max", "50ms")


@pytest.fixture
def setting(target, mux, client):
    """`setting(behaviour, slots, *flags)` gives target, multiplexer, `connect()`."""

    def make(behaviour, slots, *flags, expect=()):
        device = target(ECHO, behaviour, slots=slots)
        started = mux(device, *flags, expect=expect)
        return device, started, lambda: client(started)

    return make


def lock_step(connect, number, rounds, failures):
    """A client with one question at a time, each its own."""
    one = connect()
    for turn in range(rounds):
        question = b"%d of %d" % (turn, number)
        try:
            answer = one.ask(question)
        except OSError as failure:
            answer = failure
        if answer != b"re:" + question:
            failures.append((question, answer))
            return


def crowd(connect, count, rounds):
    """So many clients at the same time; each gets all its answers."""
    failures = []
    threads = [threading.Thread(target=lock_step, args=(connect, n, rounds, failures)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


# ---- how many ----


def test_four_connections_are_used_under_load_and_never_a_fifth(setting):
    device, started, connect = setting(held, 4, "--connections", "4")
    clients = [connect() for _ in range(12)]
    for number, one in enumerate(clients):
        one.send(b"%d" % number)
    device.wait_for_requests(4)  # each connection has one
    settle(started, connect)
    assert [len(connection.requests) for connection in device.connections] == [1, 1, 1, 1]
    device.release(12)
    for number, one in enumerate(clients):
        assert one.receive() == b"re:%d" % number
    device.release(12 * 50)
    crowd(connect, 12, 50)
    assert len(device.connections) == 4  # a fifth would be a violation, too


def test_one_client_makes_one_connection(setting):
    device, started, connect = setting(held, 4, "--connections", "4")
    one = connect()
    one.send(*[b"%d" % number for number in range(20)])
    device.wait_for_requests(1)
    settle(started, connect)
    device.release(20)
    assert [one.receive() for _ in range(20)] == [b"re:%d" % number for number in range(20)]
    assert len(device.connections) == 1


class Homes:
    """A behaviour that works for a moment on each question, and notes where else its client has one in flight."""

    def __init__(self):
        self.lock = threading.Lock()
        self.open = {}  # client -> the connections of its questions
        self.strangers = []

    def __call__(self, connection):
        while True:
            question = connection.receive()
            client = question.split()[-1]
            with self.lock:
                open_ = self.open.setdefault(client, [])
                if set(open_) - {connection.number}:
                    self.strangers.append(question)
                open_.append(connection.number)
            time.sleep(0.001)
            with self.lock:
                open_.remove(connection.number)
            connection.send(b"re:" + question)


def test_what_one_client_has_in_flight_is_on_one_connection(setting):
    homes = Homes()
    device, _, connect = setting(homes, 4, "--connections", "4", "--in-flight", "2")
    clients = [connect() for _ in range(8)]
    for _ in range(5):
        for number, one in enumerate(clients):
            one.send(*[b"%d of %d" % (turn, number) for turn in range(20)])
        for number, one in enumerate(clients):
            assert [one.receive() for _ in range(20)] == [b"re:%d of %d" % (turn, number) for turn in range(20)]
    assert len(device.connections) > 1
    assert not homes.strangers


def test_connections_that_nobody_uses_are_closed_after_link_idle(setting):
    device, started, connect = setting(held, 4, "--connections", "4", "--link-idle", "300ms")
    clients = [connect() for _ in range(4)]
    for one in clients:
        one.send(b"question")
    device.wait_for_requests(4)
    device.release(4)
    for one in clients:
        assert one.receive() == b"re:question"
    started.wait_for_log("closed .*link=.* reason=link_idle", 4)
    for number in range(1, 5):
        device.wait_for_end(number)
    device.release()
    assert clients[0].ask(b"again") == b"re:again"
    assert len(device.connections) == 5


# ---- a target that grants fewer ----


def test_a_target_with_two_slots_is_not_hammered_for_four(setting):
    """What it resets is noticed within --delay, before a request is sent there."""
    device, started, connect = setting(
        answering, 2, "--connections", "4", "--delay", "300ms", "--retry-delay", "100ms",
        expect=["closed .*target_reset", "cannot connect"],
    )  # fmt: skip
    crowd(connect, 12, 300)
    refused = len(device.violations)
    device.violations.clear()
    assert len(device.connections) == 2
    assert len(device.requests) == len(set(device.requests)) == 12 * 300
    assert refused <= 8  # 100 ms, 200 ms, 400 ms ... from one to the next
    started.stop()


# ---- lifetime ----


@pytest.mark.parametrize("flags", [[], ["--in-flight", "4"]], ids=["lock", "pipeline"])
def test_connections_are_replaced_by_age_under_load_and_nothing_is_lost(setting, flags):
    device, _, connect = setting(answering, 1, "--link-lifetime", "300ms", *QUICK_RETRY, *flags)
    done = threading.Event()
    failures, counts = [], []

    def play(number):
        one, turn = connect(), 0
        while not done.is_set() and not failures:
            question = b"%d of %d" % (turn, number)
            answer = one.ask(question)
            if answer != b"re:" + question:
                failures.append((question, answer))
            turn += 1
        counts.append(turn)

    threads = [threading.Thread(target=play, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        device.wait_for_connections(5)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    assert len(device.requests) == len(set(device.requests)) == sum(counts)
    assert all(connection.requests for connection in device.connections[:-1])  # each was of use
