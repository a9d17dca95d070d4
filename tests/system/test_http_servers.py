# SPDX-License-Identifier: MIT
"""HTTP servers that nobody here wrote as targets, with the clients that nobody here wrote."""

import pytest
import urllib3

from lib.http import BYTES, connect, get, page
from lib.http_clients import ab, curl, head_of, node, url, wrk
from lib.http_servers import PARTS, Apache, Busybox, Nginx, node_server, python_module, python_server

FILES = 30
SERVERS = {
    "nginx": lambda path: Nginx(path / "nginx"),
    "apache": lambda path: Apache(),
    "node": node_server,
    "python": python_server,
    "python 1.0": python_module,
    "busybox": lambda path: Busybox(path / "busybox"),
}


@pytest.fixture
def device(request, server, tmp_path):
    """A server by its name, with the files /0, /1, ... When it has ended: nothing was wrong with connections."""
    name = request.param
    one = server(SERVERS[name](tmp_path))
    for number in range(FILES):
        (one.site / str(number)).write_bytes(page("/%d" % number))
    yield one
    if not getattr(request.node, "has_failed", False):
        check_connections(name, one)


def check_connections(name, one):
    """One after the other. For Apache, which has one worker, and the servers in Python a second one would wait."""
    if name == "nginx":
        order = [connection for connection, _, _ in one.requests()]
        changes = sum(this != that for this, that in zip(order, order[1:]))
        assert order and changes == len(set(order)) - 1, "requests of two connections were mixed"
    if name == "node":
        one.stop()
        assert one.log.find("^connected") and not one.log.find("TOO MANY")


@pytest.fixture
def started(device, mux):
    one = mux(device.address, wire=BYTES)
    yield one
    one.stop()


def servers(*names):
    return pytest.mark.parametrize("device", names, ids=names, indirect=True)


EVERY_SERVER = servers(*SERVERS)
EVERY_PAGE = servers("nginx", "apache", "node", "python")


# ---- every client with every server ----


def by_curl(version):
    def fetch(started):
        paths = ["/%d" % number for number in range(FILES)]
        assert curl(version, *(url(started, path) for path in paths)) == b"".join(page(path) for path in paths)

    return fetch


def by_urllib3(started):
    with urllib3.PoolManager(timeout=10, retries=False) as pool:
        for number in range(FILES):
            path = "/%d" % number
            answer = pool.request("GET", url(started, path))
            assert (answer.status, answer.data) == (200, page(path))


def by_node(kind):
    def fetch(started):
        assert node(started, kind, sockets=4, count=FILES).startswith("%d right over" % FILES)

    return fetch


CLIENTS = {
    "curl 1.0": by_curl("--http1.0"),
    "curl 1.1": by_curl("--http1.1"),
    "urllib3": by_urllib3,
    "agent": by_node("agent"),
    "undici": by_node("pool"),
    "fetch": by_node("fetch"),
    "ab": lambda started: ab(started, "/7", 100, 8),
    "ab -k": lambda started: ab(started, "/7", 100, 8, "-k"),
}


@EVERY_SERVER
@pytest.mark.parametrize("fetch", CLIENTS.values(), ids=CLIENTS.keys())
def test_files(fetch, started):
    fetch(started)


@servers("nginx", "apache", "node")
def test_wrk_for_a_while(started):
    """nginx closes a connection after 1000 requests, Apache after 100."""
    wrk(started, "/7")


# ---- every kind of response ----


@EVERY_PAGE
def test_a_response_in_chunks(started):
    client = connect(started)
    client.request("GET", "/chunked")
    answer = client.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked" and answer.read() == PARTS
    assert get(client, "/7") == page("/7")
    client.close()


@EVERY_PAGE
def test_a_response_in_chunks_for_a_client_of_http_1_0(started):
    answer = curl("-i", "--http1.0", url(started, "/chunked"))
    assert "transfer-encoding" not in head_of(answer)[1]
    assert answer.endswith(b"\r\n\r\n" + PARTS)


@EVERY_PAGE
@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_a_response_that_the_end_of_the_connection_ends(started, version):
    answer = curl("-i", version, url(started, "/until-close"))
    fields = head_of(answer)[1]
    assert ("transfer-encoding: chunked" in fields) == (version == "--http1.1") and "content-length" not in fields
    assert ("connection: close" in fields) == (version == "--http1.0")
    assert answer.endswith(b"\r\n\r\n" + PARTS)
    assert curl(url(started, "/7")) == page("/7")


@EVERY_PAGE
def test_a_client_stays_behind_a_response_that_the_end_of_the_connection_ends(started):
    client = connect(started)
    for _ in range(3):
        assert get(client, "/until-close") == PARTS
        kept = client.sock
        assert kept is not None and get(client, "/7") == page("/7")
        assert client.sock is kept
    client.close()


@EVERY_PAGE
@pytest.mark.parametrize("path, status", [("/none", 204), ("/unchanged", 304)])
def test_a_response_without_a_body(started, path, status):
    client = connect(started)
    for _ in range(3):
        client.request("GET", path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (status, b"")
        assert get(client, "/7") == page("/7")
    client.close()


@EVERY_PAGE
@pytest.mark.parametrize("path", ["/7", "/chunked", "/until-close"])
def test_a_head(started, path):
    client = connect(started)
    for _ in range(3):
        client.request("HEAD", path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    assert get(client, "/7") == page("/7")
    client.close()


@EVERY_PAGE
def test_a_server_that_closes_and_the_client_stays(started):
    client = connect(started)
    for _ in range(5):
        assert get(client, "/close") == b"closing"
        kept = client.sock
        assert kept is not None
    assert get(client, "/7") == page("/7")
    assert client.sock is kept
    client.close()


@EVERY_SERVER
def test_a_file_that_is_not_there(started):
    client = connect(started)
    client.request("GET", "/missing")
    answer = client.getresponse()
    answer.read()
    assert answer.status == 404
    assert get(client, "/7") == page("/7")
    client.close()


@servers("nginx", "apache")
def test_a_range(started):
    answer = curl("-i", "-r", "2-5", url(started, "/7"))
    assert head_of(answer)[0] == 206
    assert answer.endswith(b"\r\n\r\n" + page("/7")[2:6])


@servers("nginx", "apache")
def test_a_file_that_has_not_changed(started):
    """By its tag, as a browser asks that has it in its cache."""
    client = connect(started)
    client.request("GET", "/7")
    answer = client.getresponse()
    answer.read()
    client.request("GET", "/7", headers={"If-None-Match": answer.headers["ETag"]})
    again = client.getresponse()
    assert (again.status, again.read()) == (304, b"")
    client.close()


@servers("node", "python")
def test_early_hints(started):
    answer = curl("-i", url(started, "/hints"))
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"rel=preload" in answer
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in answer and answer.endswith(b"\r\n\r\nafter hints")


@servers("node", "python")
def test_early_hints_are_not_for_a_client_of_http_1_0(started):
    answer = curl("-i", "--http1.0", url(started, "/hints"))
    assert head_of(answer)[0] == 200
    assert b"103" not in answer and answer.endswith(b"\r\n\r\nafter hints")


# ---- uploads ----

BODY = bytes(range(256)) * 1200


@servers("nginx", "apache")
@pytest.mark.parametrize("chunked", [True, False], ids=["chunks", "length"])
@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"], ids=["at once", "expect"])
def test_an_upload_that_is_there_afterwards(started, tmp_path, chunked, expect):
    source = tmp_path / "source"
    source.write_bytes(BODY)
    body = ["-T", "-" if chunked else str(source)]
    sent = curl("-i", "--expect100-timeout", "20", "-H", expect, *body, url(started, "/up/file"), input=BODY)
    assert b" 201 Created\r\n" in sent
    assert sent.startswith(b"HTTP/1.1 100 Continue\r\n") == (expect != "Expect:")
    assert curl(url(started, "/up/file")) == BODY
    assert b" 204 No Content\r\n" in curl("-i", "-X", "DELETE", url(started, "/up/file"))


@servers("node")
def test_an_upload_in_chunks(started):
    assert curl("-T", "-", url(started, "/upload"), input=BODY) == b"%d" % len(BODY)


@servers("node", "python")
@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_an_upload_with_a_length(started, version):
    sent = curl(version, "--data-binary", "@-", url(started, "/upload"), input=BODY)
    assert sent == b"%d" % len(BODY)


# ---- what the target is shown ----


@servers("apache")
def test_what_apache_says_it_was_asked(started):
    """TRACE sends the request back."""
    fields = ["-H", "TE: trailers", "-H", "Connection: TE, X-Mine", "-H", "X-Mine: 1", "-H", "X-other:  two "]
    told = curl("-X", "TRACE", "--http1.0", "-A", "test", *fields, url(started, "/trace"))
    assert told.startswith(b"TRACE /trace HTTP/1.1\r\n")
    assert b"X-other: two\r\n" in told
    assert b"TE" not in told.replace(b"TRACE", b"") and b"X-Mine" not in told


@servers("apache")
def test_a_request_about_the_whole_server(started):
    answer = curl("-i", "-X", "OPTIONS", "--request-target", "*", url(started))
    status, fields = head_of(answer)
    assert status == 200 and "content-length: 0" in fields


@servers("nginx", "apache", "node")
def test_a_request_with_a_whole_uri(started):
    """As a client asks that takes the multiplexer for its proxy."""
    told = curl("--proxy", "http://127.0.0.1:%d" % started.port, "--noproxy", "", "http://test/7")
    assert told == page("/7")
