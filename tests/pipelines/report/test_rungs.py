"""What the report says of the ladder: questions, tokens, dollars, and who was right one round later."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.report.rungs import rung_rows
from pipelines.report.tailored import write_report
from reasoning.files.tables import write_table
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Attempt, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.ladder.history import Help
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.phase_order import Phase, PhaseRecord

RECIPE = "teacher: {kind: openai, model: m, price: {input: 1.0, output: 4.0}}\nlearning: {help: ladder}"


def attempts(id: str, round: int, right: int) -> list[Attempt]:
    verdicts = [Verdict.CORRECT] * right + [Verdict.WRONG] * (4 - right)
    return [Attempt(id, round, n, f"{n}", True, 5, "4", verdict) for n, verdict in enumerate(verdicts)]


@pytest.fixture
def run(tmp_path: Path) -> tuple[RunDirectory, list[PhaseRecord]]:
    directory = RunDirectory(tmp_path / "run")
    directory.claim(parse_recipe(RECIPE, "test"))
    for round in (0, 1, 2):
        directory.round(round).folder.mkdir()
    first = [
        Help("a", 1, Rung.TAILORED, 0, 4, True, 1, 300, 100),
        Help("b", 1, Rung.TAILORED, 0, 4, True, 0, 200, 100),
        Help("c", 1, Rung.TAILORED, 1, 4, False),
        Help("d", 1, Rung.OWN, 3, 4, True, 2),
    ]
    write_table(directory.round(1).help, first, Help)
    write_table(directory.round(1).exam, attempts("a", 1, 0), Attempt)
    write_table(directory.round(2).exam, [*attempts("a", 2, 3), *attempts("c", 2, 4), *attempts("d", 2, 2)], Attempt)
    write_table(directory.round(2).help, [Help("c", 2, Rung.OWN, 4, 4, True, 1)], Help)
    metrics = {"correct": 1, "wrong": 1, "no_answer": 0, "truncated": 0, "attempts": 2, "asked": 0, "kept": 0}
    phases = [(round, phase) for round in (1, 2) for phase in (Phase.EXAM, Phase.FEEDBACK)]
    return directory, [PhaseRecord(round, phase, 1.0, metrics) for round, phase in phases]


def test_each_rung_is_summed_and_followed_into_the_next_exam(run: tuple[RunDirectory, list[PhaseRecord]]) -> None:
    own, tailored = rung_rows(*run)
    assert (tailored.questions, tailored.beyond, tailored.kept, tailored.tokens) == (2, 1, 1, 700)
    assert tailored.dollars == pytest.approx((500 * 1.0 + 200 * 4.0) / 1e6)
    assert (tailored.again, tailored.right) == (1, 1)  # b was not asked again, and c got no help
    assert (tailored.before, tailored.after) == (0.0, 0.75)
    assert (own.questions, own.kept, own.tokens, own.dollars) == (2, 3, 0, 0.0)
    assert (own.again, own.right) == (1, 0)  # half of its attempts are not more than half


def test_the_page_has_the_table_and_a_run_without_a_ladder_has_none(
    run: tuple[RunDirectory, list[PhaseRecord]], tmp_path: Path
) -> None:
    directory, records = run
    for record in records:
        directory.append(record)
    page = write_report(directory).read_text(encoding="utf-8")
    assert "by feedback on the mistake" in page and "75.0 %" in page and "0.0013" in page
    assert "no later exam" not in page
    directory.round(2).help.unlink()
    directory.round(2).exam.unlink()
    assert "no later exam has asked any of these yet" in write_report(directory).read_text(encoding="utf-8")
    plain = RunDirectory(tmp_path / "plain")
    plain.claim(parse_recipe("", "test"))
    assert rung_rows(plain, []) == [] and 'id="ladder"' not in write_report(plain).read_text(encoding="utf-8")
