# SPDX-License-Identifier: MIT
"""What the system tests share: the program under test, targets, clients, and how messages are written."""
