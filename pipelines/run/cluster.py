"""The Ray cluster a program runs on: one given by its address, the one of its Ray job, or a new local one.

Owns: connecting, and what goes along to the cluster's processes.

Invariants
- An address that nobody answers at, or that is no cluster's, is told within ten seconds.
- What goes along (keys, proxies, certificates) is shown by none of Ray's interfaces (`actors.ray_api.job_keys`).
- On a cluster that is started here engines and trainers are as important as any process (`RAY_worker_niceness`): by
  Ray's default of 15 whatever is awake beside them, Ray's own processes and this one included, goes before them.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import ray

from actors.endpoint.network import CERTIFICATE_VARIABLES, PROXY_VARIABLES
from actors.ray_api import job_keys
from actors.ray_api.internals import (
    AUTHENTICATION_LOGGER,
    address_of_auto,
    cluster_store,
    leave_environments_alone,
    machine_resources,
)
from actors.ray_api.machines.autoscaler import cluster_capacity
from actors.ray_api.machines.capacity import Capacity
from actors.ray_api.nodes import LOCAL
from actors.watching.logs import ray_logging
from pipelines.run.jobs.cluster_token import CURE, ClusterError, cluster_token
from pipelines.run.storage import IN_A_JOB
from reasoning.files.secrets_file import SecretsFileError, secret

_NICENESS = "RAY_worker_niceness"  # of Ray's configuration: as it is where the user has set it
_ANSWER_S = 5.0  # within which a cluster takes a connection


def connect(address: str | None, keys: Iterable[str] = ()) -> None:
    """Connects to the cluster at `address`, else to the one in RAY_ADDRESS; inside a Ray job always to the job's; with
    neither, starts a local one without a dashboard. Does nothing when this process is connected already.

    `keys` names the secrets of this process that the run's processes need; on a cluster that others started they are
    handed over. Raises `ClusterError`."""
    if ray.is_initialized():
        return
    logging.getLogger(AUTHENTICATION_LOGGER).setLevel(logging.ERROR)  # "token authentication is enabled"
    leave_environments_alone()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\..*")
    wanted, in_a_job = wanted_address(address), IN_A_JOB in os.environ
    if wanted is not None and not in_a_job:
        _check_reachable(wanted)
    try:
        with _own_signals():
            if wanted:
                _join(wanted, {} if in_a_job else _going_along(keys))
            else:
                os.environ.setdefault(_NICENESS, "0")
                ray.init(
                    address="local",
                    labels=LOCAL,
                    include_dashboard=False,
                    logging_level=logging.WARNING,
                    log_to_driver=False,
                    object_store_memory=256 * 1024**2,
                    **ray_logging(),
                )
    except Exception as error:
        if type(error) is not Exception and not isinstance(error, OSError | ValueError | RuntimeError):
            raise
        if wanted:  # Ray raises a bare Exception, too, when a node does not come up
            raise ClusterError(
                f"cannot connect to a Ray cluster at {wanted}: {error}. Give cluster.address the address of a running "
                "cluster, or leave it out (and RAY_ADDRESS unset) to start one here."
            ) from error
        cure = "Check that it has free memory and disk and is not busy"
        if "AF_UNIX" in str(error):  # its sockets lie some sixty characters below it
            cure = "Have Ray keep its files below a shorter path: RAY_TMPDIR=/tmp, say, where TMPDIR leads deep"
        raise ClusterError(
            f"Ray did not start on this machine: {error}. {cure}, then run the same command again."
        ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps what this program does at a SIGTERM, in whose place Ray puts its own."""
    stop = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(stop) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)


def wanted_address(address: str | None) -> str | None:
    """The cluster that a program is to connect to: inside a Ray job the job's, else the given one, else RAY_ADDRESS's;
    None: one that it starts here."""
    named = os.environ.get("RAY_ADDRESS", "").strip() or None
    return named if IN_A_JOB in os.environ else address or named


def _join(address: str, going_along: dict[str, str]) -> None:
    """Becomes a driver of a cluster whose processes adopt, when they start, their node's secrets and what is handed
    over: `going_along`, or inside a job what was handed over with it."""
    environment: dict[str, Any] = {"worker_process_setup_hook": job_keys.HOOK}
    id = job_keys.new_id()
    if going_along:
        environment["env_vars"] = {job_keys.VARIABLE: id}
    ray.init(
        address=address, logging_level=logging.WARNING, log_to_driver=False, runtime_env=environment, **ray_logging()
    )
    if going_along:
        store = ray.get_runtime_context().gcs_address
        job_keys.hand_over(store, id, going_along)
        atexit.register(_take_back, store, id)


def _take_back(store: str, id: str) -> None:
    with suppress(Exception):  # the cluster may be gone, and with it the keys
        job_keys.take_back(store, id)


def _going_along(keys: Iterable[str]) -> dict[str, str]:
    """Those of `keys` that this process has, and its certificates and proxies."""
    try:
        named = {name: secret(name) for name in keys}
    except SecretsFileError as error:
        raise ClusterError(str(error)) from error
    named |= {name: os.environ.get(name, "") for name in (*CERTIFICATE_VARIABLES, *PROXY_VARIABLES)}
    return {name: value for name, value in named.items() if value}


def _check_reachable(address: str) -> None:
    """Refuses an address that is not of a cluster's control process, or where nobody answers: Ray itself waits for a
    minute and a half."""
    scheme, _, place = address.rpartition("://")
    if scheme in ("http", "https"):
        raise ClusterError(
            f"{address} is the address of a cluster's job server, which takes whole runs: tailor submit RECIPE "
            f"--address {address}. To run the program here, give cluster.address HOST:6379, or unset RAY_ADDRESS"
        )
    if scheme:
        raise ClusterError(
            f"{address}: a run's driver must be inside the cluster, which {scheme}:// is not. Submit the run: tailor "
            "submit RECIPE --address http://HOST:8265"
        )
    if address == "local":
        return
    if address == "auto":
        place = address_of_auto() or ""
        if not place:
            return
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port or 6379
        (host or "").encode("idna")  # as the look-up of its name will
    except ValueError:
        host = None
    if not host:
        raise ClusterError(
            f"{address} is not the address of a Ray cluster: give HOST:6379, or leave it out to start one here"
        )
    cluster_token()  # Ray would end this process where one is wanted and not there
    failure = _no_answer(host, port)
    if failure and address == "auto":
        raise ClusterError(
            f"no Ray cluster runs on this machine; the last one was at {place}: {failure}. Start one (ray start "
            "--head), or say which one is meant: RAY_ADDRESS=HOST:6379"
        )
    if failure:
        raise ClusterError(
            f"cannot connect to a Ray cluster at {address}: {failure}. Check the address and that the cluster is up "
            "(ray status, on its head node), or leave cluster.address out (and RAY_ADDRESS unset) to start one here"
        )


def _no_answer(host: str, port: int) -> str:
    """Why no cluster answers at this address; empty where one does. In a thread, since Ray's own connecting cannot be
    told to hurry."""
    said = ["it takes connections and says nothing; is this the port of `ray start --head`, mostly 6379?"]

    def ask() -> None:
        try:
            cluster_store(f"{host}:{port}").internal_kv_get(b"tailor", None, timeout=_ANSWER_S)
        except ray.exceptions.AuthenticationError:
            said[:] = [f"it does not take this machine's token. {CURE}"]
        except ray.exceptions.RayError as error:
            said[:] = [f"what answers there is not a Ray cluster's control process ({str(error).splitlines()[0]})"]
        else:
            said.clear()

    try:
        socket.create_connection((host, port), timeout=_ANSWER_S).close()
    except OSError as error:
        return f"nobody answers there ({error})"
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_ANSWER_S)
    return said[0] if said else ""


def capacity(address: str | None, keys: Iterable[str] = ()) -> Capacity:
    """What the cluster can hold: of a running one, its machines and those that its autoscaler could start; of the one
    that `connect` would start, this machine's CPUs and NVIDIA GPUs, found without starting it. `keys`
    as in `connect`."""
    if wanted_address(address) or ray.is_initialized():
        connect(address, keys)
        return cluster_capacity()
    return Capacity.of_one(machine_resources())
