# SPDX-License-Identifier: MIT
"""What a report says about where and when it was made."""

import datetime
import os
import pathlib
import platform
import re

from processes import Crew, processors


def cpu_model() -> str:
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def first_line(crew: Crew, command: list) -> str:
    _, output, errors = crew.run(command, None, 30)
    return ((output or errors).strip().splitlines() or ["?"])[0]


def describe(crew: Crew, program: pathlib.Path) -> dict:
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
        "processor": f"{cpu_model()}, {len(processors())} used",
        "kernel": f"{platform.system()} {platform.release()}",
        "program": first_line(crew, [program, "version"]),
        "load average before": load,
    }


def sentences(machine: dict) -> list[str]:
    return [f"{name}: {value}" for name, value in machine.items()]
