"""Private parts of Ray that actors and pipelines use, each with its reason.

Owns: these uses. A test fails and names the part when an upgrade moves it.

- `AUTHENTICATION_LOGGER`: a local cluster logs "token authentication is enabled" at each start, before any public
  setting of Ray's logging applies.
- `JOB_CLIENT_LOGGERS`: the job server's client tells of its packages and sockets, each logger at a level of its own.
- `job_client`: the client of the job server waits for ever for a server that has gone silent, lets the environment's
  address go before the one that it is given, and asks a proxy for what is on this machine.
- `machine_resources`: what `ray.init` will count on this machine, known before a cluster is started. Ray has no public
  way to ask; counting by hand would miss containers' quotas and CUDA_VISIBLE_DEVICES.
- `cluster_file`: what `ray up` accepts of a cluster file. Ray checks it only on the way to a cloud.
- `label_problem`: what Ray will say of a selector of labels, when it is used: hours after the run's begin, it may be.
- `asks_for_a_token`: whether this process's cluster does; the variable RAY_AUTH_MODE does not say what Ray's defaults
  made of it.
- `address_of_auto`: where Ray will look for the cluster "of this machine", which may have been gone for days.
- `cluster_store`: what a submitted run's keys wait in. Ray's own packages lie there, too; its public ways to it need a
  connected driver, which the process that starts the driver is not.
- `leave_environments_alone`: whether a driver's environment goes along to the nodes is decided when Ray is imported.
- `torch_trainer_without`: Ray Train has a public way to add callbacks, none to remove default ones; and its workers are
  put into a placement group that it makes, not into one that is there.
- `checkpoint_storage`: Ray Train moves a checkpoint to its storage itself, but not one that is still being written: who
  waits for that moves it, too.
- `autoscaling_config`, `reported_types`, `launches`: what an autoscaler could start and is starting. Ray's public state
  has the nodes that are there.
- `groups_of_dead_actors`: Ray removes a placement group when the job has ended, not when the actor that made it has.
  Ray Train's own cleaning needs the dashboard, as it asks the public state API.
- `available_by_node`, `draining_nodes`, `actor_state`: what is free of each node, which are about to leave, and whether
  a lost actor comes back. The public state API needs the dashboard, which a local cluster goes without.
- `preferring`: a node that an actor is to be on while it has room there. A selector of the node's id with a fallback is
  the public way, and an actor with it is dead for good when its node is lost and no other fits at that moment.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

AUTHENTICATION_LOGGER = "ray._private.authentication"
JOB_CLIENT_LOGGERS = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
UV_VARIABLE = "RAY_ENABLE_UV_RUN_RUNTIME_ENV"
_JOB_SERVER_VARIABLE = "RAY_API_SERVER_ADDRESS"
_JOB_SERVER_S = (10.0, 60.0)  # to connect, and between two bytes
DATASETS_CALLBACK = "DatasetsCallback"  # starts a process that manages Ray Data sets
AUTOSCALER_STATUS = "__autoscaling_status"  # the key of what the autoscaler's first version last reported
NODE_LABEL = "ray.io/node-id"  # every node has it
# Starts an actor that frees workers' resources when the controller dies.
CLEANER_CALLBACK = "PlacementGroupCleanerCallback"


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


def address_of_auto() -> str | None:
    """HOST:PORT of the cluster that `address="auto"` is; None where Ray says at once that there is none, or several."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        return canonicalize_bootstrap_address("auto")
    except (ConnectionError, ValueError):
        return None


def job_client(address: str, headers: Mapping[str, str], *, direct: bool = False, trusted: str | bool = True) -> Any:
    """Ray's `JobSubmissionClient` for the job server at `address`, whose certificate is one of the file `trusted`. Each
    of its requests ends in time, and goes by none of the environment's proxies if `direct`."""
    from ray.job_submission import JobSubmissionClient

    class TimedClient(JobSubmissionClient):
        def _do_request(self, *args: Any, **options: Any) -> Any:
            proxies = {"proxies": {"http": "", "https": ""}} if direct else {}
            return super()._do_request(*args, **{"timeout": _JOB_SERVER_S, **proxies, **options})

    for logger in JOB_CLIENT_LOGGERS:
        logging.getLogger(logger).setLevel(logging.WARNING)
    with _set(_JOB_SERVER_VARIABLE, address):
        return TimedClient(address, headers=dict(headers), verify=trusted)


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


def preferring(node: str) -> Any:
    """Has an actor placed on the node with this id while that has room, else wherever its labels permit; it waits where
    no node does, also when it is started again."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=True, _spill_on_unavailable=True)


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


def leave_environments_alone() -> None:
    """Has `ray.init` keep the environment of the nodes where the program was started by `uv run`: Ray would send them
    its folder (with the runs and keys in it, and refused when it is large) and have each process make an environment
    of it. What the user has set stays."""
    from ray._private import ray_constants

    if UV_VARIABLE not in os.environ:
        ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False


def label_problem(labels: Mapping[str, str]) -> str | None:
    """What is wrong with a selector of nodes by their labels; None: nothing."""
    from ray._private.label_utils import validate_label_selector

    problem: str | None = validate_label_selector(dict(labels))
    return problem


def asks_for_a_token() -> bool:
    """Whether Ray asks whoever connects for a token, in this process and so on its cluster."""
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    return bool(is_token_auth_enabled())


def torch_trainer_without(callbacks: Collection[str], group: Any = None) -> Any:
    """Ray Train's `TorchTrainer` without the default callbacks of these class names. With `group`, a placement group
    that is there and stays, worker `i` is put into its bundle `i`."""
    import ray.train.torch

    TorchTrainer: Any = ray.train.torch.TorchTrainer

    class TrimmedTrainer(TorchTrainer):  # type: ignore[misc]
        def _create_default_callbacks(self) -> list[Any]:
            return [one for one in super()._create_default_callbacks() if type(one).__name__ not in callbacks]

        def _initialize_and_run_controller(self, **arguments: Any) -> Any:
            if group is None:
                return super()._initialize_and_run_controller(**arguments)
            return _run_controller_in(group, arguments)

    return TrimmedTrainer


def _run_controller_in(group: Any, arguments: Mapping[str, Any]) -> Any:
    """What Ray Train does with its controller, which gets another group of workers."""
    import ray
    from ray.train.v2._internal.constants import get_env_vars_to_propagate

    here = {NODE_LABEL: ray.get_runtime_context().get_node_id()}
    environment = {"env_vars": get_env_vars_to_propagate()}
    actor: Any = ray.remote(num_cpus=0, label_selector=here, runtime_env=environment)(_controller_in(group))
    controller = actor.remote(**arguments)
    ray.get(controller.run.remote())
    return ray.get(controller.get_result.remote())


def _controller_in(group: Any) -> type[Any]:
    from ray.train.v2._internal.execution.controller import TrainController
    from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
    from ray.train.v2._internal.execution.worker_group.worker_group import WorkerGroup

    class KeptGroup(DefaultPlacementGroupHandle):
        def shutdown(self) -> None:
            """It is not the training's: its workers were ended by then."""

    class WorkersThere(WorkerGroup):
        def _create_placement_group(self, scaling_config: Any, worker_group_context: Any) -> Any:
            return KeptGroup(group)

    class PlacedTrainController(TrainController):
        worker_group_cls = WorkersThere

    return PlacedTrainController


def checkpoint_storage() -> Any:
    """Where Ray Train keeps the checkpoints of this worker's run; it has `persist_current_checkpoint`."""
    import ray.train

    context: Any = ray.train.get_context()
    return context.get_storage()


def autoscaling_config() -> dict[str, Any] | None:
    """The configuration of the autoscaler of the connected cluster; None where there is none. To be called on the head
    node: Ray's monitor is told a file there, and KubeRay's reads the cluster's own resource from Kubernetes, with the
    rights of the head's pod."""
    import ray

    address = f"--gcs-address={ray.get_runtime_context().gcs_address}"
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # it has ended
        if address not in arguments or not any(one.endswith("/monitor.py") for one in arguments):
            continue
        named = [one.partition("=")[2] for one in arguments if one.startswith("--autoscaling-config=")]
        if not named or not named[0]:
            return None  # it watches a cluster of a fixed size
        content: dict[str, Any] = yaml.safe_load(Path(named[0]).expanduser().read_text(encoding="utf-8"))
        return content
    return _kuberay_config()  # whose autoscaler is in a container of its own


def _kuberay_config() -> dict[str, Any] | None:
    name, mounted = os.environ.get("RAY_CLUSTER_NAME"), Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    namespace = os.environ.get("RAY_CLUSTER_NAMESPACE") or (mounted.read_text() if mounted.is_file() else None)
    if not name or not namespace:
        return None
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    resource = KubernetesHttpApiClient(namespace=namespace.strip()).get(f"rayclusters/{name}")
    if not resource["spec"].get("enableInTreeAutoscaling"):
        return None
    config: dict[str, Any] = _derive_autoscaling_config_from_ray_cr(resource)
    return config


def reported_types() -> list[tuple[str, dict[str, float], int]]:
    """Name, resources and largest number (-1: no limit) of the node types that a platform has told Ray about. Ray's own
    autoscaler tells none."""
    from ray._private.state import state

    config = state.get_cluster_config()
    groups = [] if config is None else config.node_group_configs
    return [(group.name, dict(group.resources), group.max_count) for group in groups]


def launches() -> tuple[dict[str, int], list[str]]:
    """The machines that the autoscaler is starting, by node type, and what it said of those it could not start."""
    import ray
    from ray.autoscaler.v2.sdk import get_cluster_status
    from ray.experimental.internal_kv import _internal_kv_get

    starting: dict[str, int] = {}
    failures: list[str] = []
    status = get_cluster_status(ray.get_runtime_context().gcs_address)
    for launch in status.pending_launches:
        starting[launch.ray_node_type_name] = starting.get(launch.ray_node_type_name, 0) + launch.count
    for node in status.pending_nodes:
        starting[node.ray_node_type_name] = starting.get(node.ray_node_type_name, 0) + 1
    failures += [f"{launch.ray_node_type_name}: {launch.details}" for launch in status.failed_launches]
    told = _internal_kv_get(AUTOSCALER_STATUS)  # of the autoscaler's first version
    report = json.loads(told).get("autoscaler_report") or {} if told else {}
    for name, count in (report.get("pending_launches") or {}).items():
        starting[name] = starting.get(name, 0) + count
    for _, name, _ in report.get("pending_nodes") or []:
        starting[name] = starting.get(name, 0) + 1
    availabilities = (report.get("node_availability_summary") or {}).get("node_availabilities") or {}
    for name, one in availabilities.items():
        if not one["is_available"]:
            why = one.get("unavailable_node_information") or {}
            failures.append(f"{name}: {why.get('description') or why.get('category') or 'not available'}")
    return starting, failures


def asked_for(resources: Mapping[str, float]) -> int:
    """How many actors and tasks of exactly these resources wait for a machine that has room. (An actor that is pending
    may have one, and wait for its process to start.)"""
    import ray
    from ray.autoscaler.v2.sdk import get_cluster_status

    demands = get_cluster_status(ray.get_runtime_context().gcs_address).resource_demands.ray_task_actor_demand
    return sum(
        one.count for demand in demands for one in demand.bundles_by_count if dict(one.bundle) == dict(resources)
    )


def types_by_address() -> dict[str, str]:
    """The node type of each node that the autoscaler's first version started, by the node's address."""
    from ray.experimental.internal_kv import _internal_kv_get

    told = _internal_kv_get(AUTOSCALER_STATUS)
    report = json.loads(told).get("autoscaler_report") or {} if told else {}
    return dict(report.get("node_type_mapping") or {})


def available_by_node() -> dict[str, dict[str, float]]:
    """What is not used of each node, by the node's id."""
    from ray._private.state import available_resources_per_node

    return dict(available_resources_per_node())


def draining_nodes() -> dict[str, int]:
    """The ids of the nodes that are about to leave, each with the time when it will (ms since 1970; 0: not known)."""
    from ray._private.state import state

    return dict(state.get_draining_nodes())


def groups_of_dead_actors() -> list[str]:
    """The ids of the placement groups that actors of this job (Ray Train's controllers, a coordinator) have left behind
    by dying. Ray keeps them, and the machines in them, until the job ends."""
    import ray
    from ray._private.state import actors, state
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData  # type: ignore[attr-defined]  # made at run time

    job = ray.get_runtime_context().get_job_id()
    dead = {
        bytes.fromhex(actor_id) for actor_id, one in actors().items() if one["State"] == "DEAD" and one["JobID"] == job
    }
    groups = [
        PlacementGroupTableData.FromString(one) for one in state._connect_and_get_accessor().get_placement_group_table()
    ]
    return [
        group.placement_group_id.hex()
        for group in groups
        if group.creator_actor_id in dead and group.state != PlacementGroupTableData.REMOVED
    ]


@dataclass(frozen=True, slots=True)
class ActorState:
    """Where an actor stands: PENDING_CREATION, ALIVE, RESTARTING or DEAD, how often it was restarted, and the node it
    is on ("": on none)."""

    name: str
    restarts: int = 0
    node: str = ""

    @property
    def waits(self) -> bool:
        """Whether it has no process: it waits for a machine, or for its process to start."""
        return self.name not in ("ALIVE", "DEAD")


def actor_state(actor_id: str) -> ActorState:
    """The state of an actor."""
    from ray._private.state import actors

    found = actors(actor_id)
    if not found:
        return ActorState("DEAD")
    alive = found["State"] == "ALIVE"
    return ActorState(found["State"], found["NumRestarts"], found["Address"]["NodeID"] if alive else "")
