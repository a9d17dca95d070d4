# SPDX-License-Identifier: MIT
"""Bodies whose length does not fit into 32 bits. Their file is all hole; what is in a body is looked at in
test_http_streaming.py."""

import tempfile
from pathlib import Path

import pytest

from lib.http import BYTES, Growth, connect, get, page
from lib.http_clients import curl, url
from lib.http_servers import Nginx, node_server

SIZE = (1 << 32) + 4321
LONG = 100  # seconds, where a few are expected

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def large():
    """A file of SIZE bytes that takes no room, and in /dev/shm no page of memory when it is read."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(SIZE)
        yield Path(file.name)


def test_a_download_of_4_gib_takes_no_memory(server, mux, tmp_path, large):
    nginx = server(Nginx(tmp_path / "nginx"))
    (nginx.site / "large").symlink_to(large)
    (nginx.site / "small").write_bytes(page("/small"))
    started = mux(nginx.address, wire=BYTES)
    with Growth(started, "/small"):
        told = curl("-o", "/dev/null", "-w", "%{http_code} %{size_download}", url(started, "/large"), within=LONG)
    assert told == b"200 %d" % SIZE
    assert curl(url(started, "/small")) == page("/small")


def test_an_upload_of_4_gib_takes_no_memory(server, mux, tmp_path, large):
    started = mux(server(node_server(tmp_path)).address, wire=BYTES)
    with Growth(started, "/"):
        assert curl("-T", str(large), url(started, "/upload"), within=LONG) == b"%d" % SIZE
    client = connect(started)
    assert get(client, "/") == b"hello"
    client.close()
