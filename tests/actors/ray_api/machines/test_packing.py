"""Samplers fill the nodes that are begun, then those that they fill to the brim, so that whole nodes stay free."""

import pytest

from actors.ray_api.machines.capacity import Machine, Need
from actors.ray_api.machines.packing import packed


def nodes(**gpus: int) -> dict[str, Machine]:
    return {name: Machine({"GPU": float(count)}) for name, count in gpus.items()}


@pytest.mark.parametrize(
    ("count", "each", "free", "whole", "expected"),
    [
        (4, 1.0, nodes(a=8, b=8), nodes(a=8, b=8), "aaaa"),
        (2, 1.0, nodes(a=8, b=4, c=2), nodes(a=8, b=4, c=2), "cc"),
        (3, 1.0, nodes(a=8, b=4, c=2), nodes(a=8, b=4, c=2), "bbb"),
        (10, 1.0, nodes(a=8, b=4, c=2), nodes(a=8, b=4, c=2), "aaaaaaaacc"),
        (3, 1.0, nodes(a=8, b=3), nodes(a=8, b=8), "bbb"),
        (5, 1.0, nodes(a=8, b=3), nodes(a=8, b=8), "bbbaa"),
        (4, 0.5, nodes(a=1, b=1, c=1), nodes(a=1, b=1, c=1), "aabb"),
        (3, 1.0, nodes(a=1), nodes(a=1), "a"),
        (1, 2.0, nodes(a=1, b=1), nodes(a=1, b=1), ""),
        (2, 1.0, {}, {}, ""),
    ],
)
def test_which_nodes_are_filled(
    count: int, each: float, free: dict[str, Machine], whole: dict[str, Machine], expected: str
) -> None:
    assert "".join(packed(Need("sampler", count, {"GPU": each}), free, whole)) == expected


def test_labels_are_kept() -> None:
    there = {"a": Machine({"GPU": 8.0}, {"market": "spot"}), "b": Machine({"GPU": 8.0}, {"market": "on-demand"})}
    assert packed(Need("sampler", 2, {"GPU": 1.0}, {"market": "!spot"}), there, there) == ["b", "b"]
