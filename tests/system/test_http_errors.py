# SPDX-License-Identifier: MIT
"""HTTP that is refused, and what clients are told when something is wrong."""

import json
import re
import signal
from pathlib import Path

import pytest

from lib.http import BYTES, connect, everything, get, naming, page, request, response, seen, site
from lib.http_servers import Nginx
from lib.target import closing_on_request, resetting_on_request, saying, saying_and_closing, silent

TESTS = Path(__file__).resolve().parents[1]
CASES = json.loads((TESTS / "http" / "smuggling.json").read_text(encoding="utf-8"))
REQUESTS = [case for case in CASES if not case.get("response") and case["expected"] != "accepted"]
RESPONSES = [case for case in CASES if case.get("response") and case["expected"] != "accepted"]
ACCEPTED = [case for case in CASES if not case.get("response") and case["expected"] == "accepted"]
REFUSALS = (TESTS.parent / "src" / "protocol" / "http_refusals.def").read_text(encoding="utf-8")
STATUS = {name: int(status) for name, status in re.findall(r"^REFUSAL\((\w+), (\d+),", REFUSALS, re.MULTILINE)}
REFUSED = ["reason=client_malformed", "reason=client_too_large"]


QUICK = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def fields_of(answer):
    return answer.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]


@pytest.fixture
def told(client):
    """All that a client is told for these bytes, until its connection is closed in order."""

    def tell(started, data):
        asker = client(started, BYTES)
        asker.send_raw(data)
        answer = everything(asker.sock)
        asker.close()
        return answer

    return tell


# ---- published attacks ----


def refusal_of(case, flags):
    """Why it is refused; None: it is repaired."""
    if "--http-strict" in flags:
        return case["expected"]
    return None if "mended" in case else case.get("lenient", case["expected"])


def attack(started, told, flags):
    """Every refused request of smuggling.json has its status, and then the end."""
    wrong = []
    cases = [(case, refusal_of(case, flags)) for case in REQUESTS if refusal_of(case, flags)]
    for case, refusal in cases:
        answer = told(started, case["stream"].encode("latin-1"))
        answers = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]
        if answers != [STATUS[refusal]] or "Connection: close" not in fields_of(answer):
            wrong.append((case["name"], refusal, answer))
    assert len(cases) > 40
    assert wrong == []


strictly = pytest.mark.parametrize("flags", [[], ["--http-strict"]], ids=["default", "strict"])


@strictly
def test_published_attacks_do_not_reach_a_target_in_python(target, mux, told, flags):
    device = target(BYTES, site(naming))
    started = mux(device, *flags, wire=BYTES, expect=REFUSED)
    attack(started, told, flags)
    last = connect(started)
    assert get(last, "/last") == page("/last")
    last.close()
    # Not even the heads of those whose bodies are refused: so little is gathered before it is sent.
    assert seen(device) == [("GET", "/last")]


@strictly
def test_published_attacks_do_not_reach_nginx(server, mux, told, tmp_path, flags):
    nginx = server(Nginx(tmp_path / "nginx"))
    (nginx.site / "last.txt").write_bytes(b"last")
    started = mux(nginx.address, *flags, wire=BYTES, expect=REFUSED)
    attack(started, told, flags)
    last = connect(started)
    assert get(last, "/last.txt") == b"last"
    last.close()
    started.stop()
    assert [answer[1:] for answer in nginx.requests()] == [(200, "GET /last.txt")]


LATE = [case for case in REQUESTS if case.get("late")]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in LATE])
def test_a_published_attack_behind_a_head_that_has_gone_on(target, mux, client, case):
    """A request with Expect goes on with its head. What is refused behind it does not reach the target, and its
    connection ends."""
    device = target(BYTES, site(naming))
    started = mux(device, *QUICK, "--http-strict", wire=BYTES, expect=REFUSED)
    head, _, body = case["stream"].partition("\r\n\r\n")
    asker = client(started, BYTES)
    asker.send_raw(b"%s\r\nExpect: 100-continue\r\n\r\n" % head.encode("latin-1"))
    device.wait_for_requests(1)
    asker.send_raw(body.encode("latin-1"))
    assert status_of(everything(asker.sock)) == STATUS[case["expected"]]
    device.wait_for_end(1)
    other = connect(started)
    assert get(other, "/other") == page("/other")
    assert seen(device) == [("POST", "/"), ("GET", "/other")]
    assert b"smuggled" not in b"".join(device.requests)
    other.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in ACCEPTED])
def test_a_published_attack_that_is_none_here(target, mux, client, case):
    """It passes, as so many requests as it is."""
    device = target(BYTES, site(naming))
    asker = client(mux(device, wire=BYTES), BYTES)
    asker.send_raw(case["stream"].encode("latin-1"))
    asker.finish()
    answer = everything(asker.sock)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == case["messages"] == len(seen(device))
    passed = b"".join(device.requests).decode("latin-1")
    assert case.get("keeps", "") in passed
    assert "drops" not in case or case["drops"] not in passed


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in RESPONSES])
@strictly
def test_a_published_attack_in_a_response(target, mux, case, flags):
    """It is refused or repaired, and the next client gets its own answer."""

    def respond(one):
        if one.path == "/attack":
            one.connection.send_raw(case["stream"].encode("latin-1"))
        else:
            naming(one)

    has_length = "Location" not in case["stream"]
    stream = case["stream"].encode("latin-1")
    device = target(BYTES, site(respond) if has_length else saying_and_closing(stream))
    refusal = refusal_of(case, flags)
    expected = ["reason=target_malformed", "reason=link_broken"] if refusal else ["reason=target_stray", "stray"]
    started = mux(device, *QUICK, *flags, wire=BYTES, expect=expected)
    asker = connect(started)
    asker.request("GET", "/attack")
    answer = asker.getresponse()
    device.behaviour = site(respond)
    if refusal is None:
        assert answer.status in (200, 302)
    else:
        assert answer.status == 502
        assert answer.read().startswith(b"tcp-multiplexer: the target's answer is refused: ")
        assert get(asker, "/next") == page("/next")
        assert len(device.connections) == 2
        asker.close()
        return
    answer.read()
    assert get(asker, "/next") == page("/next")
    asker.close()


# ---- what the target does wrong ----


def test_503_with_retry_after_while_the_target_is_down(target, mux):
    device = target(BYTES, site(naming), is_up=False)
    flags = ["--queue-timeout", "300ms", "--retry-delay", "20ms", "--retry-delay-max", "50ms"]
    started = mux(device, *flags, wire=BYTES, expect=["cannot connect", "reason=queue_timeout"])
    asker = connect(started)
    for method in ("GET", "HEAD"):
        asker.request(method, "/early")
        answer = asker.getresponse()
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (len(answer.read()) > 0) == (method == "GET")
    device.up()
    kept = asker.sock
    assert get(asker, "/late") == page("/late")
    assert asker.sock is kept
    assert seen(device) == [("GET", "/late")]
    asker.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_504_when_the_target_does_not_answer(target, mux, method):
    device = target(BYTES, silent)
    started = mux(device, "--timeout", "300ms", *QUICK, wire=BYTES, expect=["reason=timeout"])
    asker = connect(started)
    asker.request(method, "/")
    answer = asker.getresponse()
    assert answer.status == 504
    answer.read()
    device.behaviour = site(naming)
    assert get(asker, "/again") == page("/again")
    asker.close()


@pytest.mark.parametrize(
    "garbage",
    [b"garbage\r\n\r\n", b"\0" * 100, b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n"],
    ids=["text", "zeros", "version", "status"],
)
def test_502_when_the_target_answers_garbage(target, mux, garbage):
    device = target(BYTES, saying(garbage))
    started = mux(device, *QUICK, wire=BYTES, expect=["reason=target_malformed", "reason=link_broken"])
    asker = connect(started)
    asker.request("POST", "/", body=b"once")
    answer = asker.getresponse()
    assert answer.status == 502
    answer.read()
    device.behaviour = site(naming)
    assert get(asker, "/again") == page("/again")
    asker.close()


BREAKS = ["reason=link_broken", "reason=target_closed", "reason=target_reset"]
BROKEN_BEFORE = {
    "closed": closing_on_request,
    "reset": resetting_on_request,
    "half a head": saying_and_closing(b"HTTP/1.1 200 OK\r\nContent-Le"),
}


@pytest.mark.parametrize("behaviour", BROKEN_BEFORE.values(), ids=BROKEN_BEFORE.keys())
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_502_when_the_target_breaks_off(target, mux, behaviour, method):
    """Nothing is sent twice: the connection had not answered before."""
    device = target(BYTES, behaviour)
    started = mux(device, *QUICK, wire=BYTES, expect=BREAKS)
    asker = connect(started)
    asker.request(method, "/", body=b"once" if method == "POST" else None)
    answer = asker.getresponse()
    assert answer.status == 502
    assert (len(answer.read()) > 0) == (method != "HEAD")
    assert len([data for data in device.requests if data.startswith(method.encode())]) == 1
    device.behaviour = site(naming)
    assert get(asker, "/again") == page("/again")
    asker.close()


def test_503_to_what_is_not_answered_when_the_multiplexer_has_to_stop(target, mux):
    device = target(BYTES, silent)
    started = mux(device, "--grace", "200ms", wire=BYTES, expect=["reason=shutdown"])
    asker = connect(started)
    asker.request("GET", "/")
    device.wait_for_requests(1)
    started.signal(signal.SIGTERM)
    answer = asker.getresponse()
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Connection"] == "close" and answer.read() != b""
    started.wait()


def test_503_to_a_client_too_many(target, mux, told):
    started = mux(target(BYTES, site(naming)), "--max-clients", "1", wire=BYTES, expect=["reason=max_clients"])
    first = connect(started)
    assert get(first, "/first") == page("/first")
    answer = told(started, b"")
    assert status_of(answer) == 503
    assert any(field.startswith("Retry-After: ") for field in fields_of(answer))
    assert get(first, "/second") == page("/second")
    first.close()


# ---- what the client does wrong ----


@pytest.mark.parametrize("data", [b"GET / HTT", request("/", "POST", b"twelve bytes")[:-1]], ids=["head", "body"])
def test_408_when_the_rest_of_a_request_does_not_come(target, mux, told, data):
    device = target(BYTES, site(naming))
    started = mux(device, "--client-timeout", "300ms", wire=BYTES, expect=["reason=client_timeout"])
    assert status_of(told(started, data)) == 408
    assert device.requests == []


def test_408_of_a_head_request_has_no_body(target, mux, told):
    device = target(BYTES, site(naming))
    started = mux(device, "--client-timeout", "300ms", wire=BYTES, expect=["reason=client_timeout"])
    answer = told(started, b"HEAD / HTTP/1.1\r\nHost: test\r\n")
    assert status_of(answer) == 408
    assert answer.endswith(b"\r\n\r\n")
    assert device.requests == []


CHUNKS = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"64\r\n%s\r\n" % (b"large" * 20)


@pytest.mark.parametrize(
    "status, flags, data",
    [
        pytest.param(431, [], request("/", fields=["X-Large: " + "x" * 70000]), id="head"),
        pytest.param(414, [], request("/" + "x" * 20000), id="first line"),
        pytest.param(413, ["--max-body", "1000"], request("/", "POST", b"large" * 201), id="body with a length"),
        pytest.param(413, ["--max-body", "1000"], CHUNKS + CHUNK * 11, id="body in chunks"),
        pytest.param(501, [], b"CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", id="CONNECT"),
        pytest.param(501, [], request("/", fields=["Authorization: NTLM TlRMTVNTUAAB"]), id="NTLM"),
        pytest.param(505, [], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP 2"),
        pytest.param(400, [], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
    ],
)
def test_a_request_that_is_refused(target, mux, told, status, flags, data):
    """It gets its status, its client is closed, the target sees nothing of it, and others are served."""
    device = target(BYTES, site(naming))
    started = mux(device, *flags, wire=BYTES, expect=REFUSED)
    answer = told(started, data)
    assert status_of(answer) == status
    assert "Connection: close" in fields_of(answer)
    other = connect(started)
    assert get(other, "/other") == page("/other")
    assert seen(device) == [("GET", "/other")]
    other.close()


@pytest.mark.parametrize(
    "status, flags, data",
    [
        pytest.param(431, [], request("/", "HEAD", fields=["X-Large: " + "x" * 70000]), id="head"),
        pytest.param(413, ["--max-body", "1"], request("/", "HEAD", b"large"), id="body"),
        pytest.param(400, [], request("/", "HEAD", fields=["Host: other"]), id="malformed"),
        pytest.param(400, [], request("/", "HEAD", fields=["Transfer-Encoding: chunked"]) + b"x\r\n", id="chunk"),
    ],
)
def test_a_refused_head_request_gets_no_body(target, mux, told, status, flags, data):
    started = mux(target(BYTES, site(naming)), *flags, wire=BYTES, expect=REFUSED)
    answer = told(started, data)
    assert status_of(answer) == status
    assert answer.endswith(b"\r\nConnection: close\r\n\r\n")


def test_what_came_before_a_refused_request_is_answered_first(target, mux, told):
    """And what comes behind it is not looked at."""
    device = target(BYTES, site(naming))
    started = mux(device, wire=BYTES, expect=REFUSED)
    answer = told(started, request("/one") + request("/two") + b"rubbish\r\n\r\n" + request("/three"))
    before = response(page("/one")) + response(page("/two"))
    assert answer.startswith(before) and status_of(answer[len(before) :]) == 400
    assert seen(device) == [("GET", "/one"), ("GET", "/two")]


def test_a_head_of_60_kib_passes(target, mux):
    device = target(BYTES, site(naming))
    asker = connect(mux(device, wire=BYTES))
    asker.request("GET", "/page", headers={"X-%d" % number: "x" * 1000 for number in range(60)})
    assert asker.getresponse().read() == page("/page")
    asker.close()


def test_a_body_of_exactly_max_body_passes(target, mux, told):
    started = mux(target(BYTES, site(naming)), "--max-body", "10", wire=BYTES)
    data = request("/", "POST", b"x" * 10, fields=["Connection: close"])
    assert told(started, data).endswith(b"\r\n\r\n10")
