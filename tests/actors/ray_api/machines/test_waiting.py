"""Machines are waited for with patience, what is missing is told meanwhile, and an end is told with its reason."""

from __future__ import annotations

import threading

import pytest
import ray

from actors.ray_api.machines import waiting
from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.waiting import MachinesMissing, wait_for_places

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_what_is_free_is_there_at_once_and_what_can_never_be_is_refused_at_once() -> None:
    told: list[str] = []
    wait_for_places(Need("trainer", 2, {"CPU": 0.5}), 60.0, told.append)
    assert told[-1] == ""
    with pytest.raises(MachinesMissing, match=r"1 trainer of 1 CPU, 1 GPU each do not fit(.|\n)*there: 1 x 4 CPUs"):
        wait_for_places(Need("trainer", 1, {"CPU": 1.0, "GPU": 1.0}), 60.0, told.append)


def test_as_many_as_there_is_room_for_begin_once_the_fewest_have_it() -> None:
    quiet: list[str] = []
    some = Need("trainer", 6, {"CPU": 1.0})
    assert wait_for_places(some, 60.0, quiet.append, fewest=1) == 4  # of four CPUs
    assert wait_for_places(Need("trainer", 2, {"CPU": 1.0}), 60.0, quiet.append, fewest=1) == 2
    assert wait_for_places(Need("trainer", 2, {"CPU": 1.0}), 60.0, quiet.append) == 2
    with pytest.raises(MachinesMissing, match="5 trainers of 1 CPU each do not fit"):
        wait_for_places(some, 60.0, quiet.append, fewest=5)
    assert set(quiet) == {""}


def test_machines_that_others_use_are_given_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    @ray.remote(num_cpus=3)
    class Holder:
        def ready(self) -> None: ...

    holder = Holder.remote()
    ray.get(holder.ready.remote())
    quiet: list[str] = []
    monkeypatch.setattr(waiting, "HAND_OVER_S", 0.5)
    assert wait_for_places(Need("trainer", 2, {"CPU": 1.0}), 30.0, quiet.append, fewest=1) == 1
    monkeypatch.setattr(waiting, "HAND_OVER_S", 30.0)
    threading.Timer(0.5, ray.kill, [holder]).start()
    assert wait_for_places(Need("trainer", 2, {"CPU": 1.0}), 30.0, quiet.append, fewest=1) == 2


def test_taken_machines_are_waited_for_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_S", 0.1)
    monkeypatch.setattr(waiting, "QUIET_S", 0.2)

    @ray.remote(num_cpus=4)
    class Holder:
        def ready(self) -> None: ...

    holder = Holder.remote()
    ray.get(holder.ready.remote())
    told: list[str] = []
    with pytest.raises(MachinesMissing, match=r"waited 0.01 min for .*that others use now.*cluster.patience"):
        wait_for_places(Need("trainer", 1, {"CPU": 1.0}), 0.6, told.append)
    assert set(told) == {"nodes for 1 trainer (1 CPU each) that others use now", ""} and told[-1] == ""
    threading.Timer(0.5, ray.kill, [holder]).start()
    wait_for_places(Need("trainer", 1, {"CPU": 1.0}), 30.0, told.append)


def test_machines_are_waited_for_where_some_were_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's own machines have no autoscaler that would start others: they come back."""
    monkeypatch.setattr(waiting, "LOOK_S", 0.1)
    monkeypatch.setattr(waiting, "QUIET_S", 0.2)
    monkeypatch.setattr(waiting, "lost_nodes", lambda: [{"Alive": False}])
    told: list[str] = []
    with pytest.raises(MachinesMissing, match=r"waited 0.01 min for GPU nodes for 1 trainer .*There now: 4 CPUs"):
        wait_for_places(Need("trainer", 1, {"CPU": 1.0, "GPU": 1.0}), 0.6, told.append)
    assert told[0] == "GPU nodes for 1 trainer (1 CPU, 1 GPU each)"
