"""What a page holds of many texts, and what it says of the others."""

from __future__ import annotations

from pipelines.report.gallery import MOST_CHARACTERS, Card, Passage, gallery, spread


def card(number: int, **marks: str) -> Card:
    return Card(f"question {number}", "yes", marks, [Passage("said", "text")])


def test_each_combination_of_marks_has_its_share_and_the_order_stays() -> None:
    cards = [card(i, verdict="wrong") for i in range(50)] + [card(i, verdict="truncated") for i in range(50, 53)]
    shown = spread(cards, 10)
    assert [one.question for one in shown] == [f"question {i}" for i in (*range(7), 50, 51, 52)]
    assert spread(cards, 10) == shown and spread(cards, 1000) == cards and spread([], 5) == []


def test_a_gallery_says_how_many_there_are_and_what_can_be_filtered() -> None:
    one = gallery(
        "m", "title", "lead", {"verdict": "Verdict"}, [card(i, verdict="ab"[i % 2]) for i in range(9)], most=4
    )
    assert (len(one.cards), one.in_all) == (4, 9)
    assert one.filters == {"verdict": {"a": 2, "b": 2}}


def test_a_long_text_is_cut_and_told_so() -> None:
    long = Passage("said", " " + "x" * (MOST_CHARACTERS + 5))
    assert len(long.shown) == MOST_CHARACTERS and long.cut == 5
    assert Passage("said", " short ").shown == "short" and Passage("said", "short").cut == 0
