# SPDX-License-Identifier: MIT
"""Many requests under way on one connection: --in-flight.

What a target here holds back, it has been sent; so what it holds is what is in flight.
"""

import re
import subprocess
from pathlib import Path

import pytest

from lib.http import WHOLE, page, path_of, request, response
from lib.http_servers import Nginx
from lib.modbus import MODBUS, NO_ANSWER, QUICK_RETRY, STRAY, Device, address_of, exception, read, register, told, values
from lib.multiplexer import run
from lib.settle import settle
from lib.target import Connection, answering, held, in_turn
from test_modbus_peers import CLIENTS, ROUNDS, libmodbus_clients, pymodbus_clients, run_all

PIPELINE = str(Path(__file__).parent / "peers" / "pipeline.lua")


# ---- wrk and nginx ----


def wrk(started):
    """A second of pipelined requests from sixteen connections: how many answers."""
    done = subprocess.run(
        ["wrk", "-t1", "-c16", "-d1s", "-s", PIPELINE, "http://127.0.0.1:%d" % started.port],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    told = re.search(r"answers (\d+), not 200 0, connect 0, read 0, write 0, time-outs 0\n", done.stdout)
    assert told, done.stdout
    return int(told[1])


@pytest.mark.parametrize("keepalive_requests", [100000000, 100])
def test_wrk_pipelines_through_one_connection_to_nginx(server, mux, tmp_path, keepalive_requests):
    nginx = server(Nginx(tmp_path, keepalive_requests))
    (nginx.site / "page").write_bytes(b"a page")
    started = mux(nginx.address, "--in-flight", "16", wire=WHOLE)
    answers = wrk(started)
    assert answers > 300
    started.stop()
    requests = nginx.requests()
    assert len(requests) >= answers
    assert {status for _, status, _ in requests} == {200}
    connections = [connection for connection, _, _ in requests]
    assert connections == sorted(connections)  # one ended before the next began
    counts = [connections.count(connection) for connection in sorted(set(connections))]
    if keepalive_requests == 100:
        assert len(counts) > 2 and set(counts[:-1]) == {100}  # none was sent twice, for nginx to serve it
    else:
        assert len(counts) == 1


# ---- HTTP: a pipeline of what may be sent again ----


def held_site(connection):
    """Answers each request when the test says so."""
    while True:
        message = connection.receive()
        connection.target.wait_for_release()
        connection.send_raw(response(page(path_of(message))))


def paths(device):
    return [path_of(message) for message in device.requests]


def assert_page(message, path):
    assert message is not None and message.endswith(b"\r\n\r\n" + page(path)), message


@pytest.fixture
def site(mux, target, client):
    def make(behaviour, *flags, expect=(), **options):
        device = target(WHOLE, behaviour, **options)
        started = mux(device, *flags, expect=expect)
        return device, started, lambda: client(started, WHOLE)

    return make


def test_a_post_waits_for_the_pipeline_and_nothing_is_sent_behind_it(site):
    device, started, connect = site(held_site, "--in-flight", "16")
    readers, writer, late = [connect() for _ in range(3)], connect(), [connect() for _ in range(3)]
    for number, one in enumerate(readers):
        one.send(request("/before/%d" % number))
    device.wait_for_requests(3)
    writer.send(request("/post", "POST", b"effect"))
    settle(started, connect)
    for number, one in enumerate(late):
        one.send(request("/after/%d" % number))
    settle(started, connect)
    assert len(device.requests) == 3  # the post waits, and who came behind it does not pass it
    device.release(3)
    for number, one in enumerate(readers):
        assert_page(one.receive(), "/before/%d" % number)
    device.wait_for_requests(4)
    settle(started, connect)
    assert paths(device)[3:] == ["/post"]  # alone
    device.release()
    assert_page(writer.receive(), "/post")
    device.wait_for_requests(7)  # and together again
    device.release(3)
    for number, one in enumerate(late):
        assert_page(one.receive(), "/after/%d" % number)
    assert len(device.connections) == 1


def answering_and_closing(answers, ending):
    """So many answers, then without a word the end, when there are more requests."""

    def behaviour(connection):
        for _ in range(answers):
            connection.target.wait_for_release()
            connection.send_raw(response(page(path_of(connection.receive()))))
        connection.receive()
        connection.target.wait_for_release()
        ending(connection)

    return behaviour


def end(connection):
    connection.close()


def reset(connection):
    connection.reset()


@pytest.mark.parametrize("ending", [end, reset])
def test_a_close_in_mid_pipeline_costs_nobody_a_get(site, ending):
    device, _, connect = site(
        in_turn(answering_and_closing(2, ending), held_site), "--in-flight", "16", *QUICK_RETRY,
        expect=["closed .*target_reset"],
    )  # fmt: skip
    crowd = [connect() for _ in range(8)]
    for number, one in enumerate(crowd):
        one.send(request("/%d" % number))
    device.wait_for_requests(8)
    device.release(3)
    device.wait_for_requests(9)
    assert len(device.connections[1].requests) == 1  # until it has answered two, one at a time
    device.release(20)
    for number, one in enumerate(crowd):
        assert_page(one.receive(), "/%d" % number)
    assert len(device.connections) == 2
    assert len(device.requests) == 8 + 6  # what was answered was not asked again


@pytest.mark.parametrize("ending", [end, reset])
def test_a_post_is_never_sent_twice(site, ending):
    device, _, connect = site(
        in_turn(answering_and_closing(2, ending), held_site), "--in-flight", "16", *QUICK_RETRY,
        expect=["closed .*target_reset", told("link_broken")],
    )  # fmt: skip
    first, second, writer, reader = [connect() for _ in range(4)]
    device.release(20)
    for one in (first, second):
        one.send(request("/get"))
        assert_page(one.receive(), "/get")
    writer.send(request("/post", "POST", b"effect"))
    assert b" 502 " in writer.receive()
    reader.send(request("/get"))
    assert_page(reader.receive(), "/get")
    assert paths(device).count("/post") == 1


def test_a_get_behind_one_that_is_not_answered_in_time_is_sent_again(site):
    device, _, connect = site(
        in_turn(answering_and_closing(1, Connection.receive), held_site),
        "--in-flight", "4", "--timeout", "300ms", *QUICK_RETRY,
        expect=[told("timeout"), "closed .*reason=timeout"],
    )  # fmt: skip
    first, second, third = [connect() for _ in range(3)]
    for number, one in enumerate((first, second, third)):
        one.send(request("/%d" % number))
        device.wait_for_requests(1 + number)
    device.release()
    assert_page(first.receive(), "/0")
    assert b" 504 " in second.receive()
    device.release(5)
    assert_page(third.receive(), "/2")
    assert paths(device) == ["/0", "/1", "/2", "/2"]


# ---- echo: a pipeline ----


def collecting(count):
    """Answers only when it has so many requests; one more before that is a violation."""

    def behaviour(connection):
        answered = 0
        while True:
            batch = [connection.receive() for _ in range(count)]
            in_flight = len(connection.requests) - answered
            if in_flight != count:
                connection.target.violations.append("%d requests in flight" % in_flight)
            answered += count
            connection.send(*[b"re:" + payload for payload in batch])

    return behaviour


def test_eight_are_in_flight_on_one_connection_and_never_nine(target, mux, client):
    device = target(behaviour=collecting(8))
    started = mux(device, "--in-flight", "8")
    crowd = [client(started) for _ in range(10)]
    for number, one in enumerate(crowd):
        one.send(*[b"%d of %d" % (turn, number) for turn in range(4)])
    for number, one in enumerate(crowd):
        for turn in range(4):
            assert one.receive() == b"re:%d of %d" % (turn, number)
    assert len(device.connections) == 1
    assert len(set(device.requests)) == len(device.requests) == 40


def test_one_client_may_have_all_of_them(target, mux, client):
    device = target(behaviour=collecting(8))
    one = client(mux(device, "--in-flight", "8"))
    one.send(*[b"%d" % number for number in range(16)])
    assert [one.receive() for _ in range(16)] == [b"re:%d" % number for number in range(16)]


def test_an_answer_that_does_not_come_costs_those_behind_it_theirs(target, mux, client):
    """echo has no words for it: they are closed; the next connection has others."""

    def stuck(connection):
        connection.send(b"re:" + connection.receive())
        while True:
            connection.receive()

    device = target(behaviour=in_turn(stuck, answering))
    started = mux(
        device, "--in-flight", "8", "--timeout", "300ms", *QUICK_RETRY,
        expect=["closed .*reason=timeout", "closed .*reason=link_broken"],
    )  # fmt: skip
    crowd = [client(started) for _ in range(4)]
    for number, one in enumerate(crowd):
        one.send(b"%d" % number)
        device.wait_for_requests(number + 1)
    assert crowd[0].receive() == b"re:0"
    for one in crowd[1:]:
        one.expect_end()
    started.wait_for_log("closed .*client=2 reason=timeout")
    for number in (3, 4):
        started.wait_for_log("closed .*client=%d reason=link_broken" % number)
    assert crowd[0].ask(b"again") == b"re:again"
    assert device.requests == [b"0", b"1", b"2", b"3", b"again"]


# ---- modbus: by identifier ----


class Peer(Device):
    """Has the registers that the peers expect."""

    def value(self, address, unit):
        return self.written.get((unit, address), (address * 40503 + 12345) & 0xFFFF)


@pytest.mark.parametrize("clients", [pymodbus_clients, libmodbus_clients])
@pytest.mark.timeout(60 + 2 * ROUNDS)
def test_sixteen_modbus_clients_with_a_device_that_answers_out_of_order(target, mux, clients):
    device = target(MODBUS, Peer(limit=4096, reversed_by=CLIENTS, patience=0.002))
    started = mux(device, "--in-flight", str(CLIENTS))
    outputs = run_all(clients(started.port))
    total = 4 * CLIENTS * ROUNDS
    assert sum(int(output.split()[0]) for output in outputs) == total
    assert len(device.connections) == 1
    assert len(device.requests) == total


def test_answers_in_any_order_find_their_clients(modbus):
    device, _, connect = modbus(Device(reversed_by=16), "--in-flight", "16")
    crowd = [connect() for _ in range(4)]
    for number, one in enumerate(crowd):
        one.send(*[read(turn, 10 * number + turn) for turn in range(4)])
    for number, one in enumerate(crowd):
        got = sorted(one.receive() for _ in range(4))
        assert got == [values(turn, register(10 * number + turn)) for turn in range(4)]
    assert len(device.connections) == 1


def test_an_answer_that_does_not_come_disturbs_no_other_and_later_goes_to_nobody(modbus):
    device, started, connect = modbus(
        Device(late={1}), "--in-flight", "4", "--timeout", "500ms", expect=[STRAY, told("timeout")]
    )
    one, two = connect(), connect()
    one.send(read(7, 1))
    device.wait_for_requests(1)
    assert one.receive() == exception(7, NO_ANSWER)
    assert two.ask(read(7, 2)) == values(7, register(2))  # the late one comes just before it
    started.wait_for_log(STRAY)
    assert one.ask(read(7, 3)) == values(7, register(3))
    assert len(device.connections) == 1


def test_others_are_answered_while_one_waits(modbus):
    def skipping(connection):
        """Answers everything but address 1."""
        device = Device()
        while True:
            message = connection.receive()
            if address_of(message) != 1:
                connection.send_raw(device._answer(message))

    device, _, connect = modbus(skipping, "--in-flight", "4", "--timeout", "500ms", expect=[told("timeout")])
    one, two = connect(), connect()
    one.send(read(7, 1))
    device.wait_for_requests(1)
    for turn in range(20):
        assert two.ask(read(turn, 2)) == values(turn, register(2))
    assert one.receive() == exception(7, NO_ANSWER)
    assert two.ask(read(7, 2)) == values(7, register(2))
    assert len(device.connections) == 1


def test_requests_that_were_sent_together_time_out_together(modbus):
    quiet = Device()
    quiet.asleep.set()
    device, _, connect = modbus(quiet, "--in-flight", "4", "--timeout", "300ms", expect=[told("timeout")])
    one = connect()
    one.send(read(7, 1), read(8, 2))
    assert sorted(one.receive() for _ in range(2)) == [exception(7, NO_ANSWER), exception(8, NO_ANSWER)]
    quiet.asleep.clear()
    assert one.ask(read(9, 3)) == values(9, register(3))
    assert len(device.connections) == 1


# ---- fairness ----


@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_greedy_client_does_not_hold_up_a_polite_one(target, mux, client, in_flight):
    device = target(behaviour=held)
    started = mux(device, "--in-flight", str(in_flight))
    greedy, polite = client(started), client(started)
    greedy.send(*[b"greedy %d" % number for number in range(200)])
    device.wait_for_requests(in_flight)
    polite.send(b"polite")
    settle(started, lambda: client(started))
    device.release(201)
    assert polite.receive() == b"re:polite"
    for number in range(200):
        assert greedy.receive() == b"re:greedy %d" % number
    assert device.requests.index(b"polite") <= in_flight + 1


# ---- what is refused ----


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (["-p", "iso8583"], "'--in-flight' has to be 1 for 'iso8583': hosts may answer out of order"),
        (["-p", "mpu"], "'--in-flight' has to be 1 for 'mpu': hosts may answer out of order"),
        (["-p", "echo", "--gap", "10ms"], "'--gap' is a pause between one request and the next"),
        (["-p", "modbus", "--modbus-ignore-id"], "'--modbus-ignore-id' leaves nothing to tell responses apart by"),
    ],
)
def test_in_flight_is_refused_where_it_makes_no_sense(flags, sentence):
    done = run("server", *flags, "--in-flight", "2")
    assert done.returncode == 2 and done.stdout == ""
    assert sentence in done.stderr and done.stderr.count("\n") == 1
