# SPDX-License-Identifier: MIT
"""With --forwarded the target is told where each client comes from."""

import re
import subprocess

import pytest


def answering_with_its_head(connection):
    """A web server of one line of thought: the answer is the head of the request."""
    while True:
        head = []
        while (line := connection.receive()) != b"\r":
            head.append(line + b"\n")
        body = b"".join(head)
        connection.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize(
    "listen, host, told",
    [
        ("127.0.0.1:0", "127.0.0.1", "for=127.0.0.1;"),
        ("[::1]:0", "[::1]", 'for="[::1]";'),
    ],
    ids=["v4", "v6"],
)
def test_forwarded_names_the_client(target, mux, echo_wire, listen, host, told):
    device = target(echo_wire, answering_with_its_head)
    started = mux(device.address, "--forwarded", listen=(listen,), wire=HTTP)
    url = "http://%s:%d/" % (host, started.port)
    command = ["curl", "-q", "-sS", "-g", "--noproxy", "*", "--max-time", "10", "-H", "Forwarded: for=192.0.2.1", url]
    head = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    assert re.findall(r"(?mi)^forwarded: *(.*)$", head) == ["for=192.0.2.1", told + "proto=http"]


class HTTP:
    name = "http"
