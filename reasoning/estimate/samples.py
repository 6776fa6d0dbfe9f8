"""The replies to a sample of requests, and the tokens they used.

Owns: the record. Invariant: a reply counts once, under its key in the journal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from reasoning.estimate.sums import Use
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import FailureKind, TeacherReply


@dataclass(slots=True)
class TeacherSample:
    """What a sample has brought so far: the tokens of its replies by kind, step and key; its failures, and the words of
    the last one; the number of questions asked about; the replies that came from the journal; whether the mistakes
    shown were stand-ins."""

    uses: dict[tuple[Ask, int], dict[str, Use]] = field(default_factory=dict)
    failed: Counter[FailureKind] = field(default_factory=Counter)
    questions: int = 0
    from_journal: int = 0
    stand_ins: bool = False
    last_failure: str = ""

    @property
    def replies(self) -> int:
        return sum(map(len, self.uses.values()))

    def add(self, ask: Ask, step: int, reply: TeacherReply) -> None:
        """Counts `reply` to the first or second `step` of `ask`."""
        self.uses.setdefault((ask, step), {})[reply.key] = use_of(reply)


def use_of(reply: TeacherReply) -> Use:
    """The tokens of one reply."""
    return Use(reply.prompt_tokens, reply.completion_tokens)
