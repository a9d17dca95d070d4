# SPDX-License-Identifier: MIT
"""Clients that nobody here wrote, as programs: curl, ab, wrk, Node, a browser."""

import os
import re
import subprocess
from pathlib import Path

LONG = 20  # seconds for a program that works for a while
NODE_CLIENT = str(Path(__file__).parent / "http_client.js")
PACKAGES_OF_NODE = "/usr/share/nodejs"


def run(*command, within=LONG, **options):
    """What a program wrote; it must succeed."""
    done = subprocess.run(command, capture_output=True, timeout=within, **options)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def url(mux, path="/"):
    return "http://127.0.0.1:%d%s" % (mux.port, path)


def curl(*arguments, within=LONG, **options):
    quiet = ["-q", "--noproxy", "*", "-sS", "--max-time", str(within)]
    return run("curl", *quiet, *arguments, within=within, **options)


def head_of(answer):
    """The status and the fields of an answer that was written with its head."""
    head = answer.split(b"\r\n\r\n")[0].decode()
    return int(head.split(" ")[1]), head.lower()


def ab(mux, path, count, clients, *flags):
    """Every one of `count` requests succeeds."""
    said = run("ab", "-q", *flags, "-n", str(count), "-c", str(clients), url(mux, path), text=True)
    assert re.search(r"Complete requests: +%d\n" % count, said), said
    assert re.search(r"Failed requests: +0\n", said), said
    assert "Non-2xx" not in said, said


def wrk(mux, path, clients=32):
    """For a second; without an error."""
    said = run("wrk", "-t", "1", "-c", str(clients), "-d", "1s", url(mux, path), text=True)
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    assert int(re.search(r"(\d+) requests in", said)[1]) > 0, said


def node(mux, kind, sockets, count):
    """Asks for /0, /1, ... as http_client.js does: what it says."""
    environment = {**os.environ, "NODE_PATH": PACKAGES_OF_NODE}
    command = ["node", NODE_CLIENT, kind, str(mux.port), str(sockets), str(count)]
    return run(*command, text=True, env=environment).rstrip("\n")


def browse(address, profile):
    """Chromium loads a page; what its document has become when everything is loaded. All that it keeps is below
    `profile`, and it resolves no name."""
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--proxy-server=direct://",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--user-data-dir=%s" % profile,
    ]
    environment = {**os.environ, "HOME": str(profile)}
    return run("chromium", *flags, "--dump-dom", address, within=30, text=True, env=environment)
