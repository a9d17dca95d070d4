# SPDX-License-Identifier: MIT
"""The benchmark suite: what it makes of measurements, and that it runs. No test is about speed."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from lib.multiplexer import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = ROOT / "bench" / "suite"
sys.path.insert(0, str(SUITE))

import goals  # noqa: E402
import parts_checks  # noqa: E402
import parts_http  # noqa: E402
import plots  # noqa: E402
import session  # noqa: E402
import tables  # noqa: E402
from report import Section, Table, percent, table_lines, write_report  # noqa: E402
from store import Spread, Store, change_in_percent, spread_of  # noqa: E402


def store_of(values: dict) -> Store:
    """{contender: value of each round} at 64 clients."""
    store = Store()
    for contender, rounds in values.items():
        for number, value in enumerate(rounds, 1):
            store.add("lockstep", "echo", contender, 64, number, {"cpu_us_per_request": value})
    return store


# ---- medians and ratios ----

def test_a_spread_is_median_least_and_greatest():
    assert spread_of([3, 1, 2]) == Spread(2, 1, 3)
    assert spread_of([4, 1]) == Spread(2.5, 1, 4)
    assert spread_of([]) is None


def test_a_ratio_is_taken_within_each_round():
    # Everything was slow in the second round: the ratio of the medians would be another.
    store = store_of({"multiplexer": [11, 40, 12], "relay": [10, 40, 10]})
    ratio = store.ratio("lockstep", "echo", "multiplexer", "relay", 64, "cpu_us_per_request")
    assert ratio == Spread(1.1, 1.0, 1.2)


def test_rounds_that_one_of_both_has_not_are_left_out_of_a_ratio():
    store = store_of({"multiplexer": [10, 20], "relay": [10]})
    names = "lockstep", "echo", "multiplexer"
    assert store.ratio(*names, "relay", 64, "cpu_us_per_request") == Spread(1, 1, 1)
    assert store.ratio(*names, "nobody", 64, "cpu_us_per_request") is None


def test_points_are_sorted_when_they_are_numbers():
    store = Store()
    for point in (64, 1, 8):
        store.add("lockstep", "echo", "relay", point, 1, {})
    for point in ("unpinned", "one core"):
        store.add("cores", "http", "relay", point, 1, {})
    assert store.points("lockstep", "echo") == [1, 8, 64]
    assert store.points("cores", "http") == ["unpinned", "one core"]


def test_a_store_is_read_as_it_was_written(tmp_path):
    store = store_of({"multiplexer": [1, 2]})
    store.write(tmp_path / "raw.json", machine={"date": "today"})
    again, rest = Store.read(tmp_path / "raw.json")
    assert again.measurements == store.measurements
    assert rest == {"machine": {"date": "today"}}


# ---- tables ----

def test_a_table_compares_contenders():
    view = tables.View(store_of({"multiplexer": [12, 11, 13], "relay": [10, 10, 10]}), "lockstep", "echo")
    table = view.table("clients", "multiplexer", ["relay"], [tables.CPU, tables.P50], "Of `echo`")
    assert table_lines(table) == [
        "Of `echo`:", "",
        "| clients | CPU, µs | relay | ratio | p50, µs | relay |",
        "|--:|--:|--:|--:|--:|--:|",
        "| 64 | 12.00 | 10.00 | **1.20** (1.10–1.30) | – | – |", ""]


def test_words_stand_left_and_bars_are_escaped():
    assert table_lines(Table(["place", "value"], [["a|b", "1"]]))[1:3] == ["|:--|--:|", "| a\\|b | 1 |"]


def test_a_report_says_when_it_has_no_plots():
    plot = plots.Plot("cpu", "CPU", "clients", "µs", [])
    section = Section("Lock-step", "Why.", plots=[plot], notes=["A note."])
    with_plots = write_report(["kernel: Linux"], [section])
    assert "- kernel: Linux\n" in with_plots and "![CPU](cpu.svg)" in with_plots and "A note." in with_plots
    without = write_report([], [section], has_plots=False)
    assert "cpu.svg" not in without and "There are no plots" in without


# ---- plots ----

def test_lines_have_their_spread():
    view = tables.View(store_of({"multiplexer": [12, 11, 13]}), "lockstep", "echo")
    assert plots.data_lines(view.values("multiplexer", "cpu_us_per_request")) == ["64 12 11 13"]


def test_bars_have_a_column_for_each_series_and_gaps_where_nothing_was_measured():
    plot = plots.Plot("bars", "Bars", "", "µs", [plots.Series("one", [("here", Spread(1, 1, 1))]),
                                                 plots.Series("two", [("here", Spread(2, 2, 2)),
                                                                      ("there", Spread(3, 3, 3))])], True)
    assert plots.bar_lines(plot) == ["1 2", "nan 3"]
    assert plots.place_labels(plot) == '"here" 0, "there" 1'


def test_long_names_of_places_are_broken():
    plot = plots.Plot("bars", "Bars", "", "µs", [plots.Series("one", [("a place with a long name", Spread(1, 1, 1))])])
    assert plots.place_labels(plot) == '"a place with a\\nlong name" 0'


def test_a_name_has_the_same_colour_in_every_plot_and_nobody_else_has_it():
    assert plots.line_types(["relay", "a", "multiplexer", "b"]) == [2, 3, 1, 4]
    assert plots.quoted("the lock's") == "'the lock''s'"


# ---- goals ----

def test_a_goal_is_compared_as_it_is_printed():
    assert goals.Goal("cpu", goals.LESS, 1.15, {"": 1.154}).is_met()
    assert not goals.Goal("cpu", goals.LESS, 1.15, {"1": 1.1, "64": 1.156}).is_met()
    assert goals.Goal("rate", goals.MORE, 2.0, {"": 1.996}).is_met()
    assert goals.Goal("rate", goals.MORE, 2.0, {}).is_met() is None


def test_the_goals_of_a_store():
    store = store_of({"multiplexer": [12, 13], "relay": [10, 10]})
    row = goals.lockstep_goals(store)[0].row()
    assert row == ["lock-step, `echo`: CPU beside the relay, by clients", "≤ 1.15", "64: 1.25", "**not met**"]
    assert goals.pipeline_goals(store) == []
    assert all(goal.is_met() is None for goal in goals.http_goals(store) + goals.client_goals(store))


# ---- what programs print ----

def test_values_of_the_load_generator():
    assert session.read_values("ready\nrequests 12\nlatency_p50_us 3.5\nerrors 0\n") == {
        "requests": 12, "latency_p50_us": 3.5, "errors": 0}


def test_values_of_wrk():
    text = """
  Latency Distribution
     50%  850.00us
     99%    1.20ms
  31415 requests in 1.10s, 5.00MB read
Requests/sec:  28559.00
"""
    assert parts_http.wrk_requests(text) == 31415
    assert parts_http.wrk_values(text) == {"requests_per_second": 28559, "latency_p50_us": 850,
                                           "latency_p99_us": 1200}


def test_the_sum_of_callgrind():
    assert parts_checks.instructions_in("events: Ir\nfn=main\n1 2\n\ntotals: 123456\n") == 123456


def test_instructions_are_compared_with_an_earlier_run():
    now = {"lock-step, echo, 1": 990.0, "lock-step, http, 1": 2000.0}
    table = parts_checks.instruction_table(now, {"lock-step, echo, 1": 1000.0})
    assert table.rows == [["lock-step", "echo", "1", "990", "1000", "-1.0 %"],
                          ["lock-step", "http", "1", "2000", "–", "–"]]
    assert len(table.head) == 6 and len(parts_checks.instruction_table(now, None).head) == 4
    assert change_in_percent(50, 75) == 50 and percent(-0.04) == "-0.0 %"


# ---- the command ----

def suite(*options, **more):
    command = ["/usr/bin/python3", "-B", str(SUITE / "main.py"), "--program", binary(), *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.timeout(60)
def test_a_tiny_run_writes_a_report(tmp_path):
    run = suite("--only", "lockstep", "--wires", "echo", "--rounds", 1, "--seconds", 1, "--clients", "1 2",
                "--output", tmp_path / "out")
    output, errors = run.communicate(timeout=50)
    assert run.returncode == 0, errors
    report = (tmp_path / "out" / "report.md").read_text()
    assert output == report
    rows = [line.split(" | ")[0] for line in report.splitlines() if line.startswith("| ")]
    assert rows[:3] == ["| clients", "| 1", "| 2"]
    assert "| lock-step, `echo`: CPU beside the relay, by clients | ≤ 1.15 | 1: " in report
    raw = json.loads((tmp_path / "out" / "raw.json").read_text())
    assert len(raw["measurements"]) == 4
    assert all(one["values"]["requests"] > 0 and one["values"]["cpu_us_per_request"] > 0
               for one in raw["measurements"])


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_an_interrupted_run_leaves_no_process_behind(tmp_path):
    run = suite("--only", "lockstep", "--wires", "echo", "--seconds", 20, "--output", tmp_path / "out")
    deadline = time.monotonic() + 20
    while len(children_of(run.pid)) < 4 and time.monotonic() < deadline:  # target, relay, multiplexer, load
        time.sleep(0.05)
    left = children_of(run.pid)
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=20)
    assert run.returncode == 128 + signal.SIGTERM
    assert len(left) == 4
    assert not [pid for pid in left if pathlib.Path(f"/proc/{pid}").exists()]


def test_trouble_is_told_in_one_line(tmp_path):
    run = suite("--only", "lockstep", "--wires", "echo", "--output", tmp_path, "--program", "/bin/false")
    _, errors = run.communicate(timeout=20)
    assert run.returncode == 1
    assert errors.splitlines()[-1].startswith("script/bench: multiplexer does not listen")
    assert list(tmp_path.glob("*multiplexer.log"))


@pytest.mark.parametrize("options, words", [
    (["--only", "nothing"], "there is no part 'nothing'"), (["--clients", "many"], "--clients wants numbers"),
    (["--rounds", "-1"], "--rounds, --seconds and --idle want numbers")])
def test_wrong_options_are_refused(options, words):
    run = suite(*options)
    _, errors = run.communicate(timeout=20)
    assert run.returncode == 2 and words in errors


def test_parts_name_the_packages_that_they_need():
    run = suite("--packages", "--only", "http instructions")
    output, _ = run.communicate(timeout=20)
    assert output.split() == ["gnuplot-nox", "util-linux", "haproxy", "nginx-light", "wrk", "curl",
                              "valgrind"]
