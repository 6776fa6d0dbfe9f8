"""What a cluster has before it is started, and what is said when it does not start."""

from typing import Any

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


def test_certificates_and_proxies_go_along_to_a_cluster_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "https_proxy"):
        monkeypatch.setenv(name, f"/of/{name}")
    given: dict[str, Any] = {}
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **options: given.update(options))
    connect("ray://elsewhere:10001")
    assert given["runtime_env"]["env_vars"].items() >= {
        ("SSL_CERT_FILE", "/of/SSL_CERT_FILE"),
        ("https_proxy", "/of/https_proxy"),
    }
    given.clear()
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")  # inside a job its own environment holds
    connect("ray://elsewhere:10001")
    assert given["runtime_env"] is None
