"""What a run begins with: published files or tables of them, matched to its questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.exchange.formats import Format
from reasoning.exchange.reading import imported_records, match_file, read_imported
from reasoning.files.data_error import DataError
from reasoning.files.tables import write_table
from reasoning.offline.teacher import RecordedTeacher
from reasoning.records import AnswerKind, Mistake, Problem, Rationale, Split
from tests.inputs.teacher_requests import plain_content
from tests.reasoning.exchange.samples import (
    EGGS,
    MONEY,
    NUMBERS,
    write,
)


def test_a_run_may_begin_with_published_files_or_with_tables_of_them(tmp_path: Path) -> None:
    rationales = write(tmp_path / "any_name.json", {EGGS.question: ["It is 18."], MONEY.question: ["It is 1003."]})
    mistakes = write(tmp_path / "other_name.json", {EGGS.question: ["Answer: 11"]})
    direct = imported_records(rationales, mistakes, [EGGS])
    assert [one.text for one in direct.rationales] == ["It is 18."]
    assert [one.prediction for one in direct.mistakes] == ["11"]
    assert len(direct.faults) == 1  # the question that is not among the run's
    found = read_imported(rationales, NUMBERS, Format.A_RATIONALES)
    write_table(tmp_path / "r.parquet", found.rationales, Rationale)
    write_table(tmp_path / "m.parquet", direct.mistakes, Mistake)
    tables = imported_records(tmp_path / "r.parquet", tmp_path / "m.parquet", [EGGS])
    assert (tables.rationales, tables.mistakes) == (direct.rationales, direct.mistakes)
    assert len(tables.notes) == 1 and "1 rationales of questions that this run does not train on." in tables.notes[0]


def test_a_file_of_which_nothing_can_be_used_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", {"Who are you?": ["It is 18."]})
    with pytest.raises(DataError, match=r"none of its rationales is about a training question.*Who are you"):
        imported_records(path, None, [EGGS])
    write_table(tmp_path / "r.parquet", [], Rationale)
    with pytest.raises(DataError, match="none of its rationales"):
        imported_records(tmp_path / "r.parquet", None, [EGGS])
    with pytest.raises(DataError, match=r"not a table of mistakes.*holds Rationale, not Mistake"):
        imported_records(None, tmp_path / "r.parquet", [EGGS])


@pytest.mark.parametrize(("name", "kind", "share"), [("coin_flip", "yes_no", 0.91), ("multiarith", "number", 0.80)])
def test_published_recordings_become_rationales_of_the_published_accuracy(
    name: str, kind: str, share: float, real_data: Path
) -> None:
    path = real_data / "recorded_teacher" / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    problems = {
        row["question"]: Problem(name, row["question"], row["gold"], AnswerKind(kind), Split.TRAIN) for row in rows
    }
    matched = match_file(path, problems.values())
    assert not matched.faults and len(matched.pairs) >= len(problems)
    found = read_imported(path, list(problems.values()))
    assert sum(one.kept for one in found.rationales) / len(found.rationales) == pytest.approx(share, abs=0.02)
    teacher = RecordedTeacher(path)
    assert all(teacher.complete(plain_content(question)) for question in problems)
