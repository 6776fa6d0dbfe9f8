"""The report is made from a run's directory alone, and treats every word in it as data."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipelines.report.tailored import write_report
from reasoning.files.tables import write_table
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Attempt, Mistake, Rationale, RationaleSource, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.ladder.history import Help
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phase_order import Phase, PhaseRecord
from tests.pipelines.run.test_live import EXAM, ROUND_0

SCRIPT = "<script>alert(1)</script>"


def finished_run(folder: Path) -> RunDirectory:
    directory = RunDirectory(folder / "run")
    directory.claim(parse_recipe("name: a-run", "r.yaml"))
    for record in ROUND_0:
        directory.append(record)
    exam = {**EXAM.metrics, "wrong": 140, "no_answer": 5, "truncated": 5}
    directory.append(PhaseRecord(1, Phase.EXAM, 20.0, exam))
    directory.append(PhaseRecord(1, Phase.FEEDBACK, 3.0, {"kept": 1, "filtered_out": 0, "failed": 0, "asked": 1}))
    files = directory.round(1)
    files.folder.mkdir()
    attempt = Attempt("p1", 1, 0, f"wrong {SCRIPT}", True, 5, "no", Verdict.WRONG)
    mistake = Mistake(attempt.problem_id, 1, attempt.text, attempt.prediction)
    answer = Rationale("p1", 1, RationaleSource.TAILORED, "tailored-v1", "m", "right steps", "yes", True, mistake.id)
    write_table(files.exam, [attempt], Attempt)
    write_table(files.rationales, [answer], Rationale)
    directory.round(0).folder.mkdir()
    points = [{"step": i, "lm": 2.0 / i, "triplet": 0.5, "total": 1.0} for i in range(1, 5)]
    directory.round(0).losses.write_text("".join(json.dumps(point) + "\n" for point in points))
    return directory


def test_a_report_shows_rounds_plots_and_a_mistake_with_its_answer(tmp_path: Path) -> None:
    page = write_report(finished_run(tmp_path)).read_text(encoding="utf-8")
    assert page.count('<svg role="img"') == 4
    assert "50.0 %" in page and "40.0 – 60.0" in page
    assert "right steps" in page
    assert "temperature\n  0.7" in page and "greedily where a request does not say otherwise" in page
    assert SCRIPT not in page and "&lt;script&gt;" in page
    assert "http://" not in page and "https://" not in page


def test_the_mistakes_that_the_ladder_does_not_show_are_not_counted_as_shown(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    page = " ".join(write_report(directory).read_text(encoding="utf-8").split())
    assert re.search(r"mistakes shown to the teacher <td>– <td>41<", page)
    lines = directory.rounds_file.read_text()
    helped = '"help_own": 3, "help_tailored": 5, "help_new_questions": 2, "mistakes": 41'
    assert '"mistakes": 41' in lines
    directory.rounds_file.write_text(lines.replace('"mistakes": 41', helped))
    page = " ".join(write_report(directory).read_text(encoding="utf-8").split())
    assert re.search(r"mistakes shown to the teacher <td>– <td>7<", page)
    keys = "learning: {help: ladder, ladder: {teacher_tokens: 300}}"
    directory.recipe_file.write_text(f"name: a-run\n{keys}", encoding="utf-8")
    reached = [Help(str(n), 1, rung, 0, 4, reached=n < 2) for n, rung in enumerate([Rung.TAILORED] * 5 + [Rung.OWN])]
    write_table(directory.round(1).help, reached, Help)
    page = " ".join(write_report(directory).read_text(encoding="utf-8").split())
    assert re.search(r"mistakes shown to the teacher <td>– <td>2<", page)


def test_new_questions_are_shown_with_what_became_of_them(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    line = directory.rounds_file.read_text().splitlines()[-1]
    metrics = {
        "kept": 1,
        "filtered_out": 0,
        "failed": 0,
        "asked": 1,
        "new_proposed": 3,
        "new_kept": 1,
        "new_held_out": 2,
    }
    changed = PhaseRecord(1, Phase.FEEDBACK, 3.0, metrics).to_json()
    directory.rounds_file.write_text(directory.rounds_file.read_text().replace(line, changed))
    new = NewProblem(
        *("coin_flip", f"Is it {SCRIPT}?", "yes", AnswerKind.YES_NO, (), 1, "p1", "m1", "new_questions-1", "m"),
        *(ProposalOutcome.KEPT, 3, 4),
    )
    write_table(directory.round(1).new_problems, [new], NewProblem)
    page = write_report(directory).read_text(encoding="utf-8")
    assert "1 kept, 2 held out" in page and "3 of 4 answers agree" in page and SCRIPT not in page


def test_a_run_that_has_just_begun_has_a_report_too(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.claim(parse_recipe("name: young", "r.yaml"))
    assert "No round is finished yet" in write_report(directory).read_text(encoding="utf-8")
