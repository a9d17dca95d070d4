# SPDX-License-Identifier: MIT
"""How faults are aimed: what may change in the source without losing them, and what may not."""

import pathlib

import pytest

import faults
import mutants
import workshop

FUNCTION = """\
/* Counts. */
static unsigned count(const struct list *head)
{
    unsigned sum = 0; /* so far */
    for (; head != NULL; head = head->next) {
        sum += head->size;
    }
    return sum;
}
"""


def fault(**changes):
    fields = {"name": "sum-forgotten", "breaks": "The sum is right.", "layer": "base", "function": "count",
              "find": "sum += head->size;", "replace": "sum = head->size;"}
    return faults.Fault(**{**fields, **changes})


def tree(tmp_path, **files):
    folder = tmp_path / "src" / "base"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.c").write_text(text, encoding="utf-8")
    return tmp_path


def planted(root, a_fault):
    place = faults.find_place(root, a_fault)
    return faults.with_fault((root / place.path).read_text(encoding="utf-8"), place, a_fault)


def test_the_fault_is_planted_and_nothing_else_changes(tmp_path):
    root = tree(tmp_path, count=FUNCTION)
    assert planted(root, fault()) == FUNCTION.replace("sum +=", "sum =")


@pytest.mark.parametrize("written", [
    "sum += head->size;", "sum+=head->size ;", "sum +=\n            head->size;",
    "sum += head /* the first */ ->size;", "sum += // all of it\n head->size;"])
def test_formatting_and_comments_do_not_matter(tmp_path, written):
    root = tree(tmp_path, count=FUNCTION.replace("sum += head->size;", written))
    assert "sum = head->size;" in planted(root, fault())


def test_the_function_may_be_in_any_file_of_the_layer(tmp_path):
    root = tree(tmp_path, other="int other;\n", moved=FUNCTION)
    assert faults.find_place(root, fault()).path == "src/base/moved.c"


def test_only_the_named_function_counts(tmp_path):
    root = tree(tmp_path, count=FUNCTION + FUNCTION.replace("count", "recount"))
    assert planted(root, fault(function="recount")).index("sum = head") > len(FUNCTION)


def test_a_declaration_or_a_call_is_no_function(tmp_path):
    caller = "unsigned count(const struct list *head);\nint main(void)\n{\n    return count(NULL);\n}\n"
    root = tree(tmp_path, count=caller + FUNCTION)
    assert "sum = head->size;" in planted(root, fault())


def test_names_are_compared_as_a_whole(tmp_path):
    root = tree(tmp_path, count=FUNCTION.replace("sum", "checksum"))
    assert len(faults.check_all(root, [fault()])) == 1


@pytest.mark.parametrize("text", [
    FUNCTION.replace("+=", "-="), FUNCTION.replace("count", "add"),
    FUNCTION.replace("return sum;", "sum += head->size;\n    return sum;"), FUNCTION + FUNCTION])
def test_what_does_not_fit_once_is_named(tmp_path, text):
    root = tree(tmp_path, count=text)
    misfits = faults.check_all(root, [fault()])
    assert len(misfits) == 1 and misfits[0].startswith("sum-forgotten: ")


@pytest.mark.parametrize("changes, complaint", [
    ({"name": "Sum"}, "a name is"), ({"breaks": "the sum"}, "full stop"), ({"find": ""}, "changes nothing"),
    ({"replace": "sum  +=  head->size ;"}, "changes nothing"), ({"colour": "red"}, "unknown field 'colour'")])
def test_a_wrong_entry_is_named(changes, complaint):
    entry = {"name": "sum-forgotten", "breaks": "The sum is right.", "layer": "base", "find": "sum += head->size;",
             "replace": ""}
    if changes.get("find") == "":
        changes = {**changes, "replace": ""}
    with pytest.raises(faults.Misfit, match=complaint):
        faults.read_fault({**entry, **changes})


def test_a_name_that_is_there_twice_is_found(tmp_path):
    entry = '[[fault]]\nname = "a-b"\nbreaks = "It."\nlayer = "base"\nfind = "x"\nreplace = "y"\n'
    path = tmp_path / "list.toml"
    path.write_text(entry * 2, encoding="utf-8")
    with pytest.raises(faults.Misfit, match="twice"):
        faults.read_faults(path)


def test_faults_are_chosen_by_name_or_layer():
    one, other = fault(), fault(name="heap-upside-down", layer="mux")
    assert mutants.choose([one, other], []) == [one, other]
    assert mutants.choose([one, other], ["upside"]) == [other]
    assert mutants.choose([one, other], ["base"]) == [one]
    with pytest.raises(faults.Misfit, match="nothing"):
        mutants.choose([one, other], ["nothing"])


@pytest.mark.parametrize("output, culprit", [
    (["[ RUN      ] test_a", "[       OK ] test_a", "[ RUN      ] test_b", "[  FAILED  ] test_b"], "test_b"),
    (["[ RUN      ] test_a", "prog: ../src/base/heap.c:90: heap_set: Assertion `at > 0' failed."],
     "test_a, heap_set: assertion `at > 0' failed"),
    (["CHECK FAILED: recovery without a storm", "replay: build/tests/sim/sim --calm --seed 7"],
     '--calm --seed 7, "recovery without a storm"'),
    (["Segmentation fault"], "")])
def test_the_culprit_is_told(output, culprit):
    assert workshop.Outcome(False, False, 0.0, output).culprit() == culprit


# ---- running ----

def run(script, limit=20.0):
    return workshop.Runner().run(["/bin/sh", "-c", script], pathlib.Path("/"), limit)


def test_a_test_passes_or_fails_by_its_status():
    assert run("exit 0").passed
    assert not run("exit 1").passed


def test_a_test_is_ended_when_it_has_said_that_it_failed():
    outcome = run("echo '[  FAILED  ] test_x'; read -r line < /dev/zero")
    assert not outcome.passed and not outcome.hung and outcome.culprit() == "test_x"


def test_a_test_that_does_not_end_hangs():
    outcome = run("read -r line < /dev/zero", limit=0.2)
    assert outcome.hung and not outcome.passed


def test_every_fault_of_the_list_fits_the_source():
    assert faults.check_all(mutants.ROOT, faults.read_faults()) == []
