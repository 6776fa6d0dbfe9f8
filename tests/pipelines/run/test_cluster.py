"""What a cluster has before it is started, and what is said when it does not start."""

import pytest
import ray

from actors.ray_api.internals import machine_resources
from pipelines.run.cluster import ClusterError, connect, resources


def test_a_cluster_not_started_yet_has_what_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("a cluster was started"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert resources(None) == machine_resources()


@pytest.mark.parametrize(
    ("address", "raised", "expected"),
    [
        (
            None,
            Exception("The node timed out during startup."),
            "Ray did not start on this machine: The node timed out",
        ),
        ("10.0.0.1:6379", ConnectionError("refused"), "cannot connect to a Ray cluster at 10.0.0.1:6379: refused"),
    ],
)
def test_a_ray_that_does_not_come_up_is_one_message(
    address: str | None, raised: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: object) -> None:
        raise raised

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ClusterError, match=expected):
        connect(address)
