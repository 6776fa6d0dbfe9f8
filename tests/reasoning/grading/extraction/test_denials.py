"""Who says it, and whether it is denied: the words before a candidate."""

from __future__ import annotations

import pytest

from reasoning.grading.extraction.denials import is_denied, is_told, without_struck


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("the wrong ", True),
        ("a common wrong ", True),
        ("another ", True),
        ("the student's ", True),
        ("if the ", True),
        ("some say the ", True),
        ("i doubt that the ", True),
        ("you might think that the correct ", True),
        ("it is not true that the ", True),
        ("this ", True),
        ("so the ", False),
        ("i think the ", False),
        ("we conclude that the ", False),
        ("therefore, the ", False),
        ("the final ", False),
        ("", False),
    ],
)
def test_a_wrong_answer_and_somebody_elses_are_told(before: str, told: bool) -> None:
    assert is_told(f"{before}answer is 5", len(before)) is told


@pytest.mark.parametrize(
    ("before", "denied"),
    [
        ("it is not ", True),
        ("it isn't ", True),
        ("6 rather than ", True),
        ("6 instead of ", True),
        ("it cannot be ", True),
        ("less than ", True),
        ("the wrong answer is ", True),
        ("some say the answer is ", True),
        ("anything but ", True),
        ("nobody knows whether it is ", True),
        ("la respuesta no es ", True),
        ("die antwort ist nicht ", True),
        ("答案不是", True),
        ("all but one, it is ", False),
        ("it is ", False),
        ("knot ", False),
        ("the answer is ", False),
        ("", False),
    ],
)
def test_a_candidate_is_denied_by_the_words_before_it(before: str, denied: bool) -> None:
    assert is_denied(f"{before}5", len(before)) is denied


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("it would be 5 if it rained", True),
        ("it would be 5 unless she came", True),
        ("it would be 5 if i am not mistaken", False),
        ("it would be 5. if it rains, stay.", False),
        ("it is 5 if it rains", False),
    ],
)
def test_a_candidate_on_a_condition_is_denied(text: str, denied: bool) -> None:
    assert is_denied(text, text.index("5")) is denied


def test_what_is_struck_through_is_gone() -> None:
    assert without_struck("~~5~~ 6, <s>7</s> \\cancel{8} 9").split() == ["6,", "9"]
    assert without_struck("about ~5 ~ 6") == "about ~5 ~ 6"
