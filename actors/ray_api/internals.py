"""Private parts of Ray that actors and pipelines use, each with its reason.

Owns: these uses. A test fails and names the part when an upgrade moves it.

- `AUTHENTICATION_LOGGER`: a local cluster logs "token authentication is enabled" at each start, before any public
  setting of Ray's logging applies.
- `JOB_CLIENT_LOGGERS`: the job server's client tells of its packages and sockets, each logger at a level of its own.
- `job_client`: the client of the job server waits for ever for a server that has gone silent, and lets the
  environment's address go before the one that it is given.
- `machine_resources`: what `ray.init` will count on this machine, known before a cluster is started. Ray has no public
  way to ask; counting by hand would miss containers' quotas and CUDA_VISIBLE_DEVICES.
- `cluster_file`: what `ray up` accepts of a cluster file. Ray checks it only on the way to a cloud.
- `asks_for_a_token`: whether this process's cluster does; the variable RAY_AUTH_MODE does not say what Ray's defaults
  made of it.
- `cluster_store`: what a submitted run's keys wait in. Ray's own packages lie there, too; its public ways to it need a
  connected driver, which the process that starts the driver is not.
- `torch_trainer_without`: Ray Train has a public way to add callbacks, none to remove default ones.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import yaml

AUTHENTICATION_LOGGER = "ray._private.authentication"
JOB_CLIENT_LOGGERS = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
_JOB_SERVER_VARIABLE = "RAY_API_SERVER_ADDRESS"
_JOB_SERVER_S = (10.0, 60.0)  # to connect, and between two bytes
DATASETS_CALLBACK = "DatasetsCallback"  # starts a process that manages Ray Data sets
CLEANER_CALLBACK = (
    "PlacementGroupCleanerCallback"  # starts an actor that frees workers' resources when the controller dies
)


class ClusterStore(Protocol):
    """Ray's own store of small things, in the memory of the cluster's control process."""

    def internal_kv_get(self, key: bytes, namespace: bytes | None, timeout: float | None = None) -> bytes | None: ...

    def internal_kv_put(
        self, key: bytes, value: bytes, overwrite: bool, namespace: bytes | None, timeout: float | None = None
    ) -> int: ...


def cluster_store(address: str) -> ClusterStore:
    """The store of the cluster whose control process is at `address`, HOST:PORT."""
    import ray._raylet as raylet  # a compiled module, of which mypy knows nothing

    client: Any = raylet
    store: ClusterStore = client.GcsClient(address=address)
    return store


def job_client(address: str, headers: Mapping[str, str]) -> Any:
    """Ray's `JobSubmissionClient` for the job server at `address`. Each of its requests ends in time."""
    from ray.job_submission import JobSubmissionClient

    class TimedClient(JobSubmissionClient):
        def _do_request(self, *args: Any, **options: Any) -> Any:
            return super()._do_request(*args, **{"timeout": _JOB_SERVER_S, **options})

    for logger in JOB_CLIENT_LOGGERS:
        logging.getLogger(logger).setLevel(logging.WARNING)
    with _set(_JOB_SERVER_VARIABLE, address):
        return TimedClient(address, headers=dict(headers))


@contextmanager
def _set(variable: str, value: str) -> Iterator[None]:
    before = os.environ.get(variable)
    os.environ[variable] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def machine_resources() -> dict[str, float]:
    """This machine's CPUs and visible NVIDIA GPUs, as a local cluster will count them."""
    from ray._private.accelerators import NvidiaGPUAcceleratorManager
    from ray._private.utils import get_num_cpus

    gpus = NvidiaGPUAcceleratorManager.get_current_node_num_accelerators()
    visible = NvidiaGPUAcceleratorManager.get_current_process_visible_accelerator_ids()  # None: all of them
    gpus = gpus if visible is None else min(gpus, len(visible))
    return {"CPU": float(get_num_cpus()), "GPU": float(gpus)}  # a container's quota counts


def cluster_file(path: Path) -> dict[str, Any]:
    """A cluster file as `ray up` completes it with its provider's defaults, checked as `ray up` checks it before it
    calls the provider. Raises jsonschema's ValidationError, or ValueError."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared: dict[str, Any] = prepare_config(yaml.safe_load(path.read_text(encoding="utf-8")))
    validate_config(prepared)
    return prepared


def asks_for_a_token() -> bool:
    """Whether Ray asks whoever connects for a token, in this process and so on its cluster."""
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    return bool(is_token_auth_enabled())


def torch_trainer_without(callbacks: Collection[str]) -> Any:
    """Ray Train's `TorchTrainer` without the default callbacks of these class names."""
    import ray.train.torch

    TorchTrainer: Any = ray.train.torch.TorchTrainer

    class TrimmedTrainer(TorchTrainer):  # type: ignore[misc]
        def _create_default_callbacks(self) -> list[Any]:
            return [one for one in super()._create_default_callbacks() if type(one).__name__ not in callbacks]

    return TrimmedTrainer
