"""What a cluster has, before it is started."""

import os

import pytest
import ray
from ray._private.accelerators import NvidiaGPUAcceleratorManager

from pipelines.run.cluster import resources


@pytest.mark.parametrize(("visible", "gpus"), [(None, 8.0), ("0", 1.0), ("2,5,7", 3.0), ("", 0.0)])
def test_only_visible_gpus_and_permitted_cpus_count(
    visible: str | None, gpus: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ray counts them once it is started: a container's quota of CPUs holds."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(NvidiaGPUAcceleratorManager, "get_current_node_num_accelerators", staticmethod(lambda: 8))
    monkeypatch.setattr("ray._private.utils.get_num_cpus", lambda: 3)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", visible)
    assert resources(None) == {"CPU": 3.0, "GPU": gpus}
