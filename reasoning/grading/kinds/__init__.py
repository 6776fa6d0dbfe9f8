"""The kinds of answers: one file each, found through one table.

Owns: the table. A new kind is a file beside these, its name in `reasoning.records.AnswerKind`, a line in the table, and
its test. What a kind has to say is `reasoning.grading.kinds.rules`.

Invariant: every `AnswerKind` has its rules, so that looking one up never fails.
"""

from __future__ import annotations

from reasoning.grading.kinds.choice import Choice
from reasoning.grading.kinds.number import Number
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.kinds.text import Text
from reasoning.grading.kinds.yes_no import YesNo
from reasoning.records import AnswerKind

KINDS: dict[AnswerKind, AnswerRules] = {
    AnswerKind.NUMBER: Number(),
    AnswerKind.YES_NO: YesNo(),
    AnswerKind.CHOICE: Choice(),
    AnswerKind.TEXT: Text(),
}

__all__ = ["KINDS", "AnswerRules"]
