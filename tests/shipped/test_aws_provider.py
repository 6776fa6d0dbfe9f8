"""Ray's own AWS provider starts every node of `cluster.yaml`, against an imitation of EC2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.ray_api.internals import cluster_file
from tests.conftest import ROOT

REGION = "us-west-2"

pytestmark = pytest.mark.packaging  # EC2's description alone takes seconds to read


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """boto3, with everything that it asks answered in this process."""
    moto = pytest.importorskip("moto", reason="moto is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "imitated")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray writes the key pair that it makes to ~/.ssh
    with moto.mock_aws():
        yield pytest.importorskip("boto3")


def test_every_node_is_started_with_its_image_and_role_behind_rays_own_firewall(cloud: Any) -> None:
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    for profile in ("tailor-head", "tailor-node"):
        cloud.client("iam").create_instance_profile(InstanceProfileName=profile)
    shipped = cluster_file(ROOT / "cluster.yaml")
    config = bootstrap_aws(shipped)  # a copy
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name, kind in config["available_node_types"].items():
        tags = {"ray-node-type": name, "ray-user-node-type": name, "ray-node-name": name}
        (node,) = provider.create_node(kind["node_config"], tags, 1).values()
        written = shipped["available_node_types"][name]["node_config"]
        assert (node.image_id, node.instance_type) == (written["ImageId"], written["InstanceType"])
        assert node.iam_instance_profile["Arn"].endswith(f"/{written['IamInstanceProfile']['Name']}")
        assert [group["GroupName"] for group in node.security_groups] == ["ray-autoscaler-tailor"]
    (group,) = cloud.resource("ec2").security_groups.filter(
        Filters=[{"Name": "group-name", "Values": ["ray-autoscaler-tailor"]}]
    )
    from_outside = [one for one in group.ip_permissions if one["IpRanges"] or one["Ipv6Ranges"]]
    assert [(one["FromPort"], one["ToPort"]) for one in from_outside] == [(22, 22)]
