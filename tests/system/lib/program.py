# SPDX-License-Identifier: MIT
"""Programs that nobody here wrote (nc, socat), and the project's examples, as clients and targets."""

import subprocess
from pathlib import Path

from .multiplexer import WITHIN, Log, binary


def example(name):
    """An example's executable, which is built beside the program."""
    return str(Path(binary()).parent / "examples" / name)


def bench(name):
    """A program of bench/, which is built beside the program too."""
    return str(Path(binary()).parent / "bench" / name)


class Server:
    """A target that is a process; `address` is what its output says it listens on."""

    def __init__(self, command, listening, merge=False):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            text=True,
        )
        self.log = Log(self.process.stdout if merge else self.process.stderr)
        self.address = "127.0.0.1:" + self.log.wait_for(listening)[1]

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def stop(self):
        """May be called again."""
        self.process.terminate()
        self.process.wait(WITHIN)
        self.log.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class Talker:
    """An interactive client that is a process: lines in, lines out."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )

    def say(self, line):
        self.process.stdin.write(line + "\n")

    def hear(self):
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, line):
        self.say(line)
        return self.hear()

    def stop(self):
        """The end of its input; what it still had to say."""
        rest, errors = self.process.communicate(timeout=WITHIN)
        assert errors == ""
        return rest


def talk(*command, text):
    """A client that is given all its input at once: all its output."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=WITHIN)
    assert done.returncode == 0, done.stderr
    return done.stdout
