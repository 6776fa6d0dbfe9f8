"""Which equations of two numbers are true."""

from __future__ import annotations

import pytest

from reasoning.grading.numbers.equations import all_true


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("That leaves 17 - 10 = 7 candles. So 7 + 77 = 84.", True),
        ("That leaves 17 - 10 = 7 candles. So 7 + 77 = 85.", False),
        ("The boxes hold 8 × 33 = 264 tickets.", True),
        ("The boxes hold 8 × 33 = 254 tickets.", False),
        ("Each gets 111 ÷ 3 = 37.", True),
        ("Each gets 10 / 3 = 3.33.", True),  # the last digit is rounded
        ("Each gets 10 / 3 = 3.4.", False),
        ("Each gets 10 / 0 = 0.", False),
        ("It costs $1,200 - $200 = $1,000.", True),
        ("It costs $1,200 - $200 = $1,100.", False),
        ("In all 2 + 3 + 4 = 9, and (2 + 3) * 4 = 20.", True),  # longer terms are not looked at
        ("In all 2 + 3 + 4 = 10.", True),
        ("x + 3 = 5 and 3 + y = 7", True),
        ("no equation at all", True),
        ("", True),
    ],
)
def test_whether_all_are_true(text: str, true: bool) -> None:
    assert all_true(text) is true
