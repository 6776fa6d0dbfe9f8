"""What was journaled on a disk that is gone: noted once, counted by run, and spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.journal.audit import audit
from actors.journal.lost import NOTHING, Figures, Lost, figures_of, settle_in
from actors.journal.sums import sums_of

LOST = Lost("mine", answered=3, sendings=4, booked=700)


@pytest.mark.parametrize(
    ("told", "copy", "lost"),
    [
        (Figures("a", 5, 7, 900), Figures("a", 2, 3, 200), Lost("mine", 3, 4, 700)),
        (Figures("a", 5, 7, 900), NOTHING, Lost("mine", 5, 7, 900)),
        (Figures("a", 5, 7, 900), Figures("a", 6, 8, 950), Lost("mine", 0, 0, 0)),  # copied after it last told
        (NOTHING, Figures("a", 6, 8, 950), Lost("mine", 0, 0, 0)),
    ],
)
def test_what_a_copy_lacks(told: Figures, copy: Figures, lost: Lost) -> None:
    assert told.since(copy, "mine") == lost


def test_a_loss_is_noted_once_for_each_journal_that_was_lost(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    for home, lost_home in (("b", "a"), ("b", "a"), ("c", "b")):
        settle_in(journal, home, LOST, lost_home)
    assert sums_of(journal).lost_answers == 6 and sums_of(journal, "mine").lost_answers == 6
    assert sums_of(journal, "another").lost_answers == 0
    assert figures_of(journal, "mine") == Figures("c", 0, 0, 1400)
    assert audit(journal).faults == ()


def test_nothing_lost_is_not_noted(tmp_path: Path) -> None:
    settle_in(tmp_path / "journal.sqlite", "b", Lost("mine", 0, 0, 0), "a")
    assert sums_of(tmp_path / "journal.sqlite").lost_answers == 0
