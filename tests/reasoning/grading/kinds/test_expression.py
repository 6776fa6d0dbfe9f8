"""Expressions: where they stand, and when two are the same; Math-Verify has a time limit."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from reasoning.grading.answers import find_answer, is_right, judged_answer
from reasoning.grading.extraction import equal_expressions as bounded
from reasoning.grading.kinds.expression import Expression
from tests.reasoning.grading.answer_cases import own_kinds

EXPRESSION = Expression()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Answer: x^2 - 1", "x^2 - 1"),
        ("The answer is $2\\sqrt{3}$.", "2\\sqrt{3}"),
        ("So \\boxed{\\dfrac{1}{2}}", "\\frac{1}{2}"),
        ("The answer is \\(x = 5\\), as shown.", "x = 5"),
        ("Answer: (1, 2], since 1 is out.", "(1, 2]"),
        ("Answer: $$\\left( 3, \\frac{\\pi}{2} \\right)$$", "( 3, \\frac{\\pi}{2} )"),
        ("Hence $y = 3$, and so $x = y + 1 = 4$", "x = y + 1 = 4"),
        ("So x = 1.\n\\begin{align*}\ny &= 2x \\\\\n&= 2\n\\end{align*}", "y = 2x = 2"),
        ("$$\\begin{aligned} 2x &= 4 \\\\ x &= 2 \\end{aligned}$$", "x = 2"),
        ("Slope 2, intercept 1. Hence **y = 2x + 1**.", "y = 2x + 1"),
        ("y - 1 = 2x → y = 2x + 1", "y = 2x + 1"),
        ("Answer: 2x (by the power rule)", "2x"),
        ("x^2 + C, where C is a constant.", "x^2 + C"),
        ("∫2x dx = x^2 + C", "x^2 + C"),
        ("The volume is $8a^3$ cm$^3$.", "8a^3"),
        ("The interval is (2, infinity).", "(2, \\infty )"),
        ("no mathematics at all", ""),
    ],
)
def test_the_expression_meant(said: str, answer: str) -> None:
    assert find_answer(said, EXPRESSION).answer == answer


@pytest.mark.parametrize(
    ("said", "gold", "right"),
    [
        ("Answer: 0.5", "\\frac{1}{2}", True),
        ("Answer: 1,000", "1000", True),
        ("Answer: $(x-1)(x+1)$", "x^2-1", True),
        ("\\boxed{\\sqrt{12}}", "2\\sqrt{3}", True),
        ("Answer: $\\pi/2$", "\\frac{\\pi}{2}", True),
        ("Answer: $x=5$", "5", True),
        ("Answer: {2, 1}", "\\{1, 2\\}", True),
        ("Answer: odd", "\\text{odd}", True),
        ("Answer: $x^2+1$", "x^2-1", False),
        ("Answer: 2\\sqrt{2}", "2\\sqrt{3}", False),
        ("Answer: (1, 2)", "(1, 2]", False),
        ("\\boxed{\\frac{1}{2^{98}}}", "\\frac{1}{2^{99}}", False),
        ("\\boxed{10^{-7}}", "10^{-8}", False),
        ("So it simplifies to 2x.", "2x", True),
        # units, asides and chains
        ("\\boxed{9\\pi\\,\\text{square units}}", "9\\pi", True),
        ("\\boxed{9\\pi \\mathrm{cm}^2}", "9\\pi", True),
        ("\\boxed{9\\pi}", "9\\pi \\text{ cm}^2", True),
        ("\\boxed{9\\pi \\text{ m}^2}", "9\\pi \\text{ cm}^2", False),
        ("\\boxed{9\\pi x}", "9\\pi", False),
        ("Area = 9π square units (about 28.27).", "9\\pi", True),
        ("√48 = 4√3, not 3√4", "4\\sqrt{3}", True),
        ("√48 = 3√4, not 4√3", "4\\sqrt{3}", False),
        ("(1+i)^2 = 1 + 2i + i^2 = 2i", "2i", True),
        ("(1+i)^2 = 2i = 1 + 2i", "2i", False),
        ("The vector is $\\langle 3, 4 \\rangle$.", "(3, 4)", True),
        ("]2, ∞[", "(2, \\infty)", True),
        ("[2, ∞[", "(2, \\infty)", False),
    ],
)
def test_what_is_the_same(said: str, gold: str, right: bool) -> None:
    """The first comparison starts the process of Math-Verify (3 s)."""
    assert is_right(judged_answer(said, EXPRESSION), EXPRESSION.gold_in_row(gold), EXPRESSION) is right


def test_expressions_in_other_dresses() -> None:
    tables = ((own_kinds.EXPRESSION_RIGHT, True), (own_kinds.EXPRESSION_WRONG, False))
    judged = [
        (gold, text, is_right(judged_answer(text, EXPRESSION), EXPRESSION.gold_in_row(gold), EXPRESSION), right)
        for table, right in tables
        for gold, texts in table
        for text in texts
    ]
    assert not [case for case in judged if case[2] != case[3]]


def test_what_takes_too_long_is_not_the_same_and_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded._process.stop()
    monkeypatch.setattr(bounded, "LIMIT", 1.0)
    begun = time.monotonic()
    assert not EXPRESSION.same("9^{9^{9^{9}}}", "x")
    assert time.monotonic() - begun < bounded.WAIT / 2
    monkeypatch.undo()
    assert EXPRESSION.same("x + x", "2x")  # a new process
    assert not bounded.equal_expressions("1" * 400, "x")


def test_a_machine_without_time_for_it_compares_as_a_quiet_one(monkeypatch: pytest.MonkeyPatch) -> None:
    process = bounded._Process()
    monkeypatch.setattr(bounded, "LIMIT", 1.0)
    assert process.ask("x + x", "2x")
    assert process._running is not None
    process._running.send_signal(signal.SIGSTOP)
    threading.Timer(1.5, process._running.send_signal, [signal.SIGCONT]).start()
    assert process.ask("z + z", "2z")
    monkeypatch.setattr(bounded, "WAIT", 0.2)
    process._running.send_signal(signal.SIGSTOP)
    assert not process.ask("z + z", "2z")  # and one that gets none at all keeps nobody waiting for ever
    assert process._running is None


def test_a_process_with_very_many_open_files_compares_too() -> None:
    """`select` raises on a descriptor from 1024 on, which a server or a coordinator may well have."""
    bounded._process.stop()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    with contextlib.ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        while held.enter_context(Path(os.devnull).open("rb")).fileno() < 1100:
            pass
        assert bounded.equal_expressions("y + y", "2y")
        bounded._process.stop()


@pytest.mark.parametrize(
    ("value", "gold"), [("\\boxed{x+1}", "x+1"), ("$\\boxed{\\frac{1}{2}}$", "\\frac{1}{2}"), (3, "3"), (" x ", "x")]
)
def test_what_a_row_states(value: Any, gold: str) -> None:
    assert EXPRESSION.gold_in_row(value) == gold


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_what_is_no_expression(value: Any) -> None:
    with pytest.raises(ValueError, match="not an expression"):
        EXPRESSION.gold_in_row(value)
