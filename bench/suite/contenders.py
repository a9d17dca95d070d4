# SPDX-License-Identifier: MIT
"""Who is measured: the multiplexer, what stands beside it, and the targets behind them.

The names are those of the tables. HAProxy in mode http shares one connection as the multiplexer does;
nginx has no such limit and is there for orientation.
"""

import contextlib
import pathlib

from processes import SERVERS, Crew, Placement, Server, free_port

OURS = "multiplexer"
RELAY = "relay"
DIRECT = "direct"
LOCK = "the lock"
HAPROXY = "HAProxy"
NGINX = "nginx"

HAPROXY_HTTP = """\
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 60s
frontend in
    bind 127.0.0.1:{port}
    default_backend out
backend out
    http-reuse always
    server one {target} maxconn 1 pool-max-conn 1
"""

HAPROXY_TCP = """\
global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen in
    bind 127.0.0.1:{port}
    server one {target}
"""

NGINX_HEAD = """\
daemon off; master_process off; worker_processes 1; pid {work}/nginx.{port}.pid; error_log {work}/nginx.error;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600; client_max_body_size 0;
    client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
"""

NGINX_PROXY = NGINX_HEAD + """\
    upstream out {{ server {target}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://out; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""

NGINX_SERVER = NGINX_HEAD + """\
    server {{
        listen 127.0.0.1:{port};
        location /large {{ root {work}/www; }}
        location / {{ return 200 "hello\\n"; }}
    }}
}}
"""


class Cast:
    """Starts the servers of one part, and stops them again in order."""

    def __init__(self, crew: Crew, programs: pathlib.Path, program: pathlib.Path):
        self.crew = crew
        self.programs = programs
        self.program = program
        self.servers: list[tuple[Server, tuple]] = []

    def keep(self, server: Server, statuses: tuple = (0, -15)) -> Server:
        self.servers.append((server, statuses))
        return server

    def mux(self, wire: str, target: Server, *flags, place: Placement = SERVERS) -> Server:
        command = [self.program, "server", "-p", wire, "-t", target.address, "-l", "127.0.0.1:0", *flags]
        return self.keep(self.crew.start("multiplexer", command, place.middle), (0,))

    def relay(self, target: Server, place: Placement = SERVERS) -> Server:
        command = [self.programs / "bench-relay", "127.0.0.1:0", target.address]
        return self.keep(self.crew.start("bench-relay", command, place.middle))

    def echo(self, place: Placement = SERVERS) -> Server:
        command = [self.programs / "bench-echo", "127.0.0.1:0"]
        return self.keep(self.crew.start("bench-echo", command, place.target))

    def target(self, wire: str, *flags, place: Placement = SERVERS) -> Server:
        command = [self.programs / "bench-target", "127.0.0.1:0", "--wire", wire, *flags]
        return self.keep(self.crew.start("bench-target", command, place.target))

    def bare(self, wire: str, place: Placement = SERVERS) -> Server:
        """The least that a server of this protocol can do."""
        return self.target(wire, place=place) if wire == "http" else self.echo(place)

    def haproxy(self, target: Server, place: Placement = SERVERS, mode: str = "http") -> Server:
        text = HAPROXY_HTTP if mode == "http" else HAPROXY_TCP
        return self.configured("haproxy", ["haproxy", "-db", "-f"], text, target.address, place.middle)

    def nginx_proxy(self, target: Server, place: Placement = SERVERS) -> Server:
        return self.configured("nginx", ["nginx", "-p", self.crew.work, "-c"], NGINX_PROXY, target.address,
                               place.middle)

    def nginx_server(self, place: Placement = SERVERS) -> Server:
        return self.configured("nginx", ["nginx", "-p", self.crew.work, "-c"], NGINX_SERVER, "", place.target)

    def configured(self, name: str, command: list, text: str, target: str, processor: int | None) -> Server:
        port = free_port()
        file = self.crew.work / f"{name}.{port}.conf"
        file.write_text(text.format(port=port, target=target, work=self.crew.work))
        return self.keep(self.crew.start(name, [*command, file], processor, port), (0, -15, 143))

    def leave(self) -> None:
        """The last first, so that nobody loses its target."""
        while self.servers:
            self.crew.stop(*self.servers.pop())


@contextlib.contextmanager
def cast(crew: Crew, programs: pathlib.Path, program: pathlib.Path):
    """Servers for a while. After trouble nobody is stopped in order: the crew ends them all."""
    made = Cast(crew, programs, program)
    yield made
    made.leave()
