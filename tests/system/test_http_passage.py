# SPDX-License-Identifier: MIT
"""What passes byte for byte, what does not, and HTTP/1.0 in all mixes: seen from both sides of the program."""

import pytest

from lib.http import BYTES, everything, naming, page, response, seen, site

CHUNKED = "Transfer-Encoding: chunked"
UNGUARDED = ("--http-body-guard", "off")


def lines(*texts):
    return "\r\n".join([*texts, "", ""]).encode("latin-1")


@pytest.fixture
def passed(target, mux, client):
    """`passed(request, response, *flags)`: what the target got, and what the client got until its end."""

    def exchange(sent, answer, *flags):
        def respond(one):
            one.body = lambda body=b"".join(one.body()): iter([body])
            one.connection.send_raw(answer)

        device = target(BYTES, site(respond))
        asker = client(mux(device, *flags), BYTES)
        asker.send_raw(sent)
        asker.finish()
        got = everything(asker.sock)
        return b"".join(device.requests), got

    return exchange


ANSWER = response(b"hello")


# ---- heads ----


def test_a_request_passes_byte_for_byte(passed):
    sent = lines(
        "PROPFIND /a%20b;c=1?d=e&f HTTP/1.1",
        "x-lower: 1",
        "HOST: Test:80",
        "X-Twice: one",
        "X-Spaces:   two   words\t ",
        "X-Twice: two",
        "Cookie: a=b; c=d",
        "X-Empty:",
        "X-Latin: \xe9\xff",
        "Content-Length: 5",
        "Authorization: Basic eDp5",
    )
    got, answer = passed(sent + b"ab\0\r\n", ANSWER, *UNGUARDED)
    assert got == sent + b"ab\0\r\n"
    assert answer == ANSWER


def test_a_response_passes_byte_for_byte(passed):
    answer = lines(
        "HTTP/1.1 299 What a\tstrange reason",
        "set-cookie: a=b",
        "Date: never",
        "SET-COOKIE:  c=d ",
        "X-Latin: \xe9\xff",
        "Content-LENGTH: 3",
    )
    _, got = passed(lines("GET / HTTP/1.1", "Host: test"), answer + b"\0\r\n")
    assert got == answer + b"\0\r\n"


def test_what_is_about_one_connection_does_not_pass(passed):
    sent = lines(
        "GET / HTTP/1.1",
        "Connection: keep-alive, X-Mine",
        "Host: test",
        "Keep-Alive: timeout=5",
        "x-mine: 1",
        "Proxy-Connection: keep-alive",
        "X-Yours: 1",
        "TE: trailers",
        "Upgrade: websocket",
        "connection: Upgrade, Host",
    )
    answer = lines(
        "HTTP/1.1 200 OK",
        "Keep-Alive: timeout=5",
        "X-Its: 1",
        "Connection: X-Its, Content-Length",
        "Content-Length: 0",
        "X-Yours: 1",
    )
    got, told = passed(sent, answer)
    assert got == lines("GET / HTTP/1.1", "Host: test", "X-Yours: 1")
    assert told == lines("HTTP/1.1 200 OK", "Content-Length: 0", "X-Yours: 1")


def test_connection_close_of_a_client_is_not_for_the_target(web, mux, client):
    device = web()
    started = mux(device)
    for _ in range(3):
        asker = client(started, BYTES)
        asker.send_raw(lines("GET /page HTTP/1.1", "Host: test", "Connection: close"))
        head, _, body = everything(asker.sock).partition(b"\r\n\r\n")
        assert head.endswith(b"\r\nConnection: close") and body == page("/page")
    assert b"".join(device.requests) == lines("GET /page HTTP/1.1", "Host: test") * 3
    assert len(device.connections) == 1


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("GET http://test:8080/path?query HTTP/1.1", "test:8080"),
        ("GET http://test HTTP/1.1", "test"),
        ("GET http://user@other/ HTTP/1.1", "other"),
        ("OPTIONS * HTTP/1.1", "test:8080"),
        ("OPTIONS http://test:8080 HTTP/1.1", "test:8080"),
        ("GET //path//../x?y=http://z HTTP/1.1", "test:8080"),
    ],
)
def test_every_form_of_a_target_passes(passed, line, host):
    """The host of a whole URI is that of the request."""
    sent = lines(line, "Host: test:8080")
    assert passed(sent, ANSWER) == (lines(line, f"Host: {host}"), ANSWER)


# ---- bodies ----

CHUNKS = b'5;a="b;c";d\r\nhello\r\n00003;x=y\r\n, y\r\n2\r\nou\r\n0;last\r\nX-Sum: 1\r\nx-other:\r\n\r\n'
WITHOUT_CHUNKS = b"hello, you"


def test_chunk_extensions_and_trailers_of_a_request_pass(passed):
    sent = lines("POST / HTTP/1.1", "Host: test", CHUNKED, "Trailer: X-Sum") + CHUNKS
    assert passed(sent, ANSWER, *UNGUARDED) == (sent, ANSWER)


def test_a_target_is_asked_to_close_behind_a_body_that_it_may_not_expect(passed):
    sent = lines("POST / HTTP/1.1", "Host: test", CHUNKED)
    asked = lines("POST / HTTP/1.1", "Host: test", CHUNKED, "Connection: close")
    assert passed(sent + CHUNKS, ANSWER) == (asked + CHUNKS, ANSWER)


def test_chunk_extensions_and_trailers_of_a_response_pass(passed):
    answer = lines("HTTP/1.1 200 OK", "Trailer: X-Sum", CHUNKED) + CHUNKS
    _, got = passed(lines("GET / HTTP/1.1", "Host: test"), answer)
    assert got == answer


def test_interim_responses_pass_in_their_order(passed):
    interim = lines("HTTP/1.1 102 Processing") + lines("HTTP/1.1 103 Early Hints", "Link: </a>") * 2
    _, got = passed(lines("GET / HTTP/1.1", "Host: test"), interim + ANSWER)
    assert got == interim + ANSWER


# ---- HTTP/1.0 ----


def test_a_request_of_http_1_0_goes_on_as_one_of_http_1_1(passed):
    got, answer = passed(lines("GET /path HTTP/1.0", "X: y"), ANSWER)
    line, host, other = got[: -len(b"\r\n\r\n")].split(b"\r\n")
    assert (line, other) == (b"GET /path HTTP/1.1", b"X: y") and host.startswith(b"Host: 127.0.0.1:")
    assert answer == response(b"hello", fields=["Connection: close"])


def test_the_host_for_a_whole_uri_of_http_1_0_is_its_own(passed):
    got, _ = passed(lines("GET http://user@test:80/ HTTP/1.0"), ANSWER)
    assert got == lines("GET http://user@test:80/ HTTP/1.1", "Host: test:80")


def test_a_client_of_http_1_0_that_asks_to_stay_does(web, mux, client):
    """Until a response has no length."""

    def respond(one):
        if one.path == "/chunks":
            one.connection.send_raw(lines("HTTP/1.1 200 OK", CHUNKED, "Trailer: X-Sum") + CHUNKS)
        else:
            naming(one)

    device = web(respond)
    asker = client(mux(device), BYTES)
    for path in ("/one", "/two"):
        expected = response(page(path), fields=["Connection: keep-alive"])
        asker.send_raw(lines("GET %s HTTP/1.0" % path, "Connection: Keep-Alive"))
        got = b""
        while len(got) < len(expected):
            got += asker.receive()
        assert got == expected
    asker.send_raw(lines("GET /chunks HTTP/1.0", "Connection: Keep-Alive"))
    assert everything(asker.sock) == lines("HTTP/1.1 200 OK", "Connection: close") + WITHOUT_CHUNKS
    assert [path for _, path in seen(device)] == ["/one", "/two", "/chunks"]
    assert len(device.connections) == 1


def test_a_client_of_http_1_0_gets_no_interim_responses(passed):
    _, got = passed(lines("GET / HTTP/1.0", "Host: test"), lines("HTTP/1.1 103 Early Hints") + ANSWER)
    assert got == response(b"hello", fields=["Connection: close"])


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_target_of_http_1_0_with_clients_of_both_versions(target, mux, client, version):
    """It answers with its own version and closes each connection, with a length and without."""

    def once(connection):
        path = connection.receive().split(b" ")[1]
        length = b"" if path == b"/end" else b"Content-Length: 5\r\n"
        connection.send_raw(b"HTTP/1.0 200 OK\r\n%s\r\nhello" % length)

    device = target(BYTES, once)
    started = mux(device)
    stay = ["Connection: keep-alive"] if version == "1.0" else []
    asker = client(started, BYTES)
    for number in range(1, 4):
        asker.send_raw(lines("GET / HTTP/" + version, "Host: test", *stay))
        expected = lines("HTTP/1.1 200 OK", "Content-Length: 5", *stay) + b"hello"
        got = b""
        while len(got) < len(expected):
            got += asker.receive()
        assert got == expected
        device.wait_for_end(number)
    asker.send_raw(lines("GET /end HTTP/" + version, "Host: test", *stay))
    if version == "1.0":
        expected = lines("HTTP/1.1 200 OK", "Connection: close") + b"hello"
    else:  # in chunks, so that the connection lasts
        expected = lines("HTTP/1.1 200 OK", CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n"
        asker.finish()
    assert everything(asker.sock) == expected
    assert len(device.connections) == 4


# ---- logins ----


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization"])
@pytest.mark.parametrize("value", ["NTLM TlRMTVNTUAAB", "negotiate YII", "Negotiate", "nTlM  x"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_login_that_binds_a_connection_is_refused(web, mux, client, name, value, method):
    device = web()
    asker = client(mux(device, expect=["reason=client_malformed"]), BYTES)
    asker.send_raw(lines("%s / HTTP/1.1" % method, "Host: test", "%s: %s" % (name, value)))
    head, _, body = everything(asker.sock).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 501 ") and b"\r\nConnection: close" in head
    assert (body != b"") == (method == "GET")
    assert seen(device) == []


@pytest.mark.parametrize("status, name", [("401 No", "WWW-Authenticate"), ("407 No", "Proxy-Authenticate")])
def test_challenges_for_such_a_login_are_taken_out(passed, status, name):
    fields = [
        name + ": Negotiate",
        name + ': Basic realm="a, NTLM", NTLM, Digest realm="b", nonce="c"',
        name.lower() + ": ntlm",
        name + ': Negotiate oYG3==, Basic realm="d"',
        name + ': Bearer realm="Negotiate"',
    ]
    kept = [
        name + ':Basic realm="a, NTLM", Digest realm="b", nonce="c"',
        name + ': Basic realm="d"',
        name + ': Bearer realm="Negotiate"',
    ]
    _, got = passed(lines("GET / HTTP/1.1", "Host: test"), response(b"who?", status, fields))
    head, _, body = got.partition(b"\r\n\r\n")
    told = [line.replace(": ", ":") for line in head.decode().split("\r\n") if line.startswith(name)]
    assert told == [line.replace(": ", ":") for line in kept] and b"ntlm\r\n" not in got
    assert body == b"who?"


def test_other_responses_keep_their_challenges(passed):
    answer = response(b"hello", fields=["WWW-Authenticate: Negotiate oYG3=="])
    assert passed(lines("GET / HTTP/1.1", "Host: test"), answer)[1] == answer


# ---- fields that are added when asked for ----


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_via_is_added_on_both_sides(passed, version):
    sent = lines("GET / HTTP/" + version, "Host: test", "Via: 1.1 other")
    got, told = passed(sent, ANSWER.replace(b"1.1", b"1.0", 1), "--via")
    assert got == lines("GET / HTTP/1.1", "Host: test", "Via: 1.1 other", "Via: %s tcp-multiplexer" % version)
    assert b"\r\nVia: 1.0 tcp-multiplexer\r\n" in told


def test_forwarded_is_added_for_the_target(passed):
    got, told = passed(lines("GET / HTTP/1.1", "Host: test", "Forwarded: for=192.0.2.1"), ANSWER, "--forwarded")
    assert b"\r\nForwarded: for=192.0.2.1\r\nForwarded: for=" in got and b";proto=http\r\n" in got
    assert told == ANSWER


def test_nothing_is_added_unasked(passed):
    got, told = passed(lines("GET / HTTP/1.1", "Host: test"), ANSWER)
    assert b"Via" not in got + told and b"Forwarded" not in got + told
