#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules about the source text that no compiler knows.

Usage: source_check.py [--list] [--root DIRECTORY] [RULE]...

Runs the named rules, or all of them, over the tree and prints one line for each violation, as
`path:line: what is wrong`. The exit status is 0 when there is none, 1 when there are some, and 2 for
a rule that does not exist or a tree without C files. --list prints the rules with a sentence each.

A rule is a function that takes a `Source` and yields (line, sentence); the decorator says which
files it is about. Comments and the contents of strings are blanked out before rules look at code,
with every character at its place, so that lines and columns stay right.
"""

import argparse
import dataclasses
import pathlib
import re
import sys

import call_graph

FOLDERS = ("src", "tests", "examples", "bench")
LINE_COLUMNS_MAX = 110
FUNCTION_LINES_MAX = 80
FILE_LINES_MAX = 500

# A file may include its own layer and those of a lower rank. Layers of equal rank do not see each other.
LAYER_RANKS = {"base": 0, "protocol": 1, "mux": 2, "net": 3, "config": 3, "admin": 3, "daemon": 4, "cli": 5}

# What `mux` and `protocol` may use of the system: nothing that knows a descriptor, an errno or a clock.
PURE_LAYERS = ("mux", "protocol")
PURE_HEADERS = {"assert.h", "ctype.h", "inttypes.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h",
                "stdio.h", "stdlib.h", "string.h"}
# Of <stdio.h> only what writes to memory; of <stdlib.h> nothing that ends the process or looks around it.
PURE_FORBIDDEN_CALLS = {"abort", "exit", "fclose", "fflush", "fopen", "fprintf", "fputc", "fputs", "fread",
                        "fwrite", "getenv", "perror", "printf", "putchar", "puts", "scanf", "vfprintf",
                        "vprintf"}

BANNED_CALLS = {
    "strcpy": "use memcpy with a size", "strcat": "use snprintf or memcpy with a size",
    "sprintf": "use snprintf", "vsprintf": "use vsnprintf", "gets": "use fgets or getline",
    "strtok": "use strcspn; strtok keeps hidden state", "atoi": "use strtol, which tells errors",
    "atol": "use strtol, which tells errors", "alloca": "use an array or malloc",
    "strncpy": "use memcpy; strncpy may leave out the end", "system": "use posix_spawn",
    "popen": "use posix_spawn", "rand": "use base/random.h", "signal": "use sigaction",
}


@dataclasses.dataclass
class Source:
    """One file: its path below the root, its text, and the text with comments and strings blanked."""

    path: str
    text: str
    root: pathlib.Path

    def __post_init__(self):
        self.lines = self.text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.code = blank_out_text(self.text)
        self.code_lines = self.code.split("\n")

    @property
    def layer(self):
        """The layer that a file in src/ belongs to; None for any other file."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else None

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank_out_text(text):
    """The text with spaces for what is inside comments, strings and character constants."""
    def blank(match):
        found = match.group(0)
        kept = 1 if found[0] in "\"'" else 0
        inside = re.sub(r"[^\n]", " ", found[kept:len(found) - kept])
        return found[:kept] + inside + found[len(found) - kept:]
    return TEXT.sub(blank, text)


RULES = {}


def rule(*suffixes, only=None):
    """Registers a rule for files that end so and, if `only` is given, lie in that folder."""
    def register(function):
        name = function.__name__.replace("_", "-")
        RULES[name] = (function, suffixes, only)
        return function
    return register


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def includes(source):
    """Yields (line, name, whether it is one of ours) for each include that is no comment's."""
    for match in INCLUDE.finditer(source.text):
        if "#" in source.code_lines[source.line_of(match.end()) - 1]:
            ours = match.group(1) is not None
            yield source.line_of(match.end()), match.group(1) if ours else match.group(2), ours


@rule(".c", ".h", ".def", ".h.in", only="src")
def include_arrows(source):
    """a layer includes only itself and layers below it"""
    if source.layer not in LAYER_RANKS:
        yield 1, f"'{source.layer}' is no layer; LAYER_RANKS in source_check.py names them"
        return
    rank = LAYER_RANKS[source.layer]
    for line, name, ours in includes(source):
        layer = name.split("/")[0]
        if ours and "/" not in name:
            yield line, f"'{name}' is included without its layer"
        elif ours and layer not in LAYER_RANKS:
            yield line, f"'{name}' is in no layer"
        elif ours and layer != source.layer and LAYER_RANKS[layer] >= rank:
            yield line, f"{source.layer} must not include {layer} ('{name}')"


@rule(".c", ".h", ".def", only="src")
def pure_core(source):
    """mux and protocol use no descriptor, no errno, no clock and no stream"""
    if source.layer not in PURE_LAYERS:
        return
    for line, name, ours in includes(source):
        if not ours and name not in PURE_HEADERS:
            yield line, f"{source.layer} must not include <{name}>"
    yield from calls_of(source, {name: f"{source.layer} must not" for name in PURE_FORBIDDEN_CALLS})


def calls_of(source, names):
    """Yields a violation for each call of one of the names; members of that name are none."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(sorted(names)) + r")[ \t]*\(")
    for match in pattern.finditer(source.code):
        yield source.line_of(match.start()), f"calls {match.group(1)}: {names[match.group(1)]}"


@rule(".c", ".h")
def banned_calls(source):
    """no function that cannot be used safely"""
    yield from calls_of(source, BANNED_CALLS)


@rule(".c", ".h")
def file_top(source):
    """a file begins with its licence and then with a comment that says what it is"""
    if source.lines[:1] != ["/* SPDX-License-Identifier: MIT */"]:
        yield 1, "the first line is not '/* SPDX-License-Identifier: MIT */'"
    rest = [line.strip() for line in source.lines[1:] if line.strip()]
    if not rest or not rest[0].startswith("/*"):
        yield 2, "no comment says what the file is for"


@rule(".c", ".h")
def line_length(source):
    """no line is too long to be read; the rows of a .def table stay on one line whatever their length"""
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"{len(line)} columns; {LINE_COLUMNS_MAX} at most"


@rule(".c", ".h", ".def")
def white_space(source):
    """no tabs, no spaces at the end of a line, one newline at the end of the file"""
    for number, line in enumerate(source.lines, 1):
        if "\t" in line:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "white space at the end of the line"
    if not source.text.endswith("\n") or source.text.endswith("\n\n"):
        yield len(source.lines), "the file does not end with one newline"


@rule(".c", ".h", ".def", ".py", "meson.build")
def todo_number(source):
    """whatever is left to do has a number, TODO(123)"""
    if source.path.startswith("tests/check/"):
        return  # this file and its test speak about the word itself
    for number, line in enumerate(source.lines, 1):
        for word in re.findall(r"\b(?:TODO|FIXME|XXX)\b(?!\(\d+\))", line):
            yield number, f"{word} without a number"


def function_spans(source):
    """Yields (first line, last line) of each function body: a block whose brace stands alone in the
    first column, which is where the formatter puts it for functions only."""
    start = None
    for number, line in enumerate(source.code_lines, 1):
        if line.rstrip() == "{" and start is None:
            start = number
        elif line.rstrip() == "}" and start is not None:
            yield start, number
            start = None


@rule(".c", ".h", only="src")
def function_length(source):
    """a function fits on a page or two"""
    for start, end in function_spans(source):
        if end - start - 1 > FUNCTION_LINES_MAX:
            yield start, f"a function of {end - start - 1} lines; {FUNCTION_LINES_MAX} at most"


@rule(".c", ".h", only="src")
def file_length(source):
    """a file is read in one sitting"""
    if len(source.lines) > FILE_LINES_MAX:
        yield len(source.lines), f"{len(source.lines)} lines; {FILE_LINES_MAX} at most"


DURATION = re.compile(r'DURATION\("([^"]+)"|\.name = "([^"]+)",\s*\.type = OPTION_DURATION')
DEADLINES = re.compile(r"^### Deadlines$(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


@rule("src/config/option_table.c")
def deadline_table(source):
    """what can renew a deadline, and how long it is in all, is written down for each"""
    section = DEADLINES.search((source.root / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    for match in DURATION.finditer(source.text):
        flag = f"`--{match.group(1) or match.group(2)}`"
        if section is None or flag not in section.group(1):
            yield source.line_of(match.start()), f"ARCHITECTURE.md, \"Deadlines\", does not name {flag}"


TREE_RULES = {}


def tree_rule(function):
    """Registers a rule that takes all sources and the root, and yields (path, line, sentence)."""
    TREE_RULES[function.__name__.replace("_", "-")] = function
    return function


def file_orders(root):
    """Folder -> its files from the ground up, as file_order.txt has them."""
    orders, folder = {}, None
    path = root / "tests/check/file_order.txt"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith("#"):
            continue
        head, colon, rest = line.partition(":")
        folder = head.strip() if colon else folder
        orders.setdefault(folder, []).extend((rest if colon else line).split())
    return orders


@tree_rule
def calls_down(sources, root):
    """within a folder, a file calls only those in front of it in file_order.txt"""
    orders = file_orders(root)
    functions = call_graph.functions_of(sources)
    for path in sorted({function.path for function in functions}):
        folder, file = path.split("/")[1:]
        if file.removesuffix(".c") not in orders.get(folder, ()):
            yield path, 1, "has no place in tests/check/file_order.txt"
    for caller, called in call_graph.calls_of(functions).items():
        order = orders.get(caller.folder, [])
        for callee in called:
            if caller.folder == callee.folder and {caller.file, callee.file} <= set(order) and \
                    order.index(caller.file) < order.index(callee.file):
                yield caller.path, caller.line, (f"{caller.name} calls {callee.name}, which is further up, "
                                                 f"in {callee.path}")


@tree_rule
def no_rings(sources, _root):
    """no function can reach itself"""
    for ring in call_graph.rings(call_graph.calls_of(call_graph.functions_of(sources))):
        names = sorted(f"{function.file}.c: {function.name}" for function in ring)
        yield ring[0].path, ring[0].line, "functions reach themselves: " + ", ".join(names)


def read_sources(root):
    """All files below the folders, in the order of their paths."""
    sources = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.name.endswith((".c", ".h", ".def", ".h.in", ".py", "meson.build")):
                text = path.read_text(encoding="utf-8")
                sources.append(Source(path.relative_to(root).as_posix(), text, root))
    return sources


def check(sources, root, name):
    """Yields `path:line: sentence` for each violation of one rule."""
    if name in TREE_RULES:
        for path, line, sentence in TREE_RULES[name](sources, root):
            yield f"{path}:{line}: {sentence}"
        return
    function, suffixes, only = RULES[name]
    for source in sources:
        if source.path.endswith(suffixes) and (only is None or source.path.startswith(only + "/")):
            for line, sentence in function(source):
                yield f"{source.path}:{line}: {sentence}"


def main(arguments):
    parser = argparse.ArgumentParser(description="Checks rules about the source text.")
    parser.add_argument("--list", action="store_true", help="print the rules")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parents[2],
                        metavar="DIRECTORY", help="the tree to check (default: this one)")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="default: all")
    options = parser.parse_args(arguments)
    if options.list:
        functions = {name: row[0] for name, row in RULES.items()} | TREE_RULES
        for name, function in functions.items():
            print(f"{name}: {function.__doc__}")
        return 0
    names = [*RULES, *TREE_RULES]
    unknown = [name for name in options.rules if name not in names]
    if unknown:
        print(f"no rule '{unknown[0]}'; --list names them", file=sys.stderr)
        return 2
    sources = read_sources(options.root)
    if not any(source.path.startswith("src/") and source.path.endswith(".c") for source in sources):
        print(f"no C files in '{options.root / 'src'}'", file=sys.stderr)
        return 2
    violations = [line for name in options.rules or names
                  for line in check(sources, options.root, name)]
    for line in violations:
        print(line)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
