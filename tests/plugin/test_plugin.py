"""The pytest plugin from outside: options, ids, skips, outcomes, properties, reports."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.plugin.conftest import opened

PYTHON_TESTS = """\
import pytest

def test_anywhere(hil_board, hil_session):
    assert hil_session.board is hil_board

@pytest.mark.hil(targets=["esp32p4"])
def test_only_p4(hil_board):
    assert hil_board.target.name == "esp32p4"

@pytest.mark.hil(tags=["bench"])
@pytest.mark.parametrize("size", [1, 2])
def test_only_on_the_bench(hil_board, size):
    assert "bench" in hil_board.tags

def test_without_any_board():
    pass
"""


ALONE = ("-p", "no:pytest_embedded", "-p", "no:hypothesispytest")


def run(pytester: pytest.Pytester, *args: str, alone: bool = True) -> pytest.RunResult:
    """An inner pytest in its own process, as users run it; without other plugins, for speed."""
    others = ALONE if alone else ()
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *others, *args)


def test_a_model_is_tested_on_each_named_board(bench):
    result = run(bench, "-v", "--board", "good,other", "--board", "virtual-s3", "--board", "good")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        ["*sine[[]good[]] PASSED*", "*sine[[]other[]] PASSED*", "*sine[[]virtual-s3[]] PASSED*"]
    )
    assert opened(bench) == ["good", "other", "virtual-s3"]


@pytest.mark.parametrize(
    ("selector", "boards"),
    [
        ("bench", ["good", "other"]),
        ("esp32p4", ["other"]),
        ("virtual", ["virtual-s3"]),
        ("virtual-s3", ["virtual-s3"]),
    ],
)
def test_tags_and_targets_select_and_virtual_boards_must_be_named(bench, selector, boards):
    run(bench, "--board", selector).assert_outcomes(passed=len(boards))
    assert opened(bench) == boards


def test_without_a_board_everything_is_skipped_with_the_reason(bench):
    bench.makepyfile(PYTHON_TESTS)
    result = run(bench, "-rs")
    result.assert_outcomes(passed=1, skipped=5)
    result.stdout.fnmatch_lines(["*no board selected: give --board NAME*"])
    assert opened(bench) == []


def test_a_model_for_other_targets_is_skipped_with_the_reason(bench):
    suite = bench.path / "demo.hil.yaml"
    suite.write_text(suite.read_text() + "    targets: [esp32]\n")
    result = run(bench, "-rs", "--board", "good")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no selected board is one of esp32*"])


@pytest.mark.parametrize(
    ("selector", "says"),
    [("goood", "*did you mean 'good'*"), ("esp32c3", "*no physical esp32c3 board*")],
)
def test_an_unknown_board_stops_at_once(bench, selector, says):
    result = run(bench, "--board", selector)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])


def test_a_mistake_in_the_inventory_is_named_with_its_line(bench):
    (bench.path / "boards.yaml").write_text("boards:\n  desk: {target: esp32, prt: /dev/x}\n")
    result = run(bench, "--board", "desk")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*boards.yaml:2*"])


def test_a_mistake_in_the_suite_is_a_collection_error_with_its_line(bench):
    suite = bench.path / "demo.hil.yaml"
    suite.write_text(suite.read_text().replace("vectors", "vektors"))
    result = run(bench, "--board", "good")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*demo.hil.yaml:7: models.sine.vektors: unknown key*"])


def test_a_mismatch_is_a_failure_that_names_the_first_node(bench):
    result = run(bench, "--board", "wrong")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "sine on wrong (esp32s3, reference 1.0):",
            "7 of 7 input sets differ from the simulator",
            "*first differing node: *(Gemm)*value 'sine'*",
            "*1 of 1 elements differ, max 1 LSB; first: [[]0, 0[]]*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize("board", ["dying", "silent"])
def test_a_bench_fault_is_an_error_and_not_a_failure(bench, board):
    result = run(bench, "--board", board, "--junitxml", "junit.xml")
    result.assert_outcomes(errors=1)
    cases = list(ElementTree.parse(bench.path / "junit.xml").iter("testcase"))
    assert [child.tag for case in cases for child in case] == ["error"]


def test_a_bench_fault_in_a_python_test_is_an_error_too(bench):
    bench.makepyfile(
        """
        from espdl_hil.runs import RunRequest

        def test_run(hil_session):
            hil_session.run(RunRequest(model=b""), deadline_s=1.0)

        def test_own_mistake(hil_session):
            raise ValueError("mine")
        """
    )
    (bench.path / "demo.hil.yaml").unlink()
    run(bench, "--board", "dying").assert_outcomes(errors=1, failed=1)
    assert opened(bench) == ["dying", "dying"], "a board that failed is opened anew"


def test_a_board_that_does_not_open_is_asked_once(bench):
    bench.makepyfile(PYTHON_TESTS)
    run(bench, "--board", "silent").assert_outcomes(errors=2, passed=1, skipped=3)
    assert opened(bench) == ["silent"]


def test_python_tests_run_on_the_boards_that_fit_their_marker(bench):
    bench.makepyfile(PYTHON_TESTS)
    (bench.path / "demo.hil.yaml").unlink()
    result = run(bench, "-v", "--board", "good,other,virtual-s3")
    result.assert_outcomes(passed=3 + 1 + 4 + 1)
    result.stdout.fnmatch_lines(["*::test_only_on_the_bench[[]good-1[]] PASSED*"])
    assert sorted(opened(bench)) == ["good", "other", "virtual-s3"]


def test_hil_check_judges_a_file(bench):
    bench.makepyfile(
        """
        from pathlib import Path
        import numpy as np
        from espdl_hil import espdl, pipeline
        from espdl_hil.quantizer import QuantizeConfig

        def test_file(hil_board, hil_check):
            config = QuantizeConfig(hil_board.target, random_samples=4)
            model = pipeline.quantize(Path("sin_mlp.onnx"), config).model
            Path("sine.espdl").write_bytes(espdl.write(model))
            record = hil_check("sine.espdl", {"x": np.array([[3]], np.int8)}, vectors=4)
            assert record.vectors == 1 + 1 + 4
        """
    )
    (bench.path / "demo.hil.yaml").unlink()
    run(bench, "--board", "good").assert_outcomes(passed=1)
    result = run(bench, "--board", "wrong")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*first differing node*'sine'*"])


def test_a_broken_budget_is_a_failure(bench):
    suite = bench.path / "demo.hil.yaml"
    suite.write_text(suite.read_text() + "    budgets: {size_bytes: 10, latency_us: 5}\n")
    result = run(bench, "--board", "good,virtual-s3")
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    assert text.count("budget size_bytes:") == 2
    assert text.count("budget latency_us: 11, allowed 5") == 1, "virtual latency is not judged"


def test_junit_properties_say_what_was_tested(bench):
    run(bench, "--board", "virtual-s3", "--junitxml", "junit.xml").assert_outcomes(passed=1)
    properties = {
        item.get("name"): item.get("value")
        for item in ElementTree.parse(bench.path / "junit.xml").iter("property")
    }
    assert properties["board"] == "virtual-s3"
    assert properties["virtual"] == "true"
    assert properties["bit_equal"] == "true"
    assert properties["latency_us"] == "11.0"
    assert len(properties["model_sha256"]) == len(properties["firmware_sha256"]) == 64
    assert {"engine", "firmware_version", "source_sha256", "seed", "board_mae"} <= set(properties)


def test_reports_are_written_and_the_table_is_printed(bench):
    result = run(bench, "--board", "good,wrong,silent,virtual-s3", "--hil-report", "out")
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*3 checked, 2 passed, 1 bench errors; 1 flash, 3 model uploads*"])
    results = json.loads((bench.path / "out" / "results.json").read_text())
    assert [check["board"] for check in results["checks"]] == ["good", "wrong", "virtual-s3"]
    assert results["checks"][1]["difference"]["op_type"] == "Gemm"
    assert results["bench_errors"][0]["board"] == "silent"
    assert results["versions"]["git_commit"]
    assert "first differing node" in (bench.path / "out" / "report.html").read_text()


def test_reports_that_cannot_be_written_lose_no_finding_and_do_not_pass(bench):
    (bench.path / "out").write_text("in the way")
    result = run(bench, "--board", "good", "--hil-report", "out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*1 checked, 1 passed*", "reports cannot be written: *out: *"])
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "Traceback" not in result.stderr.str()


def test_a_cache_that_cannot_be_written_is_no_failure(bench):
    (bench.path / "cache").write_text("in the way")
    run(bench, "--board", "good").assert_outcomes(passed=1)


def test_sigterm_ends_a_session_with_its_reports(bench):
    bench.makepyfile(
        test_z="""
        import os, signal

        def test_that_ci_gives_up():
            os.kill(os.getpid(), signal.SIGTERM)
        """
    )
    result = run(bench, "--board", "good", "--hil-report", "out", "demo.hil.yaml", "test_z.py")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    results = json.loads((bench.path / "out" / "results.json").read_text())
    assert [check["board"] for check in results["checks"]] == ["good"]


def test_sigterm_between_a_test_and_its_report_loses_neither(bench):
    bench.makepyfile(
        impatient_ci="""
        import os, signal
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_makereport(item, call):
            if call.when == "call":
                os.kill(os.getpid(), signal.SIGTERM)
        """
    )
    bench.syspathinsert()
    arguments = ("-p", "impatient_ci", "--hil-report", "out", "demo.hil.yaml")
    result = run(bench, "--board", "good,other", *arguments)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(passed=1)
    results = json.loads((bench.path / "out" / "results.json").read_text())
    assert len(results["checks"]) == 1


def test_a_second_run_quantizes_nothing(bench):
    run(bench, "--board", "good").assert_outcomes(passed=1)
    (kept,) = (bench.path / "cache").rglob("*.espdl")
    written = kept.stat().st_mtime_ns
    run(bench, "--board", "good").assert_outcomes(passed=1)
    assert [path for path in (bench.path / "cache").rglob("*") if path.is_file()] == [kept]
    assert kept.stat().st_mtime_ns == written


def test_a_damaged_cache_is_made_anew(bench):
    run(bench, "--board", "good").assert_outcomes(passed=1)
    (kept,) = (bench.path / "cache").rglob("*.espdl")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    run(bench, "--board", "good").assert_outcomes(passed=1)
    assert kept.read_bytes() == whole


def test_workers_open_each_board_once_and_their_findings_arrive(bench):
    bench.makepyfile(PYTHON_TESTS)
    result = run(bench, "-n", "2", "--board", "good,other", "--hil-report", "out")
    result.assert_outcomes(passed=2 + 2 + 1 + 4 + 1)
    assert sorted(opened(bench)) == ["good", "other"]
    results = json.loads((bench.path / "out" / "results.json").read_text())
    assert {check["board"] for check in results["checks"]} == {"good", "other"}


def test_a_run_that_tests_no_board_does_not_pay_for_arrays_and_tables():
    code = """
import sys, pytest, pytest_espdl_hil.plugin
print({"numpy", "yaml", "rich", "serial", "jinja2", "onnx"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_both_plugins_live_together(bench):
    """pytest-embedded with its options, fixtures and autouse hooks, in the same run."""
    bench.makepyfile(
        PYTHON_TESTS
        + """

def test_both(hil_session, dut):
    dut.write("hello")
    dut.expect("hello")
"""
    )
    result = run(
        bench,
        *("--board", "good"),
        *("--embedded-services", "serial", "--port", "loop://", "--baud", "115200"),
        *("--target", "esp32", "-W", "ignore"),
        alone=False,
    )
    result.assert_outcomes(passed=1 + 1 + 2 + 1 + 1, skipped=1)


def test_no_option_or_fixture_is_named_like_one_of_pytest_embedded(bench):
    ours = set(run(bench, "--help").stdout.str().split())
    assert {"--board", "--boards", "--hil-report"} <= {word.split("=")[0] for word in ours}
    fixtures = run(bench, "--fixtures", "-q").stdout.str()
    for name in ("hil_board", "hil_session", "hil_check"):
        assert name in fixtures
