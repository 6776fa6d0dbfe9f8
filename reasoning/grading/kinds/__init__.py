"""The kinds of answers: one file each, found through one table.

Owns: the table, and the rules of a kind with the settings of one task. A new kind is a file beside these, its name in
`reasoning.records.AnswerKind`, a line in the table, and its test. What a kind has to say is in
`reasoning.grading.kinds.rules`.

Invariant: every `AnswerKind` has its rules, so that looking one up never fails.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

from reasoning.grading.kinds.choice import Choice
from reasoning.grading.kinds.date import Date
from reasoning.grading.kinds.expression import Expression
from reasoning.grading.kinds.number import Number
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.kinds.set import AnswerSet
from reasoning.grading.kinds.text import Text
from reasoning.grading.kinds.yes_no import YesNo
from reasoning.records import AnswerKind, Problem

KINDS: dict[AnswerKind, AnswerRules] = {
    AnswerKind.NUMBER: Number(),
    AnswerKind.YES_NO: YesNo(),
    AnswerKind.CHOICE: Choice(),
    AnswerKind.TEXT: Text(),
    AnswerKind.DATE: Date(),
    AnswerKind.SET: AnswerSet(),
    AnswerKind.EXPRESSION: Expression(),
}

Kind = AnswerKind | AnswerRules  # a kind as it usually is, or with the settings of one task


def rules_of(kind: Kind) -> AnswerRules:
    """The rules of a kind; of a kind with settings, itself."""
    return kind if isinstance(kind, AnswerRules) else KINDS[kind]


@lru_cache(maxsize=256)
def with_settings(kind: AnswerKind, settings: str) -> AnswerRules:
    """The rules of a kind with a task's `settings`, a JSON object of some of their fields; "" for none."""
    values = json.loads(settings) if settings else {}
    return replace(KINDS[kind], **{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def rules_for(problem: Problem) -> AnswerRules:
    """The rules by which answers to `problem` are found and compared."""
    return with_settings(problem.answer_kind, problem.settings) if problem.settings else KINDS[problem.answer_kind]


__all__ = ["KINDS", "AnswerRules", "Kind", "rules_for", "rules_of", "with_settings"]
