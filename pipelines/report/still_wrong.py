"""What a student still gets wrong, by kind: by verdict, by what it says instead, and by the length of the question.

Owns: those counts, and what changed since the student before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning.grading.intervals import Interval, wilson
from reasoning.records import Attempt, Problem, Verdict

MOST_PAIRS = 8
_LENGTHS = ("short", "middling", "long")
_FEWEST = 12  # questions of which thirds say something


@dataclass(frozen=True, slots=True)
class Share:
    """Right answers among some questions."""

    name: str
    right: int
    questions: int

    @property
    def accuracy(self) -> float:
        return self.right / self.questions if self.questions else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.right, self.questions)


@dataclass(frozen=True, slots=True)
class StillWrong:
    """Of one student: attempts by verdict; (gold answer, what was said instead, how often), the most frequent first;
    accuracy by thirds of the questions' lengths; and how many questions were newly answered right and newly answered
    wrong since the student before (None: there is none)."""

    student: str
    verdicts: Mapping[str, int]
    pairs: Sequence[tuple[str, str, int]]
    lengths: Sequence[Share]
    gained: int | None
    lost: int | None


def still_wrong(
    student: str, attempts: Sequence[Attempt], before: Sequence[Attempt] | None, problems: Mapping[str, Problem]
) -> StillWrong:
    """What `student` gets wrong in `attempts`, one a question."""
    counts = Counter(one.verdict for one in attempts)
    pairs = Counter(
        (problems[one.problem_id].answer, one.prediction)
        for one in attempts
        if one.verdict is Verdict.WRONG and one.problem_id in problems
    )
    was = {one.problem_id: one.verdict is Verdict.CORRECT for one in before or ()}
    changes = Counter(
        (was[one.problem_id], one.verdict is Verdict.CORRECT) for one in attempts if one.problem_id in was
    )
    return StillWrong(
        student,
        {verdict.replace("_", " "): counts[verdict] for verdict in Verdict},
        [(gold, said, count) for (gold, said), count in sorted(pairs.items(), key=lambda one: (-one[1], one[0]))][
            :MOST_PAIRS
        ],
        _by_length([one for one in attempts if one.problem_id in problems], problems),
        changes[False, True] if before is not None else None,
        changes[True, False] if before is not None else None,
    )


def most_frequent_answer(attempts: Sequence[Attempt], problems: Mapping[str, Problem]) -> float | None:
    """The accuracy of saying the most frequent gold answer to every question of `attempts`; None where the questions
    are not known or no answer comes twice."""
    golds = Counter(problems[one.problem_id].answer for one in attempts if one.problem_id in problems)
    most = max(golds.values(), default=0)
    return most / golds.total() if most > 1 else None


def _by_length(attempts: Sequence[Attempt], problems: Mapping[str, Problem]) -> list[Share]:
    """Thirds of the questions by their length, none where there are too few or all are alike."""
    ordered = sorted(attempts, key=lambda one: (len(problems[one.problem_id].question), one.problem_id))
    lengths = [len(problems[one.problem_id].question) for one in ordered]
    if len(ordered) < _FEWEST or lengths[0] == lengths[-1]:
        return []
    cuts = [len(ordered) * number // 3 for number in range(4)]
    shares = []
    for name, start, end in zip(_LENGTHS, cuts, cuts[1:], strict=False):
        right = sum(one.verdict is Verdict.CORRECT for one in ordered[start:end])
        shares.append(Share(f"{name} ({lengths[start]} – {lengths[end - 1]} characters)", right, end - start))
    return shares
