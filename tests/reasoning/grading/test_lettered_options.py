"""Which option a text chooses by a letter: in words around it, by what is left, by its place."""

from __future__ import annotations

import pytest

from reasoning.grading.extraction.found_answer import How
from reasoning.grading.lettered_options import leading_letter, letters_within, option_of_line, option_of_text

OPTIONS = ("river", "mountain", "desert", "glacier", "ocean")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("I was torn between A and B but settled on B.", "B"),
        ("A, C, D and E are all wrong.", "B"),
        ("All options except B are wrong.", "B"),
        ("A: no. B: yes. C: no.", "B"),
        ("It has to be B, since a river flows.", "B"),
        ("The ocean (E), not the river (A).", "E"),
        ("Many pick A, but E is right.", "E"),
        ("The second option.", "B"),
        ("It is option 2.", "B"),
        ("Neither the desert nor the ocean, which leaves the river.", "A"),
        # judged one by one
        ("A) river ❌\nB) mountain ✅\nC) desert ❌\nE) ocean ❌", "B"),
        ("❌ A) river\n✅ B) mountain\n❌ C) desert", "B"),
        ("- [ ] A) river\n- [x] B) mountain\n- [ ] C) desert", "B"),
        ("1. river ❌\n2. mountain ✅\n3. desert ❌\n4. glacier ❌\n5. ocean ❌", "B"),
        ("(A) river: no.\n(B) mountain: yes.\n(C) desert: no.", "B"),
        ("E, ocean, is wrong. B, mountain, is right. A, river, is wrong.", "B"),
        ("E) ocean is wrong. B) mountain is right. A) river is wrong.", "B"),
        (
            "A) river: It flows, so it's wrong.\nB) mountain: It stands still. This is the best choice.\n"
            "C) desert: It is dry, so it isn't right.",
            "B",
        ),
        ("A) no. B) yes. C) no. Wait, actually it is C.", "C"),
        ("A) river: not suitable.\nB) mountain: it is high, suitable.\nC) desert: not suitable.", "B"),
        ("A) no. B) yes. C) no. So what is not near is C.", "C"),
        # what is denied
        ("You wouldn't climb the river.", ""),
        ("You wouldn't climb the river (A).", ""),
        ("People never climb a river.", ""),
        ("You can't climb it. Nobody climbs a river.", ""),
        ("The ocean is wrong.", ""),
        ("You wouldn't climb a river, you would climb a mountain.", "B"),
        ("It doesn't matter: the mountain.", "B"),
        # the letter outranks the text
        ("A. mountain", "A"),
        ("**A. mountain**", "A"),
        ("It is the 3rd choice.", "C"),
        ("Options A and E could both be right.", ""),
        ("Some would choose A.", ""),
        ("The ninth option.", ""),
        ("", ""),
    ],
)
def test_the_option_that_a_text_picks(text: str, letter: str) -> None:
    found = option_of_text(text, OPTIONS)
    assert (found.answer if found else "") == letter


def test_a_letter_behind_another_options_text_is_none() -> None:
    found = option_of_line("The river, so B.", OPTIONS, How.ANCHORED)
    assert found is not None and found.answer == ""


def test_letters_at_a_lines_beginning_and_anywhere() -> None:
    assert leading_letter("**b)** mountain", 5) == ("B", ")** mountain")
    assert leading_letter("A ball", 5) is None and leading_letter("F", 5) is None
    assert set(letters_within("(A) or B, not I", 5)) == {"A", "B"}
