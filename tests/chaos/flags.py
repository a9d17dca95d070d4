# SPDX-License-Identifier: MIT
"""Flags for a round, drawn from what `server --help` lists, so that a new flag takes part by itself.

A flag is drawn by its type, unless `RANGES` knows better. What would be no chaos but a broken test is in
`LEFT_OUT`, with the reason. The program itself says which combinations are legal: what it refuses is drawn
again, without the flag that it complains about.
"""

import re
import subprocess

LEFT_OUT = {
    "applicationProtocol": "drawn with the model",
    "targetServer": "the model's",
    "listen": "the model's",
    "source": "loopback has the one",
    "help": "ends the program",
    "debug": "megabytes of log that nobody reads",
}

MS, KIB, MIB = 0.001, 1 << 10, 1 << 20

# Tiny, usual and large: a third of those that are given is tiny or large. Seconds, bytes, or a number.
RANGES = {
    "client-timeout": (1 * MS, 0.3, 2, 60),
    "idle-timeout": (1 * MS, 0.3, 2, 60),
    "connect-timeout": (1 * MS, 0.3, 2, 60),
    "queue-timeout": (1 * MS, 0.3, 2, 60),
    "wait-timeout": (1 * MS, 0.3, 2.5, 60),
    "timeout": (1 * MS, 0.3, 2.5, 60),
    "write-timeout": (1 * MS, 0.3, 1.5, 60),
    "delay": (0, 0, 0.1, 0.5),
    "gap": (0, 0, 0.003, 0.05),
    "check-gap": (0, 0.003, 0.02, 0.05),
    "retry-delay": (1 * MS, 0.01, 0.2, 1.5),
    "retry-delay-max": (1 * MS, 0.05, 0.5, 2),
    "link-idle": (1 * MS, 0.05, 1, 60),
    "link-lifetime": (1 * MS, 0.05, 2, 60),
    "grace": (0, 0.5, 2, 10),
    "keepalive": (1, 1, 5, 60),
    "in-flight": (1, 2, 16, 64),
    "connections": (1, 2, 4, 16),
    "max-clients": (1, 10, 60, 1000),
    "max-message": (1, 4 * KIB, 128 * KIB, 1 * MIB),
    "max-body": (100, 64 * KIB, 2 * MIB, 4 * MIB),
    "buffer-requests": (1, 100, 64 * KIB, 256 * KIB),
    "buffer-memory": (256 * KIB, 512 * KIB, 4 * MIB, 64 * MIB),
    "client-backlog": (1, 100, 64 * KIB, 256 * KIB),
    "spin": (1e-6, 1e-5, 1e-4, 1e-3),
}
OF_TYPE = {
    "duration": (1 * MS, 0.1, 2, 60),
    "size": (1, 1 * KIB, 256 * KIB, 1 * MIB),
    "count": (1, 1, 16, 100),
}
# How likely a flag is given at all.
GIVEN = {"in-flight": 0.5, "connections": 0.4, "timeout": 0.8, "wait-timeout": 0.8, "queue-timeout": 0.8, "grace": 0.8,
         "retry-delay": 1, "retry-delay-max": 1, "write-timeout": 0.7, "link-lifetime": 0.3, "delay": 0.25, "gap": 0.2,
         "buffer-requests": 0.5, "verbose": 0.2, "keepalive": 0.1, "max-message": 0.2, "max-clients": 0.2}  # fmt: skip
USUALLY = 0.3
# Flags of one protocol, so that they are not given where they mean nothing.
ONLY = {"via": "http", "forwarded": "http", "max-body": "http", "http-strict": "http", "http-body-guard": "http",
        "ignore-line": "echo", "coalesce": "modbus", "modbus-ignore-id": "modbus", "modbus-ignore-unit": "modbus",
        "iso-ignore-mti": "iso8583 mpu"}  # fmt: skip

LINE = re.compile(r"^ +(?:-\w, )?--([\w-]+)(?: (\S+))?  +\S")
UNITS = {"ms": 0.001, "us": 1e-6, "s": 1, "m": 60, "h": 3600}


DEFAULT = re.compile(r'\(default "?([^";)]+)')


def options(program):
    """{name: type} and {name: default}; a flag without a value has the type ''."""
    command = [program, "server", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    kinds, defaults, name = {}, {}, None
    for line in re.sub(r"\(default\s+", "(default ", text).splitlines():
        if (match := LINE.match(line)) is not None:
            name = match[1]
            kinds[name] = match[2] or ""
        if name is not None and (match := DEFAULT.search(line)) is not None:
            defaults[name] = match[1]
    if len(kinds) < 20:
        raise SystemExit("chaos: --help of %s lists only %d flags" % (program, len(kinds)))
    return kinds, defaults


def seconds(text):
    """A duration as it is written on the command line."""
    if re.fullmatch(r"[\d.]+", text):
        return float(text)
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|us|s|m|h)", text))


def size(text):
    match = re.fullmatch(r"(\d+)(KiB|MiB|GiB)?", text)
    return int(match[1]) * {None: 1, "KiB": KIB, "MiB": MIB, "GiB": MIB << 10}[match[2]]


def between(rng, low, high):
    """Small values as likely as large ones."""
    if low <= 0:
        return rng.uniform(low, high)
    return low * (high / low) ** rng.random()


def value_of(rng, name, kind):
    """The text of a drawn value."""
    if "|" in kind and rng.random() < 0.7:
        return rng.choice([choice for choice in kind.split("|") if choice not in OF_TYPE])
    if "|" in kind:
        kind = next((choice for choice in kind.split("|") if choice in OF_TYPE), None)
    if kind == "format":
        return rng.choice(["text", "json"])
    if kind not in OF_TYPE:
        return None
    tiny, low, high, large = RANGES.get(name, OF_TYPE[kind])
    drawn = rng.random()
    value = between(rng, low, high) if drawn < 0.8 else between(rng, tiny, low) if drawn < 0.9 else large
    if kind == "duration":
        return "%dus" % max(value * 1e6, 0 if tiny == 0 else 1) if value < 1 * MS else "%dms" % (value * 1000)
    return str(int(value))


def draw(rng, protocol, listed):
    """{name: value}; None for a flag that has none."""
    drawn = {}
    for name, kind in listed.items():
        only = ONLY.get(name, "http" if name.startswith("http-") else protocol)
        if name in LEFT_OUT or protocol not in only.split():
            continue
        if rng.random() < GIVEN.get(name, USUALLY):
            value = value_of(rng, name, kind) if kind else None
            if not kind or value is not None:
                drawn[name] = value
    return drawn


def repair(rng, drawn, protocol):
    """What is known to be refused; the program finds the rest."""
    if "hold" in drawn and "on-demand" in drawn:
        del drawn[rng.choice(["hold", "on-demand"])]
    if "modbus-ignore-id" in drawn and "modbus-ignore-unit" in drawn:
        del drawn[rng.choice(["modbus-ignore-id", "modbus-ignore-unit"])]
    if protocol in ("iso8583", "mpu") or "modbus-ignore-id" in drawn or "gap" in drawn:
        drawn.pop("in-flight", None)
    if seconds(drawn["retry-delay"]) > seconds(drawn["retry-delay-max"]):
        drawn["retry-delay-max"] = drawn["retry-delay"]
    if "buffer-memory" in drawn:
        largest = (size(drawn["buffer-memory"]) - 64 * KIB) // 3
        drawn["max-message"] = str(min(size(drawn.get("max-message", str(MIB))), largest))
    return drawn


def command_line(drawn):
    words = []
    for name, value in drawn.items():
        words += ["--" + name] + ([] if value is None else [value])
    return words


class Settings:
    """The values that hold, given or by default."""

    def __init__(self, drawn, defaults):
        self.drawn = drawn
        self.defaults = defaults

    def text(self, name):
        return self.drawn.get(name) or self.defaults.get(name, "0")

    def seconds(self, name):
        return seconds(self.text(name))

    def size(self, name):
        return size(self.text(name))

    def has(self, name):
        return name in self.drawn
