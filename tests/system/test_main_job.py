# SPDX-License-Identifier: MIT
"""The main job: many clients share a target with one slot, and every answer goes to the client that asked."""

import os
import re

import pytest

from lib.program import Server, Talker, example, talk
from lib.target import answer, answering, echoing, held
from lib.wire import ECHO, ISO8583


@pytest.fixture
def server():
    """Starts targets that are processes."""
    started = []

    def start(*arguments, **options):
        started.append(Server(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def connections_of(device, pattern):
    """How many connections a target that is a process told of, once it has told all."""
    device.stop()
    return len(device.log.find(pattern))


def host_and_port(mux):
    return ["127.0.0.1", str(mux.port)]


# ---- nc and socat ----


def test_two_nc_clients_one_after_the_other_share_one_connection(target, mux):
    device = target(ECHO, echoing)
    started = mux(device)
    assert talk("nc", "-N", *host_and_port(started), text="first\n") == "first\n"
    assert talk("nc", "-N", *host_and_port(started), text="second\n") == "second\n"
    assert device.requests == [b"first", b"second"]
    assert len(device.connections) == 1


def test_two_nc_clients_at_the_same_time_share_one_connection(target, mux):
    device = target()
    started = mux(device)
    one, two = Talker("nc", "-N", *host_and_port(started)), Talker("nc", "-N", *host_and_port(started))
    for number in range(20):
        one.say("one %d" % number)
        two.say("two %d" % number)
        assert two.hear() == "re:two %d" % number
        assert one.hear() == "re:one %d" % number
    assert one.stop() == "" and two.stop() == ""
    assert len(device.connections) == 1


def test_a_hundred_lines_in_one_segment_from_nc_are_all_answered_in_order(target, mux):
    device = target(ECHO, echoing)
    lines = "".join("line %d\n" % number for number in range(100))
    assert talk("nc", "-N", *host_and_port(mux(device)), text=lines) == lines
    assert len(device.connections) == 1


def test_socat_as_a_client(target, mux):
    lines = "".join("line %d\n" % number for number in range(100))
    started = mux(target(ECHO, echoing))
    assert talk("socat", "-t5", "-", "TCP:127.0.0.1:%d" % started.port, text=lines) == lines


def test_socat_as_the_target(server, mux, client):
    device = server(
        ["socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,fork", "EXEC:cat"], r"listening on AF=2 127\.0\.0\.1:(\d+)"
    )
    started = mux(device.address)
    one, two = client(started), client(started)
    for number in range(20):
        one.send(b"one %d" % number)
        assert two.ask(b"two %d" % number) == b"two %d" % number
        assert one.receive() == b"one %d" % number
    started.stop()
    assert connections_of(device, "accepting connection") == 1


def test_nc_as_the_target(server, mux, client):
    device = server(["nc", "-v", "-l", "127.0.0.1", "0"], r"Listening on \S+ (\d+)")
    started = mux(device.address)
    one, two = client(started), client(started)
    one.send(b"question of one")
    assert device.process.stdout.readline() == "question of one\n"
    two.send(b"question of two")
    device.say("answer to one\n")
    assert one.receive() == b"answer to one"
    assert device.process.stdout.readline() == "question of two\n"
    device.say("answer to two\n")
    assert two.receive() == b"answer to two"


# ---- the examples ----


def needs_example(name):
    return pytest.mark.skipif(not os.access(example(name), os.X_OK), reason=name + " is not built")


@needs_example("echo-server")
def test_example_echo_server_sees_one_connection_of_many_clients(server, mux, client):
    device = server([example("echo-server"), "0"], r"listening 127\.0\.0\.1:(\d+)", merge=True)
    started = mux(device.address)
    clients = [client(started) for _ in range(50)]
    for number, one in enumerate(clients):
        one.send(b"client %d" % number)
    for number, one in enumerate(clients):
        assert one.receive() == b"client %d" % number
    started.stop()
    assert connections_of(device, r"^\d+: .* <-> ") == 1


@needs_example("iso8583-server")
@needs_example("iso8583-client")
def test_example_iso8583_clients_share_the_example_server(server, mux):
    device = server([example("iso8583-server"), "0"], r"listening 127\.0\.0\.1:(\d+)", merge=True)
    started = mux(device.address, wire=ISO8583)
    for number in range(3):
        shown = talk(example("iso8583-client"), started.address, text="080082200%d\n" % number)
        assert "081082200%d" % number in shown
    started.stop()
    assert connections_of(device, r"^\d+: .* <-> ") == 1


# ---- every protocol ----


def test_every_client_gets_its_own_answer_over_one_connection(trio):
    device, _, connect = trio(answering)
    clients = [connect() for _ in range(20)]
    for round_number in range(5):
        for number, one in enumerate(clients):
            one.send(b"%d of %d" % (round_number, number))
        for number, one in reversed(list(enumerate(clients))):
            assert one.receive() == answer(b"%d of %d" % (round_number, number))
    assert len(device.connections) == 1


def test_a_pipelining_client_is_answered_in_order_and_others_have_their_turn(trio):
    """Round robin: with one request under way, a second client waits for that one only, not for the queue."""
    device, started, connect = trio(held)
    greedy, polite = connect(), connect()
    greedy.send(*[b"greedy %d" % number for number in range(10)])
    device.wait_for_requests(1)
    polite.send(b"polite")
    # The third client is accepted after the bytes of the others were taken in.
    connect()
    started.wait_for_log(r"#3: ")
    device.release(11)
    assert polite.receive() == answer(b"polite")
    assert [greedy.receive() for _ in range(10)] == [answer(b"greedy %d" % number) for number in range(10)]
    assert device.requests.index(b"polite") <= 2


def test_one_request_is_under_way_at_a_time(trio):
    device, started, connect = trio(held)
    one, two = connect(), connect()
    one.send(b"first")
    device.wait_for_requests(1)
    two.send(b"second")
    connect()
    started.wait_for_log(r"#3: ")
    assert device.requests == [b"first"]
    device.release(2)
    assert one.receive() == answer(b"first")
    assert two.receive() == answer(b"second")


def test_messages_that_come_byte_by_byte_are_whole_on_the_other_side(trio):
    def dribbling(connection):
        while True:
            for byte in connection.target.wire.encode(answer(connection.receive())):
                connection.send_raw(bytes([byte]))

    _, _, connect = trio(dribbling)
    one = connect()
    for payload in (b"first", b"second"):
        for byte in one.wire.encode(payload):
            one.send_raw(bytes([byte]))
        assert one.receive() == answer(payload)


def test_the_largest_message_of_the_protocol_passes_both_ways(trio):
    device, _, connect = trio(echoing)
    one = connect()
    payload = bytes(b"0123456789"[number % 10] for number in range(min(one.wire.payload_max, 1024 * 1024 - 1)))
    assert one.ask(payload) == payload
    assert device.requests == [payload]


def test_an_empty_message_is_a_message(trio):
    _, _, connect = trio(echoing)
    one = connect()
    assert one.ask(b"") == b""
    assert one.ask(b"not empty") == b"not empty"


def test_every_byte_passes_unchanged(trio):
    _, _, connect = trio(echoing)
    one = connect()
    payload = bytes(byte for byte in range(256) if byte != ord("\n"))
    assert one.ask(payload) == payload


def test_log_names_clients_and_links_as_people_know_them(trio):
    device, started, connect = trio(answering)
    started.wait_for_log(r"creating target connection")
    link = started.wait_for_log(r"new target connection (\S+) <-> (\S+)")
    assert link[2] == device.address
    one = connect()
    one.ask(b"question")
    name = re.escape(one.name) + " <-> " + re.escape(started.address)
    started.wait_for_log("#1: " + name)
    one.close()
    started.wait_for_log("closed " + name + ".*client=1.*reason=client_ended")
    device.stop()
    started.wait_for_log("closed %s <-> %s.*link=1.*reason=target_ended" % (re.escape(link[1]), re.escape(link[2])))
