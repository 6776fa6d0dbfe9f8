"""What an autoscaler could start is read from its configuration, on clouds and on Kubernetes."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from actors.ray_api.machines import autoscaler
from actors.ray_api.machines.autoscaler import cluster_capacity, startable_types, starting, types_in
from actors.ray_api.machines.capacity import Capacity, Machine, Need, NodeType, impossible
from tests.conftest import ROOT


def kuberay(**worker: Any) -> dict[str, Any]:
    """A RayCluster resource as KubeRay's autoscaler reads it."""

    def group(cpus: str, gpus: int = 0) -> dict[str, Any]:
        limits = {"cpu": cpus, "memory": "8Gi"} | ({"nvidia.com/gpu": gpus} if gpus else {})
        containers = [{"name": "ray", "resources": {"limits": limits, "requests": limits}}]
        return {"rayStartParams": {}, "template": {"spec": {"containers": containers}}}

    gpu = group("4", 1) | {"groupName": "gpu", "replicas": 0, "minReplicas": 0, "maxReplicas": 3} | worker
    head = group("2") | {"rayStartParams": {"num-cpus": "0"}}
    spec = {"enableInTreeAutoscaling": True, "headGroupSpec": head, "workerGroupSpecs": [gpu]}
    return {"metadata": {"name": "tailor", "namespace": "ml"}, "spec": spec}


def test_the_shipped_cluster_could_start_gpus() -> None:
    from ray.autoscaler._private.util import prepare_config

    types, most = types_in(prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))))
    assert most and any(one.resources.get("GPU") and one.most for one in types)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"available_node_types": {"head": {}}, "head_node_type": "head"}, ((), None)),
        (
            {
                "max_workers": 2,
                "available_node_types": {"head": {"max_workers": 0}, "w": {"resources": {"CPU": 2}}},
                "head_node_type": "head",
            },
            ((NodeType("w", {"CPU": 2}, 2),), 2),  # a type without a number of its own may have all of them
        ),
        (  # workers of the head's own type: Ray counts the head among them, and not among the workers
            {
                "max_workers": 4,
                "available_node_types": {"any": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 3}},
                "head_node_type": "any",
            },
            ((NodeType("any", {"CPU": 8, "GPU": 1}, 4),), 5),
        ),
        (  # what no demand brings, since its size is not told
            {"max_workers": 4, "available_node_types": {"h": {}, "w": {"resources": {}}}, "head_node_type": "h"},
            ((NodeType("w", {}, 0),), 4),
        ),
        (
            {
                "max_workers": 9,
                "head_node_type": "head",
                "available_node_types": {
                    "a": {"resources": {"CPU": 2}, "max_workers": 3, "labels": {"market": "spot"}},
                    "off": {"resources": {"CPU": 2}, "max_workers": 0},
                },
            },
            ((NodeType("a", {"CPU": 2}, 3, {"market": "spot"}), NodeType("off", {"CPU": 2}, 0)), 9),
        ),
    ],
)
def test_types_of_a_configuration(config: dict[str, Any], expected: Any) -> None:
    assert types_in(config) == expected


def test_computers_of_ones_own_come_and_nothing_is_known_of_them() -> None:
    from ray.autoscaler._private.util import prepare_config

    provider = {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2", "10.0.0.3"]}
    own = {"cluster_name": "lab", "provider": provider, "auth": {"ssh_user": "me"}}
    types, most = types_in(prepare_config(own))
    assert types == (NodeType("local.cluster.node", {}, 3),) and most == 3
    machines = tuple(Machine({"CPU": 4.0}, kind="local.cluster.node") for _ in range(3))
    wanted = [Need("sampler", 2, {"CPU": 1.0, "GPU": 4.0})]
    assert not impossible(wanted, Capacity(machines[:2], types, most))
    assert impossible(wanted, Capacity(machines, types, most))


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (kuberay(), {"gpu": (3, 1.0)}),
        (kuberay(numOfHosts=2), {"gpu": (6, 1.0)}),
        (kuberay(maxReplicas=0), {"gpu": (0, 1.0)}),
        (kuberay(maxReplicas=2**31 - 1), {"gpu": (2**31 - 1, 1.0)}),  # where none is set
        (kuberay(rayStartParams={"num-gpus": "0"}), {"gpu": (3, 0.0)}),
        (kuberay(resources={"CPU": "8", "GPU": "2"}), {"gpu": (3, 2.0)}),
    ],
)
def test_kuberay_tells_alike(resource: dict[str, Any], expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    from actors.ray_api.internals import _kuberay_config

    asked: list[str] = []

    def get(self: Any, path: str) -> dict[str, Any]:
        asked.append(path)
        return resource

    monkeypatch.setattr(KubernetesHttpApiClient, "get", get)
    monkeypatch.delenv("RAY_CLUSTER_NAME", raising=False)
    assert _kuberay_config() is None and not asked  # not on Kubernetes
    monkeypatch.setenv("RAY_CLUSTER_NAME", "tailor")
    monkeypatch.setenv("RAY_CLUSTER_NAMESPACE", "ml")
    config = _kuberay_config()
    assert config is not None and asked == ["rayclusters/tailor"]
    types, _ = types_in(config)
    assert {one.name: (one.most, one.resources["GPU"]) for one in types} == expected
    resource["spec"]["enableInTreeAutoscaling"] = False
    assert _kuberay_config() is None


def test_a_resource_with_a_part_missing_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

    resource = kuberay(minReplicas=None)
    monkeypatch.setattr(autoscaler, "reported_types", list)
    monkeypatch.setattr(autoscaler, "_on_head", lambda _: _derive_autoscaling_config_from_ray_cr(resource))
    assert startable_types() == ((), None, True)


@pytest.mark.cluster
def test_a_cluster_without_an_autoscaler_has_what_it_has(ray_cluster: None) -> None:
    started = time.monotonic()
    there = cluster_capacity()
    assert (there.total("CPU"), there.startable("CPU"), there.unknown) == (4.0, 0.0, False)
    assert startable_types()[0] == () and starting() == ""
    assert time.monotonic() - started < 3.0


@pytest.mark.cluster
def test_an_autoscaler_that_cannot_be_read_is_trusted(ray_cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("Kubernetes does not answer")

    monkeypatch.setattr(autoscaler, "autoscaling_config", broken)
    assert startable_types() == ((), None, True)
