"""The directory of a Fine-tune-CoT run: who it belongs to, its degrees, and its graduate."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.fine_tune_cot.directory import CotDirectory, degree_name, is_cot_directory, student_directory
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import Phase, PhaseRecord, phases_of
from tests.reasoning.fine_tune_cot.test_phases import recipe


def test_a_run_without_a_finished_degree_has_no_student(tmp_path: Path) -> None:
    directory = CotDirectory(tmp_path / "run")
    directory.claim(recipe("[1]"))
    with pytest.raises(RunDirectoryError, match="no degree is finished"):
        student_directory(directory.path)


def test_another_recipe_is_refused_and_further_degrees_are_not(tmp_path: Path) -> None:
    directory = CotDirectory(tmp_path / "run")
    assert not directory.claim(recipe("[2]"))
    assert directory.claim(recipe("[0, 2, 8]"))
    with pytest.raises(RunDirectoryError, match=r"differs in: teacher\.temperature"):
        directory.claim(recipe("[1]"))  # one rationale is asked for at temperature 0


def test_the_graduate_has_the_highest_validation_accuracy_unless_a_degree_is_named(tmp_path: Path) -> None:
    directory = CotDirectory(tmp_path / "run")
    directory.claim(recipe("[1, 2]"))
    for degree, accuracy in ((1, 0.75), (2, 0.5)):
        directory.degree(degree).path.mkdir()
        for phase in phases_of(0):
            directory.degree(degree).append(PhaseRecord(0, phase, 1.0, {"validation_accuracy": accuracy}))
    assert list(directory.degrees()) == [1, 2]
    assert directory.graduate().path.name == "degree-001" and directory.graduate(2).path.name == "degree-002"
    with pytest.raises(RunDirectoryError, match="degree 4"):
        directory.graduate(4)


def test_the_collection_lies_in_the_run_s_own_folder_and_its_size_is_recorded(tmp_path: Path) -> None:
    directory = CotDirectory(tmp_path / "run")
    directory.claim(recipe("[2]"))
    assert directory.collected() == 0 and directory.rationales == directory.path / "rationales.parquet"
    for samples in (1, 2):
        directory.append(PhaseRecord(0, Phase.FEEDBACK, 1.0, {"samples": samples}))
    assert directory.collected() == 2


def test_a_run_of_tailored_learning_is_told_apart_and_is_its_own_student_s(tmp_path: Path) -> None:
    RunDirectory(tmp_path / "tailored").claim(parse_recipe("task: {name: coin_flip}", "test"))
    CotDirectory(tmp_path / "cot").claim(recipe("[1]"))
    assert is_cot_directory(tmp_path / "cot") and not is_cot_directory(tmp_path / "tailored")
    assert not is_cot_directory(tmp_path / "nothing")
    assert student_directory(tmp_path / "tailored").path == tmp_path / "tailored"


def test_degrees_have_names_on_a_page() -> None:
    assert (degree_name(0), degree_name(4)) == ("labels alone", "degree 4")
