# SPDX-License-Identifier: MIT
"""What a part of the suite is: it measures, and later tells what the store has of it. The usage of
script/bench has a sentence about each."""

import dataclasses
from collections.abc import Callable

from report import Section
from session import Session
from store import Store


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    measure: Callable[[Session], None]
    sections: Callable[[Store], list[Section]]
    packages: tuple = ()  # of Debian, beside what every part needs
