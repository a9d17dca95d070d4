# SPDX-License-Identifier: MIT
"""The program with a log that is read only when the test wants it, through whatever kind of descriptor."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
import tty

from .multiplexer import WITHIN, binary


def a_pipe():
    return os.pipe()


def a_socket():
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def a_terminal():
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, theirs


class Unread:
    """`tcp-multiplexer server`; `ends` makes the two ends of its standard error. Ready when the constructor returns;
    from then on nobody reads, until `read` or `rest` is called."""

    def __init__(self, target, *flags, ends=a_pipe):
        self._fd, theirs = ends()
        command = [binary(), "server", "-t", target, "-l", "127.0.0.1:0", *flags]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        os.close(theirs)
        self._bytes = b""
        self.address = self.wait_for(r"listening (\S+:\d+)")[1]

    def _read(self):
        """False at the end. A terminal ends with an error."""
        ready, _, _ = select.select([self._fd], [], [], WITHIN)
        assert ready, "nothing came after\n%s" % self.text
        try:
            got = os.read(self._fd, 65536)
        except OSError:
            got = b""
        self._bytes += got
        return got != b""

    @property
    def text(self):
        return self._bytes.decode()

    def wait_for(self, pattern):
        while (match := re.search(pattern, self.text)) is None:
            assert self._read(), "no %r in\n%s" % (pattern, self.text)
        return match

    def stop(self):
        """TERM, and nobody reads."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN)

    def lines_to_the_end(self):
        """TERM, and every line that was not read before: whole, with an end."""
        self.process.send_signal(signal.SIGTERM)
        while self._read():
            pass
        assert self.process.wait(WITHIN) == 0
        assert self.text.endswith("\n")
        return self.text.splitlines()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)


class LogFile:
    """A file that is written by somebody else."""

    def __init__(self, path):
        self.path = path

    def text(self):
        return self.path.read_text() if self.path.exists() else ""

    def wait_for(self, pattern, behind=0):
        """The first match behind so many characters."""
        end = time.monotonic() + WITHIN
        while (match := re.compile(pattern).search(self.text(), behind)) is None:
            assert time.monotonic() < end, "no %r in\n%s" % (pattern, self.text())
            time.sleep(0.005)
        return match


class Filing:
    """`tcp-multiplexer server --log-file`, with a file that is watched."""

    def __init__(self, target, path, *flags, name=None, wrapper=(), **options):
        self.log = LogFile(path)
        behind = len(self.log.text())  # a file that an earlier one has written has its lines too
        command = [*wrapper, binary(), "server", "-t", target, "-l", "127.0.0.1:0", "--log-file", name or str(path)]
        self.process = subprocess.Popen(
            [*command, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
        )
        self.address = self.log.wait_for(r"listening (\S+:\d+)", behind)[1]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """TERM; standard error has nothing."""
        self.signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=WITHIN)
        assert self.process.returncode == 0 and errors == b"", errors

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
