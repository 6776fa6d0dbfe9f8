"""A place that is no run's folder is told so, with the folder that was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.run_folders import no_run_at


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for run in ("a", "b", "c", "d"):
        (tmp_path / "runs" / run / "round-001" / "student").mkdir(parents=True)
        (tmp_path / "runs" / run / "recipe.yaml").touch()
        (tmp_path / "runs" / run / "rounds.jsonl").touch()
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "questions.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("runs/e", "there is no such folder"),
        ("runs/notes", "it has no recipe.yaml"),
        ("questions.jsonl", "it is a file"),
        ("runs/a/rounds.jsonl", "it is a file; it is in the run runs/a: give that"),
        ("runs/a/recipe.yaml", "it is a file; it is in the run runs/a: give that"),
        ("runs/a/round-001", "it has no recipe.yaml; it is in the run runs/a: give that"),
        ("runs/a/round-001/student", "it has no recipe.yaml; it is in the run runs/a: give that"),
        ("runs", "it has no recipe.yaml; there are runs in it: give runs/a, runs/b, runs/c and 1 more"),
    ],
)
def test_a_place_that_is_no_run_is_told_with_the_one_that_was_meant(here: Path, path: str, why: str) -> None:
    assert no_run_at(Path(path)) == f"{path}: not a run directory: {why}"
    assert str(here) not in no_run_at(Path(path))
    assert no_run_at(here / path).startswith(f"{here / path}: not a run directory: ")


def test_from_inside_a_run_its_own_folder_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "runs" / "a")
    assert f"in the run {here / 'runs' / 'a'}: give that" in no_run_at(Path("round-001"))
