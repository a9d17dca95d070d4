# SPDX-License-Identifier: MIT
"""Clients and targets that keep the one connection: event streams nobody reads any more, uploads that do not come."""

import select
import subprocess
import time

import pytest

from lib.client import WITHIN
from lib.http import BYTES, connect, get, naming, page, request, site
from lib.http_clients import curl, url

QUICK = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")


def eventful(one):
    """/events goes on for as long as somebody takes it; what is to be uploaded is asked for."""
    if one.path == "/events":
        one.connection.send_raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            one.connection.send_raw(b"9\r\ndata: x\n\n\r\n")
            time.sleep(0.05)
    elif one.method == "POST":
        one.connection.send_raw(b"HTTP/1.1 100 Continue\r\n\r\n")
        one.answer(b"".join(one.body()))
    else:
        naming(one)


@pytest.fixture
def pair(target, mux):
    def start(*flags, expect=()):
        device = target(BYTES, site(eventful))
        return device, mux(device, *QUICK, *flags, wire=BYTES, expect=expect)

    return start


def watch(started, path="/events"):
    """A viewer, in front of its first event."""
    viewer = subprocess.Popen(["curl", "-sN", url(started, path)], stdout=subprocess.PIPE)
    assert viewer.stdout.read(6) == b"data: "
    return viewer


def end(viewer):
    viewer.kill()
    viewer.wait()
    viewer.stdout.close()


def test_a_viewer_of_an_event_stream_leaves_and_the_others_are_served(pair):
    _, started = pair()  # whose --timeout is a minute
    end(watch(started))
    assert curl(url(started, "/page")) == page("/page")


def test_max_hold_ends_an_event_stream_when_others_wait(pair):
    _, started = pair("--max-hold", "300ms", expect=["reason=max_hold"])
    viewer = watch(started)
    assert curl(url(started, "/page")) == page("/page")
    viewer.stdout.read()
    assert viewer.wait() != 0  # it sees that something is missing
    viewer.stdout.close()


def test_clients_that_ask_to_be_told_to_continue_and_do_not_have_less_and_less_time(pair, client):
    device, started = pair("--write-timeout", "2s", "--wait-timeout", "8s", expect=["reason=client_timeout"])
    head = request("/slow", "POST", b"x" * 10, fields=["Expect: 100-continue"])[:-10]
    holders = [client(started, BYTES) for _ in range(8)]
    for holder in holders:  # one after the other they would take 16 seconds
        holder.send_raw(head)
    device.wait_for_requests(1)
    other = connect(started)
    assert get(other, "/page") == page("/page")
    other.close()


def test_uploaders_that_vanish_one_after_the_other_fail_nobody_else(pair, client):
    _, started = pair("--queue-timeout", "1s")
    head = request("/slow", "POST", b"x" * 10, fields=["Expect: 100-continue"])[:-10]
    honest = connect(started)
    assert get(honest, "/page") == page("/page")
    uploaders = [client(started, BYTES) for _ in range(12)]
    for uploader in uploaders:
        uploader.send_raw(head)
    honest.request("GET", "/other")
    while uploaders:  # after each the target is connected again, 250 ms after the last time
        ready = select.select([one.sock for one in uploaders], [], [], WITHIN)[0]
        told = next(one for one in uploaders if one.sock is ready[0])
        assert b"100 Continue" in told.sock.recv(1000)
        told.reset()
        uploaders.remove(told)
    answer = honest.getresponse()
    assert (answer.status, answer.read()) == (200, page("/other"))
    assert get(honest, "/page") == page("/page")
    honest.close()
