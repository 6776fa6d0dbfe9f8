"""Scoring of tokens: what is sent, what is kept of the answer, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning.teacher.scoring import Scoring, scores_text, scoring_body, scoring_of, token_scores

ASKED = Scoring((5, 6, 7, 8), 2, 2)


def told(*places: dict[str, float] | None) -> dict[str, Any]:
    """A choice as vLLM writes it."""
    rows = [None if place is None else {i: {"logprob": v, "rank": 1} for i, v in place.items()} for place in places]
    return {"index": 0, "text": "x", "prompt_logprobs": rows}


WHOLE = told(None, {"6": -1.0}, {"9": -0.5, "3": -1.5, "7": -4.25}, {"8": -0.25, "9": -2.0})


def test_the_request_is_of_token_ids() -> None:
    assert scoring_body("m", ASKED) == {
        "model": "m",
        "prompt": [5, 6, 7, 8],
        "max_tokens": 1,
        "temperature": 0.0,
        "prompt_logprobs": 2,
    }
    assert scoring_of(ASKED.as_json()) == ASKED


def test_the_likeliest_tokens_are_kept_and_the_one_that_was_taken() -> None:
    text = scores_text(ASKED, WHOLE)
    assert text == "[[[9,3,7],[-0.5,-1.5,-4.25]],[[8,9],[-0.25,-2.0]]]"
    found = token_scores(text, 2, 2)
    assert found.width == 3 and found.listed == (9, 3, 7, 8, 9, -1)
    assert found.log_probabilities == (-0.5, -1.5, -4.25, -0.25, -2.0, -9999.0)


@pytest.mark.parametrize(
    ("choice", "wrong"),
    [
        ({}, "gives none of its logits"),
        ({"prompt_logprobs": None}, "gives none of its logits"),
        (told(None, {"6": -1.0}, {"7": -1.0}), "for 4 tokens"),
        (told(None, {"6": -1.0}, None, {"8": -1.0}), "token 2 has no log-probabilities"),
        (told(None, {"6": -1.0}, {"9": -1.0}, {"8": -1.0}), "token 2: it is not among those"),
        (told(None, {"6": -1.0}, {"seven": -1.0}, {"8": -1.0}), "'seven' is not an id"),
        (told(None, {"6": -1.0}, {"7": float("nan")}, {"8": -1.0}), "'7' is not an id with a log-probability"),
        (told(None, {"6": -1.0}, {"7": 2.0}, {"8": -1.0}), "'7' is not an id with a log-probability"),
    ],
)
def test_an_answer_that_lacks_something_is_refused(choice: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        scores_text(ASKED, choice)


def test_what_is_below_any_float_is_kept_as_the_least() -> None:
    text = scores_text(ASKED, told(None, None, {"7": float("-inf")}, {"8": 1e-9}))
    assert token_scores(text, 2, 2).log_probabilities == (-9999.0, -9999.0, -9999.0, 0.0, -9999.0, -9999.0)


@pytest.mark.parametrize("text", ["[]", "[[[1],[-1]]]", "[[[1,2,3,4],[0,0,0,0]],[[1],[0]]]", "[[[1],[]],[[1],[0]]]"])
def test_kept_scores_of_another_request_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the scores"):
        token_scores(text, 2, 2)


@pytest.mark.parametrize("content", [None, {}, {"tokens": [1], "start": 0}, {"tokens": ["1"], "start": 1, "top": 1}])
def test_a_journal_with_another_form_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="tokens"):
        scoring_of(content)
