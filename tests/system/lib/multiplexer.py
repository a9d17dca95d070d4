# SPDX-License-Identifier: MIT
"""The program under test, started and watched: its log is read as it is written."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

WITHIN = 5  # seconds
TEXT_LINE = re.compile(r"\S+Z (?P<level>error|warn|info|debug) +(?P<text>.*)")


def binary():
    """TCPMUX_BINARY, or the one that was built at the root of the repository."""
    built = Path(__file__).resolve().parents[3] / "build" / "tcp-multiplexer"
    return os.environ.get("TCPMUX_BINARY", str(built))


def is_sanitized():
    """Whether the binary carries AddressSanitizer, which keeps freed memory for a while."""
    return b"__asan_init" in Path(binary()).read_bytes()


def run(*arguments, **options):
    """A command that ends by itself: its exit code, standard output and standard error."""
    return subprocess.run(
        [binary(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN, **options
    )


class Log:
    """The lines of a pipe, collected by a thread."""

    def __init__(self, pipe):
        self.lines = []
        self.ended = False
        self._pipe = pipe
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._pipe:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def __str__(self):
        return "\n".join(self.lines)

    def find(self, pattern):
        return [match for line in list(self.lines) if (match := re.search(pattern, line))]

    def wait_for(self, pattern, count=1, within=WITHIN):
        """The `count`th line that matches, as a match object."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self.find(pattern)) >= count or self.ended, within)
        matches = self.find(pattern)
        assert found and len(matches) >= count, "no line %d matches %r in\n%s" % (count, pattern, self)
        return matches[count - 1]

    def join(self):
        self._thread.join(WITHIN)
        assert self.ended


def _levels(line):
    """The level of a line and its text, whatever the format; other lines are errors."""
    if line.startswith("{"):
        fields = json.loads(line)
        return fields.get("level", "debug"), line
    match = TEXT_LINE.match(line)
    if match is None and re.match(r"\s*[0-9a-f]{4,8}\s", line):
        return "debug", line  # of a hex dump
    return (match["level"], match["text"]) if match else ("error", line)


class Multiplexer:
    """`tcp-multiplexer server`. Ready when the constructor returns."""

    def __init__(self, target, *flags, listen=("127.0.0.1:0",), expect=(), wrapper=(), **options):
        command = [*wrapper, binary(), "server", "-t", target]
        for address in listen:
            command += ["-l", address]
        self.expected = list(expect)  # patterns of warnings that belong to the test
        self.process = subprocess.Popen(
            [*command, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.log = Log(self.process.stderr)
        self.addresses = []
        self._wait_until_ready()

    def _wait_until_ready(self):
        try:
            # A line of either format; a wildcard address may have one or two sockets.
            self.addresses.append(self._listening(1))
        except AssertionError:
            self.kill()
            raise

    def _listening(self, count):
        return self.log.wait_for(r'listening (unix:[^\s"]+|\S+:\d+)', count)[1]

    def listening(self, index):
        """The address of a listening socket, in the order of the log, from 0."""
        return self._listening(index + 1)

    @property
    def address(self):
        return self.addresses[0]

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    @property
    def pid(self):
        return self.process.pid

    def wait_for_log(self, pattern, count=1, within=WITHIN):
        return self.log.wait_for(pattern, count, within)

    def expect(self, *patterns):
        """Warnings that belong to the test."""
        self.expected += patterns

    # ---- ends ----

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, within=WITHIN):
        """Until it has ended by itself; checks that it was in order and complained of nothing unexpected."""
        code = self.process.wait(within)
        self.log.join()
        self.process.stderr.close()
        assert code == 0, "exit code %d\n%s" % (code, self.log)
        self.assert_no_surprise()

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        self.wait()

    def kill(self):
        """Whatever state it is in; may be called again."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.join()
        self.process.stderr.close()

    def assert_no_surprise(self):
        for line in self.log.lines:
            level, text = _levels(line)
            expected = any(re.search(pattern, text) for pattern in self.expected)
            assert level in ("info", "debug") or expected, "unexpected: %s\n\n%s" % (line, self.log)

    # ---- what it costs ----

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def cpu_seconds(self):
        fields = Path("/proc/%d/stat" % self.pid).read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        status = Path("/proc/%d/status" % self.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


class Watch:
    """How long something took: `with Watch() as watch: ...; watch.seconds`."""

    def __enter__(self):
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = self.elapsed()

    def elapsed(self):
        return time.monotonic() - self.began
