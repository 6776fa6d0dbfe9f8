"""The Ray cluster a program runs on: one given by its address, the one of its Ray job, or a new local one.

Owns: connecting, and where a run's directory lies when the program runs as a Ray job.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import ray

from actors.endpoint.network import CERTIFICATE_VARIABLES, PROXY_VARIABLES
from actors.ray_api.internals import AUTHENTICATION_LOGGER, machine_resources
from pipelines.errors import Refused
from reasoning.recipe.tailored import RunRecipe

_IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


class ClusterError(Refused):
    """The cluster cannot be reached. The message names the address and what to do."""


def connect(address: str | None) -> None:
    """Connects to the cluster at `address`, else to the one in RAY_ADDRESS (set inside a Ray job), else starts a local
    one without a dashboard. Does nothing when this process is connected already. Raises `ClusterError`."""
    if ray.is_initialized():
        return
    logging.getLogger(AUTHENTICATION_LOGGER).setLevel(logging.ERROR)  # "token authentication is enabled"
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\..*")
    wanted = wanted_address(address)
    try:
        if wanted:
            ray.init(
                address=wanted, logging_level=logging.WARNING, log_to_driver=False, runtime_env=_network_environment()
            )
        else:
            ray.init(
                address="local",
                include_dashboard=False,
                logging_level=logging.WARNING,
                log_to_driver=False,
                object_store_memory=256 * 1024**2,
            )
    except Exception as error:
        if type(error) is not Exception and not isinstance(error, ConnectionError | ValueError | RuntimeError):
            raise
        if wanted:  # Ray raises a bare Exception, too, when a node does not come up
            raise ClusterError(
                f"cannot connect to a Ray cluster at {wanted}: {error}. Give cluster.address the address of a running "
                "cluster, or leave it out (and RAY_ADDRESS unset) to start one here."
            ) from error
        raise ClusterError(
            f"Ray did not start on this machine: {error}. Check that it has free memory and disk and is not busy, "
            "then run the same command again."
        ) from error


def wanted_address(address: str | None) -> str | None:
    """The cluster that a program is to connect to: the given one, else RAY_ADDRESS's; None: one that it starts here."""
    return address or os.environ.get("RAY_ADDRESS") or None


def _network_environment() -> dict[str, Any] | None:
    """Certificates and proxies of this process for a cluster that was started by another; inside a Ray job the job's
    own environment has them."""
    named = {name: value for name in (*CERTIFICATE_VARIABLES, *PROXY_VARIABLES) if (value := os.environ.get(name))}
    return {"env_vars": named} if named and _IN_A_JOB not in os.environ else None


def resources(address: str | None) -> dict[str, float]:
    """What the cluster offers: of a running one, its totals; of the one that `connect` would start, this machine's CPUs
    and NVIDIA GPUs, found without starting it."""
    if wanted_address(address) or ray.is_initialized():
        connect(address)
        return dict(ray.cluster_resources())
    return machine_resources()


def storage_folder(recipe: RunRecipe) -> Path:
    """Where runs are kept, as an absolute path. Inside a Ray job the working directory is a copy that goes with the
    cluster, so there a relative `storage.path` counts from the home directory, where the next job finds it again."""
    path = Path(recipe.storage.path).expanduser()
    if path.is_absolute():
        return path
    return (Path.home() if _IN_A_JOB in os.environ else Path.cwd()) / path
