# SPDX-License-Identifier: MIT
"""HTTP clients that nobody here wrote, and a target with one slot."""

import threading

import pytest
import urllib3

from lib import http
from lib.http import BYTES, connect, get, naming, page, request, seen
from lib.http_clients import ab, curl, head_of, node, run, url, wrk


# ---- curl ----


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_gets_a_page(web, mux, version):
    device = web()
    assert curl(version, url(mux(device), "/page")) == page("/page")
    assert seen(device) == [("GET", "/page")]


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_uploads_a_body_with_a_length(web, mux, version):
    device = web()
    sent = curl(version, "--data-binary", "@-", url(mux(device), "/up"), input=b"x" * 300000)
    assert sent == b"300000"
    assert seen(device) == [("POST", "/up")]


def test_curl_uploads_a_body_in_chunks(web, mux):
    coded = []

    def respond(one):
        coded.append(one.fields.get("transfer-encoding"))
        naming(one)

    started = mux(web(respond))
    assert curl("-T", "-", url(started, "/up"), input=b"x" * 300000) == b"300000"
    assert coded == ["chunked"]


def test_curl_waits_for_100_continue_of_the_target(web, mux):
    def respond(one):
        assert one.fields["expect"] == "100-continue"
        one.connection.send_raw(b"HTTP/1.1 100 Continue\r\n\r\n")
        naming(one)

    started = mux(web(respond))
    command = ["-i", "--expect100-timeout", "100", "-H", "Expect: 100-continue", "--data-binary", "@-"]
    answer = curl(*command, url(started), input=b"x" * 5000)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n5000")


@pytest.mark.parametrize("status", ["417 Expectation Failed", "200 OK"])
def test_curl_is_answered_before_its_body_is_asked_for(target, mux, status):
    """The target never reads the body, and what follows is not mistaken for it."""

    def early(connection):
        incoming = http.Incoming(connection)
        while True:
            one = incoming.head()
            seen(connection.target).append((one.method, one.path))
            one.answer(b"early", status)
            if one.method == "POST":
                return

    device = target(BYTES, early)
    started = mux(device, expect=["reason=early_response"])
    command = ["-i", "--expect100-timeout", "100", "-H", "Expect: 100-continue", "--data-binary", "@-"]
    answer = curl(*command, url(started, "/up"), input=b"x" * 5000)
    assert head_of(answer)[0] == int(status[:3])
    assert answer.endswith(b"\r\n\r\nearly")
    assert curl(url(started, "/next")) == b"early"
    assert seen(device) == [("POST", "/up"), ("GET", "/next")]


def test_curl_keeps_its_connection_for_two_pages(web, mux):
    device = web()
    started = mux(device)
    assert curl(url(started, "/one"), url(started, "/two"), "-w", "%{num_connects}") == (
        page("/one") + b"1" + page("/two") + b"0"
    )
    assert len(device.connections) == 1


# ---- clients ----


def test_a_pool_of_urllib3(web, mux):
    device = web()
    started = mux(device)
    wrong = []
    options = {"maxsize": 8, "block": True, "timeout": 10, "retries": False}
    with urllib3.HTTPConnectionPool("127.0.0.1", started.port, **options) as pool:

        def work(worker):
            for number in range(20):
                path = "/%d/%d" % (worker, number)
                answer = pool.request("GET", path)
                if (answer.status, answer.data) != (200, page(path)):
                    wrong.append((path, answer.status, answer.data))

        at_once(work, 8)
        assert pool.num_connections <= 8
    assert wrong == []
    assert len(seen(device)) == 160 and len(device.connections) == 1


def at_once(work, count):
    """`work(number)` in threads; what one of them raises is raised here."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


@pytest.mark.parametrize("kind, connections", [("agent", "4"), ("pool", "4"), ("fetch", "some")])
def test_node_keeps_its_connections(web, mux, kind, connections):
    """Its own agent, and undici: as a package, with four requests at a time on each connection, and as `fetch`."""
    device = web()
    said = node(mux(device), kind, sockets=4, count=100)
    assert said == "100 right over %s connections" % connections
    assert len(seen(device)) == 100 and len(device.connections) == 1


@pytest.mark.parametrize("flags", [[], ["-k"]], ids=["closing", "keeping"])
def test_ab(web, mux, flags):
    device = web()
    ab(mux(device), "/page", 400, 8, *flags)
    assert len(seen(device)) == 400 and len(device.connections) == 1


def test_wrk(web, mux):
    device = web()
    wrk(mux(device), "/page")
    assert len(device.connections) == 1


# ---- many requests ----


def test_fifty_requests_in_one_segment_from_nc_are_answered_in_order(web, mux):
    device = web()
    started = mux(device)
    paths = ["/%d" % number for number in range(50)]
    answers = run("nc", "-N", "127.0.0.1", str(started.port), input=b"".join(request(path) for path in paths))
    assert answers == b"".join(http.response(page(path)) for path in paths)
    assert seen(device) == [("GET", path) for path in paths]
    assert len(device.connections) == 1


def test_each_of_32_clients_at_once_gets_its_own_pages_through_one_connection(web, mux):
    device = web()
    started = mux(device)

    def work(worker):
        client = connect(started)
        for number in range(20):
            path = "/client-%d/%d" % (worker, number)
            assert get(client, path) == page(path)
        client.close()

    at_once(work, 32)
    assert len(seen(device)) == 640
    assert len(device.connections) == 1
