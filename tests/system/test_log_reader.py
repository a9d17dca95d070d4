# SPDX-License-Identifier: MIT
"""Whoever reads the log, or does not, costs the service nothing: no wait, no end, and lines that are missing are
counted."""

import fcntl
import os
import re
import signal
import subprocess

import pytest

from lib.multiplexer import WITHIN, Watch, binary, run
from lib.target import answer
from lib.unread import Filing, Unread, a_pipe, a_socket, a_terminal

KINDS = pytest.mark.parametrize("ends", [a_pipe, a_socket, a_terminal])


@pytest.fixture
def unread():
    made = []

    def make(*arguments, **options):
        made.append(Unread(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def filing():
    made = []

    def make(*arguments, **options):
        made.append(Filing(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def visit(client, started, count):
    """So many clients, one after the other, each served."""
    for number in range(count):
        one = client(started)
        assert one.ask(b"%d" % number) == answer(b"%d" % number)
        one.close()


def lost(lines):
    """How many lines are missing by what the log says, and how many say so."""
    said = [int(match[1]) for line in lines if (match := re.search(r"warn +(\d+) log lines? w\w+ lost: .* lines=\1$", line))]
    return sum(said), len(said)


@KINDS
def test_thousands_are_served_while_nobody_reads_and_what_is_lost_is_counted(target, unread, client, ends):
    visits = 1500
    few = unread(target().address, "-v")
    visit(client, few, 1)
    others = len(few.lines_to_the_end()) - 4  # opened, request, response, closed

    started = unread(target().address, "-v", ends=ends)
    visit(client, started, visits)
    lines = started.lines_to_the_end()
    missing, said = lost(lines)
    assert missing > 0 and said < 10
    assert len(lines) - said + missing == others + 4 * visits
    assert all(re.match(r"\S+Z (info |warn |debug) ", line) for line in lines)


@KINDS
def test_term_ends_it_while_nobody_reads(target, unread, client, ends):
    started = unread(target().address, "-v", ends=ends)
    visit(client, started, 1000)
    with Watch() as watch:
        assert started.stop() == 0
    assert watch.seconds < 3


@KINDS
def test_what_waits_comes_out_as_soon_as_somebody_reads(target, unread, client, ends):
    """Without anything else happening."""
    started = unread(target().address, "-v", ends=ends)
    visit(client, started, 1500)
    started.wait_for(r"log lines were lost")


def test_a_failing_start_does_not_wait_for_a_reader():
    ours, theirs = os.pipe()
    flags = fcntl.fcntl(theirs, fcntl.F_GETFL)
    fcntl.fcntl(theirs, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while True:
            os.write(theirs, b"x" * 4096)
    except BlockingIOError:
        pass
    fcntl.fcntl(theirs, fcntl.F_SETFL, flags)
    try:
        command = [binary(), "server", "--protocol", "unheard-of"]
        assert subprocess.run(command, stdin=subprocess.DEVNULL, stderr=theirs, timeout=WITHIN).returncode == 2
    finally:
        os.close(ours)
        os.close(theirs)


# ---- files ----


def test_a_file_at_its_size_limit_does_not_end_the_service(target, filing, client, tmp_path):
    limited = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh"]
    started = filing(target().address, tmp_path / "log", "-v", wrapper=limited)
    visit(client, started, 200)
    assert (tmp_path / "log").stat().st_size in (8192, 16384), "what the shell takes for a block"
    os.truncate(tmp_path / "log", 0)  # as logrotate does with copytruncate
    started.log.wait_for(r"stopp|closed ")
    visit(client, started, 5)
    started.stop()


def test_usr1_opens_a_file_that_was_moved_away_again(target, filing, client, tmp_path):
    path, moved = tmp_path / "log", tmp_path / "log.1"
    started = filing(target().address, path, name="log", cwd=tmp_path)
    visit(client, started, 1)
    started.log.wait_for("closed .*client=1")
    path.rename(moved)
    visit(client, started, 1)
    one = client(started)
    assert one.ask(b"once more") == answer(b"once more")
    started.signal(signal.SIGUSR1)
    started.log.wait_for("USR1: the log file was opened again")
    one.close()
    started.log.wait_for("closed .*client=3")
    started.stop()
    assert "#2: " in moved.read_text() and "#2: " not in path.read_text()
    assert moved.read_text().endswith("\n")
    assert re.match(r"\S+Z info +USR1: ", path.read_text())


def test_a_file_that_cannot_be_opened_again_stays_in_use(target, filing, client, tmp_path):
    path, moved = tmp_path / "log", tmp_path / "log.1"
    started = filing(target().address, path)
    path.rename(moved)
    path.mkdir()
    started.signal(signal.SIGUSR1)
    started.log.path = moved
    started.log.wait_for(r"warn +USR1: cannot open '%s': is a directory; the old log file stays in use" % path)
    visit(client, started, 1)
    started.log.wait_for("closed .*client=1")
    started.stop()


def test_lines_are_appended_and_not_everybody_may_read_them(target, filing, tmp_path):
    path = tmp_path / "log"
    path.write_text("what was there: listening 127.0.0.1:1\n")
    path.unlink()
    filing(target().address, path).stop()
    filing(target().address, path).stop()
    assert len(re.findall("starting", path.read_text())) == 2
    assert path.stat().st_mode & 0o137 == 0


def test_a_file_that_cannot_be_opened_is_one_line_and_exit_1(tmp_path):
    code, errors = (done := run("server", "--log-file", str(tmp_path / "no" / "log"))).returncode, done.stderr
    assert code == 1
    assert errors == "tcp-multiplexer: --log-file: cannot open '%s': no such file or directory\n" % (
        tmp_path / "no" / "log"
    )


# ---- floods ----


def test_a_flood_of_connections_is_a_hundred_lines_a_second_and_a_number(target, mux, client):
    started = mux(target())
    started.wait_for_log("new target connection")
    with Watch() as watch:
        visit(client, started, 1000)
        started.wait_for_log(r"info +\d+ lines about connections were left out lines=\d+")
    started.stop()
    seconds = watch.seconds
    about = len(started.log.find(r"#\d+: ")) + len(started.log.find(r"closed .*client=\d+"))
    left_out = sum(int(match[1]) for match in started.log.find(r"left out lines=(\d+)"))
    assert about + left_out + len(started.log.find("target connection|closed .*link=")) >= 2000
    assert about <= 100 * (seconds + 2)
    assert started.log.find("new target connection") and left_out > 1000 - about


def test_verbose_leaves_nothing_out(target, mux, client):
    started = mux(target(), "-v")
    visit(client, started, 300)
    started.stop()
    assert len(started.log.find(r"#\d+: \S+ <->")) == len(started.log.find(r"closed .*client=\d+")) == 300
    assert not started.log.find("left out")


def test_health_checks_leave_no_line_where_that_is_asked_for(target, mux, client):
    started = mux(target(), "--dont-log-null", "-v")
    host, port = started.address.rsplit(":", 1)
    for _ in range(3):
        subprocess.run(["nc", "-z", host, port], check=True, timeout=WITHIN)
    client(started).reset()
    client(started)  # is silent until the end
    assert client(started).ask(b"said") == answer(b"said")
    started.stop()
    assert [match[1] for match in started.log.find(r" #(\d+): \S+ <-> ")] == ["6"]
    assert [match[1] for match in started.log.find(r"closed .*client=(\d+)")] == ["6"]
    names = started.log.find(r"#6: (\S+ <-> \S+)")[0][1]
    assert started.log.find(r"closed " + re.escape(names))
    first = [line for line in started.log.lines if "#6" in line][0]
    assert "#6: " in first, "it comes before the first request"
    assert started.log.find("stopped clients=6")


# ---- signals ----


def test_usr1_without_a_file_says_so(target, mux, client):
    started = mux(target())
    started.signal(signal.SIGUSR1)
    started.wait_for_log("info +USR1: there is no log file to open again")
    assert client(started).ask(b"alive") == answer(b"alive")


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGXFSZ, signal.SIGPIPE])
def test_some_signals_are_ignored(target, mux, client, number):
    started = mux(target())
    one = client(started)
    assert one.ask(b"before") == answer(b"before")
    started.signal(number)
    assert one.ask(b"after") == answer(b"after")
