# SPDX-License-Identifier: MIT
"""Who calls whom in src/, read from the text.

The formatter puts every function's name at the end of a line that begins in the first column, and its braces
alone in that column; that is enough to find bodies, and a name followed by a parenthesis is a call. Function
pointers are no calls here. Functions of headers belong to no file.
"""

import collections
import dataclasses
import re

FUNCTION = re.compile(r"^[a-z][^\n;{}=]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?<![\w.>])(\w+)\(")


@dataclasses.dataclass(frozen=True)
class Function:
    """A function of a .c file; `path` is that of the file."""

    path: str
    name: str
    line: int
    body: str

    @property
    def folder(self):
        return self.path.split("/")[1]

    @property
    def file(self):
        return self.path.split("/")[2].removesuffix(".c")


def functions_of(sources):
    """All functions of the .c files of folders in src/."""
    found = []
    for source in sources:
        if source.layer is not None and source.path.endswith(".c"):
            found += [Function(source.path, match.group(1), source.line_of(match.start(1)), match.group(2))
                      for match in FUNCTION.finditer(source.code)]
    return found


def calls_of(functions):
    """Function -> those that it calls. A name of the same file comes before one of the same folder."""
    by_name = collections.defaultdict(list)
    for function in functions:
        by_name[function.name].append(function)
    calls = {}
    for function in functions:
        names = set(CALL.findall(function.body)) & by_name.keys()
        calls[function] = [called for name in sorted(names)
                           if (called := pick(by_name[name], function)) is not None]
    return calls


def pick(candidates, caller):
    for same in (lambda one: one.path == caller.path, lambda one: one.folder == caller.folder, lambda one: True):
        matching = [one for one in candidates if same(one)]
        if matching:
            return matching[0] if len(matching) == 1 else None
    return None


def rings(calls):
    """Groups of functions that can reach themselves (Tarjan's components, without recursion)."""
    number, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in calls:
        if root in number:
            continue
        work = [(root, iter(calls[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            function, rest = work[-1]
            called = next(rest, None)
            if called is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[function])
                if low[function] == number[function]:
                    found.append(take_component(stack, on_stack, function))
            elif called not in number:
                number[called] = low[called] = len(number)
                stack.append(called)
                on_stack.add(called)
                work.append((called, iter(calls[called])))
            elif called in on_stack:
                low[function] = min(low[function], number[called])
    return [group for group in found if len(group) > 1 or group[0] in calls[group[0]]]


def take_component(stack, on_stack, root):
    group = []
    while True:
        function = stack.pop()
        on_stack.discard(function)
        group.append(function)
        if function == root:
            return group
