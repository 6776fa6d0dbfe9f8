"""`tailor journal`: what is printed, the exit codes, and which file a path stands for."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.journal.actor import Ended, Journal, Sending
from pipelines.cli import app
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.tailored import parse_as, parse_recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

RUNNER = CliRunner()
RUN = "mine[red]"  # printed as it is


def tailor(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["journal", *map(str, arguments)], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def request(number: int) -> TeacherRequest:
    return TeacherRequest("teacher", "m", (("user", f"Frage {number}"),), 0.7, 64)


def fill(path: Path, text: str = "Four.") -> Path:
    journal = Journal(path, ballast_bytes=0)
    keys = [request(number).key for number in range(3)]
    cost = 2_500_000
    journal.start([Sending(f"s{n}", keys[n], request(n), RUN, "east", 2 * cost) for n in range(3)])
    journal.end([Ended("s0", TeacherReply(keys[0], text, "length", 1100, 7, "m"), 1100, 7, cost)])
    journal.end([Ended("s1", TeacherFailure(keys[1], FailureKind.CONTENT_FILTER, "why", 1), cost=0)])
    journal.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return fill(tmp_path / "journal.sqlite")


def test_stats_tells_requests_sendings_and_money(path: Path) -> None:
    code, output = tailor("stats", path)
    assert code == 0
    for part in ("answered │ 1", "cut off at max_tokens │ 1", "failed: content_filter │ 1", "outcome unknown │ 1"):
        assert part in output, output
    for name in ("in all", f"run {RUN}", "endpoint east"):
        assert f"{name} │ 3 │ 1 │ 1,100 │ 7 │ $0.0025 │ $0.0050" in output, output
    assert "Sendings by outcome: answered 1, content_filter 1, unknown 1" in output


def test_stats_as_json_is_one_object(path: Path) -> None:
    code, output = tailor("stats", path, "--json", "--run", RUN)
    found = json.loads(output)
    assert code == 0 and found["journal"] == str(path) and found["run"] == RUN
    assert found["requests"]["answered"] == found["requests"]["lost"] == 1
    assert found["requests"]["failed"] == {"content_filter": 1}
    sums = {
        "sendings": 3,
        "open": 1,
        "prompt_tokens": 1100,
        "completion_tokens": 7,
        "settled": 0.0025,
        "reserved": 0.005,
    }
    assert found["all"] == found["runs"][RUN] == found["endpoints"]["east"] == sums


def test_a_run_that_sent_nothing_is_told_with_those_that_did(path: Path) -> None:
    code, output = tailor("stats", path, "--run", "nobody")
    assert code == 2 and "'nobody'" in output and f"Runs in this journal: {RUN}" in output


def test_export_and_import_print_what_they_counted(path: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "other.sqlite"
    assert tailor("export", path, out) == (0, f"{out}: 1 answers")
    assert tailor("export", path, out, "--all") == (0, f"{out}: 1 answers and 1 failures")
    assert tailor("import", out, other) == (0, f"{other}: 2 imported, 0 already there, 0 differing")
    assert tailor("import", path, other) == (0, f"{other}: 0 imported, 2 already there, 0 differing")
    fill(tmp_path / "differs.sqlite", "Five.")
    code, output = tailor("import", tmp_path / "differs.sqlite", other)
    assert code == 0 and output.endswith("0 imported, 1 already there, 1 differing (what is there stays)")
    assert "imported │ 1" in tailor("stats", other)[1]


def test_a_line_under_another_key_is_refused(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    tailor("export", path, out)
    out.write_text(out.read_text().replace("Frage 0", "Frage 9"))
    code, output = tailor("import", out, tmp_path / "other.sqlite")
    assert code == 2 and "out.jsonl, line 1: its key is" in output and request(9).key in output
    assert not (tmp_path / "other.sqlite").exists()


def test_verify_says_sound_or_each_fault(path: Path) -> None:
    code, output = tailor("verify", path)
    assert code == 0 and "sound; 3 requests, 3 sendings, 0 in flight, 0 in batches, 1 with an unknown outcome" in output
    assert f"unknown: request {request(2).key}, sending s2 of run {RUN} to east" in output
    assert "$0.0050 stay reserved" in output
    with sqlite3.connect(path) as db:
        db.execute("UPDATE calls SET reply = '[/red]' WHERE status = 'answered'")
        db.execute("UPDATE spending SET settled = 0")
    code, output = tailor("verify", path)
    assert code == 1 and f"fault: request {request(0).key}: reply is not JSON" in output
    assert f"fault: run '{RUN}': 0 nanodollars settled" in output and "2 faults" in output


def test_retry_counts_clears_and_says_so(path: Path) -> None:
    code, output = tailor("retry", path, "--dry-run")
    assert code == 0 and "content_filter │ 1 │ 1 │ 0" in output and "would be cleared" in output
    assert output.endswith(f"{path}: 1 failures would be cleared")
    assert tailor("retry", path, "--kind", "server") == (
        0,
        f"{path}: 0 failures cleared: they are asked again when the run goes on",
    )
    code, output = tailor("retry", path, "--kind", "content_filter, truncated", "--kind", "server", "--run", RUN)
    assert code == 0 and output.endswith("1 failures cleared: they are asked again when the run goes on")
    code, output = tailor("retry", path)
    assert code == 0 and "content_filter │ 1 │ 0 │ 1" in output and f"{path}: 0 failures cleared" in output
    assert tailor("verify", path)[0] == 0 and "answered │ 1" in tailor("stats", path)[1]


def test_retry_of_an_unknown_kind_or_journal_changes_nothing(path: Path, tmp_path: Path) -> None:
    code, output = tailor("retry", path, "--kind", "content-filter")
    assert code == 2 and "'content-filter'" in output and "content_filter?" in output
    assert tailor("retry", tmp_path / "none.sqlite")[0] == 2 and not (tmp_path / "none.sqlite").exists()


def test_a_folder_stands_for_the_journal_of_its_run(tmp_path: Path) -> None:
    shared = fill(tmp_path / "shared" / "all.sqlite")
    own = RunDirectory(tmp_path / "own")
    own.claim(parse_recipe("{name: own}", "test"))
    assert ": no such journal" in tailor("stats", own.path)[1]  # none was made yet
    assert tailor("import", shared, own.path)[0] == 0
    assert json.loads(tailor("stats", own.path, "--json")[1])["journal"] == str(own.journal)
    sharing = f"{{name: sharing, storage: {{journal: {shared}}}}}"
    RunDirectory(tmp_path / "sharing").claim(parse_recipe(sharing, "test"))
    assert json.loads(tailor("stats", tmp_path / "sharing", "--json")[1])["journal"] == str(shared)
    cot = f"{{name: cot, fine_tuning: {{}}, storage: {{journal: {shared}}}}}"
    CotDirectory(tmp_path / "cot").claim(parse_as(FineTuneCotRecipe, cot, "test"))
    assert json.loads(tailor("stats", tmp_path / "cot", "--json")[1])["journal"] == str(shared)


def test_what_is_no_journal_is_told_in_one_message(tmp_path: Path) -> None:
    for command in ("stats", "verify"):
        code, output = tailor(command, tmp_path)
        assert code == 2 and "not a run's folder" in output and "Traceback" not in output
        assert tailor(command, tmp_path / "none.sqlite")[0] == 2
    (tmp_path / "text.sqlite").write_text("words " * 999)
    for arguments in (("verify",), ("stats",), ("export", tmp_path / "out.jsonl")):
        code, output = tailor(arguments[0], tmp_path / "text.sqlite", *arguments[1:])
        assert code == 2 and "not a journal" in output


def test_a_journal_is_looked_into_without_the_heavy_libraries(path: Path) -> None:
    """One fresh process (a second)."""
    program = (
        "import sys; from typer.testing import CliRunner; from pipelines.cli import app; "
        f"assert CliRunner().invoke(app, ['journal', 'verify', {str(path)!r}]).exit_code == 0; "
        f"assert CliRunner().invoke(app, ['journal', 'verify', '/no/such']).exit_code == 2; "
        "print([m for m in ('torch', 'ray', 'vllm', 'transformers', 'openai') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
