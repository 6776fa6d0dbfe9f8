"""Promotions follow one another and are taken back one by one."""

from __future__ import annotations

import pytest

from serve.weights import KEPT, Checkpoint, Weights


def named(version: str) -> Checkpoint:
    return Checkpoint(version=version, checkpoint=f"/runs/{version}", probe=f"/runs/{version}.json")


def test_promotions_are_taken_back_in_turn() -> None:
    first = Weights(**named("a").model_dump())
    third = first.followed_by(named("b")).followed_by(named("c"))
    assert (third.version, third.checkpoint, third.probe) == ("c", "/runs/c", "/runs/c.json")
    second = third.before()
    assert second == first.followed_by(named("b"))
    assert second is not None and second.before() == first
    assert first.before() is None


def test_so_many_are_kept() -> None:
    weights = Weights(**named("0").model_dump())
    for number in range(1, KEPT + 5):
        weights = weights.followed_by(named(str(number)))
    assert [one.version for one in weights.earlier] == [str(number) for number in range(4, KEPT + 4)]
    assert Weights.model_validate(weights.model_dump()) == weights


def test_an_adapter_has_its_own_weights_and_those_that_are_not_named_stay() -> None:
    a, b, new = (Weights(version=name, checkpoint=f"/runs/{name}") for name in ("a", "b", "new"))
    there = Weights(version="base", checkpoint="/base", adapters={"a": a, "b": b})
    assert there.by_name("base") == {"a": a, "b": b} and a.by_name("mine") == {"mine": a}
    assert there.with_adapter("a", new).adapters == {"a": new, "b": b}
    some = Weights(version="base", checkpoint="/base", adapters={"b": new})
    assert some.instead_of(there).adapters == {"a": a, "b": new} and new.instead_of(a) == new
    with pytest.raises(ValueError, match="adapters: a, b cannot be added"):
        there.instead_of(a)
