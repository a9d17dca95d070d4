# SPDX-License-Identifier: MIT
"""A target that speaks unasked under load: whose answer who gets; script/unasked takes its time."""

import subprocess
from pathlib import Path

from lib.multiplexer import binary

UNASKED = Path(__file__).resolve().parents[1] / "soak" / "unasked.py"


def run(*arguments):
    command = ["/usr/bin/python3", UNASKED, binary(), "--seconds", "2.5", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_nobody_gets_anothers_answer_but_for_one_check_interval():
    done = run()
    assert done.returncode == 0 and done.stdout.count("right  ") == 4, done.stdout + done.stderr


def test_without_the_check_answers_stay_shifted_and_that_would_be_noticed():
    done = run("--only", "echo", "--flag=--check-gap=0")
    assert done.returncode == 1 and "WRONG  echo" in done.stdout, done.stdout + done.stderr
