# SPDX-License-Identifier: MIT
"""The programs that measure: they measure what they say, and a wrong answer does not pass them.

`bench-load` asks in every protocol and looks at every byte; `bench-target` behaves as it is told. What they print
is read by script/bench.
"""

import socket
import subprocess
import threading

import pytest

from lib.multiplexer import WITHIN
from lib.program import Server, bench
from lib.wire import parse_address

WIRES = ("echo", "http", "modbus", "iso8583")
MESSAGE_BYTES = 64  # what bench-load sends unless told otherwise, but for http
MEASURED = {
    "requests", "requests_per_second", "latency_p50_us", "latency_p90_us", "latency_p99_us", "latency_p999_us",
    "latency_max_us", "load_cpu_us_per_request", "errors",
}  # fmt: skip


class BenchTarget(Server):
    def __init__(self, *options):
        command = [bench("bench-target"), "127.0.0.1:0", *map(str, options)]
        super().__init__(command, r"listening 127\.0\.0\.1:(\d+)", merge=True)

    def told(self):
        """What it prints when it is ended, by name, and its exit code."""
        self.stop()
        lines = [line.split() for line in self.log.lines]
        return {line[0]: int(line[1]) for line in lines if line[1].isdigit()}, self.process.returncode


class Load:
    """A finished run of the load generator."""

    def __init__(self, address, *options):
        command = [bench("bench-load"), address, *map(str, options)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * WITHIN)
        self.code = done.returncode
        self.complaint = done.stderr
        self.numbers = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}

    def __getitem__(self, name):
        return self.numbers[name]


def clean(address, *options):
    """A run without errors."""
    load = Load(address, *options)
    assert (load.code, load.complaint) == (0, "") and load["errors"] == 0, (load.numbers, load.complaint)
    return load


@pytest.fixture
def bench_target(server):
    return lambda *options: server(BenchTarget(*options))


@pytest.fixture
def multiplexed(bench_target, mux):
    """`multiplexed(wire, flags, *options of the target)`: the target, and the multiplexer in front of it."""

    def start(wire, flags=(), *options):
        target = bench_target("--wire", wire, *options)
        return target, mux(target.address, "-p", wire, *flags)

    return start


def in_flight(wire):
    """ISO 8583 goes in lock-step whatever is asked for."""
    return [] if wire == "iso8583" else ["--in-flight", "16"]


# ---- every protocol, through the multiplexer ----


@pytest.mark.parametrize("wire", WIRES)
def test_eight_clients_get_their_own_answers(multiplexed, wire):
    target, started = multiplexed(wire, in_flight(wire))
    load = clean(started.address, "--wire", wire, "--clients", 8, "--requests", 400, "--watch", started.pid)
    assert set(load.numbers) == MEASURED | {"cpu_us_per_request"}
    assert load["requests"] == 400
    assert 0 < load["latency_p50_us"] <= load["latency_p90_us"] <= load["latency_p99_us"]
    assert load["latency_p99_us"] <= load["latency_p999_us"] <= load["latency_max_us"]
    assert target.told() == ({"connections": 1, "requests": 400}, 0)


@pytest.mark.parametrize("wire", WIRES)
def test_requests_ahead_of_their_answers_are_told_apart(multiplexed, wire):
    _, started = multiplexed(wire, in_flight(wire))
    load = clean(started.address, "--wire", wire, "--clients", 4, "--depth", 8, "--requests", 400)
    assert load["requests"] == 400


@pytest.mark.parametrize("wire,size", [("echo", 65536), ("http", 65536), ("modbus", 260), ("iso8583", 65537)])
def test_the_largest_messages_pass(multiplexed, wire, size):
    _, started = multiplexed(wire)
    clean(started.address, "--wire", wire, "--clients", 3, "--requests", 60, "--size", size)


def test_modbus_answers_out_of_order_find_their_requests(multiplexed):
    _, started = multiplexed("modbus", in_flight("modbus"), "--service", 200, "--order", "out")
    clean(started.address, "--wire", "modbus", "--clients", 4, "--depth", 4, "--requests", 400)


@pytest.mark.parametrize("wire", WIRES)
def test_a_connection_for_each_request(multiplexed, wire):
    target, started = multiplexed(wire, ["-v"])  # which leaves no line out
    load = clean(started.address, "--wire", wire, "--clients", 4, "--requests", 100, "--churn")
    assert load["requests"] == 100
    started.wait_for_log("closed .*client=", count=100)
    assert target.told()[0]["connections"] == 1


def test_silent_connections_beside_active_ones_stay(multiplexed):
    target, started = multiplexed("echo")
    load = clean(started.address, "--clients", 2, "--requests", 100, "--beside", 50)
    assert load["requests"] == 100
    assert target.told()[0]["requests"] == 150


@pytest.mark.parametrize("way", ["--upload", "--download"])
def test_large_bodies_pass_whole(multiplexed, way):
    size = 3_000_001
    _, started = multiplexed("http")
    load = clean(started.address, "--wire", "http", "--clients", 2, "--requests", 4, way, size, "--watch", started.pid)
    assert load["requests"] == 4
    assert load["bytes_per_second"] > 0 and load["cpu_ns_per_byte"] > 0


# ---- a rate ----


def test_requests_at_a_rate_are_all_due_in_time(multiplexed):
    _, started = multiplexed("echo")
    load = clean(started.address, "--clients", 4, "--rate", 1000, "--seconds", 0.2)
    assert set(load.numbers) == MEASURED | {"rate_offered"}
    assert load["requests"] == 200 and load["rate_offered"] == 1000


def test_the_latency_at_a_rate_counts_from_when_a_request_was_due(bench_target):
    """Twenty requests are due within 95 ms; the target takes 400 ms for them. So the last is 305 ms late at least,
    although it was answered 20 ms after it was sent."""
    target = bench_target("--mode", "serial", "--service", 20000)
    load = clean(target.address, "--rate", 200, "--requests", 20)
    assert load["requests"] == 20
    assert load["latency_max_us"] >= 305_000


def test_a_serial_target_works_on_one_request_at_a_time(bench_target):
    many, one = bench_target("--service", 30000), bench_target("--service", 30000, "--mode", "serial")
    assert clean(many.address, "--clients", 10, "--requests", 10)["latency_p50_us"] < 250_000
    assert clean(one.address, "--clients", 10, "--requests", 10)["latency_max_us"] >= 300_000


# ---- the contract ----


@pytest.mark.parametrize("wire", WIRES)
def test_the_multiplexer_keeps_the_contract_of_a_strict_target(multiplexed, wire):
    target, started = multiplexed(wire, (), "--strict", "--mode", "serial")
    clean(started.address, "--wire", wire, "--clients", 8, "--depth", 2, "--requests", 400)
    assert target.told() == ({"violations": 0, "connections": 1, "requests": 400}, 0)


def test_two_clients_of_a_strict_target_violate_its_contract(bench_target):
    target = bench_target("--strict")
    clean(target.address, "--clients", 2, "--requests", 10)
    assert target.told() == ({"violations": 1, "connections": 2, "requests": 10}, 1)


def test_a_request_before_the_answer_violates_the_contract_of_a_strict_target(bench_target):
    target = bench_target("--strict", "--service", 1000)
    clean(target.address, "--depth", 2, "--requests", 10)
    told, code = target.told()
    assert told["violations"] > 0 and code == 1


def test_half_a_request_before_the_answer_violates_it_too(bench_target):
    target = bench_target("--strict", "--service", 1000)
    with socket.create_connection(parse_address(target.address)[1]) as sock:
        sock.sendall(b"whole\nhal")
        assert sock.recv(64) == b"whole\n"
        sock.sendall(b"f\n")
        assert sock.recv(64) == b"half\n"
    assert target.told() == ({"violations": 1, "connections": 1, "requests": 2}, 1)


def test_the_target_does_answer_modbus_out_of_order(bench_target):
    target = bench_target("--wire", "modbus", "--order", "out")
    first, second = (bytes([0, number, 0, 0, 0, 2, 1, 3]) for number in (1, 2))
    with socket.create_connection(parse_address(target.address)[1]) as sock:
        sock.sendall(first + second)
        assert exactly(sock, 16) == second + first


# ---- wrong answers ----


def exactly(sock, size):
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data)) or pytest.fail("the connection ended")
    return data


def ask_of(sock, wire):
    """The next request, as what the right answer to it would be."""
    if wire != "http":
        return exactly(sock, MESSAGE_BYTES)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(sock, 1)
    body = head.split(b" ")[1].split(b"?")[0]
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


@pytest.fixture
def wrong_server():
    """`wrong_server(clients, behaviour)`: a server that takes so many connections and gives them to the function."""
    started = []

    def start(clients, behaviour):
        listener = socket.create_server(("127.0.0.1", 0))

        def run():
            sockets = [listener.accept()[0] for _ in range(clients)]
            try:
                behaviour(*sockets)
                for one in sockets:
                    one.recv(1)  # until the generator has gone
            except (pytest.fail.Exception, OSError):
                pass  # it went before, or the behaviour has closed the connection
            for one in sockets:
                one.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        started.append((listener, thread))
        return "127.0.0.1:%d" % listener.getsockname()[1]

    yield start
    for listener, thread in started:
        thread.join(WITHIN)
        listener.close()
        assert not thread.is_alive()


def http_size(wire):
    """An http answer that is the path alone is what the server above can make."""
    return ["--wire", wire] + (["--size", 18] if wire == "http" else [])


@pytest.mark.parametrize("swaps", [False, True], ids=["right", "swapped"])
@pytest.mark.parametrize("wire", WIRES)
def test_answers_that_are_swapped_between_two_clients_are_noticed(wrong_server, wire, swaps):
    def answer(one, other):
        first, second = ask_of(one, wire), ask_of(other, wire)
        one.sendall(second if swaps else first)
        other.sendall(first if swaps else second)

    load = Load(wrong_server(2, answer), *http_size(wire), "--clients", 2, "--requests", 2)
    assert load.code == (1 if swaps else 0)
    assert ("wrong answer" in load.complaint) == swaps


# Each makes of the right answer one that is wrong. A Modbus frame has its id at 0, unit at 6 and function at 7.
WRONG = {
    "echo, the last byte": ("echo", lambda right: right[:-2] + b"!\n"),
    "echo, another sequence number": ("echo", lambda right: right.replace(b"0000000001", b"0000000002")),
    "iso8583, the length": ("iso8583", lambda right: b"\x00\x3d" + right[2:]),
    "modbus, the id": ("modbus", lambda right: b"\x00\x01" + right[2:]),
    "modbus, the unit": ("modbus", lambda right: right[:6] + b"\x63" + right[7:]),
    "modbus, an exception": ("modbus", lambda right: right[:4] + b"\x00\x03" + right[6:7] + b"\x83\x0b"),
    "http, the status": ("http", lambda right: right.replace(b"200", b"503")),
    "http, the length": ("http", lambda right: right.replace(b": 18", b": 17")),
    "http, the body": ("http", lambda right: right[:-1] + b"2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_noticed(wrong_server, case):
    wire, spoil = WRONG[case]
    address = wrong_server(1, lambda sock: sock.sendall(spoil(ask_of(sock, wire))))
    load = Load(address, *http_size(wire), "--requests", 1)
    assert load.code == 1 and "wrong answer" in load.complaint, load.numbers


def test_a_second_answer_to_one_request_is_noticed(wrong_server):
    address = wrong_server(1, lambda sock: sock.sendall(2 * ask_of(sock, "echo")))
    load = Load(address, "--requests", 1)
    assert load.code == 1 and "wrong answer" in load.complaint, load.numbers


def test_a_silent_connection_that_is_closed_is_an_error(wrong_server):
    def answer(active, silent):
        silent.sendall(ask_of(silent, "echo"))
        silent.shutdown(socket.SHUT_WR)
        active.sendall(ask_of(active, "echo"))

    load = Load(wrong_server(2, answer), "--beside", 1, "--requests", 1)
    assert (load.code, load["errors"], load["requests"]) == (1, 1, 1)


def test_a_connection_that_breaks_is_an_error(wrong_server):
    def leave(sock):
        ask_of(sock, "echo")
        sock.close()

    load = Load(wrong_server(1, leave), "--requests", 1)
    assert (load.code, load["errors"], load["requests"]) == (1, 1, 0)


@pytest.mark.parametrize("options", [
    ["--wire", "smtp"], ["--size", "10"], ["--wire", "modbus", "--size", "261"], ["--upload", "1000"], ["--rate", "0"],
    ["--wire", "http", "--download", "1000", "--depth", "2"], ["--churn", "--depth", "2"], ["--idle", "--churn"],
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(options):
    load = Load("127.0.0.1:1", *options)
    assert load.code == 2 and load.complaint
