# SPDX-License-Identifier: MIT
"""The list of planted faults, and where each of them goes in the source.

A fault is aimed at a piece of code and not at a place: it names the layer (a folder of src/), the
function, and a snippet of that function. So it survives whatever does not change that snippet: code
around it that comes and goes, a function that moves to another file of its layer, formatting, and
comments. The snippet is compared token by token, whatever whitespace and comments stand between.

It must occur exactly once, so a change that moves the code away is noticed (`script/mutants --check`
is a test), and somebody has to say where the fault belongs now.
"""

import dataclasses
import pathlib
import re
import tomllib

LIST = pathlib.Path(__file__).with_name("faults.toml")
FIELDS = {"name", "breaks", "layer", "function", "find", "replace", "hangs"}

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\w+|[^\w\s]')
GAP = r"(?:\s|/\*(?:(?!\*/).)*\*/|//[^\n]*\n)*"


class Misfit(Exception):
    """The list is wrong, or a fault does not fit the source any more."""


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    breaks: str         # the promise that it breaks, a sentence
    layer: str          # a folder of src/
    find: str
    replace: str
    function: str = ""  # the function that has `find`; none: anywhere in the layer, outside or inside
    hangs: bool = False  # a test that hangs is how it is caught


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a fault goes: what stands in this file between the two offsets is replaced."""

    path: str
    begin: int
    end: int


def snippet_pattern(snippet):
    """Matches the tokens of the snippet with anything that is not code between them."""
    tokens = TOKEN.findall(snippet)
    if not tokens:
        raise Misfit("an empty snippet")
    pattern = GAP.join(re.escape(token) for token in tokens)
    before = r"\b" if re.match(r"\w", tokens[0]) else ""
    after = r"\b" if re.search(r"\w$", tokens[-1]) else ""
    return re.compile(before + pattern + after, re.DOTALL)


def function_spans(text, name):
    """Begin and end of each definition of the function: from its first line to the brace in column 0."""
    for start in re.finditer(rf"^[A-Za-z_][^\n;{{}}]*\b{re.escape(name)}\(", text, re.MULTILINE):
        depth, position = 1, start.end()
        while depth > 0 and position < len(text):
            depth += {"(": 1, ")": -1}.get(text[position], 0)
            position += 1
        if text[position:].lstrip().startswith("{"):
            end = text.find("\n}", position)
            yield start.start(), len(text) if end < 0 else end + 2


def places_in(text, fault):
    spans = function_spans(text, fault.function) if fault.function else [(0, len(text))]
    pattern = snippet_pattern(fault.find)
    for begin, end in spans:
        for match in pattern.finditer(text, begin, end):
            yield match.start(), match.end()


def find_place(root, fault):
    """The only place where the fault fits."""
    places = []
    folder = pathlib.Path(root, "src", fault.layer)
    for path in sorted([*folder.glob("*.c"), *folder.glob("*.h")]):
        text = path.read_text(encoding="utf-8")
        relative = path.relative_to(root).as_posix()
        places += [Place(relative, begin, end) for begin, end in places_in(text, fault)]
    if len(places) != 1:
        where = f"{fault.function}() in src/{fault.layer}" if fault.function else f"src/{fault.layer}"
        raise Misfit(f"{fault.name}: its snippet is {len(places)} times in {where}, and has to be there once; "
                     "aim the fault anew in tests/mutants/faults.toml")
    return places[0]


def with_fault(text, place, fault):
    return text[:place.begin] + fault.replace + text[place.end:]


def tokens_of(text):
    return TOKEN.findall(text)


def read_fault(entry):
    name = entry.get("name", "?")
    unknown = set(entry) - FIELDS
    if unknown:
        raise Misfit(f"{name}: unknown field '{min(unknown)}'")
    try:
        fault = Fault(**entry)
    except TypeError as error:
        raise Misfit(f"{name}: {error}") from error
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", fault.name):
        raise Misfit(f"{fault.name}: a name is some words with dashes between them")
    if not fault.breaks.endswith("."):
        raise Misfit(f"{fault.name}: what it breaks is a sentence, with a full stop")
    if tokens_of(fault.find) == tokens_of(fault.replace):
        raise Misfit(f"{fault.name}: it changes nothing")
    return fault


def read_faults(path=LIST):
    """All faults, in the order of the list."""
    try:
        entries = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8")).get("fault", [])
    except tomllib.TOMLDecodeError as error:
        raise Misfit(f"{path}: {error}") from error
    faults = [read_fault(entry) for entry in entries]
    names = [fault.name for fault in faults]
    for name in names:
        if names.count(name) > 1:
            raise Misfit(f"{name}: the name is there twice")
    return faults


def check_all(root, faults):
    """One line for each fault that does not fit."""
    misfits = []
    for fault in faults:
        try:
            find_place(root, fault)
        except Misfit as misfit:
            misfits.append(str(misfit))
    return misfits
