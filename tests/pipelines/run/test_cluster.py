"""What a cluster has, before it is started."""

import pytest
import ray

from actors.ray_internals import machine_resources
from pipelines.run.cluster import resources


def test_a_cluster_not_started_yet_has_what_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("a cluster was started"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert resources(None) == machine_resources()
