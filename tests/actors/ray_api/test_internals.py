"""Every private name of Ray that the project uses is still where it was, and is used in one module only."""

import importlib
import inspect
import os

import certifi
import pytest
from ray._private.accelerators import NvidiaGPUAcceleratorManager

from actors.ray_api.internals import (
    AUTHENTICATION_LOGGER,
    CLEANER_CALLBACK,
    DATASETS_CALLBACK,
    JOB_CLIENT_LOGGERS,
    UV_VARIABLE,
    cluster_store,
    job_client,
    leave_environments_alone,
    machine_resources,
    torch_trainer_without,
)
from tests.conftest import ROOT

PRIVATE = [
    ("ray._private.utils", "get_num_cpus"),
    ("ray._raylet", "GcsClient"),
    ("ray.dashboard.modules.dashboard_sdk", "SubmissionClient._do_request"),
    ("ray._private.accelerators", "NvidiaGPUAcceleratorManager.get_current_node_num_accelerators"),
    ("ray._private.accelerators", "NvidiaGPUAcceleratorManager.get_current_process_visible_accelerator_ids"),
    ("ray._private.authentication.authentication_utils", "is_token_auth_enabled"),
    ("ray.train.torch", "TorchTrainer._create_default_callbacks"),
    ("ray.train.torch", "TorchTrainer._initialize_and_run_controller"),
    ("ray.train.v2._internal.constants", "get_env_vars_to_propagate"),
    ("ray.train.v2._internal.execution.controller", "TrainController.run"),
    ("ray.train.v2._internal.execution.controller", "TrainController.get_result"),
    ("ray.train.v2._internal.execution.controller", "TrainController.worker_group_cls"),
    ("ray.train.v2._internal.execution.worker_group.worker_group", "WorkerGroup._create_placement_group"),
    (
        "ray.train.v2._internal.execution.worker_group.placement_group_handle",
        "DefaultPlacementGroupHandle.shutdown",
    ),
    ("ray._private.state", "state.get_cluster_config"),
    ("ray._private.state", "state.get_draining_nodes"),
    ("ray._private.state", "actors"),
    ("ray._private.state", "available_resources_per_node"),
    ("ray.autoscaler.v2.sdk", "get_cluster_status"),
    ("ray.autoscaler._private.kuberay.autoscaling_config", "_derive_autoscaling_config_from_ray_cr"),
    ("ray.autoscaler._private.kuberay.node_provider", "KubernetesHttpApiClient.get"),
    ("ray.experimental.internal_kv", "_internal_kv_get"),
    ("ray._private.node", "Node.get_session_dir_path"),  # tests/actors/teacher/secret_run.py
    ("ray._private.label_utils", "validate_label_selector"),
    ("ray.autoscaler._private.util", "prepare_config"),
    ("ray.autoscaler._private.util", "validate_config"),
]


@pytest.mark.parametrize(("module", "name"), PRIVATE, ids=[name for _, name in PRIVATE])
def test_ray_still_has_it(module: str, name: str) -> None:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    assert callable(found), (
        f"Ray moved {module}.{name}: update its user (actors/ray_api/internals.py, unless noted here)"
    )


def test_no_other_module_uses_a_private_name_of_ray() -> None:
    users = {
        str(path.relative_to(ROOT))
        for package in ("actors", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        if "ray._private" in path.read_text(encoding="utf-8")
    }
    assert users == {"actors/ray_api/internals.py"}


def test_ray_still_logs_authentication_under_that_name() -> None:
    module = importlib.import_module(AUTHENTICATION_LOGGER)
    assert module.__name__ == AUTHENTICATION_LOGGER


@pytest.mark.parametrize("name", JOB_CLIENT_LOGGERS)
def test_the_job_servers_client_still_logs_under_that_name(name: str) -> None:
    module = importlib.import_module(name)
    assert any(getattr(module, known).name == name for known in ("logger", "default_logger") if hasattr(module, known))


@pytest.mark.parametrize("wanted", [None, "1"])
def test_a_program_that_uv_has_started_sends_its_folder_to_no_node(
    wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its user says so."""
    from ray._private import ray_constants, worker

    command = ["uv", "run", "tailor", "run", "recipe.yaml"]
    monkeypatch.setattr("ray._private.runtime_env.uv_runtime_env_hook._get_uv_run_cmdline", lambda: command)
    monkeypatch.setattr(ray_constants, UV_VARIABLE, True)
    monkeypatch.delenv(UV_VARIABLE)
    assert "working_dir" in worker._maybe_modify_runtime_env({}, False)
    if wanted is not None:
        monkeypatch.setenv(UV_VARIABLE, wanted)
    leave_environments_alone()
    assert ("working_dir" in worker._maybe_modify_runtime_env({}, False)) is (wanted is not None)


@pytest.mark.parametrize("before", [None, "http://of-the-environment:1"])
def test_the_job_servers_client_takes_the_address_it_is_given_and_waits_for_no_answer_for_ever(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object, object]] = []

    def request(method: str, url: str, **options: object) -> None:
        asked.append((url, options["timeout"], options["verify"]))
        raise ConnectionError("no")

    monkeypatch.setattr("requests.request", request)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", before or "")
    if before is None:
        monkeypatch.delenv("RAY_API_SERVER_ADDRESS")
    with pytest.raises(ConnectionError):
        job_client("http://127.0.0.1:1", {"Authorization": "Bearer x"}, trusted=certifi.where())
    assert asked == [("http://127.0.0.1:1/api/version", (10.0, 60.0), certifi.where())]
    assert os.environ.get("RAY_API_SERVER_ADDRESS") == before


def test_the_clusters_store_keeps_what_is_put_there(ray_cluster: None) -> None:
    import ray

    store = cluster_store(ray.get_runtime_context().gcs_address)
    assert store.internal_kv_get(b"tailor-test", None) is None
    store.internal_kv_put(b"tailor-test", b"value", True, None)
    assert store.internal_kv_get(b"tailor-test", None) == b"value"
    store.internal_kv_put(b"tailor-test", b"", True, None)
    assert store.internal_kv_get(b"tailor-test", None) == b""  # there, unlike what never was


@pytest.mark.parametrize("name", [DATASETS_CALLBACK, CLEANER_CALLBACK])
def test_ray_train_still_has_the_callback_that_is_left_out(name: str) -> None:
    import ray.train.torch

    module = importlib.import_module(
        next(cls.__module__ for cls in ray.train.torch.TorchTrainer.__mro__ if "_create_default_callbacks" in vars(cls))
    )
    assert name in inspect.getsource(module), f"Ray Train no longer names {name}: update actors/ray_api/internals.py"


@pytest.mark.parametrize(("visible", "gpus"), [(None, 8.0), ("0", 1.0), ("2,5,7", 3.0), ("", 0.0)])
def test_only_visible_gpus_and_permitted_cpus_count(
    visible: str | None, gpus: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ray counts them once it is started: a container's quota of CPUs holds."""
    monkeypatch.setattr(NvidiaGPUAcceleratorManager, "get_current_node_num_accelerators", staticmethod(lambda: 8))
    monkeypatch.setattr("ray._private.utils.get_num_cpus", lambda: 3)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", visible)
    assert machine_resources() == {"CPU": 3.0, "GPU": gpus}


def test_checkpoints_can_be_moved_to_ray_trains_storage() -> None:
    from ray.train import Checkpoint
    from ray.train.v2._internal.execution.storage import StorageContext

    taken = inspect.signature(StorageContext.persist_current_checkpoint)
    assert list(taken.parameters) == ["self", "checkpoint", "checkpoint_dir_name"]
    assert Checkpoint.from_directory("/tmp").path == "/tmp"


def test_callbacks_that_are_not_wanted_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray.train.torch

    class Kept: ...

    class LeftOut: ...

    monkeypatch.setattr(
        ray.train.torch.TorchTrainer, "_create_default_callbacks", lambda self: [Kept(), LeftOut()], raising=True
    )
    trainer = torch_trainer_without({"LeftOut"})
    assert [type(one) for one in trainer._create_default_callbacks(object.__new__(trainer))] == [Kept]
