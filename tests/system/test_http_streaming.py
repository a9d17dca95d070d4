# SPDX-License-Identifier: MIT
"""HTTP bodies that pass as they come: large ones, slow ones, and ones that break off."""

import hashlib
import socket
import time
from http.client import IncompleteRead

import pytest

from lib import http
from lib.http import BYTES, PIECE, Growth, connect, get, naming, page, request, seen, site, vanish
from lib.http_clients import curl, url
from lib.multiplexer import WITHIN

SIZE = 64 << 20
QUICK = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")


def pieces():
    """64 MiB, of which no piece is like another."""
    rest = bytes(range(256)) * ((PIECE - 8) // 256 + 1)
    return ((number.to_bytes(8, "big") + rest)[:PIECE] for number in range(SIZE // PIECE))


def digest(parts):
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


EXPECTED = digest(pieces())


def generous(one):
    """/large is a download; what is uploaded is answered with its hash; all else as `naming` has it."""
    if one.method == "POST":
        one.answer(digest(one.body()).encode())
    elif one.path == "/large":
        one.connection.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for piece in pieces():
            one.connection.send_raw(piece)
    elif one.path == "/chunks":
        one.connection.send_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces():
            one.connection.send_raw(b"%x\r\n%s\r\n" % (len(piece), piece))
        one.connection.send_raw(b"0\r\n\r\n")
    else:
        naming(one)


@pytest.fixture
def pair(target, mux):
    """A target with one slot and a multiplexer in front of it."""

    def start(respond, *flags, expect=()):
        device = target(BYTES, site(respond))
        return device, mux(device, *flags, wire=BYTES, expect=expect)

    return start


# ---- large ----


@pytest.mark.parametrize("path", ["/large", "/chunks"])
def test_a_download_of_64_mib_takes_no_memory(pair, path):
    _, started = pair(generous)
    client = connect(started)
    with Growth(started, "/warm"):
        client.request("GET", path)
        answer = client.getresponse()
        assert digest(iter(lambda: answer.read(PIECE), b"")) == EXPECTED
    assert get(client, "/after") == page("/after")
    client.close()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_an_upload_of_64_mib_takes_no_memory(pair, chunked):
    device, started = pair(generous)
    client = connect(started)
    fields = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(SIZE)}
    with Growth(started, "/warm"):
        client.request("POST", "/up", body=pieces(), headers=fields, encode_chunked=chunked)
        assert client.getresponse().read().decode() == EXPECTED
    assert get(client, "/after") == page("/after")
    client.close()
    assert len(device.connections) == (2 if chunked else 1)  # --http-body-guard


# ---- slow ----


def test_a_slow_uploader_holds_nothing_while_little_of_it_is_gathered(pair, client):
    device, started = pair(generous, "--buffer-requests", "64KiB")
    slow, other = client(started, BYTES), connect(started)
    body = b"x" * 40
    whole = request("/slow", "POST", body)
    for at, byte in enumerate(whole):
        slow.send_raw(bytes([byte]))
        if at % 10 == 0:
            assert get(other, "/%d" % at) == page("/%d" % at)
    assert slow.receive().endswith(digest([body]).encode())
    assert seen(device)[-1] == ("POST", "/slow")
    other.close()


def test_the_target_sees_an_upload_when_buffer_requests_of_it_are_there(pair, client):
    device, started = pair(generous, "--buffer-requests", "64KiB")
    slow, other = client(started, BYTES), connect(started)
    whole = request("/slow", "POST", b"x" * 100000)
    slow.send_raw(whole[:60000])
    assert get(other, "/one") == page("/one")
    assert seen(device) == [("GET", "/one")]
    slow.send_raw(whole[60000:70000])
    device.wait(lambda: ("POST", "/slow") in seen(device), "the upload")
    slow.send_raw(whole[70000:])
    assert slow.receive().endswith(digest([b"x" * 100000]).encode())
    assert len(device.connections) == 1
    other.close()


def test_an_uploader_that_stalls_in_the_middle_ends_and_the_others_are_served(pair, client):
    """More of it is gathered than --buffer-requests, so that the target has its beginning."""
    flags = ["--buffer-requests", "4KiB", "--write-timeout", "300ms", *QUICK]
    device, started = pair(generous, *flags, expect=["reason=client_timeout"])
    slow, other = client(started, BYTES), connect(started)
    slow.send_raw(request("/slow", "POST", b"x" * 100000)[:-1])
    device.wait_for_requests(1)
    assert get(other, "/other") == page("/other")
    assert slow.receive().startswith(b"HTTP/1.1 408 ")
    slow.expect_end()
    assert seen(device) == [("POST", "/slow"), ("GET", "/other")]
    other.close()


def test_a_slow_reader_is_closed_and_the_others_are_served(pair, client):
    _, started = pair(generous, "--write-timeout", "300ms", *QUICK, expect=["reason=write_timeout"])
    slow, other = client(started, BYTES, receive_buffer=4096), connect(started)
    slow.send_raw(request("/large"))
    assert slow.sock.recv(1) == b"H"
    assert get(other, "/other") == page("/other")
    started.wait_for_log("closed .*client=1.*reason=write_timeout")
    other.close()


def test_a_slow_reader_that_goes_on_reading_is_served(pair, client):
    """It takes 64 KiB in each --write-timeout, and the whole takes longer than that."""
    _, started = pair(generous, "--write-timeout", "1s")
    slow = client(started, BYTES, receive_buffer=65536)
    slow.send_raw(request("/large", fields=["Connection: close"]))
    began, size, wanted = time.monotonic(), 0, 1 << 20
    while piece := slow.sock.recv(PIECE):
        size += len(piece)
        if size > wanted and time.monotonic() - began < 1.5:
            time.sleep(0.05)
            wanted = size + (1 << 20)
    assert size > SIZE and time.monotonic() - began > 1


# ---- early ----


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_response_before_the_upload_is_there(target, mux, chunked):
    """curl is told, and closed; the target's next connection has the next request, and nothing of the upload."""

    def refusing(connection):
        incoming = http.Incoming(connection)
        one = incoming.head()
        seen(connection.target).append((one.method, one.path))
        one.answer(b"too much", "413 Content Too Large", ["Connection: close"])
        connection.target.wait_for_release()

    device = target(BYTES, refusing)
    started = mux(device, *QUICK, expect=["reason=early_response"])
    fields = ["-H", "Expect:"] + (["-H", "Transfer-Encoding: chunked"] if chunked else [])
    told = curl("-i", *fields, "--data-binary", "@-", url(started, "/up"), input=b"x" * (10 << 20))
    assert told.startswith(b"HTTP/1.1 413 ") and told.endswith(b"\r\n\r\ntoo much")
    device.release()
    device.behaviour = site(naming)
    other = connect(started)
    assert get(other, "/other") == page("/other")
    assert seen(device) == [("POST", "/up"), ("GET", "/other")]
    other.close()


# ---- gone ----


def test_a_client_that_vanishes_in_the_middle_of_an_upload(pair, client):
    device, started = pair(generous, "--buffer-requests", "4KiB", *QUICK)
    gone, other = client(started, BYTES), connect(started)
    gone.send_raw(request("/up", "POST", b"x" * 100000)[:-1])
    device.wait_for_requests(1)
    vanish(gone.sock)
    assert get(other, "/other") == page("/other")
    assert seen(device) == [("POST", "/up"), ("GET", "/other")]
    other.close()


def test_a_client_that_vanishes_in_an_upload_of_which_the_target_has_nothing(pair, client):
    device, started = pair(generous)
    gone, other = client(started, BYTES), connect(started)
    gone.send_raw(request("/up", "POST", b"x" * 1000)[:-1])
    get(other, "/first")
    vanish(gone.sock)
    started.wait_for_log("closed .*client=1 ")
    assert get(other, "/other") == page("/other")
    assert seen(device) == [("GET", "/first"), ("GET", "/other")]
    assert len(device.connections) == 1
    other.close()


def test_a_client_that_vanishes_in_the_middle_of_a_download(pair, client):
    _, started = pair(generous, *QUICK)
    gone, other = client(started, BYTES), connect(started)
    gone.send_raw(request("/large"))
    assert gone.sock.recv(1) == b"H"
    vanish(gone.sock)
    started.wait_for_log("closed .*client=1 ")
    assert get(other, "/other") == page("/other")
    other.close()


# ---- cut off ----


def half(head, then):
    """Begins an answer, and goes on with `then(connection)` when the test says so."""

    def respond(one):
        if one.path != "/half":
            naming(one)
            return
        one.connection.send_raw(head)
        one.connection.target.wait_for_release()
        then(one.connection)

    return respond


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nthe first half,"
BROKEN = ["reason=target_reset", "reason=link_broken"]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nthe first half,\r\n"


def until(sock, end):
    """Reads until these bytes have come."""
    sock.settimeout(WITHIN)
    data = b""
    while not data.endswith(end):
        data += sock.recv(1)
    return data


def ask_old(asker, path):
    """Of HTTP/1.0, whose client is told the end of a response without length by closing."""
    asker.send_raw(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
    assert b"200 OK" in until(asker.sock, b"half,")


def test_a_response_that_the_end_of_the_connection_ends_is_whole(pair, client):
    def finish(connection):
        connection.send_raw(b" and the second" * 10000)
        connection.close()

    device, started = pair(half(UNTIL_CLOSE, finish))
    asker, other = client(started, BYTES), connect(started)
    ask_old(asker, "/half")
    device.release()
    assert http.everything(asker.sock) == b" and the second" * 10000
    assert get(other, "/other") == page("/other")
    assert len(device.connections) == 2
    other.close()


def test_a_response_until_the_end_that_a_reset_cuts_off_is_no_clean_end(pair, client):
    device, started = pair(half(UNTIL_CLOSE, lambda connection: connection.reset()), *QUICK, expect=BROKEN)
    asker, other = client(started, BYTES), connect(started)
    ask_old(asker, "/half")
    device.release()
    with pytest.raises(ConnectionResetError):
        http.everything(asker.sock)
    assert get(other, "/other") == page("/other")
    other.close()


def test_a_response_without_length_comes_in_chunks_as_it_comes(pair):
    device, started = pair(half(UNTIL_CLOSE, lambda connection: connection.close()))
    asker = connect(started)
    asker.request("GET", "/half")
    answer = asker.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked" and answer.read(15) == b"the first half,"
    device.release()
    assert answer.read() == b""
    kept = asker.sock
    assert get(asker, "/other") == page("/other")
    assert asker.sock is kept
    asker.close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_response_without_length_that_is_cut_off_is_incomplete(target, mux, tmp_path, kind):
    """A unix socket knows no reset that could tell, but what is missing is the last chunk."""
    device = target(BYTES, site(half(UNTIL_CLOSE, lambda connection: connection.reset())))
    listen = "127.0.0.1:0" if kind == "tcp" else "unix:%s" % (tmp_path / "listen")
    started = mux(device, *QUICK, listen=[listen], wire=BYTES, expect=BROKEN)
    with socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX) as sock:
        sock.connect(("127.0.0.1", started.port) if kind == "tcp" else str(tmp_path / "listen"))
        sock.sendall(request("/half"))
        assert b"\r\nTransfer-Encoding: chunked\r\n" in until(sock, b"f\r\nthe first half,\r\n")
        device.release()
        assert http.everything(sock) == b""


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
def test_a_chunked_response_that_is_cut_off_is_incomplete(pair, reset):
    device, started = pair(half(CHUNKED, lambda connection: connection.close(reset)), *QUICK, expect=BROKEN)
    asker, other = connect(started), connect(started)
    asker.request("GET", "/half")
    answer = asker.getresponse()
    assert answer.read(15) == b"the first half,"
    device.release()
    with pytest.raises((IncompleteRead, ConnectionResetError)):
        answer.read()
    assert get(other, "/other") == page("/other")
    asker.close()
    other.close()


def test_a_chunked_response_that_is_cut_off_is_no_clean_end_for_a_client_of_http_1_0(pair, client):
    """Its chunks were taken off, so that only a reset can tell."""
    device, started = pair(half(CHUNKED, lambda connection: connection.close()), expect=BROKEN)
    asker = client(started, BYTES)
    asker.send_raw(b"GET /half HTTP/1.0\r\nHost: test\r\n\r\n")
    until(asker.sock, b"\r\n\r\nthe first half,")
    device.release()
    with pytest.raises(ConnectionResetError):
        http.everything(asker.sock)
