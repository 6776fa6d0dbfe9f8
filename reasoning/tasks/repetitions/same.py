"""Questions that a set repeats: kept once, never in both train and test, and reported with their places.

Owns: how repeated and contradicting questions are resolved. Invariants: no question of train is in test; none is in
train twice; a question's problems have different ids.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.tasks.rows import Stated

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Record:
    """A question and where it stands."""

    stated: Stated
    place: str

    @property
    def key(self) -> str:
        """What makes it the same question as another: all but white space, and how its accents are coded."""
        return " ".join(unicodedata.normalize("NFC", self.stated.question).split())


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left, by position. `test` has with each question how often it came before."""

    train: dict[int, Record]
    test: list[tuple[Record, int]]
    notes: tuple[str, ...]


def without_repetitions(
    train: Mapping[int, Record], test: Mapping[int, Record], *, all_of_test: bool, published: bool
) -> Kept:
    """Each question once: the first of a split stays, and one that is also a test question leaves train. With
    `all_of_test` a test question counts as often as it is there.

    Published sets do repeat questions (MultiArith: 20 of 600), so that is noted, not refused. The same question with
    another answer is: one of them is wrong, and `DataError` names both places. But training questions of a `published`
    set, which the user cannot fix, are left out instead, and that is noted."""
    first: dict[str, Record] = {}
    tested = [(position, record, first.setdefault(record.key, record)) for position, record in test.items()]
    learnt = [(position, record, first.setdefault(record.key, record)) for position, record in train.items()]
    unclear = [(record, known) for _, record, known in learnt if _differ(record, known)]
    faults = ErrorCollector()
    for record, known in [(record, known) for _, record, known in tested] + ([] if published else unclear):
        if _differ(record, known):
            faults.add(_contradiction(record, known))
    faults.raise_caught()
    left_out = {record.key for record, _ in unclear}
    kept_train = {i: record for i, record, known in learnt if record is known and record.key not in left_out}
    kept_test: list[tuple[Record, int]] = []
    count: Counter[str] = Counter()
    for _, record, known in tested:
        if all_of_test or record is known:
            kept_test.append((record, count[record.key]))
            count[record.key] += 1
    repeated = [pair for pair in ((record, known) for _, record, known in tested + learnt) if pair[0] is not pair[1]]
    notes = []
    if clear := [(record, known) for record, known in repeated if record.key not in left_out]:
        notes.append(_repetitions(clear, len(kept_train), len(kept_test), all_of_test))
    if unclear:
        what = "question has" if len(left_out) == 1 else "questions have"
        notes.append(f"{len(left_out)} {what} different answers, and left train: {_places(unclear)}.")
    return Kept(kept_train, kept_test, tuple(notes))


def _differ(record: Record, known: Record) -> bool:
    """Whether two records of a question have no right answer in common."""
    left, right = record.stated, known.stated
    return not {left.answer, *left.aliases} & {right.answer, *right.aliases}


def _contradiction(record: Record, known: Record) -> DataError:
    answers = f"{record.stated.answer[:40]!r} here, {known.stated.answer[:40]!r} in {known.place}"
    return DataError(
        record.place, f"the question appears twice with different answers: {answers}", "remove the wrong one"
    )


def _repetitions(repeated: list[tuple[Record, Record]], train: int, test: int, all_of_test: bool) -> str:
    count = "1 question is" if len(repeated) == 1 else f"{len(repeated)} questions are"
    kept = "kept once, in test rather than in train" + (", and in test as often as it is there" if all_of_test else "")
    left = f"{train} are left for training and {test} for the test"
    return f"{count} repeated ({_places(repeated)}): {kept}; {left}."


def _places(pairs: list[tuple[Record, Record]]) -> str:
    """Where the first few of `pairs` stand, a file named where it is another than before."""
    told, before = [], ""
    for record, known in pairs[:_SHOWN]:
        told.append(f"{_beside(record.place, before)} repeats {_beside(known.place, record.place)}")
        before = known.place
    return "; ".join(told) + (f"; and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else "")


def _beside(place: str, other: str) -> str:
    """`place`, by its line or record alone when it is in the same file as `other`."""
    file, _, position = place.rpartition(", ")
    return position if file and other.startswith(f"{file}, ") else place
