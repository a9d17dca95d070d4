# SPDX-License-Identifier: MIT
"""HTTP between programs that nobody here wrote: clients of all kinds, web servers of all kinds."""

import re
import subprocess
import threading
from pathlib import Path

import pytest
import urllib3

from lib import http
from lib.http import BYTES, connect, get, naming, page, request, seen, site
from lib.http_servers import Nginx, node_server, python_server

SCRIPTS = Path(__file__).parent / "lib"
LONG = 20  # seconds for a program that works for a while


@pytest.fixture
def web(target):
    """Starts a target with one slot, in Python: `web(respond)`."""
    return lambda respond=naming, **options: target(BYTES, site(respond), **options)


@pytest.fixture
def server():
    """Keeps targets that are processes, and ends them: `server(Nginx(tmp_path))`."""
    kept = []

    def keep(one):
        kept.append(one)
        return one

    yield keep
    for one in kept:
        one.stop()


@pytest.fixture
def nginx(server, tmp_path):
    return server(Nginx(tmp_path / "nginx"))


def run(*command, **options):
    """What a program wrote; it must succeed."""
    done = subprocess.run(command, capture_output=True, timeout=LONG, **options)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def curl(*arguments, **options):
    return run("curl", "-q", "--noproxy", "*", "-sS", "--max-time", "10", *arguments, **options)


def url(mux, path="/"):
    return "http://127.0.0.1:%d%s" % (mux.port, path)


def head_of(answer):
    """The status and the fields of an answer that was written with its head."""
    head = answer.split(b"\r\n\r\n")[0].decode()
    return int(head.split(" ")[1]), head.lower()


# ---- curl ----


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_gets_a_page(web, mux, version):
    device = web()
    assert curl(version, url(mux(device, wire=BYTES), "/page")) == page("/page")
    assert seen(device) == [("GET", "/page")]


def test_curl_asks_for_a_head(nginx, mux):
    (nginx.site / "page.txt").write_bytes(b"x" * 1000)
    status, fields = head_of(curl("-I", url(mux(nginx.address, wire=BYTES), "/page.txt")))
    assert status == 200 and "content-length: 1000" in fields


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_uploads_a_body_with_a_length(web, mux, version):
    device = web()
    sent = curl(version, "--data-binary", "@-", url(mux(device, wire=BYTES), "/up"), input=b"x" * 300000)
    assert sent == b"300000"
    assert seen(device) == [("POST", "/up")]


def test_curl_uploads_a_body_in_chunks(web, mux):
    coded = []

    def respond(one):
        coded.append(one.fields.get("transfer-encoding"))
        naming(one)

    started = mux(web(respond), wire=BYTES)
    assert curl("-T", "-", url(started, "/up"), input=b"x" * 300000) == b"300000"
    assert coded == ["chunked"]


def test_curl_gets_a_range(nginx, mux):
    (nginx.site / "page.txt").write_bytes(b"0123456789")
    answer = curl("-i", "-r", "2-5", url(mux(nginx.address, wire=BYTES), "/page.txt"))
    assert head_of(answer)[0] == 206
    assert answer.endswith(b"\r\n\r\n2345")


def test_curl_waits_for_100_continue_of_the_target(web, mux):
    def respond(one):
        assert one.fields["expect"] == "100-continue"
        one.connection.send_raw(b"HTTP/1.1 100 Continue\r\n\r\n")
        naming(one)

    started = mux(web(respond), wire=BYTES)
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
    started = mux(device, wire=BYTES, expect=["reason=early_response"])
    command = ["-i", "--expect100-timeout", "100", "-H", "Expect: 100-continue", "--data-binary", "@-"]
    answer = curl(*command, url(started, "/up"), input=b"x" * 5000)
    assert head_of(answer)[0] == int(status[:3])
    assert answer.endswith(b"\r\n\r\nearly")
    assert curl(url(started, "/next")) == b"early"
    assert seen(device) == [("POST", "/up"), ("GET", "/next")]


def test_curl_keeps_its_connection_for_two_pages(web, mux):
    device = web()
    started = mux(device, wire=BYTES)
    assert curl(url(started, "/one"), url(started, "/two"), "-w", "%{num_connects}") == (
        page("/one") + b"1" + page("/two") + b"0"
    )
    assert len(device.connections) == 1


# ---- targets ----


def test_nginx_serves_files_over_one_connection(nginx, mux):
    for number in range(20):
        (nginx.site / ("%d.txt" % number)).write_bytes(page("/%d" % number) * 1000)
    started = mux(nginx.address, wire=BYTES)
    clients = [connect(started) for _ in range(3)]
    for number in range(20):
        assert get(clients[number % 3], "/%d.txt" % number) == page("/%d" % number) * 1000
    clients[0].request("GET", "/missing.txt")
    missing = clients[0].getresponse()
    assert missing.status == 404
    assert b"404 Not Found" in missing.read()
    for one in clients:
        one.close()
    started.stop()
    log = nginx.requests()
    assert len(log) == 21 and len({connection for connection, _, _ in log}) == 1


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_the_server_of_python_serves_files(server, mux, tmp_path, version):
    (tmp_path / "page.txt").write_bytes(page("/page.txt") * 5000)
    started = mux(server(python_server(tmp_path, version)).address, wire=BYTES)
    client = connect(started)
    for _ in range(5):
        assert get(client, "/page.txt") == page("/page.txt") * 5000
    client.close()


@pytest.fixture
def node(server, mux):
    """Node as the target, and a multiplexer in front of it; the target must see one connection at a time."""
    device = server(node_server())
    started = mux(device.address, wire=BYTES)
    yield started
    started.stop()
    device.stop()
    assert not device.log.find("TOO MANY")
    assert device.log.find("^connected")


def test_node_answers_in_chunks(node):
    client = connect(node)
    assert get(client, "/chunked") == b"first,second,third"
    assert get(client, "/") == b"hello"
    client.close()


def test_node_answers_in_chunks_and_a_client_of_http_1_0_gets_them_without(node):
    answer = curl("-i", "--http1.0", url(node, "/chunked"))
    assert "transfer-encoding" not in head_of(answer)[1]
    assert answer.endswith(b"\r\n\r\nfirst,second,third")


@pytest.mark.parametrize("path, status", [("/none", 204), ("/unchanged", 304)])
def test_node_answers_without_a_body(node, path, status):
    client = connect(node)
    client.request("GET", path)
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (status, b"")
    assert get(client, "/") == b"hello"
    client.close()


def test_node_sends_early_hints(node):
    answer = curl("-i", url(node, "/hints"))
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"rel=preload" in answer
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in answer and answer.endswith(b"\r\n\r\nafter hints")


def test_node_sends_early_hints_and_a_client_of_http_1_0_gets_none(node):
    answer = curl("-i", "--http1.0", url(node, "/hints"))
    assert head_of(answer)[0] == 200
    assert b"103" not in answer and answer.endswith(b"\r\n\r\nafter hints")


def test_node_closes_and_the_client_stays(node):
    client = connect(node)
    for _ in range(5):
        assert get(client, "/close") == b"closing"
        kept = client.sock
        assert kept is not None
    assert get(client, "/") == b"hello"
    assert client.sock is kept
    client.close()


def test_node_takes_an_upload_in_chunks(node):
    assert curl("-T", "-", url(node, "/upload"), input=b"x" * 300000) == b"300000"


# ---- clients ----


def test_a_pool_of_urllib3(web, mux):
    device = web()
    started = mux(device, wire=BYTES)
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


def test_the_agent_of_node_keeps_its_connections(web, mux):
    device = web()
    started = mux(device, wire=BYTES)
    said = run("node", str(SCRIPTS / "http_client.js"), str(started.port), "4", "100", text=True)
    assert said == "100 right over 4 connections\n"
    assert len(seen(device)) == 100 and len(device.connections) == 1


@pytest.mark.parametrize("flags", [[], ["-k"]], ids=["closing", "keeping"])
def test_ab(web, mux, flags):
    device = web()
    started = mux(device, wire=BYTES)
    said = run("ab", "-q", *flags, "-n", "400", "-c", "8", url(started, "/page"), text=True)
    assert re.search(r"Complete requests: +400\n", said), said
    assert re.search(r"Failed requests: +0\n", said), said
    assert "Non-2xx" not in said, said
    assert len(seen(device)) == 400 and len(device.connections) == 1


def wrk(started, path):
    """Runs wrk with 32 clients: its report, without an error in it."""
    said = run("wrk", "-t", "1", "-c", "32", "-d", "1s", url(started, path), text=True)
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    assert int(re.search(r"(\d+) requests in", said)[1]) > 0, said
    return said


def test_wrk_with_a_target_that_has_one_slot(web, mux):
    device = web()
    wrk(mux(device, wire=BYTES), "/page")
    assert len(device.connections) == 1


def test_wrk_with_nginx_which_ends_a_connection_now_and_then(nginx, mux):
    """After 1000 requests nginx closes a connection; the next one begins when that one has ended."""
    (nginx.site / "page.txt").write_bytes(b"x" * 1000)
    started = mux(nginx.address, wire=BYTES)
    wrk(started, "/page.txt")
    started.stop()
    log = nginx.requests()
    assert {status for _, status, _ in log} == {200}
    order = [connection for connection, _, _ in log]
    changes = sum(one != other for one, other in zip(order, order[1:]))
    assert changes == len(set(order)) - 1, "requests of two connections were mixed"


# ---- many requests ----


def test_fifty_requests_in_one_segment_from_nc_are_answered_in_order(web, mux):
    device = web()
    started = mux(device, wire=BYTES)
    paths = ["/%d" % number for number in range(50)]
    answers = run("nc", "-N", "127.0.0.1", str(started.port), input=b"".join(request(path) for path in paths))
    assert answers == b"".join(http.response(page(path)) for path in paths)
    assert seen(device) == [("GET", path) for path in paths]
    assert len(device.connections) == 1


def test_each_of_32_clients_at_once_gets_its_own_pages_through_one_connection(web, mux):
    device = web()
    started = mux(device, wire=BYTES)

    def work(worker):
        client = connect(started)
        for number in range(20):
            path = "/client-%d/%d" % (worker, number)
            assert get(client, path) == page(path)
        client.close()

    at_once(work, 32)
    assert len(seen(device)) == 640
    assert len(device.connections) == 1
