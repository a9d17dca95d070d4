# SPDX-License-Identifier: MIT
"""A target that closes its connection after each answer and does not say so (docs/echo.md)."""

import time

from lib.client import Client
from lib.program import Server
from lib.target import answer
from lib.wire import ECHO

CLOSER = "warn +the target closes the connection after an answer without saying so"
EXPECTED = ["the target closes", "closed .*reason=(link_broken|target_reset)"]
QUIET = 0.02


class Crossed:
    """Its first two connections answer once, and close when the second request has come: it crosses the close."""

    def __init__(self):
        self.silences = []  # in front of each request, as the target sees them

    def __call__(self, connection):
        while True:
            payload = connection.receive()
            if connection.number <= 2 and connection.answered_at:
                return
            if connection.answered_at:
                self.silences.append(connection.requests[-1].at - connection.answered_at[-1])
            connection.send(answer(payload))


def ask_in_turn(started, wire, count):
    """As many requests, each behind the answer to the one before; how many were lost. Who is closed comes again."""
    client = Client(started.address, wire)
    lost = 0
    for number in range(count):
        reply = client.ask(b"%d" % number)
        if reply is None:
            lost += 1
            client.close()
            client = Client(started.address, wire)
    client.close()
    return lost


def test_after_two_requests_that_were_lost_a_silence_lets_the_close_be_seen_first(target, mux, wire):
    behaviour = Crossed()
    started = mux(target(wire, behaviour), "--check-gap", "0", expect=EXPECTED)
    assert ask_in_turn(started, wire, 12) == 2
    assert len(behaviour.silences) == 7 and min(behaviour.silences) >= QUIET, behaviour.silences
    started.wait_for_log(CLOSER)
    assert len(started.log.find(CLOSER)) == 1


def test_a_program_that_ends_with_each_answer_costs_few_requests(server, mux):
    """Without the silence it would be every other one. (Where the machine is slow, a close may come later.)"""
    device = server(
        Server(
            ["socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,fork", "EXEC:head -n1"],
            r"listening on AF=2 127\.0\.0\.1:(\d+)",
        )
    )
    started = mux(device.address, "--check-gap", "0", expect=EXPECTED)
    began = time.monotonic()
    lost = ask_in_turn(started, ECHO, 40)
    assert lost <= 8, "%d of 40 were lost in %.1f s" % (lost, time.monotonic() - began)
