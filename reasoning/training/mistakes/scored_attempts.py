"""A student's own attempts that a teacher has scored, token by token, as what a training draws from.

Owns: how the stored scores become pairs of a question.

Invariants
- The tokens that were scored are the tokens that are learnt: a prompt that the student reads otherwise now is an error.
- Nothing is cut: what does not fit is left out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reasoning.records import ScoredAttempt
from reasoning.training.report import TrainingError
from reasoning.training.samples import Pair, Scores, TokenizedExample


def with_attempts(
    examples: Sequence[TokenizedExample],
    problem_of: dict[str, str],
    scored: Iterable[ScoredAttempt],
    max_tokens: int,
) -> tuple[TokenizedExample, ...]:
    """`examples` with the attempts of their problems; `problem_of` says which problem an example, by its id, is of.
    Raises `TrainingError`."""
    by_problem: dict[str, list[ScoredAttempt]] = {}
    for attempt in scored:
        by_problem.setdefault(attempt.problem_id, []).append(attempt)
    made = []
    for example in examples:
        attempts = by_problem.get(problem_of[example.id], [])
        if any(attempt.prompt != example.prompt for attempt in attempts):
            raise TrainingError(
                f"question {problem_of[example.id]}: a teacher has scored the student's attempts after another prompt "
                "than it is trained with: its tokenizer or its form was changed since. Begin a new run (another `name`)"
            )
        fitting = [one for one in attempts if len(one.prompt) + len(one.tokens) <= max_tokens]
        made.append(replace(example, pairs=tuple(Pair((), one.tokens, scores=_scores(one)) for one in fitting)))
    return tuple(made)


def _scores(attempt: ScoredAttempt) -> Scores:
    return Scores(attempt.width, array("i", attempt.listed), array("f", attempt.log_probabilities))
