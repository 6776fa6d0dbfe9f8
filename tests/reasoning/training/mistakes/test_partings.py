"""Where a right and a wrong completion part: by a family's program, by a false equation, by their words."""

from __future__ import annotations

import pytest

from reasoning.prompts.student_forms import default_form
from reasoning.training.mistakes.partings import parting

FRAME = default_form().frame
COIN = "A coin is heads up. Ann flips the coin. Is the coin still heads up?"


def _parted(right: str, wrong: str, question: str = "How many?") -> tuple[str, str] | None:
    found = parting(FRAME, default_form().prompt(question), right, wrong)
    return (right[slice(*found.right)], wrong[slice(*found.wrong)]) if found else None


@pytest.mark.parametrize(
    ("right", "wrong", "parted"),
    [
        (" 3 + 4 = 7. Then 7 * 2 = 14.\nAnswer: 14", " 3 + 4 = 7. Then 7 * 2 = 15.\nAnswer: 15",
         ("Then 7 * 2 = 14.", "Then 7 * 2 = 15.")),
        # Words differ before, the equation is what is wrong.
        (" He has 3 + 4 = 7. Then 7 x 2 = 14.\nAnswer: 14", " It is 3 + 4 = 7. So 7 x 2 = 15.\nAnswer: 15",
         ("Then 7 x 2 = 14.", "So 7 x 2 = 15.")),
        (" $1,000 − $1 = $999. B.\nAnswer: 3", " $1,000 − $1 = $99. B.\nAnswer: 3",
         ("$1,000 − $1 = $999.", "$1,000 − $1 = $99.")),
        (" 10 / 3 = 3.33. Good.\nAnswer: 3", " 10 / 3 = 3.33. Bad.\nAnswer: 3", ("Good.", "Bad.")),  # rounded
        (" 8 ÷ 0 is nothing. B.\nAnswer: 3", " 8 ÷ 0 = 8. C.\nAnswer: 3", ("8 ÷ 0 is nothing.", "8 ÷ 0 = 8.")),
        # Of three numbers: not judged.
        (" 2 + 3 * 4 = 14. B.\nAnswer: 3", " 2 + 3 * 4 = 14. C.\nAnswer: 3", ("B.", "C.")),
        (" 5 + 5 = 2 * 5. B.\nAnswer: 3", " 5 + 5 = 2 * 5. C.\nAnswer: 3", ("B.", "C.")),
        (" 20 + 30 = 50% of it. B.\nAnswer: 3", " 20 + 30 = 50% of it. C.\nAnswer: 3", ("B.", "C.")),
        (" A is tall.\nB is short.\nAnswer: yes", " A is tall.\nB is tall.\nAnswer: no", ("B is short.", "B is tall.")),
        (" One.\nAnswer: 1", " One. Two. 1 + 1 = 3.\nAnswer: 3", ("One.", "1 + 1 = 3.")),  # fewer steps: the last
        (" One.\nAnswer: yes", " One.\nAnswer: no", None),  # the answer alone
        (" One. Two.\nAnswer: yes", " One.\nAnswer: no", None),  # a beginning of the other
        ("\nAnswer: yes", " One.\nAnswer: no", None),  # no reasoning
        (" Eins. Zwei.\nAnswer: yes", " Eins; drei.\nAnswer: no", ("Eins.", "Eins;")),
    ],
)  # fmt: skip
def test_texts(right: str, wrong: str, parted: tuple[str, str] | None) -> None:
    assert _parted(right, wrong) == parted


def test_a_generated_question_is_its_familys_to_judge() -> None:
    right = " We begin with heads up. Ann flips it: tails up.\nAnswer: no"
    wrong = " At first the coin is heads up. Ann flips it: heads up.\nAnswer: yes"
    assert _parted(right, wrong, COIN) == ("Ann flips it: tails up.", "Ann flips it: heads up.")
    assert _parted(right, right.replace("no", "yes"), COIN) is None


@pytest.mark.parametrize(
    ("wrong", "said", "step"),
    [
        (" A is 3. B is 4. C is 5.\nAnswer: 5", "B is 4.", "B is 4."),  # and not the first that differs
        (" A is 3. B is 4. 1 + 1 = 3.\nAnswer: 5", "B is 4.", "B is 4."),  # before what is false by itself
        (" A is 3. 1 + 1 = 3. B is 4.\nAnswer: 5", "B is 4.", "1 + 1 = 3."),  # the teacher passed over it
        (" A is 3. B is 4.\nAnswer: 5", "Answer: 5", "A is 3."),  # not in the reasoning
        (" A is 3. B is 4.\nAnswer: 5", "nowhere", "A is 3."),
    ],
)
def test_where_no_program_knows_the_teacher_says_which_step(wrong: str, said: str, step: str) -> None:
    right = " One. Two. Three.\nAnswer: 6"
    found = parting(FRAME, default_form().prompt("How many?"), right, wrong, said)
    assert found is not None and wrong[slice(*found.wrong)] == step


def test_a_program_that_knows_is_not_overruled() -> None:
    right = " We begin with heads up. Ann flips it: tails up.\nAnswer: no"
    wrong = " At first the coin is heads up. Ann flips it: heads up.\nAnswer: yes"
    found = parting(FRAME, default_form().prompt(COIN), right, wrong, "At first the coin is heads up.")
    assert found is not None and wrong[slice(*found.wrong)] == "Ann flips it: heads up."
