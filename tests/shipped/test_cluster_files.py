"""The cluster files of AWS and Google Cloud: Ray and the clouds accept them, and they are closed to others."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.ray_api.internals import cluster_file
from tests.conftest import ROOT

FILES = {"aws": ROOT / "cluster.yaml", "gcp": ROOT / "recipes/clusters/gcp.yaml"}
START = ("head_start_ray_commands", "worker_start_ray_commands")
COMMANDS = ("initialization_commands", "setup_commands", "head_setup_commands", *START)


@pytest.fixture(params=FILES)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def prepared(provider: str) -> dict[str, Any]:
    return cluster_file(FILES[provider])


def test_ray_accepts_it(prepared: dict[str, Any], provider: str) -> None:
    assert prepared["provider"]["type"] == provider


def test_a_key_that_ray_does_not_know_is_refused(tmp_path: Path, provider: str) -> None:
    """The check itself checks something."""
    text = (FILES[provider]).read_text(encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(text.replace("head_node_type:", "head_type:"), encoding="utf-8")
    with pytest.raises(Exception, match="head_type"):
        cluster_file(tmp_path / "wrong.yaml")


def test_trainers_are_on_demand_and_samplers_are_spot(prepared: dict[str, Any], provider: str) -> None:
    types = prepared["available_node_types"]
    assert prepared["head_node_type"] == "head" and types["head"]["resources"].get("GPU", 0) == 0
    for name in ("trainer", "sampler"):
        assert types[name]["resources"]["GPU"] == 1 and types[name]["min_workers"] == 0 < types[name]["max_workers"]
    assert types["trainer"]["labels"] == {"ray.io/market-type": "on-demand"}
    assert types["sampler"]["labels"] == {"ray.io/market-type": "spot"}
    assert is_spot(types["sampler"]["node_config"]) and not is_spot(types["trainer"]["node_config"])
    assert sum(types[name]["max_workers"] for name in ("trainer", "sampler")) <= prepared["max_workers"]


def is_spot(node_config: dict[str, Any]) -> bool:
    aws = node_config.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    return aws or node_config.get("scheduling", {}).get("provisioningModel") == "SPOT"


def test_every_image_is_found_by_name_and_is_one_release(prepared: dict[str, Any], provider: str) -> None:
    """`latest_dlami`, which Ray 2.60 offers, is an Ubuntu 18.04."""
    forms = {
        "aws": r"resolve:ssm:/aws/service/.*ubuntu[-/].*24\.04.*/ami-id",
        "gcp": r"projects/[\w-]+/global/images/family/[\w-]*ubuntu-2404[\w-]*",
    }
    images = {name: image(kind["node_config"]) for name, kind in prepared["available_node_types"].items()}
    assert all(re.fullmatch(forms[provider], one) for one in images.values()), images
    assert "nvidia" in images["trainer"] and images["sampler"] == images["trainer"] != images["head"]


def image(node_config: dict[str, Any]) -> str:
    return str(node_config.get("ImageId") or node_config["disks"][0]["initializeParams"]["sourceImage"])


def test_every_ray_asks_for_a_token_and_listens_to_its_own_machine(prepared: dict[str, Any]) -> None:
    for key in START:
        stop, start = prepared[key]
        assert stop.endswith("ray stop")
        before, _, ray_start = start.partition("ray start")
        assert re.search(r"export [^;]*\bRAY_AUTH_MODE=token\b", before)
        assert not re.search(r"0\.0\.0\.0|\[?::\]?(?:\s|$)", ray_start)
        assert key.startswith("worker") or "--dashboard-host=127.0.0.1" in ray_start.split()
    assert prepared["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert prepared["setup_commands"][0] == "chmod 600 ~/.ray/auth_token"
    assert "security_group" not in prepared["provider"]  # Ray's own: ssh, and the cluster's machines to each other


def test_the_teachers_key_is_a_file_of_its_owner_and_a_node_without_one_is_set_up_all_the_same(
    prepared: dict[str, Any], tmp_path: Path
) -> None:
    (command,) = [one for one in prepared["setup_commands"] if "secrets.env" in one]
    (tmp_path / "venv/bin").mkdir(parents=True)
    for store in (tmp_path / "venv/bin/python", tmp_path / "venv/bin/gcloud"):
        store.write_text("#!/bin/sh\necho KEY=1\n")
        store.chmod(0o755)
    environment = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/venv/bin:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", command], env=environment, check=True)
    kept = tmp_path / ".config/tailor/secrets.env"
    assert kept.read_text() == "KEY=1\n" and kept.stat().st_mode & 0o077 == 0
    for store in (tmp_path / "venv/bin/python", tmp_path / "venv/bin/gcloud"):
        store.write_text("#!/bin/sh\nexit 1\n")
    done = subprocess.run(["bash", "-c", command], env=environment, check=True, capture_output=True, text=True)
    assert "this node has no key of its own" in done.stdout and kept.read_text() == ""


def test_every_worker_waits_for_its_clouds_notice_and_only_once(
    prepared: dict[str, Any], provider: str, tmp_path: Path
) -> None:
    _, start = prepared["worker_start_ray_commands"]
    called, bin = tmp_path / "called", tmp_path / "venv/bin"
    bin.mkdir(parents=True)
    (bin / "ray").write_text("#!/bin/sh\n")
    (bin / "python").write_text(f'#!/bin/sh\necho "$RAY_AUTH_MODE" "$@" >>{called}\nexec sleep 60\n')
    for program in bin.iterdir():
        program.chmod(0o755)
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "RAY_HEAD_IP": "10.0.0.1"}

    def started() -> None:
        subprocess.run(["bash", "-c", start], env=environment, check=True, timeout=30)

    started()
    try:
        until = time.monotonic() + 10
        while not called.exists() and time.monotonic() < until:
            time.sleep(0.02)
        started()  # as `ray up` does again
        time.sleep(0.3)
        assert called.read_text() == f"token -m actors.ray_api.machines.notice {provider}\n"
    finally:
        for process in psutil.process_iter(["cwd", "environ"]):
            if (process.info["environ"] or {}).get("HOME") == str(tmp_path):
                process.kill()
    assert all("notice" not in command for command in prepared["head_start_ray_commands"])  # a head is never spot


def test_what_is_sent_to_nodes_is_no_run_and_no_environment(prepared: dict[str, Any]) -> None:
    assert {".venv", ".git", "runs"} <= set(prepared["rsync_exclude"])


def test_every_command_is_one_that_bash_reads(prepared: dict[str, Any]) -> None:
    for command in [one for key in COMMANDS for one in prepared[key]]:
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_environment_is_the_lock_with_what_the_provider_needs(prepared: dict[str, Any], provider: str) -> None:
    (install,) = [one for one in prepared["setup_commands"] if "install.sh" in one]
    named = re.findall(r"locks/\w+\.txt", install)
    assert named == ["locks/gpu.txt", f"locks/{provider}.txt"]
    # Nothing more on the head: Ray's default installs a boto3 into whatever pip finds.
    assert prepared["head_setup_commands"] == prepared["setup_commands"]
    needed = set(imported_by_provider(provider))
    installed = {line.split("==")[0] for name in named for line in pins(name)}
    assert needed and not {NAMES.get(one, one) for one in needed} - installed


# What a package is called where its module is not: top-level modules of Ray's providers.
NAMES = {
    "googleapiclient": "google-api-python-client",
    "google_auth_httplib2": "google-auth-httplib2",
    "google": "google-auth",
}


def imported_by_provider(provider: str) -> Iterator[str]:
    """The modules of others that Ray's provider cannot be imported without."""
    import ray.autoscaler._private as private

    for path in (Path(private.__path__[0]) / provider).glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            tops = {name.split(".")[0] for name in names}
            yield from tops & {"boto3", "botocore", "google", "googleapiclient", "google_auth_httplib2", "httplib2"}


@pytest.mark.parametrize("provider", FILES)
def test_a_providers_lock_adds_to_the_others_and_is_pinned(provider: str) -> None:
    added = list(pins(f"locks/{provider}.txt"))
    assert added and all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in added)
    others = {line.split("==")[0] for name in ("cpu", "gpu") for line in pins(f"locks/{name}.txt")}
    both = {line.split("==")[0] for line in added} & others
    assert not {line for line in added if line.split("==")[0] in both and line not in set(pins("locks/gpu.txt"))}


def pins(lock: str) -> Iterator[str]:
    yield from (ROOT / lock).read_text(encoding="utf-8").split()


def test_google_takes_every_node_as_it_is_written() -> None:
    """By Compute Engine's own description, which google-api-python-client ships."""
    found = pytest.importorskip(
        "googleapiclient", reason="google-api-python-client is not installed: pip install -r locks/gcp.txt"
    )
    path = Path(found.__path__[0]) / "discovery_cache/documents/compute.v1.json"
    schemas = json.loads(path.read_text(encoding="utf-8"))["schemas"]
    for name, kind in node_configs("gcp").items():
        assert not list(misfits(kind, {"$ref": "Instance"}, schemas, name))


def node_configs(provider: str) -> dict[str, dict[str, Any]]:
    types = cluster_file(FILES[provider])["available_node_types"]
    return {name: kind["node_config"] for name, kind in types.items()}


def misfits(value: Any, schema: dict[str, Any], schemas: dict[str, Any], path: str) -> Iterator[str]:
    """Where a value differs from a schema of Google's discovery documents: unknown keys, other types and choices."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": float}
    numeral = schema.get("format") in ("int64", "uint64") and isinstance(value, int)  # JSON has them as strings
    if not isinstance(value, kinds[schema["type"]]) and not numeral:
        yield f"{path}: not of type {schema['type']}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            known = schema.get("properties", {}).get(key)
            yield from misfits(inner, known, schemas, f"{path}.{key}") if known else [f"{path}.{key}: unknown"]
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from misfits(inner, schema["items"], schemas, f"{path}[{number}]")
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value} is none of {schema['enum']}"
