"""Dates in the forms people write them; what could be two days is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import find_answer, is_right, judged_answer
from reasoning.grading.extraction.dates import dates_in
from reasoning.grading.kinds.date import Date

DATE = Date()


@pytest.mark.parametrize(
    "written",
    [
        *("2021-05-13", "2021/05/13", "2021.5.13", "20210513", "13/05/2021", "05/13/2021", "13.05.2021", "13-05-21"),
        *("May 13, 2021", "May 13th, 2021", "may 13 2021", "13 May 2021", "13th of May, 2021", "13-May-2021"),
        *("Thursday, May 13, 2021", "the 13th of May 2021", "2021 May 13", "2021-05-13T10:00:00Z", "2021-05-13 23:59"),
        *("13. Mai 2021", "13 mai 2021", "13 de mayo de 2021", "13 maggio 2021", "13 mei 2021", "2021年5月13日"),
        *("2021년 5월 13일", "**May 13, 2021**", "\\text{May 13, 2021}"),
        *("13. 5. 2021", "2021. 5. 13.", "2021 - 05 - 13", "2021\\text{-}05\\text{-}13", "13 maja 2021", "13 maj 2021"),
        *("13 Mayıs 2021", "13 MAYIS 2021", "13 MAYİS 2021", "ngày 13 tháng 5 năm 2021"),
    ],
)
def test_a_day_in_every_form(written: str) -> None:
    assert DATE.normal(written) == "2021-05-13"
    gold = DATE.gold_in_row(written)
    assert DATE.normal(gold) == "2021-05-13"
    for said in (f"Answer: {written}", f"The answer is {written}.", f"So it was on {written}"):
        assert is_right(judged_answer(said, DATE), "May 13, 2021", DATE), said


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("May 2021", "2021-05"),
        ("2021-05", "2021-05"),
        ("May 13", "--05-13"),
        ("29 February", "--02-29"),
        ("1969", "1969"),
        ("2021年5月", "2021-05"),
        ("5月13日", "--05-13"),
    ],
)
def test_a_month_a_day_without_a_year_and_a_year(written: str, normal: str) -> None:
    assert DATE.normal(written) == normal == DATE.normal(normal)
    assert not is_right(judged_answer("Answer: May 13, 2021", DATE), written, DATE)


def test_letters_that_are_the_same_without_regard_to_case() -> None:
    assert DATE.normal("13 APRİL 2021") == DATE.normal("13 aprıl 2021") == "2021-04-13"
    assert DATE.normal("13 auguſt 2021") == "2021-08-13"


def test_what_could_be_two_days_needs_an_order() -> None:
    for text in ("05/01/2021", "1.5.2021", "05-01-21"):
        with pytest.raises(ValueError, match=r"can be two days; say what comes first with form\.date_order"):
            DATE.gold_in_row(text)
        assert find_answer(f"Answer: {text}", DATE).answer == ""
    assert DATE.normal("05/05/2021") == "2021-05-05"
    assert Date("day_first").normal("05/01/2021") == "2021-01-05"
    assert Date("month_first").normal("05/01/2021") == "2021-05-01"
    assert Date("month_first").normal("13/05/2021") == ""


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Answer: May 1, 2021 or May 2, 2021", ""),
        ("The answer is not May 1, 2021 but May 2, 2021.", "2021-05-02"),
        ("Answer: May 1, 2021. No, wait: May 2, 2021", "2021-05-02"),
        ("It began on May 1, 2021 and ended on May 9, 2021.", "2021-05-09"),
        ("Answer: I do not know", ""),
        ("I can't tell the date from May 1, 2021 alone.", ""),
        ("I don't know the hour, but it was May 1, 2021.", "2021-05-01"),
        ("not May 1, 2021", ""),
        ("The answer is after May 1, 2021.", ""),
        ("Not May 1, 2021: it was May 2, 2021", "2021-05-02"),
        ("Answer: 30 February 2021", ""),
    ],
)
def test_the_date_meant(said: str, answer: str) -> None:
    assert find_answer(said, DATE).answer == answer


@pytest.mark.parametrize("value", ["soon", "", "2021-02-30", "May 1, 2021 to May 3, 2021", True, 1.5, [2021]])
def test_what_is_no_date(value: Any) -> None:
    with pytest.raises(ValueError, match="date"):
        DATE.gold_in_row(value)


@given(st.text(st.sampled_from("0123456789-/. ,maydectshofMAY年月日"), max_size=40), st.sampled_from(["", "day_first"]))
def test_any_text_has_dates_or_none(text: str, order: str) -> None:
    found = list(dates_in(text, order))
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)
