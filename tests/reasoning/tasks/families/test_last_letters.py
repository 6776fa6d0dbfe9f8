"""Last letters: the first wrong step of hand-written rationales."""

from __future__ import annotations

import pytest

from reasoning.tasks.families import FAMILIES

QUESTION = 'Take the last letters of each words in "Whitney Toño Tj A" and concatenate them.'
FAMILY = FAMILIES["last_letter_concatenation"]


def test_the_canonical_rationale_is_short_and_regular() -> None:
    worked = FAMILY.rationale(QUESTION)
    assert worked.answer == "yojA"
    assert worked.text == (
        "The last letter of Whitney is y. The last letter of Toño is o. The last letter of Tj is j. "
        "The last letter of A is A. The letters y o j A make yojA."
    )


@pytest.mark.parametrize(
    ("rationale", "step", "reason"),
    [
        ("Whitney ends in e.", 0, "The last letter of Whitney is y, not e."),
        ("Whitney is spelled W h i t n y. So the last letter of Whitney is y.", 0, "spelled W h i t n e y"),
        ("Whitney ends in y. Tj ends in j.", 1, "for Toño is missing"),
        ("Whitney ends in y. Whitney ends in y.", 0, "done twice"),
        (
            "Whitney ends in y. Toño ends in o. Tj ends in j. A ends in A. So y o j A make yoAj.",
            4,
            "make yojA, not yoAj",
        ),
    ],
)
def test_the_first_wrong_step_is_found_and_named(rationale: str, step: int, reason: str) -> None:
    wrong = FAMILY.first_wrong_step(QUESTION, rationale)
    assert wrong is not None
    assert wrong.index == step
    assert reason in wrong.reason


def test_feedback_spells_the_missed_word_out() -> None:
    feedback = FAMILY.feedback(QUESTION, "Whitney ends in e.")
    assert feedback.rationale.startswith(
        "Whitney is spelled W h i t n e y. So the last letter of Whitney is y. The last"
    )


def test_feedback_puts_the_letters_together_one_by_one() -> None:
    feedback = FAMILY.feedback(QUESTION, FAMILY.rationale(QUESTION).text + "\nAnswer: yoj")
    assert feedback.rationale.endswith(
        "The letters y o make yo. The letters y o j make yoj. The letters y o j A make yojA."
    )
