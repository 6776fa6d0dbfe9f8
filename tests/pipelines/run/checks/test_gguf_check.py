"""A GGUF file that `student.model` names is made into a student, which is then checked as any other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.run.checks import gguf_check
from reasoning.recipe.student import StudentSection
from reasoning.student.checkpoint import load_student
from tests.pipelines.run.checking import SMALL, checked, faults, only
from tests.reasoning.student.gguf.gguf_files import tiny_gguf_llama, write_gguf

pytestmark = pytest.mark.training


def test_a_file_is_a_student_like_another(tmp_path: Path) -> None:
    """Made at the first check, with the whole trial behind it, and only looked up at the next."""
    file = write_gguf(tmp_path / "tiny.gguf", tiny_gguf_llama())
    notes = [note for note in checked(SMALL, file).notes if "tiny.gguf" in note]
    assert len(notes) == 1 and "made of tiny.gguf once" in notes[0]
    folder = Path(StudentSection(model=str(file)).source)
    assert str(folder) in notes[0] and load_student(str(folder)).model.config.model_type == "llama"
    assert not [note for note in checked(SMALL, file).notes if "made of" in note]
    too_long = only(f"{SMALL}learning: {{training: {{max_tokens: 4000}}}}", file)
    assert too_long.place == "learning.training.max_tokens" and "512 positions" in too_long.what


def test_a_folder_of_such_files_says_to_name_one(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", tiny_gguf_llama())
    assert "student.model: DIR/NAME.gguf" in only(SMALL, tmp_path).cure


@pytest.mark.parametrize(
    ("content", "what", "cure"),
    [(b"GGUF", "cut off or damaged", "Fetch"), (b"", "empty", "Fetch"), (b"<html>", "web page", "Fetch")],
)
def test_a_broken_file_is_the_only_fault(tmp_path: Path, content: bytes, what: str, cure: str) -> None:
    (tmp_path / "broken.gguf").write_bytes(content)
    fault = only(SMALL, tmp_path / "broken.gguf")
    assert fault.place == "student.model" and "broken.gguf" in fault.what and what in fault.what and cure in fault.cure
    assert sorted(one.name for one in tmp_path.iterdir() if not one.name.endswith(".lock")) == ["broken.gguf"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "no file" in faults(SMALL, tmp_path / "away.gguf")[0].what


def test_a_disk_that_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, os.strerror(28))

    file = write_gguf(tmp_path / "tiny.gguf", tiny_gguf_llama())
    monkeypatch.setattr("reasoning.student.checkpoint.save_student", full)
    found = list(gguf_check.gguf_faults(StudentSection(model=str(file)), []))
    assert len(found) == 1 and "No space left" in found[0].what and "room" in found[0].cure
