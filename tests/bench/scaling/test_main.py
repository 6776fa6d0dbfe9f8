"""The exam in this process ends, whatever its number of attempts."""

from __future__ import annotations

import asyncio

from bench.scaling.__main__ import in_this_process


def test_a_number_of_attempts_that_no_questions_have_is_rounded_up() -> None:
    found = asyncio.run(in_this_process(5, 0.5))
    assert found["attempts"] == 8 and len(found["memory_mib"]) == 12
