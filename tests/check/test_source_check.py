# SPDX-License-Identifier: MIT
"""Each rule of source_check.py sees its violation, and nothing else does: a clean tree is planted with
one violation at a time."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("source_check.py")
TOP = "/* SPDX-License-Identifier: MIT */\n/* What this file is for. */\n"
CLEAN = {
    "src/base/list.h": TOP + "#include <stddef.h>\n\nstruct list;\n",
    "src/protocol/echo.c": TOP + '#include "protocol/echo.h"\n\n#include <string.h>\n\n#include "base/list.h"\n',
    "src/mux/mux.c": TOP + '#include <stdio.h>\n\n#include "base/list.h"\n#include "protocol/echo.h"\n'
                           "\nvoid top(void)\n{\n    low();\n}\n",
    "src/mux/low.c": TOP + "void low(void)\n{\n}\n",
    "tests/check/file_order.txt": "# a comment\nmux: low\n  mux\ncli: main\n",
    "src/net/engine.c": TOP + '#include <errno.h>\n\n#include "mux/mux.h"\n',
    "src/cli/main.c": TOP + '#include "config/config.h"\n#include "net/engine.h"\n\nint main(void)\n{\n'
                            "    return 0;\n}\n",
    "src/config/option_table.c": TOP + 'DURATION("timeout", timeout_ns, "60s")\n',
    "ARCHITECTURE.md": "### Deadlines\n\n| `--timeout` |\n\n## Decisions\n\n`--gap`\n",
    "tests/unit/test_list.c": TOP + '#include "base/list.h"\n',
    "examples/echo.c": TOP + '#include <time.h>\n',
}


def run(root, *arguments):
    result = subprocess.run([sys.executable, str(PROGRAM), "--root", str(root), *arguments],
                            capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture(name="tree")
def fixture_tree(tmp_path):
    for path, text in CLEAN.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def function_of(lines):
    return "void f(void)\n{\n" + "    g();\n" * lines + "}\n"


# rule, file, what is appended to it, and what the report must say
VIOLATIONS = [
    ("include-arrows", "src/base/list.h", '#include "protocol/echo.h"\n', "base must not include protocol"),
    ("include-arrows", "src/base/list.h", '#  include "cli/help.h"\n', "base must not include cli"),
    ("include-arrows", "src/mux/mux.c", '#include "net/engine.h"\n', "mux must not include net"),
    ("include-arrows", "src/protocol/echo.c", '#include "mux/mux.h"\n', "protocol must not include mux"),
    ("include-arrows", "src/net/engine.c", '#include "config/config.h"\n', "net must not include config"),
    ("include-arrows", "src/net/engine.c", '#include "daemon/server.h"\n', "net must not include daemon"),
    ("include-arrows", "src/cli/main.c", '#include "help.h"\n', "'help.h' is included without its layer"),
    ("include-arrows", "src/cli/main.c", '#include "other/help.h"\n', "'other/help.h' is in no layer"),
    ("include-arrows", "src/other/help.h", TOP, "'other' is no layer"),
    ("pure-core", "src/mux/mux.c", "#include <errno.h>\n", "mux must not include <errno.h>"),
    ("pure-core", "src/mux/mux.c", "#include <time.h>\n", "mux must not include <time.h>"),
    ("pure-core", "src/protocol/echo.c", "#include <unistd.h>\n", "protocol must not include <unistd.h>"),
    ("pure-core", "src/protocol/echo.c", "#include <sys/socket.h>\n", "must not include <sys/socket.h>"),
    ("pure-core", "src/mux/mux.c", 'int a = fprintf (stderr, "x");\n', "calls fprintf: mux must not"),
    *[("banned-calls", "src/net/engine.c", f"int a = {name}(x);\n", f"calls {name}: use ")
      for name in ("strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "alloca",
                   "strncpy", "system", "popen", "rand", "signal")],
    ("banned-calls", "tests/unit/test_list.c", "int a = atoi(x);\n", "calls atoi"),
    ("banned-calls", "examples/echo.c", "int a = rand (x);\n", "calls rand"),
    ("line-length", "examples/echo.c", "int " + "a" * 106 + ";\n", "111 columns; 110 at most"),
    ("white-space", "src/mux/mux.c", "\tint a;\n", "a tab"),
    ("white-space", "src/mux/mux.c", "int a; \n", "white space at the end of the line"),
    ("white-space", "src/mux/mux.c", "int a;", "does not end with one newline"),
    ("white-space", "src/mux/mux.c", "int a;\n\n", "does not end with one newline"),
    ("todo-number", "src/mux/mux.c", "/* TODO: later */\n", "TODO without a number"),
    ("todo-number", "src/mux/mux.c", "/* FIXME(me) later */\n", "FIXME without a number"),
    ("calls-down", "src/mux/low.c", "void up(void)\n{\n    top();\n}\n",
     "up calls top, which is further up, in src/mux/mux.c"),
    ("calls-down", "src/mux/new.c", TOP + "void other(void)\n{\n}\n", "has no place in tests/check/file_order.txt"),
    ("no-rings", "src/mux/low.c", "void again(void)\n{\n    again();\n}\n",
     "functions reach themselves: low.c: again"),
    ("no-rings", "src/mux/low.c", "void one(void)\n{\n    two();\n}\n\nvoid two(void)\n{\n    one();\n}\n",
     "functions reach themselves: low.c: one, low.c: two"),
    ("function-length", "src/mux/mux.c", function_of(81), "a function of 81 lines; 80 at most"),
    ("deadline-table", "src/config/option_table.c", 'DURATION("gap", gap_ns, "0")\n', "does not name `--gap`"),
    ("deadline-table", "src/config/option_table.c", '.name = "grace",\n    .type = OPTION_DURATION,\n',
     "does not name `--grace`"),
    ("file-length", "src/mux/mux.c", "int a;\n" * 500, "511 lines; 500 at most"),
]

# What looks like a violation, and is none.
INNOCENT = [
    ("src/mux/mux.c", '/* #include "net/engine.h" and strcpy() in a comment */\n'),
    ("src/mux/mux.c", 'const char *a = "strcpy(a, b) \\" atoi(b)";\n'),
    ("src/mux/mux.c", "int a = base_strcpy(b);\n"),
    ("src/mux/mux.c", "int a = b->signal(c);\nint d = e.system(f);\n"),
    ("src/mux/mux.c", "int a = snprintf(b, c, d);\n"),
    ("src/net/engine.c", "int a = fprintf(b);\n"),
    ("src/mux/mux.c", "/* TODO(12): later */\n"),
    ("src/mux/mux.c", function_of(80)),
    ("tests/unit/test_list.c", function_of(81) + "int a;\n" * 500),
    ("examples/echo.c", "int " + "a" * 105 + ";\n"),
    ("src/mux/reason.def", "REASON(" + "a" * 200 + ")\n"),
]


def test_a_clean_tree_has_no_violation(tree):
    assert run(tree) == (0, "")


@pytest.mark.parametrize("rule, path, text, sentence", VIOLATIONS,
                         ids=[f"{rule}-{number}" for number, (rule, *_) in enumerate(VIOLATIONS)])
def test_a_planted_violation_is_reported_once_and_by_its_rule_only(tree, rule, path, text, sentence):
    (tree / path).parent.mkdir(exist_ok=True)
    with open(tree / path, "a", encoding="utf-8") as file:
        file.write(text)
    status, output = run(tree)
    assert status == 1
    assert len(output.splitlines()) == 1, output
    assert output.startswith(f"{path}:"), output
    assert sentence in output
    assert run(tree, rule) == (1, output)


@pytest.mark.parametrize("text, sentence", [
    ("/* What this file is for. */\nint a;\n", "mux.c:1: the first line is not '/* SPDX"),
    ("/* SPDX-License-Identifier: MIT */\nint a;\n", "mux.c:2: no comment says what the file is for"),
    ("", "mux.c:1: the first line is not '/* SPDX"),
])
def test_a_file_without_its_top_is_reported(tree, text, sentence):
    (tree / "src/mux/mux.c").write_text(text)
    status, output = run(tree, "file-top")
    assert status == 1
    assert sentence in output


@pytest.mark.parametrize("path, text", INNOCENT)
def test_what_only_looks_like_a_violation_is_not_reported(tree, path, text):
    with open(tree / path, "a", encoding="utf-8") as file:
        file.write(text)
    assert run(tree) == (0, "")


def test_the_line_of_a_violation_is_its_own(tree):
    (tree / "src/mux/mux.c").write_text(TOP + "/* a\n * b\n */\nint a = atoi(b);\n")
    assert run(tree)[1].startswith("src/mux/mux.c:6: ")


def test_every_rule_has_a_planted_violation():
    listed = {line.split(":")[0] for line in run(".", "--list")[1].splitlines()}
    assert listed == {rule for rule, *_ in VIOLATIONS} | {"file-top"}


def test_a_rule_that_does_not_exist_is_an_error(tree):
    assert run(tree, "no-such-rule")[0] == 2


def test_an_empty_tree_is_an_error(tmp_path):
    assert run(tmp_path)[0] == 2
