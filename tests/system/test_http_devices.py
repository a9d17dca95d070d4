# SPDX-License-Identifier: MIT
"""Devices whose HTTP is wrong but can mean one thing only (docs/http.md, "What is repaired"), and curl.

The rows are what web servers of microcontrollers write. curl has to get the page, and what leaves the
multiplexer has to be in the strict form, so that nobody behind it can read it in another way.
"""

import pytest

from lib.http import BYTES, everything, site
from lib.http_clients import curl, url

PAGE = b"<h1>pump</h1>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\n<h1>p\r\n8\r\nump</h1>\r\n0\r\n\r\n"

# What the device writes, what a client gets, and whether the connection to the device ends behind it.
DEVICES = {
    "padded chunk sizes, of an ESP32": (
        CHUNKED + b"Accept-Ranges: none\r\n\r\n5   \r\n<h1>p\r\n8   \r\nump</h1>\r\n0\r\n\r\n",
        CHUNKED + b"Accept-Ranges: none\r\n\r\n" + CHUNKS,
        False,
    ),
    "lines that end in LF alone": (
        b"HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 13\n\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n" + PAGE,
        False,
    ),
    "chunked twice": (
        CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        CHUNKED + b"\r\n" + CHUNKS,
        True,
    ),
    "a length beside chunked": (
        CHUNKED + b"Content-Length: 99\r\n\r\n" + CHUNKS,
        CHUNKED + b"\r\n" + CHUNKS,
        True,
    ),
    "the same length twice": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Length: 13\r\n\r\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + PAGE,
        False,
    ),
    "white space in front of a colon": (
        b"HTTP/1.1 200 OK\r\nContent-Length : 13\r\nServer : pump\r\n\r\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nServer: pump\r\n\r\n" + PAGE,
        False,
    ),
    "a folded line": (
        b"HTTP/1.1 200 OK\r\nX-Note: one\r\n two\r\nContent-Length: 13\r\n\r\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nX-Note: one two\r\nContent-Length: 13\r\n\r\n" + PAGE,
        False,
    ),
    "chunked in HTTP/1.0": (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        CHUNKED + b"\r\n" + CHUNKS,
        True,
    ),
    "Keep Alive with a space": (
        b"HTTP/1.1 200 OK\r\nConnection: Keep Alive\r\nContent-Length: 13\r\n\r\n" + PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + PAGE,
        False,
    ),
}


@pytest.fixture(params=DEVICES.values(), ids=DEVICES.keys())
def device(request, target):
    """The target, what a client is to get of it, and whether each answer ends its connection."""
    written, clean, ends = request.param
    return target(BYTES, site(lambda one: one.connection.send_raw(written))), clean, ends


def fields_of(message):
    head, _, body = message.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return first, sorted(fields), body


def test_curl_gets_the_page_of_a_device_whose_http_is_wrong(device, mux):
    wrong, _, ends = device
    started = mux(wrong)
    for _ in range(2):
        assert curl(url(started, "/")) == PAGE
    assert len(wrong.connections) == (2 if ends else 1)


def test_what_leaves_the_multiplexer_is_in_the_strict_form(device, mux, client):
    wrong, clean, _ = device
    asker = client(mux(wrong), BYTES)
    asker.send_raw(b"GET / HTTP/1.1\r\nHost: device\r\n\r\n")
    asker.finish()
    got = everything(asker.sock)
    assert b"\n" not in got.replace(b"\r\n", b"")
    assert fields_of(got) == fields_of(clean)
