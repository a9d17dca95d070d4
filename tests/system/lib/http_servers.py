# SPDX-License-Identifier: MIT
"""Web servers that nobody here wrote, as targets: nginx, Python's own and Node's."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from .multiplexer import WITHIN
from .program import Server

SCRIPTS = Path(__file__).parent
NGINX = """{user}
daemon off;
worker_processes 1;
pid {prefix}/pid;
error_log {prefix}/error.log notice;
events {{ worker_connections 64; }}
http {{
    types {{ text/plain txt; }}
    log_format which "$connection $status $request_method $request_uri";
    access_log {prefix}/access.log which;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    server {{
        listen {address};
        root {prefix}/site;
    }}
}}
"""


class Nginx:
    """nginx in the foreground, with all its files below `prefix`. It gets its socket from us, so that the
    kernel chooses the port."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.site = prefix / "site"
        self.site.mkdir(parents=True)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            self.address = "127.0.0.1:%d" % listener.getsockname()[1]
            configuration = prefix / "nginx.conf"
            user = "user root;" if os.geteuid() == 0 else ""  # who may read the files of the test
            configuration.write_text(NGINX.format(prefix=prefix, address=self.address, user=user))
            self.process = subprocess.Popen(
                ["/usr/sbin/nginx", "-p", str(prefix), "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                env={**os.environ, "NGINX": "%d;" % listener.fileno()},
            )

    def requests(self):
        """(connection, status, request) in the order of answers, once it has ended."""
        self.stop()
        lines = (self.prefix / "access.log").read_text().splitlines()
        return [(int(line.split(" ")[0]), int(line.split(" ")[1]), line.split(" ", 2)[2]) for line in lines]

    def stop(self):
        """In order, so that its log is written. May be called again."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(WITHIN)


def python_server(directory, version):
    """`http.server` of Python's library, which closes after each response with HTTP/1.0."""
    command = ["-u", "-m", "http.server", "-b", "127.0.0.1", "-d", str(directory), "-p", version, "0"]
    return listening_on_output([sys.executable, *command], r"port (\d+)")


def node_server():
    """lib/http_server.js; says on its output which connections it had, and when one was too many."""
    return listening_on_output(["node", str(SCRIPTS / "http_server.js")], r"listening (\d+)")


def listening_on_output(command, pattern):
    return Server(command, pattern, merge=True)
