# SPDX-License-Identifier: MIT
"""The end of the storm, which everybody who sleeps in it is woken by."""

import asyncio


class Calm:
    """As asyncio.Event, with sleeps that it ends. (asyncio.wait_for may lose a cancellation.)"""

    def __init__(self):
        self.has_come = False
        self.sleepers = set()

    def is_set(self):
        return self.has_come

    def set(self):
        self.has_come = True
        for sleeper in self.sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def nap(self, seconds=None):
        """So long, or until the calm; for ever if not told how long."""
        if self.has_come or seconds is not None and seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        sleeper = loop.create_future()
        self.sleepers.add(sleeper)
        alarm = None
        if seconds is not None:
            alarm = loop.call_later(seconds, lambda: sleeper.done() or sleeper.set_result(None))
        try:
            await sleeper
        finally:
            self.sleepers.discard(sleeper)
            if alarm is not None:
                alarm.cancel()


def close_now(sock):
    """Closes a socket that the loop may be waiting for: the number of the descriptor may be another's at once."""
    if sock.fileno() >= 0:
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock.fileno())
        loop.remove_writer(sock.fileno())
        sock.close()
