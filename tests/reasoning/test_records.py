"""Ids: what makes a record itself, everywhere the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.records import AnswerKind, Example, Mistake, Problem, Rationale, RationaleSource, Split, stable_id

PROBLEM = Problem("task", "How many, José?", "18", AnswerKind.NUMBER, Split.TRAIN)


def test_an_id_is_the_same_in_another_process() -> None:
    code = (
        "from reasoning.records import *\n"
        "print(Problem('task', 'How many, José?', '18', AnswerKind.NUMBER, Split.TRAIN).id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert done.stdout.strip() == PROBLEM.id == stable_id("task", "How many, José?")
    assert len(PROBLEM.id) == 16 and int(PROBLEM.id, 16) >= 0


def test_what_is_not_part_of_an_id() -> None:
    assert dataclasses.replace(PROBLEM, split=Split.VALIDATION).id == PROBLEM.id
    assert Mistake("p", 1, "wrong", "17").id == Mistake("p", 2, "wrong", "17").id
    assert Mistake("p", 1, "wrong", "17").id != Mistake("p", 1, "wronger", "17").id
    one = Rationale("p", 0, RationaleSource.PLAIN, "plain", "m", "text", "18", True)
    assert one.id == dataclasses.replace(one, round=3, source=RationaleSource.TAILORED).id
    assert Example("p", "prompt", ("a", "b")).id != Example("p", "prompt", ("a",), ("b",)).id


@given(st.lists(st.text(max_size=5)), st.lists(st.text(max_size=5)))
def test_different_parts_have_different_ids(left: list[str], right: list[str]) -> None:
    assert (stable_id(*left) == stable_id(*right)) == (left == right)


_SIMPLE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(AnswerKind),
    st.characters(categories=["Cs", "Cc"]),
)  # fmt: skip
_PART = st.recursive(
    _SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@given(st.lists(_PART, max_size=4))
def test_an_id_is_that_of_the_canonical_json(parts: list[object]) -> None:
    """Journals and runs of before are found by it."""
    canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    known = hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    assert stable_id(*parts) == known


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROBLEM.answer = "19"  # type: ignore[misc]
