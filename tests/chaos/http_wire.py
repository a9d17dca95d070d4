# SPDX-License-Identifier: MIT
"""HTTP as wires.py has the other protocols: number and framing of the answer stand in the path."""

import re

from wires import Ask, Cutter, Message, Torn, filler

SAFE = ("GET", "HEAD", "OPTIONS")
PATH = re.compile(r"(\w+) /q/(\d+)/(\d+)/(\w+) HTTP/1\.1")


def chunks(data, size):
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class HttpCutter(Cutter):
    """Heads by regular expression, bodies whole."""

    def head(self):
        end = self.rest.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = bytes(self.rest[:end]).decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        return lines[0], fields, end + 4

    def body(self, fields, begin):
        """(body, size of the message), or None while it is not whole."""
        if "transfer-encoding" in fields:
            return self.chunked(begin)
        size = int(fields.get("content-length", "0"))
        return (bytes(self.rest[begin : begin + size]), begin + size) if len(self.rest) >= begin + size else None

    def chunked(self, begin):
        body = b""
        while (end := self.rest.find(b"\r\n", begin)) >= 0:
            try:
                size = int(bytes(self.rest[begin:end]), 16)
            except ValueError:
                raise Torn("chunk: %r" % bytes(self.rest[begin : begin + 40])) from None
            if len(self.rest) < end + 2 + size + 2:
                return None
            body += self.rest[end + 2 : end + 2 + size]
            begin = end + 2 + size + 2
            if size == 0:
                return body, begin
        return None


class HttpRequestCutter(HttpCutter):
    def cut(self):
        found = self.head()
        if found is None:
            return None
        line, fields, begin = found
        match = PATH.fullmatch(line)
        if match is None:
            raise Torn("request line %r" % line)
        whole = self.body(fields, begin)
        if whole is None:
            return None
        number = int(match[2])
        if whole[0] != filler(number, len(whole[0])):
            return Message("torn", text="the body of %d: %r" % (number, whole[0][:80])), whole[1]
        return Message("ask", number, want=int(match[3]), how=(match[1], match[4])), whole[1]


class HttpAnswerCutter(HttpCutter):
    """`awaited` is the Ask whose answer is due, or None."""

    def __init__(self, awaited):
        super().__init__()
        self.awaited = awaited

    def cut(self):
        found = self.head()
        if found is None:
            return None
        line, fields, begin = found
        if not line.startswith("HTTP/1.1 "):
            raise Torn("status line %r" % line)
        status = int(line.split()[1])
        ask = self.awaited()
        if status < 200:
            return Message("interim", number=int(fields.get("x-ask", -1))), begin
        has_body = status not in (204, 304) and not (ask is not None and ask.kind == "HEAD")
        is_open = has_body and "content-length" not in fields and "transfer-encoding" not in fields
        if is_open and not self.ended:
            return None
        whole = (b"", begin) if not has_body else (bytes(self.rest[begin:]), len(self.rest))
        if has_body and not is_open:
            whole = self.body(fields, begin)
        if whole is None:
            return None
        return self.message(line, status, fields, whole[0], has_body), whole[1]

    @staticmethod
    def message(line, status, fields, body, has_body):
        closes = "close" in fields.get("connection", "")
        if "x-stray" in fields:
            return Message("stray", closes=closes)
        if "x-ask" not in fields:
            kind = "error" if status >= 400 else "torn"
            return Message(kind, text=line + " " + body.decode("latin-1").strip(), closes=closes)
        number, sending = int(fields["x-ask"]), int(fields["x-sending"])
        want = int(fields["x-want"]) if has_body else 0
        if body != filler(number, want):
            return Message("torn", number, text="the answer to %d has %d bytes of %d" % (number, len(body), want))
        return Message("answer", number, sending, want=want, closes=closes)


class Http:
    name = "http"
    by_id = False
    is_typed = False
    has_errors = True
    largest = 1 << 20

    def ask(self, rng, number, size, want):
        kind = rng.choice(["GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "POST", "PUT", "DELETE"])
        if kind in SAFE and rng.random() < 0.95 or kind == "DELETE":
            size = 0
        stays = ["length", "length", "length", "chunked", "chunked", "interim", "empty"]
        answer = rng.choice(stays if rng.random() < 0.93 else ["end", "close"])
        is_safe = kind in SAFE
        old = rng.random() < 0.07
        return Ask(
            number, size, want, kind, has_effect=not is_safe, alone=not is_safe or size > 0,
            closes=old or rng.random() < 0.08, answer=answer, old=old,
            chunked=size > 0 and not old and rng.random() < 0.4,
        )  # fmt: skip

    def write_ask(self, ask):
        head = "%s /q/%d/%d/%s HTTP/1.%d\r\n" % (ask.kind, ask.number, ask.want, ask.answer, 0 if ask.old else 1)
        head += "" if ask.old else "Host: chaos\r\n"
        head += "Connection: close\r\n" if ask.closes and not ask.old else ""
        body = filler(ask.number, ask.size)
        if ask.chunked:
            return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks(body, 1 + ask.size // 3)
        if ask.size > 0 or ask.kind in ("POST", "PUT"):
            head += "Content-Length: %d\r\n" % ask.size
        return (head + "\r\n").encode() + body

    def request_cutter(self):
        return HttpRequestCutter()

    def answer_cutter(self, awaited):
        return HttpAnswerCutter(awaited)

    def write_answer(self, message, sending, effects):
        method, how = message.how
        want = message.want
        body = filler(message.number, want)
        head = "HTTP/1.1 %s\r\nX-Ask: %d\r\nX-Sending: %d\r\nX-Want: %d\r\n"
        head %= ("204 No Content" if how == "empty" else "200 OK", message.number, sending, want)
        if how == "interim":
            head = "HTTP/1.1 103 Early Hints\r\nX-Ask: %d\r\n\r\n%s" % (message.number, head)
        if how == "close":
            head += "Connection: close\r\n"
        if how == "empty":
            return (head + "\r\n").encode()
        if how == "chunked":
            data = chunks(body, 1 + want // 3)
            return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + (b"" if method == "HEAD" else data)
        if how != "end":
            head += "Content-Length: %d\r\n" % want
        return (head + "\r\n").encode() + (b"" if method == "HEAD" else body)

    def ends_behind(self, message):
        """Whether the target has to close behind the answer, so that it has an end."""
        method, how = message.how
        return how == "close" or (how == "end" and method != "HEAD")

    def write_stray(self, rng):
        return b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nContent-Length: 0\r\n\r\n"

    def garbage_answer(self, rng):
        return rng.choice([b"garbage\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"])

    def garbage_request(self, rng):
        return rng.choice([
            b"GET / HTTP/1.1\r\n\r\n", b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
            b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ])  # fmt: skip
