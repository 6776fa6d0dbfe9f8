"""Answers that a text goes over once more before it ends, and checks that come to something else."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

RIGHT: Table = [
    (
        "18",
        [
            *("9 * 2 = 18.\nCheck: 18 / 2 = 9. Correct.", "9 * 2 = 18\n\nVerification: 18 ÷ 9 = 2 ✓"),
            "She earns 18 dollars.\nLet's verify: 16 eggs - 7 = 9, and 9 * 2 works.",
            "She earns $18. Let me double-check: 3 + 4 = 7 and 16 - 7 = 9. Everything is correct.",
            "So she makes 18 dollars.\nTo check, 18 - 9 = 9. Good.",
            "Step 3: 9*2 = 18\nStep 4: Verify that 18/9 = 2. Yes.",
            "Step 3: 9 * 2 = 18.\n\nStep 4: Check: 18 / 2 = 9. Correct.",
            "Check the total: 9 * 2 = 18.",
        ],
    ),
    (
        "16",
        [
            "9 * 2 = 18. Check: 18 / 2 = 8, wrong. So 16.",
            "I think it is 18. Let me check: 8 * 2 = 16. So it is 16, not 18.",
        ],
    ),
    ("20", ["He wrote a check of 20 dollars.", "He had 30 dollars. The check was 20 dollars."]),
]
WRONG: Table = [
    ("18", ["9 * 2 = 18. Check: 18 / 2 = 8, wrong. So 16."]),
    ("9", ["9 * 2 = 18.\nCheck: 18 / 2 = 9. Correct."]),
]
