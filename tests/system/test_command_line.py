# SPDX-License-Identifier: MIT
"""The command line: what is right does its work, what is wrong is told in one line."""

import socket

import pytest

from lib.multiplexer import run


def assert_refused(done, *words, code=2):
    """One line that says it, on standard error, and the exit code of its kind."""
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.endswith("\n") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["sever"], ["unknown command 'sever'", "server"]),
        (["server", "--no-such-flag"], ["--no-such-flag"]),
        (["server", "-Q"], ["-Q"]),
        (["server", "--timeuot", "2s"], ["--timeuot", "did you mean '--timeout'"]),
        (["server", "-p", "modbuss"], ["modbuss"]),
        (["server", "--timeout", "soon"], ["--timeout", "soon"]),
        (["server", "--timeout", "-1s"], ["--timeout"]),
        (["server", "--timeout"], ["--timeout"]),
        (["server", "--max-message", "lots"], ["--max-message", "lots"]),
        (["server", "--max-clients", "0"], ["--max-clients"]),
        (["server", "--max-clients", "many"], ["--max-clients", "many"]),
        (["server", "--log-format", "xml"], ["--log-format", "xml"]),
        (["server", "--hold", "--on-demand"], ["--hold", "--on-demand"]),
        (["server", "--retry-delay", "1m"], ["--retry-delay"]),
        (["server", "-t", "127.0.0.1"], ["--target", "127.0.0.1"]),
        (["server", "-t", "127.0.0.1:99999"], ["--target", "99999"]),
        (["server", "-t", "127.0.0.1:0"], ["--target"]),
        (["server", "-t", "[::1:80"], ["--target"]),
        (["server", "-t", "unix:"], ["--target"]),
        (["server", "-t", ""], ["-t", "empty"]),
        (["server", "-l", "127.0.0.1"], ["--listen"]),
        (["server", "-l", "127.0.0.1:http"], ["--listen"]),
        (["server", "-l", "70000"], ["--listen", "70000"]),
        (["server", "-l", "127.0.0.1:0", "-l", "x:y:z"], ["--listen"]),
        (["server", "--source", "somewhere"], ["--source", "somewhere"]),
        (["server", "--source", "127.0.0.1:80"], ["--source"]),
        (["server", "--source", "fe80::1%nosuch0"], ["--source", "no interface nosuch0"]),
        (["server", "--in-flite", "4"], ["unknown flag '--in-flite', did you mean '--in-flight'"]),
        (["server", "--source", "::1", "-t", "127.0.0.1:1234"], ["--source", "family"]),
        (["server", "--source", "127.0.0.1", "-t", "unix:/tmp/x"], ["--source"]),
        (["server", "left over"], ["left over"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, words):
    assert_refused(run(*arguments), *words)


def test_a_port_that_is_taken_is_one_line_and_exit_code_1():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        assert_refused(run("server", "-l", "127.0.0.1:0", "-l", address), address, "in use", code=1)


def test_an_address_that_is_not_ours_is_one_line_and_exit_code_1():
    assert_refused(run("server", "-l", "192.0.2.1:0"), "192.0.2.1", code=1)


def test_an_interface_that_is_not_there_is_one_line_and_exit_code_1():
    assert_refused(run("server", "-l", "[fe80::1%nosuch0]:0"), "no interface nosuch0", code=1)


def test_a_unix_socket_in_a_folder_that_is_not_there_is_one_line_and_exit_code_1(tmp_path):
    path = "unix:%s" % (tmp_path / "nowhere" / "socket")
    assert_refused(run("server", "-l", path), path.removeprefix("unix:"), code=1)


def test_a_file_that_is_no_socket_is_not_removed(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    assert_refused(run("server", "-l", "unix:%s" % path), str(path), code=1)
    assert path.read_text() == "precious"


def test_list_names_the_protocols():
    done = run("list")
    assert done.returncode == 0 and done.stderr == ""
    for name in ("echo", "iso8583", "modbus", "mpu"):
        assert name in done.stdout


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version_is_told(arguments):
    done = run(*arguments)
    assert done.returncode == 0 and done.stderr == ""
    assert any(character.isdigit() for character in done.stdout)


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help_names_the_commands(arguments):
    done = run(*arguments)
    assert done.returncode == 0 and done.stderr == ""
    for command in ("server", "list", "version", "help"):
        assert command in done.stdout


@pytest.mark.parametrize("arguments", [["server", "-h"], ["server", "--help"], ["help", "server"]])
def test_help_of_the_server_names_its_flags(arguments):
    done = run(*arguments)
    assert done.returncode == 0 and done.stderr == ""
    for flag in ("-l", "-t", "-p", "--timeout", "--gap", "--max-clients"):
        assert flag in done.stdout
