#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Published attacks on HTTP framing, each with what becomes of it here.

Usage: smuggling.py PATH_OF_FRAME_DUMP [CASES]

Each is tried with --http-strict and without. A case of smuggling.json has a stream (bytes as Latin-1), where it was published, and what is expected: a
row of the table of refusals, or "accepted" with the number of messages, a text that passes ("keeps") or
does not ("drops"). A refused stream has no whole message, and nothing of it goes on unless its head was
fine ("late"). Without --http-strict some are repaired: "mended" is all that goes on of them, which has one
meaning only.
"""

import json
import pathlib
import subprocess
import sys


def dump(program, cases, strict):
    """What frame_dump says of each stream."""
    data = b""
    for case in cases:
        stream = case["stream"].encode("latin-1")
        data += len(stream).to_bytes(4, "big") + bytes([(1 if case.get("response") else 0) | (8 if strict else 0)]) + stream
    run = subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.decode("latin-1").splitlines()]


def complaints(case, outcome, strict):
    """Yields what is not as expected."""
    edited = bytes.fromhex(outcome["edited"]).decode("latin-1")
    whole = [message for message in outcome["messages"] if message["whole"]]
    if "mended" in case and not strict:
        if outcome["end"] == "refused" or edited != case["mended"]:
            yield f"{outcome['end']} {outcome['code']}: {edited!r} goes on"
        return
    if case["expected"] == "accepted":
        if outcome["end"] == "refused" or len(whole) != case["messages"]:
            yield f"{outcome['end']} {outcome['code']} with {len(whole)} messages"
        if case.get("keeps", "") not in edited:
            yield f"'{case['keeps']}' does not pass"
        if "drops" in case and case["drops"] in edited:
            yield f"'{case['drops']}' passes"
        return
    expected = case["expected"] if strict else case.get("lenient", case["expected"])
    if outcome["code"] != expected:
        yield f"{outcome['end']} {outcome['code']} instead of {expected}"
    if whole or (edited and not case.get("late")):
        yield "something of it passes"


def main(arguments):
    here = pathlib.Path(__file__).parent
    path = pathlib.Path(arguments[1]) if len(arguments) > 1 else here / "smuggling.json"
    cases = json.loads(path.read_text(encoding="utf-8"))
    failures = 0
    for strict in True, False:
        for case, outcome in zip(cases, dump(arguments[0], cases, strict), strict=True):
            for complaint in complaints(case, outcome, strict):
                print(f"{case['name']} ({case['source']}){', strict' if strict else ''}: {complaint}")
                failures += 1
    print(f"{len(cases)} published attacks, {failures} failures")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
