"""A check that an answer passes is not its text's answer; one that it fails is read on."""

from __future__ import annotations

import pytest

from reasoning.grading.extraction.verification import before_verification


@pytest.mark.parametrize(
    "check", ["Check: 18 / 2 = 9. Correct.", "Step 4: Let's verify: 18 / 9 = 2 ✓", "**Verification:** 18 - 9 = 9 holds"]
)
def test_what_stands_before_a_check_is_found(check: str) -> None:
    for between in ("\n", "\n\n", ". "):
        found = before_verification(f"She earns 9 * 2 = 18{between}{check}")
        assert found is not None
        assert found.strip(" .\n") == "She earns 9 * 2 = 18"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "She earns 18",
        "He wrote a check of 20 dollars.",
        "Check: 9 * 2 = 18. Correct.",  # nothing before it
        "She earns 18. Check: 18 / 2 = 8. That is not right.",
        "She earns 18. Check: 18 / 2 = 9",  # and what of it?
        "She earns 18. Check again: it should be 16. Right.",
        "She earns 18. The check is correct.",
    ],
)
def test_other_texts_have_none(text: str) -> None:
    assert before_verification(text) is None
