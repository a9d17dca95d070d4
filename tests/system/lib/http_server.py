# SPDX-License-Identifier: MIT
"""A target with the server of Python's library: http_server.py DIRECTORY serves its files and the pages of
http_server.js. It has one thread, so that a second connection would wait for the end of the first."""

import functools
import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a response is sent in large pieces

    def do_GET(self):
        page = {
            "/": lambda: self.whole(b"hello"),
            "/chunked": self.chunked,
            "/until-close": self.until_close,
            "/none": lambda: self.bare(204),
            "/unchanged": lambda: self.bare(304),
            "/hints": self.hints,
            "/close": lambda: self.whole(b"closing", "close"),
        }.get(self.path, self.file)
        page()

    do_HEAD = do_GET

    def do_PUT(self):
        if self.path == "/ignores":
            return self.whole(b"its body is not read")
        left = int(self.headers["Content-Length"])
        size = 0
        while size < left:
            size += len(self.rfile.read(min(left - size, 1 << 16)))
        self.whole(b"%d" % size)

    do_POST = do_PUT

    def file(self):
        super().do_HEAD() if self.command == "HEAD" else super().do_GET()

    def start(self, status, *fields):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def write(self, data):
        if self.command != "HEAD":
            self.wfile.write(data)

    def whole(self, body, connection="keep-alive"):
        self.start(200, ("Content-Length", str(len(body))), ("Connection", connection))
        self.write(body)

    def bare(self, status):
        self.start(status)

    def chunked(self):
        self.start(200, ("Transfer-Encoding", "chunked"))
        for number in range(1000):
            part = b"part %d," % number * 100
            self.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.write(b"0\r\n\r\n")

    def until_close(self):
        self.start(200, ("Connection", "close"))
        for number in range(1000):
            self.write(b"part %d," % number * 100)

    def hints(self):
        self.send_response_only(103)
        self.send_header("Link", "</style.css>; rel=preload; as=style")
        self.end_headers()
        self.whole(b"after hints")

    def log_message(self, *arguments):
        pass


handler = functools.partial(Handler, directory=sys.argv[1])
with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
    print("listening %d" % server.server_port, flush=True)
    server.serve_forever()
