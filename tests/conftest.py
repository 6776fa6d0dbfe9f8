"""Shared parts of the tests: one Ray, the embedded student, the real data where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reasoning.recipe.student import EMBEDDED_STUDENT

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A Ray of this test session's own. Four logical CPUs, so that small actors of several parts fit side by side."""
    import ray

    started = not ray.is_initialized()
    if started:
        ray.init(
            address="local",
            num_cpus=4,
            include_dashboard=False,
            logging_level="WARNING",
            log_to_driver=False,
            object_store_memory=256 * 1024**2,
        )
    yield
    if started:
        ray.shutdown()


@pytest.fixture(scope="session")
def serve_port(ray_cluster: None) -> Iterator[int]:
    """The port of this session's one Ray Serve. Whoever deploys an application takes it away again."""
    from ray import serve

    from serve.proxy import start_serve

    yield start_serve()
    serve.shutdown()


@pytest.fixture(scope="session")
def embedded_student() -> Path:
    """The student in the repository."""
    return EMBEDDED_STUDENT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published data sets; a test that wants it is skipped where it is missing."""
    folder = Path(os.environ.get("TAILOR_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "datasets").is_dir():
        pytest.skip(f"no published data at {folder}; set TAILOR_DATA to the folder that holds datasets/")
    return folder
