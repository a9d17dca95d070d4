# SPDX-License-Identifier: MIT
"""Requests whose end servers read differently: whatever a client puts into a body where the target expects none,
nobody else's request becomes part of it, and nobody gets the answer to it (--http-body-guard)."""

import contextlib
import http.server
import re
import socketserver
import threading

import pytest

from lib.http import BYTES, connect, everything, get, naming, page, request, seen, site
from lib.http_clients import curl, url
from lib.http_servers import Apache, Busybox, Nginx, node_server, python_module, python_server
from lib.multiplexer import run

SERVERS = {
    "nginx": lambda path: Nginx(path / "nginx"),
    "apache": lambda path: Apache(),
    "node": node_server,
    "python": python_server,
    "python 1.0": python_module,
    "busybox": lambda path: Busybox(path / "busybox"),
}
BEGINNING = b"GET /evil HTTP/1.1\r\nHost: test\r\nX-Hidden: "
WHOLE = b"GET /evil HTTP/1.1\r\nHost: test\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
EVIL = b"what the attacker asked for"


def with_length(method, body, path="/7", *fields):
    return request(path, method, body, fields)


def with_chunks(method, body, path="/7", *fields):
    return request(path, method, fields=[*fields, CHUNKED]) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


ATTACKS = [
    *(with_length(method, body) for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "FROB", "PROPFIND")
      for body in (BEGINNING, WHOLE)),
    *(with_chunks(method, body) for method in ("GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT")
      for body in (BEGINNING, WHOLE)),
    request("/7", "GET", fields=[CHUNKED]) + b"0\r\n\r\n",
    request("/7", "POST", fields=[CHUNKED]) + b"0;a=b\r\n\r\n",
    with_length("POST", WHOLE, "/7", "Expect: nothing"),
    with_length("POST", WHOLE, "/7", "Expect: 100-continue"),
    with_length("GET", WHOLE, "/7", "Expect: 100-continue"),
    with_length("GET", WHOLE, "/none"),
    with_length("GET", WHOLE, "/unchanged"),
    with_length("GET", WHOLE, "/missing"),
    with_length("GET", b"x" * 100000),
]  # fmt: skip


@pytest.fixture
def device(request, server, tmp_path):
    one = server(SERVERS[request.param](tmp_path))
    (one.site / "7").write_bytes(page("/7"))
    (one.site / "evil").write_bytes(EVIL)
    return one


def last_of_answer(asker):
    """What is still to come of an answer, and of one to another request, unless the connection has been closed."""
    data = b""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        asker.send_raw(request("/7", fields=["Connection: close"]))
        while piece := asker.sock.recv(1 << 16):
            data += piece
    return data


def begin_of_answer(asker):
    """Its first bytes; the rest may still be on its way."""
    return asker.sock.recv(1 << 16)


@pytest.mark.parametrize("device", SERVERS, ids=SERVERS, indirect=True)
@pytest.mark.parametrize("guard", ["get", "all", "refuse"])
def test_nobody_gets_the_answer_to_what_another_has_hidden(device, mux, client, guard):
    """A victim asks as soon as there is something of the attacker's response, another waits behind the attacker from the
    beginning, and the attacker's own connection is good for another request if it is left open."""
    # The handler in Python fails when there is no length, and its connection ends.
    expect = ["reason=client_malformed" if guard == "refuse" else "^$", "reason=link_broken", "reason=early_response",
              "the target closes the connection after an answer"]
    started = mux(device.address, "--http-body-guard", guard, wire=BYTES, expect=expect)
    victim = connect(started)
    assert get(victim, "/7") == page("/7")
    for attack in ATTACKS:
        attacker = client(started, BYTES)
        attacker.send_raw(attack)
        waiting = connect(started)
        waiting.request("GET", "/7")
        answer = begin_of_answer(attacker)
        assert answer.startswith(b"HTTP/1.1 "), attack
        assert get(victim, "/7") == page("/7"), attack
        assert waiting.getresponse().read() == page("/7"), attack
        waiting.close()
        assert EVIL not in answer + last_of_answer(attacker), attack
        attacker.close()
    victim.close()


@pytest.mark.parametrize("device", ["python"], indirect=True)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_all_covers_a_handler_that_leaves_the_body_of_a_post(device, mux, client, method):
    started = mux(device.address, "--http-body-guard", "all", wire=BYTES)
    for body in (BEGINNING, WHOLE):
        attacker = client(started, BYTES)
        attacker.send_raw(with_length(method, body, "/ignores"))
        assert b"its body is not read" in begin_of_answer(attacker)
        victim = connect(started)
        assert get(victim, "/7") == page("/7")
        victim.close()
        attacker.close()


class AnswersHeadWithABody(http.server.BaseHTTPRequestHandler):
    """As handlers do that have `do_HEAD = do_GET`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" if self.path == "/upload" else page(self.path)
        self.send_response(304 if self.path == "/unchanged" else 204 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def answers_head():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), AnswersHeadWithABody) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield "127.0.0.1:%d" % one.server_address[1]
        one.shutdown()
        thread.join()


@pytest.mark.parametrize("flags, ways", [((), ["GET /none"]), (("--http-body-guard", "all"), [
    "HEAD /upload", "HEAD /7", "GET /unchanged", "GET /none"])], ids=["get", "all"])  # fmt: skip
def test_a_body_where_none_may_be_is_nobodys(answers_head, mux, client, flags, ways):
    """The server writes head and body apart, so that the body comes when the next request may have gone."""
    started = mux(answers_head, *flags, wire=BYTES, expect=["reason=stray", "stray"])
    victim = connect(started)
    for way in ways * 20:
        asker = client(started, BYTES)
        method, path = way.split(" ")
        asker.send_raw(request(path, method))
        assert begin_of_answer(asker).startswith(b"HTTP/1.1 ")
        assert get(victim, "/7") == page("/7")
        asker.close()
    victim.close()


def ask(started, data):
    """What is answered to one request, whose client closes behind it."""
    one = connect(started)
    one.connect()
    one.sock.sendall(data)
    answer = everything(one.sock)
    one.close()
    return answer


CLOSING = "Connection: close"
HARMLESS = [request("/7", fields=[CLOSING]), with_length("POST", b"one", "/7", CLOSING)]
GUARDED = [
    with_length("GET", b"one", "/7", CLOSING),
    with_length("DELETE", b"one", "/missing", CLOSING),
    with_chunks("POST", b"one", "/7", CLOSING),
]


@pytest.mark.parametrize(
    "guard, sent, connections",
    [("get", HARMLESS, 1), ("get", GUARDED, 4), ("all", HARMLESS, 2), ("all", GUARDED, 4), ("off", GUARDED, 1)],
)
def test_how_many_connections_nginx_gets(server, mux, tmp_path, guard, sent, connections):
    """Each guarded request ends one; the request behind it is on the next."""
    nginx = server(Nginx(tmp_path / "nginx"))
    (nginx.site / "7").write_bytes(page("/7"))
    started = mux(nginx.address, "--http-body-guard", guard, wire=BYTES)
    for data in sent:
        assert ask(started, data).startswith(b"HTTP/1.1 ")
    assert curl(url(started, "/7")) == page("/7")
    started.stop()
    asked = nginx.requests()
    assert len(asked) == len(sent) + 1 and len({number for number, _, _ in asked}) == connections


def test_what_is_refused_does_not_reach_the_target(target, mux):
    device = target(BYTES, site(naming))
    started = mux(device, "--http-body-guard", "refuse", wire=BYTES, expect=["reason=client_malformed"])
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "FROB"):
        answer = ask(started, with_length(method, WHOLE))
        assert re.match(rb"HTTP/1\.1 400 ", answer) and answer.count(b"HTTP/1.1") == 1
    assert ask(started, with_length("POST", WHOLE, "/7", CLOSING)).endswith(b"%d" % len(WHOLE))
    assert seen(device) == [("POST", "/7")]


def test_a_word_that_is_no_guard(tmp_path):
    ended = run("server", "-p", "http", "--http-body-guard", "gets")
    assert ended.returncode == 2 and "did you mean 'get'?" in ended.stderr


def test_a_unix_target_is_called_localhost(target, mux, tmp_path):
    def respond(one):
        one.answer(one.fields["host"].encode())

    device = target(BYTES, site(respond), address=str(tmp_path / "target"))
    started = mux(device, wire=BYTES)
    assert ask(started, b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nlocalhost")
