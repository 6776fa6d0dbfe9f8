"""The manifests for KubeRay: every field is one it has, what they name is there, and they are closed to others.

Their fields are checked against our own list; against KubeRay's own schemas, too, where the variable KUBERAY_CRDS names
a folder of them (`ray-operator/config/crd/bases` of KubeRay 1.6 or later): no package index has them.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from ray.serve.schema import ServeDeploySchema

from tests.conftest import ROOT
from tests.shipped.kuberay_fields import (
    Cluster,
    Container,
    NetworkPolicy,
    PersistentVolumeClaim,
    RayJob,
    RayService,
    Template,
)

FOLDER = ROOT / "recipes/clusters/kuberay"
KINDS = {
    "job.yaml": [RayJob],
    "service.yaml": [RayService],
    "once.yaml": [PersistentVolumeClaim, NetworkPolicy],
}
TAILORS = {"app.kubernetes.io/part-of": "tailor"}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


JOB = RayJob.model_validate(documents("job.yaml")[0]).spec
SERVICE = RayService.model_validate(documents("service.yaml")[0]).spec
CLAIM = PersistentVolumeClaim.model_validate(documents("once.yaml")[0])
POLICY = NetworkPolicy.model_validate(documents("once.yaml")[1]).spec
CLUSTERS = [pytest.param(JOB.rayClusterSpec, id="job"), pytest.param(SERVICE.rayClusterConfig, id="service")]


@pytest.mark.parametrize("name", [path.name for path in sorted(FOLDER.iterdir())])
def test_every_field_is_one_that_there_is(name: str) -> None:
    found = documents(name)
    assert len(found) == len(KINDS[name])
    for document, kind in zip(found, KINDS[name], strict=True):
        kind.model_validate(document)


@pytest.mark.parametrize("name", ["job.yaml", "service.yaml"])
def test_kuberays_own_schema_has_every_field(name: str) -> None:
    folder = os.environ.get("KUBERAY_CRDS")
    if not folder:
        pytest.skip("KUBERAY_CRDS names no folder of KubeRay's schemas (ray-operator/config/crd/bases)")
    (document,) = documents(name)
    path = Path(folder) / f"ray.io_{document['kind'].lower()}s.yaml"
    definition = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    (version,) = [one for one in definition["spec"]["versions"] if one["name"] == "v1"]
    validator = Draft7Validator(closed(version["schema"]["openAPIV3Schema"]))
    assert not [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    document["spec"]["unheard"] = 1
    assert not validator.is_valid(document)


def closed(schema: Any) -> Any:
    """The schema with unknown fields refused, as `kubectl apply --validate=strict` refuses them."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items() if key != "format"}
    open_ended = made.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(made.get("properties"), dict) and made.get("type") == "object" and not open_ended:
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_pod_asks_for_the_token_and_keys_stand_in_no_file(cluster: Cluster) -> None:
    assert cluster.authOptions.mode == "token" and cluster.authOptions.secretName == "tailor-token"
    for container in containers(cluster):
        assert {one.secretRef.name for one in container.envFrom} <= {"tailor-teacher"}
        assert not hasattr(container, "env")
    assert {document["kind"] for path in FOLDER.iterdir() for document in documents(path.name)}.isdisjoint({"Secret"})


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_only_tailors_pods_and_the_operator_reach_rays_ports(cluster: Cluster) -> None:
    assert POLICY.podSelector.matchLabels == TAILORS and POLICY.policyTypes == ["Ingress"]
    assert all(template.metadata.labels == TAILORS for template in templates(cluster))
    everywhere = [one for one in POLICY.ingress if not one.ports]
    operator = {"app.kubernetes.io/component": "kuberay-operator"}
    assert [peer.podSelector.matchLabels for one in everywhere for peer in one.peers] == [TAILORS, operator]
    others = [one for one in POLICY.ingress if one.ports]
    assert {port.port for one in others for port in one.ports} == {8000}  # the served student's
    assert all(peer.namespaceSelector is None for one in others for peer in one.peers)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_pod_has_what_it_names(cluster: Cluster) -> None:
    assert cluster.rayVersion == importlib.metadata.version("ray")
    for template in templates(cluster):
        (container,) = template.spec.containers
        assert {mount.name for mount in container.volumeMounts} == {volume.name for volume in template.spec.volumes}
        claims = {one.persistentVolumeClaim.claimName for one in template.spec.volumes if one.persistentVolumeClaim}
        assert claims == {CLAIM.metadata.name}
        assert container.resources.requests == container.resources.limits
    assert len({container.image for container in containers(cluster)}) == 1
    assert CLAIM.spec.accessModes == ["ReadWriteMany"]


def test_gpu_pods_are_started_by_the_run_trainers_on_demand_and_samplers_on_spot() -> None:
    cluster = JOB.rayClusterSpec
    assert cluster.enableInTreeAutoscaling and cluster.autoscalerOptions and cluster.autoscalerOptions.version == "v2"
    groups = {group.groupName: group for group in cluster.workerGroupSpecs}
    assert set(groups) == {"trainer", "sampler"}
    for group in groups.values():
        assert group.replicas == group.minReplicas == 0 < group.maxReplicas
        assert group.template.spec.containers[0].resources.limits["nvidia.com/gpu"] == "1"
    assert groups["trainer"].labels == {"ray.io/market-type": "on-demand"}
    assert groups["sampler"].labels == {"ray.io/market-type": "spot"} and groups["sampler"].template.spec.nodeSelector
    assert "nvidia.com/gpu" not in cluster.headGroupSpec.template.spec.containers[0].resources.limits


def test_the_run_goes_on_in_a_new_cluster_and_removes_its_own() -> None:
    assert JOB.backoffLimit > 0 and JOB.shutdownAfterJobFinishes
    program, command, recipe, option, storage = JOB.entrypoint.split()
    assert (program, command, option) == ("tailor", "run", "--storage")
    mounted = {mount.mountPath for mount in containers(JOB.rayClusterSpec)[0].volumeMounts}
    assert {storage, str(Path(recipe).parent)} <= mounted


def test_ray_serve_and_the_student_accept_the_serve_configuration(tmp_path: Path) -> None:
    from serve.serving import StudentServing
    from serve.student import build_app

    config = ServeDeploySchema.model_validate(yaml.safe_load(SERVICE.serveConfigV2))
    (application,) = config.applications
    assert application.import_path == f"{build_app.__module__}:{build_app.__name__}"
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    served = StudentServing.model_validate({**application.args, "checkpoint": str(tmp_path)})
    (student,) = SERVICE.rayClusterConfig.workerGroupSpecs
    limits = student.template.spec.containers[0].resources.limits
    assert served.replicas * served.gpus == int(limits["nvidia.com/gpu"]) * student.replicas
    assert served.replicas * served.cpus <= int(limits["cpu"]) * student.replicas
    assert application.args["checkpoint"].startswith("/runs/")


def templates(cluster: Cluster) -> list[Template]:
    return [cluster.headGroupSpec.template, *[group.template for group in cluster.workerGroupSpecs]]


def containers(cluster: Cluster) -> list[Container]:
    return [container for template in templates(cluster) for container in template.spec.containers]
