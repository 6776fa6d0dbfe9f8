"""Which attempts of a student are mistakes, to be shown to the teacher and learnt from.

Owns: what a mistake is. Invariants
- A truncated attempt is not a mistake. A complete attempt without an answer is one.
- An attempt is judged on the part that is graded, and that part is what the teacher is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from reasoning.grading.answers import judged_part
from reasoning.grading.net import in_net
from reasoning.prompts.headings import one_block
from reasoning.records import Attempt, Mistake, Verdict

_MISTAKEN = (Verdict.WRONG, Verdict.NO_ANSWER)


def mistakes_of(attempts: Iterable[Attempt]) -> list[Mistake]:
    """The complete, wrong attempts, each text once per question: those with an answer first, otherwise in the order of
    the attempts. A text that was given in several rounds is a mistake of the last of them."""
    found: dict[tuple[str, str], Mistake] = {}
    for attempt in attempts:
        if attempt.verdict not in _MISTAKEN:
            continue
        text = one_block(in_net(attempt.problem_id, partial(judged_part, attempt.text), attempt.text))
        if text:  # an empty attempt shows the teacher nothing
            mistake = Mistake(attempt.problem_id, attempt.round, text, attempt.prediction)
            found[mistake.problem_id, text] = mistake
    return sorted(found.values(), key=lambda mistake: not mistake.prediction)
