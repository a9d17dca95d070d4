# SPDX-License-Identifier: MIT
"""What the log says, and what it does not."""

import json
import re

import pytest

from lib.target import answer, answering, held
from lib.wire import ECHO, ISO8583, MPU


def test_every_line_of_the_json_format_is_json(target, mux, client):
    started = mux(
        target(MPU), "--log-format", "json", "-d", "--max-clients", "3", expect=["client_malformed"]
    )
    crowd = [client(started, MPU) for _ in range(3)]
    assert crowd[0].ask(b'0800 "quoted" \\ \xff\x00\x01') is not None
    crowd[1].send_raw(MPU.garbage)
    crowd[1].expect_end()
    started.wait_for_log("client_malformed")
    started.stop()
    events = [json.loads(line) for line in started.log.lines]
    for event in events:
        if event["event"] != "dump":
            assert event["level"] in ("error", "warn", "info", "debug")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
            assert event["message"]
    names = [event["event"] for event in events]
    for name in ("starting", "listening", "link_up", "client_opened", "request", "response", "client_closed", "stopped"):
        assert name in names
    closed = next(event for event in events if event["event"] == "client_closed" and event["client"] == 2)
    assert closed["reason"] == "client_malformed" and closed["level"] == "warn"
    took = next(event for event in events if event["event"] == "response")["took"]
    assert 0 < took < 1, "a duration is seconds, as a number"


def test_verbose_is_one_described_line_for_each_message(trio):
    device, started, connect = trio(answering, "-v")
    one, two = connect(), connect()
    one.ask(b"0800 of one")
    two.ask(b"0800 of two")
    started.stop()
    for number in (1, 2):
        assert len(started.log.find(r"#%d -> link 1: request " % number)) == 1
        assert len(started.log.find(r"link 1 -> #%d: response .*took=[\d.]+(us|ms)" % number)) == 1


def test_verbose_shows_no_card_numbers(target, mux, client):
    started = mux(target(ISO8583), "-v")
    client(started, ISO8583).ask(b"0200 4111111111111111")
    started.wait_for_log("#1 -> link 1: request .*0200")
    assert not started.log.find("4111")


@pytest.mark.parametrize("flags", [[], ["--log-format", "json"]], ids=["text", "json"])
def test_without_verbose_nothing_of_a_message_is_in_the_log(trio, flags):
    device, started, connect = trio(
        answering, *flags, "--max-message", "100", expect=["client_too_large", "stray", "no request waits"]
    )
    one = connect()
    one.ask(b"SECRET in a message")
    one.send_raw(one.wire.encode(b"SECRET" * 100))
    one.expect_end()
    started.stop()
    assert "SECRET" not in str(started.log) and b"SECRET".hex() not in str(started.log).lower()


def test_debug_adds_the_bytes_of_each_message(target, mux, client):
    started = mux(target(ECHO), "-d")
    client(started).ask(b"SECRET")
    started.wait_for_log(r"53 45 43 52 45 54 +.*SECRET")
    started.wait_for_log(r"72 65 3a 53 45 43 52 45\s+54 0a|72 65 3a 53 45 43 52 45 54 0a")


def test_bytes_of_a_message_do_not_break_lines(target, mux, client):
    started = mux(target(ECHO), "-v")
    client(started).ask(b"\r\x1b[31m red \x00 \xff warn  ")
    started.wait_for_log("link 1 -> #1: response")
    assert "\x1b" not in str(started.log) and "\x00" not in str(started.log)


def test_the_first_lines_tell_version_and_limits_and_where_it_listens(target, mux):
    started = mux(target(), "--max-clients", "77")
    started.wait_for_log(r"info +starting tcp-multiplexer \d+\.\d+.*protocol=echo.*max_clients=77.*max_message=1MiB")
    started.wait_for_log(r"info +listening 127\.0\.0\.1:\d+$")


def test_a_listening_line_means_that_the_socket_listens(target, mux, client):
    """Without anything else being ready: the target is down."""
    started = mux(target(is_up=False), expect=["cannot connect"])
    client(started)
    started.wait_for_log("#1: ")


def test_the_last_line_counts(target, mux, client):
    device = target(behaviour=held)
    started = mux(device)
    for number in range(3):
        one = client(started)
        device.release()
        assert one.ask(b"question") == answer(b"question")
    started.stop()
    assert re.search(r"stopped.*clients=3.*requests=3.*responses=3.*cut=0", started.log.lines[-1])


def test_a_thousand_strays_are_a_few_lines(target, mux, client):
    def chatty(connection):
        connection.receive()
        connection.send(*[b"0800 nobody asked"] * 1000)
        connection.send(b"0210")

    started = mux(target(ISO8583, chatty), expect=["does not answer MTI"])
    assert client(started, ISO8583).ask(b"0200") == b"0210"
    started.stop()
    assert len(started.log.find("warn .*does not answer MTI")) == 1