# SPDX-License-Identifier: MIT
"""The program is stopped for a while, as `docker pause` or a paused machine would: it goes on where it was."""

import signal
import time
from pathlib import Path

import pytest

from lib.target import answer, held

STOPPED = 2.5  # seconds; more than any time below, by more than what counts as a stall
TIMES = ("--timeout", "1s", "--client-timeout", "1s", "--write-timeout", "1s")


class Stopped:
    """Not running inside the block; the times are over when it ends."""

    def __init__(self, started):
        self.started = started

    def __enter__(self):
        self.started.signal(signal.SIGSTOP)
        status = Path(f"/proc/{self.started.process.pid}/stat")
        self.started_at = time.monotonic()
        while status.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < self.started_at + 5
            time.sleep(0.001)

    def __exit__(self, *_):
        time.sleep(max(0, self.started_at + STOPPED - time.monotonic()))
        self.started.signal(signal.SIGCONT)


@pytest.fixture
def asked(target, mux, client):
    device = target(behaviour=held)
    started = mux(device, *TIMES)
    one, partial = client(started), client(started)
    one.send(b"question")
    device.wait_for_requests(1)
    return device, started, one, partial


def test_an_answer_that_came_while_it_was_stopped_is_delivered(asked):
    device, started, one, _ = asked
    with Stopped(started):
        device.release()
        device.wait(lambda: device.connections[0].answered_at, "the answer")
    assert one.receive() == answer(b"question")


def test_an_answer_that_comes_after_it_was_stopped_is_delivered(asked):
    device, started, one, _ = asked
    with Stopped(started):
        pass
    device.release()
    assert one.receive() == answer(b"question")


def test_a_request_may_be_finished_after_it_was_stopped(asked):
    device, started, one, partial = asked
    whole = partial.wire.encode(b"in two parts")
    partial.send_raw(whole[:-1])
    started.wait_for_log("#2: ")
    with Stopped(started):
        pass
    partial.send_raw(whole[-1:])
    device.release(2)
    assert one.receive() == answer(b"question")
    assert partial.receive() == answer(b"in two parts")


def test_a_delay_and_a_lifetime_may_end_while_it_is_stopped(target, mux, client):
    started = mux(target(behaviour=held), "--delay", "1s", "--link-lifetime", "500ms")
    started.wait_for_log("new target connection")
    with Stopped(started):
        pass
    client(started)
    started.wait_for_log("#1: ")
