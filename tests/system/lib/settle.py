# SPDX-License-Identifier: MIT
"""Being sure that what was sent to the multiplexer has been read by it."""


def settle(started, connect):
    """It is ready before the first of two more clients is, and the second comes in a later turn."""
    for _ in range(2):
        started.wait_for_log(connect().name)
