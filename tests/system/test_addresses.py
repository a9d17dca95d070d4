# SPDX-License-Identifier: MIT
"""Where clients connect, and how the target is named."""

import os
import shutil
import socket
import subprocess

import pytest

from lib.target import answer
from lib.wire import ECHO

QUICK_RETRY = ("--retry-delay", "20ms", "--retry-delay-max", "50ms")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
            one.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
def test_ipv6_on_both_sides(target, mux, client):
    device = target(address=("::1", 0))
    started = mux(device, listen=["[::1]:0"])
    assert started.address.startswith("[::1]:")
    assert client(started).ask(b"question") == answer(b"question")
    started.wait_for_log(r"new target connection \[::1\]:\d+ <-> \[::1\]:\d+")
    started.wait_for_log(r"#1: \[::1\]:\d+ <-> \[::1\]:%d" % started.port)


def test_unix_sockets_on_both_sides(target, mux, client, tmp_path):
    device = target(address=str(tmp_path / "target"))
    path = tmp_path / "listen"
    started = mux(device, listen=["unix:%s" % path])
    assert started.address == "unix:%s" % path
    assert client(started).ask(b"question") == answer(b"question")
    started.wait_for_log("new target connection unix <-> unix:%s" % (tmp_path / "target"))
    started.wait_for_log("#1: unix <-> unix:%s" % path)
    started.stop()
    assert not path.exists(), "the socket's file stays behind"


def test_a_unix_socket_left_behind_by_a_crash_is_taken_over(target, mux, client, tmp_path):
    path = str(tmp_path / "listen")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.bind(path)
    assert client(mux(target(), listen=["unix:" + path])).ask(b"question") == answer(b"question")


def test_several_listening_sockets_share_one_link(target, mux, client, tmp_path):
    device = target()
    started = mux(device, listen=["127.0.0.1:0", "127.0.0.2:0", "unix:%s" % (tmp_path / "listen")])
    addresses = [started.listening(index) for index in range(3)]
    assert addresses[1].startswith("127.0.0.2:")
    for number, address in enumerate(addresses):
        assert client(address).ask(b"%d" % number) == answer(b"%d" % number)
    assert len(device.connections) == 1


@pytest.mark.parametrize("bare", ["0", ":0"])
def test_a_bare_port_listens_on_all_addresses(target, mux, client, bare):
    started = mux(target(), listen=[bare])
    assert client("127.0.0.1:%d" % started.port).ask(b"of v4") == answer(b"of v4")
    # An IPv4 address is shown as one, also where the socket is of IPv6.
    started.wait_for_log(r"#1: 127\.0\.0\.1:\d+ <-> 127\.0\.0\.1:%d" % started.port)
    if has_ipv6():
        assert client("[::1]:%d" % started.port).ask(b"of v6") == answer(b"of v6")


def test_a_local_name_can_be_listened_on(target, mux, client):
    started = mux(target(), listen=["localhost:0"])
    assert client(started).ask(b"question") == answer(b"question")


def test_links_leave_from_the_source_address(target, mux, client):
    device = target()
    started = mux(device, "--source", "127.0.0.3")
    assert client(started).ask(b"question") == answer(b"question")
    started.wait_for_log(r"new target connection 127\.0\.0\.3:\d+ <-> ")


def test_a_source_address_that_is_not_ours_fails_connecting_and_is_told(target, mux, client):
    started = mux(
        target(), "--source", "192.0.2.1", "--queue-timeout", "200ms", *QUICK_RETRY,
        expect=["connect", "bind", "source", "closed .*reason=queue_timeout"],
    )  # fmt: skip
    one = client(started)
    one.send(b"nobody answers")
    one.expect_end()


# ---- names ----


def test_a_name_is_resolved_and_the_next_address_tried_when_one_refuses(target, mux, client):
    """localhost is often ::1 first; the target listens on 127.0.0.1 only."""
    device = target()
    started = mux("localhost:%s" % device.address.rsplit(":", 1)[1])
    assert client(started).ask(b"question") == answer(b"question")
    assert len(device.connections) == 1


@pytest.fixture
def name_service(tmp_path):
    """A wrapper that gives a program /etc/hosts and /etc/resolv.conf of its own, and the hosts file."""
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    binds = "mount --bind %s /etc/hosts && mount --bind %s /etc/resolv.conf" % (hosts, resolver)
    wrapper = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    wrapper += ["sh", "-c", binds + ' && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    return wrapper, hosts


def test_a_name_that_does_not_resolve_is_asked_for_again_and_found(target, mux, client, name_service):
    wrapper, hosts = name_service
    device = target()
    port = device.address.rsplit(":", 1)[1]
    started = mux(
        "device.test:" + port, "--queue-timeout", "600ms", *QUICK_RETRY, wire=ECHO, wrapper=wrapper,
        expect=["cannot connect", "closed .*reason=queue_timeout"],
    )  # fmt: skip
    one, two = client(started), client(started)
    one.send(b"nobody answers")
    one.expect_end()
    started.wait_for_log("warn +cannot connect to device.test:%s.*reason=unresolved" % port)
    hosts.write_text("127.0.0.1 localhost device.test\n")
    assert two.ask(b"question") == answer(b"question")
    assert device.requests == [b"question"]


def test_resolving_does_not_hold_up_clients(target, mux, client):
    """Whatever a name service does, and however long it takes, requests end after --queue-timeout."""
    started = mux(
        "no-such-host.invalid:1234", "--queue-timeout", "300ms", *QUICK_RETRY,
        expect=["cannot connect", "closed .*reason=queue_timeout"],
    )  # fmt: skip
    one = client(started)
    one.send(b"nobody answers")
    one.expect_end()


# ---- network interfaces ----


def test_a_target_behind_an_interface_that_is_not_there_is_tried_again(mux, client):
    started = mux(
        "[fe80::1%nosuch0]:502", "--queue-timeout", "300ms", *QUICK_RETRY,
        expect=["cannot connect", "closed .*reason=queue_timeout"],
    )  # fmt: skip
    one = client(started)
    one.send(b"nobody answers")
    one.expect_end()
    started.wait_for_log(r"warn +cannot connect to \[fe80::1%nosuch0\]:502: no interface nosuch0 .*reason=unresolved")
