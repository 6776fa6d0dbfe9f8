"""Places that are held for two processes each. That a GPU is in one place: `tests/actors/sampler/test_turns.py`."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ray.util.placement_group import PlacementGroup

from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.places import Places, lacking
from actors.ray_api.machines.waiting import free_abandoned_places

pytestmark = pytest.mark.usefixtures("ray_cluster")


class Process:
    def node(self) -> str:
        import ray

        return ray.get_runtime_context().get_node_id()


def test_two_processes_share_a_place_until_it_is_given_back() -> None:
    import ray

    places = Places(Need("sampler", 2, {"CPU": 0.5}))
    assert places.group.wait(60) and places.lacking() == 0
    remote: Any = ray.remote(Process)
    there = [remote.options(num_cpus=0.25, scheduling_strategy=places.at(number)).remote() for number in (0, 1, 1)]
    assert len(set(ray.get([one.node.remote() for one in there]))) == 1
    third = remote.options(num_cpus=0.5, scheduling_strategy=places.at(1)).remote()
    assert not ray.wait([third.node.remote()], timeout=1)[0], "there is room for two"
    places.give_back()
    until = time.monotonic() + 60
    with pytest.raises(ray.exceptions.RayActorError):
        while time.monotonic() < until:
            ray.get(there[0].node.remote(), timeout=60)
    assert places.lacking() == 2


class Holder:
    """An actor that holds a place, with a process in it."""

    def __init__(self) -> None:
        import ray

        remote: Any = ray.remote(Process)
        self.places = Places(Need("sampler", 1, {"CPU": 1.0}))
        self.there = remote.options(num_cpus=0.5, scheduling_strategy=self.places.at(0)).remote()

    def held(self) -> tuple[PlacementGroup, str]:
        import ray

        return self.places.group, ray.get(self.there.node.remote())


def test_places_of_an_actor_that_died_are_freed_by_whoever_wants_places_next() -> None:
    """Ray keeps them until the job ends, and a coordinator that is started again would wait for its own machines."""
    import ray

    holder: Any = ray.remote(Holder).options(num_cpus=0).remote()
    group, _ = ray.get(holder.held.remote(), timeout=60)
    assert lacking(group) == 0
    ray.kill(holder)
    until = time.monotonic() + 60
    while not lacking(group) and time.monotonic() < until:
        free_abandoned_places()
        time.sleep(0.1)
    assert lacking(group) == 1


def test_places_that_have_no_machine_are_counted() -> None:
    places = Places(Need("sampler", 3, {"CPU": 99.0}, {"market": "spot"}))
    assert not places.group.wait(0.1) and lacking(places.group) == 3
    places.give_back()
