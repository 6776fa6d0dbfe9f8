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
        ("She spent $10 + $5 + $20 = $35.", True),
        ("Thus 60 x 60/100 = 36 passed.", True),
        ("Of 60 students x 2/3 = 40 came.", True),
        ("Then 3x - 5 = 16, so 22 - 16 = 16 + x - 16 and 100/5 = 5A/5.", True),
        ("He makes 8 x 1 1/2 = 12 rolls, or 12 x 1 and 1/4 = 15, and 2 + 1 1/2 = 3 1/2.", True),
        ("So 17 / 6 = 2 remainder 5, 17 / 6 = 2 R5, and 17/3 = 5 and 2/3.", True),
        ("It is 9:30 + 2 = 11:30, since 9 + 2 = 11: that is all.", True),
        ("In a month that is 600 x 30 = 18 000.", True),
        ("That is 3.8333333333333335 - 0.16666666666666666 = 3.6666666666666665.", True),
        ("Left are 120 – 80 - 15 = 25, and 40 – 15 = 25.", True),
        ("Left are 40 – 15 = 26.", False),
        ("There are 5\n2 + 2 = 5", False),
        ("She pays $3.00 x 6 = $15.00.", False),
        ("x + 3 = 5 and 3 + y = 7", True),
        ("no equation at all", True),
        ("", True),
    ],
)
def test_whether_all_are_true(text: str, true: bool) -> None:
    assert all_true(text) is true
