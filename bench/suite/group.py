# SPDX-License-Identifier: MIT
"""A control group of processes, which share processor time with others as one, and may have a quota: what a
container is to the scheduler."""

import contextlib
import itertools
import os
import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")
PERIOD_US = 100_000  # as container runtimes have it
serial = itertools.count()


def write(file: pathlib.Path, text: str) -> None:
    file.write_text(text)


class Group:
    """Of version 2 or 1, whichever has the controller. Root may make one, if the system lets it."""

    def __init__(self, share: float | None):
        is_v2 = (ROOT / "cgroup.controllers").exists()
        self.top = ROOT if is_v2 else ROOT / "cpu"
        self.group = self.top / f"bench-{os.getpid()}-{next(serial)}"
        if is_v2:
            write(ROOT / "cgroup.subtree_control", "+cpu")
        self.group.mkdir()
        try:
            if share is not None:
                self.limit(int(share * PERIOD_US), is_v2)
        except OSError:
            self.group.rmdir()
            raise

    def limit(self, quota_us: int, is_v2: bool) -> None:
        if is_v2:
            write(self.group / "cpu.max", f"{quota_us} {PERIOD_US}")
        else:
            write(self.group / "cpu.cfs_period_us", str(PERIOD_US))
            write(self.group / "cpu.cfs_quota_us", str(quota_us))

    def hold(self, pid: int) -> None:
        write(self.group / "cgroup.procs", str(pid))

    def release(self) -> None:
        """Its processes go on without it."""
        for pid in (self.group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                write(self.top / "cgroup.procs", pid)
        self.group.rmdir()


def missing_groups() -> str:
    """Why none can be made here; empty if they can."""
    try:
        Group(0.5).release()
    except OSError as error:
        return f"{error.filename or ROOT}: {error.strerror}"
    return ""
