"""The errors that a user is told in one message: which they are, and their exit codes."""

from __future__ import annotations

import pickle

import pytest

from actors.journal.database import JournalBusy, JournalError
from actors.storage.remote import StorageError
from reasoning.files.data_error import DataError
from reasoning.files.user_error import UserError
from reasoning.grading.own_grader import GraderError
from reasoning.prompts.files import PromptError
from reasoning.recipe.tailored import RecipeError
from reasoning.rounds.directory import RunDirectoryError


@pytest.mark.parametrize(
    ("kind", "also", "code"),
    [
        (RecipeError, ValueError, 2),
        (PromptError, ValueError, 2),
        (RunDirectoryError, RuntimeError, 2),
        (StorageError, RuntimeError, 2),
        (JournalError, Exception, 2),
        (JournalBusy, JournalError, 2),
        (DataError, ValueError, 2),
        (GraderError, ValueError, 1),
    ],
)
def test_what_a_user_can_put_right_has_an_exit_code(kind: type[UserError], also: type[Exception], code: int) -> None:
    assert issubclass(kind, UserError) and issubclass(kind, also) and kind.exit_code == code


def test_such_an_error_crosses_processes() -> None:
    """Actors raise them, and Ray pickles what they raise."""
    for error in (RecipeError("a [b]"), RunDirectoryError("c"), JournalError("d"), GraderError("e")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
