# SPDX-License-Identifier: MIT
"""Web servers that nobody here wrote, as targets: nginx, Apache, busybox's, Python's own and Node's.

nginx, Apache, `http_server.py` and `http_server.js` have the same pages: `/chunked` in chunks, `/until-close`
without a length, `/none` (204), `/unchanged` (304), `/close` with `Connection: close`, and the files of their
`site`. The first two are `PARTS`.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from .multiplexer import WITHIN, Log
from .program import Server

SCRIPTS = Path(__file__).parent
PARTS = b"".join(b"part %d," % number * 100 for number in range(1000))
NGINX = """{user}
daemon off;
worker_processes 1;
pid {prefix}/pid;
error_log {prefix}/error.log notice;
events {{ worker_connections 64; }}
http {{
    default_type text/plain;
    log_format which "$connection $status $request_method $request_uri";
    access_log {prefix}/access.log which;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    server {{
        listen {address};
        keepalive_requests {keepalive_requests};
        root {prefix}/site;
        client_max_body_size 0;
        location = /chunked {{ ssi on; ssi_types *; }}
        location = /until-close {{ ssi on; ssi_types *; chunked_transfer_encoding off; }}
        location = /none {{ return 204; }}
        location = /unchanged {{ return 304; }}
        location = /close {{ keepalive_timeout 0; }}
        location /up {{ dav_methods PUT DELETE; }}
    }}
}}
"""
APACHE = """ServerRoot /usr/lib/apache2
{modules}
{user}
ServerName test
ServerLimit 1
StartServers 1
MinSpareServers 1
MaxSpareServers 1
MaxRequestWorkers 1
Listen {address}
PidFile {prefix}/pid
DefaultRuntimeDir {prefix}
ErrorLog /dev/stderr
TypesConfig /dev/null
AddType text/html .html
AddType text/css .css
AddType text/javascript .js
AddType image/svg+xml .svg
DocumentRoot {prefix}/site
DavLockDB {prefix}/locks
TraceEnable on
<Directory {prefix}/site>
    Require all granted
    Options +Includes
    EnableMMAP off
</Directory>
<Location /chunked>
    SetOutputFilter INCLUDES
</Location>
<Location /until-close>
    SetOutputFilter INCLUDES
    SetEnvIf Request_URI . nokeepalive downgrade-1.0 force-response-1.0
</Location>
<Location /close>
    SetEnvIf Request_URI . nokeepalive
</Location>
<LocationMatch ^/(none|unchanged)$>
    SetHandler send-as-is
</LocationMatch>
<Location /up>
    Dav on
</Location>
"""
MODULES_OF_APACHE = ["mime", "mpm_prefork", "authz_core", "setenvif", "include", "asis", "dav", "dav_fs"]


def fill(site):
    """The files that nginx and Apache make the pages of."""
    for name in ("chunked", "until-close"):
        (site / name).write_bytes(PARTS)
    (site / "close").write_bytes(b"closing")
    (site / "none").write_bytes(b"Status: 204 No Content\n\n")
    (site / "unchanged").write_bytes(b"Status: 304 Not Modified\n\n")
    (site / "up").mkdir()


class Nginx:
    """nginx in the foreground, with all its files below `prefix`. It gets its socket from us, so that the
    kernel chooses the port."""

    def __init__(self, prefix, keepalive_requests=1000):
        self.prefix = prefix
        self.site = prefix / "site"
        self.site.mkdir(parents=True)
        fill(self.site)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            self.address = "127.0.0.1:%d" % listener.getsockname()[1]
            configuration = prefix / "nginx.conf"
            user = "user root;" if os.geteuid() == 0 else ""  # who may read the files of the test
            values = {"address": self.address, "user": user, "keepalive_requests": keepalive_requests}
            configuration.write_text(NGINX.format(prefix=prefix, **values))
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
        lines = [line.split(" ", 2) for line in (self.prefix / "access.log").read_text().splitlines()]
        return [(int(connection), int(status), request) for connection, status, request in lines]

    def stop(self):
        """In order, so that its log is written. May be called again."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(WITHIN)


class Apache:
    """Apache in the foreground with one worker: a target with one slot. A second connection would wait for the
    end of the first.

    Started by root its worker is nobody, who may not read below pytest's folders; so it has a folder of its
    own. The port stays bound by us, without listening, so that nobody else is given it.
    """

    def __init__(self):
        self.prefix = Path(tempfile.mkdtemp(prefix="apache-"))
        self.site = self.prefix / "site"
        self.site.mkdir()
        fill(self.site)
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._reserved.getsockname()[1]
        self._configure()
        self.process = subprocess.Popen(
            ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", str(self.prefix / "apache.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # it signals its whole process group
        )
        self.log = Log(self.process.stderr)
        self.log.wait_for("resuming normal operations")

    def _configure(self):
        user = ""
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = "User #%d\nGroup #%d" % (nobody.pw_uid, nobody.pw_gid)
            for folder in (self.prefix, self.site, self.site / "up"):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        modules = ["LoadModule %s_module modules/mod_%s.so" % (name, name) for name in MODULES_OF_APACHE]
        text = APACHE.format(modules="\n".join(modules), user=user, address=self.address, prefix=self.prefix)
        (self.prefix / "apache.conf").write_text(text)

    def stop(self):
        """May be called again."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(WITHIN)
        self.log.join()
        self.process.stderr.close()
        self._reserved.close()
        shutil.rmtree(self.prefix, ignore_errors=True)


class Busybox:
    """busybox's httpd, one process for each connection, as inetd starts it. It closes after each response."""

    def __init__(self, prefix):
        self.site = prefix / "site"
        self.site.mkdir(parents=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._processes = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                command = ["busybox", "httpd", "-i", "-h", str(self.site)]
                self._processes.append(
                    subprocess.Popen(command, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL)
                )

    def stop(self):
        """May be called again."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(WITHIN)
            self._listener.close()
        for process in self._processes:
            process.terminate()
            process.wait(WITHIN)


class Script(Server):
    """A server that says its port on its output; `site` is where its files are."""

    def __init__(self, site, pattern, *command):
        super().__init__(command, pattern, merge=True)
        self.site = site


def python_module(site):
    """`python3 -m http.server`, which speaks HTTP/1.0 and closes after each response."""
    return Script(site, r"port (\d+)", sys.executable, "-um", "http.server", "-b", "127.0.0.1", "-d", str(site), "0")


def python_server(site):
    """lib/http_server.py; isolated, so that it finds Python's `http` and not the one beside it."""
    return Script(site, r"listening (\d+)", sys.executable, "-I", str(SCRIPTS / "http_server.py"), str(site))


def node_server(site):
    """lib/http_server.js; says on its output which connections it had, and when one was too many."""
    return Script(site, r"listening (\d+)", "node", str(SCRIPTS / "http_server.js"), str(site))
