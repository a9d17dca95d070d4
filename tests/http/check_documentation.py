#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the table of refusals in docs/http.md with the one in the code.

Usage: check_documentation.py PATH_OF_FRAME_DUMP [--write]

--write puts the table of the code into the page.
"""

import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "http.md"
HEADING = "| status | what is refused |\n"


def main(arguments):
    table = subprocess.run([arguments[0], "--refusals"], stdout=subprocess.PIPE, check=True).stdout.decode()
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(HEADING)
    if "--write" in arguments:
        PAGE.write_text(text[:start] + table, encoding="utf-8")
    elif text[start:] != table:
        print(f"the table of {PAGE} is not that of http_refusals.def; --write corrects it")
        return 1
    print(f"{table.count(chr(10)) - 2} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
