"""The project's own errors become one message and an exit code; any other keeps its trace."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import typer

from actors.journal.database import JournalError
from pipelines.errors import Refused, RunFailed, told_plainly
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.cluster import ClusterError
from pipelines.run.preflight import PreflightError
from reasoning.files.data_error import DataError
from reasoning.prompts.files import PromptError
from reasoning.recipe.tailored import RecipeError
from reasoning.rounds.directory import RunDirectoryError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("no [such] thing"), 2),
        (ClusterError("no [such] thing"), 2),
        (PreflightError("mine.yaml", [PreflightFault("student", "no [such] thing", "Take another")]), 2),
        (RecipeError("no [such] thing"), 2),
        (PromptError("no [such] thing"), 2),
        (RunDirectoryError("no [such] thing"), 2),
        (DataError("file", "no [such] thing", "take another"), 2),
        (JournalError("no [such] thing"), 2),
        (RunFailed("no [such] thing"), 1),
    ],
)
def test_an_error_of_the_projects_is_one_message_and_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, told_plainly():
        raise error
    assert caught.value.exit_code == code
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "no [such] thing" in said  # brackets are no markup


def test_a_folder_that_was_removed_beneath_a_command_is_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError), told_plainly():
        raise FileNotFoundError(errno.ENOENT, "of a socket, say")
    (folder := tmp_path / "gone").mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(typer.Exit) as caught, told_plainly():
        Path.cwd()
    assert caught.value.exit_code == 2 and "was started is no longer there: change into one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EISDIR, 2, "is a directory: check this path"),
        (errno.EACCES, 2, "permission denied: check"),
        (errno.ENOENT, 2, "no such file or directory: check"),
        (errno.EROFS, 2, "read-only file system: check"),
        (errno.ENOSPC, 1, "no space left on device: make room, and give the same command again"),
    ],
)
def test_what_the_file_system_says_of_a_path_is_told_plainly(
    number: int, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (OSError(number, "said", "some [path]"), OSError(number, "said", "part", None, "some [path]")):
        with pytest.raises(typer.Exit) as caught, told_plainly():
            raise error
        assert caught.value.exit_code == code
        assert f"error: some [path]: {said}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "error", [OSError("no number"), OSError(errno.ENOENT, "no path"), OSError(errno.EBADF, "", "x")]
)
def test_another_fault_of_the_system_keeps_its_trace(error: OSError) -> None:
    with pytest.raises(OSError) as caught, told_plainly():
        raise error
    assert caught.value is error


def test_an_interrupt_has_the_shells_code_and_anything_else_its_trace() -> None:
    with pytest.raises(typer.Exit) as caught, told_plainly():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    with pytest.raises(ZeroDivisionError), told_plainly():
        1 / 0  # noqa: B018 - it is there to fail
