"""Places are wished for one by one; those that are granted are nobody else's until they are given back."""

from __future__ import annotations

import time

import pytest
import ray

from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.wishes import Wish

pytestmark = pytest.mark.usefixtures("ray_cluster")


def _until(wish: Wish, granted: int) -> None:
    deadline = time.monotonic() + 30
    while wish.granted() != granted:
        assert time.monotonic() < deadline, f"{wish.granted()} granted, and not {granted}"
        time.sleep(0.1)


def test_what_has_room_is_granted_and_given_back() -> None:
    wish, other = Wish.of(Need("trainer", 3, {"CPU": 2.0})), Wish()  # on four CPUs
    try:
        _until(wish, 2)
        assert ray.get(ray.remote(num_cpus=0)(Wish.granted).remote(wish)) == 2  # whoever asks
        other = Wish.of(Need("trainer", 1, {"CPU": 1.0}))
        time.sleep(0.5)
        assert other.granted() == 0
        wish.withdraw()
        _until(other, 1)
        assert wish.granted() == 0
    finally:
        wish.withdraw()
        other.withdraw()


def test_places_without_such_labels_are_not_granted() -> None:
    wish = Wish.of(Need("trainer", 1, {"CPU": 1.0}, {"part": "none-such"}))
    try:
        time.sleep(0.5)
        assert wish.granted() == 0
    finally:
        wish.withdraw()
    assert Wish().granted() == 0
