"""Shared parts of the tests: one Ray, the embedded student, the real data where it is at hand.

Owns also which tests are quick (all that carry none of the markers in NOT_QUICK) and which run beside others (all that
carry none of those in ALONE). A test that asks for the fixture `ray_cluster` is marked `cluster` here; a quick test
that starts Ray, loads vLLM or trains fails and is told the marker it needs.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest
import typer.testing
from hypothesis import HealthCheck, settings

from reasoning.grading import net
from reasoning.recipe.student import EMBEDDED_STUDENT

pytest_plugins = ["tests.running.workers", "pytester"]

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Tiny models: a second thread only waits for the first, and spins while other processes need the core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COLUMNS"] = "160"  # of the tables that tests read, whatever terminal they run in

net.HOLDS = False  # what a grader raises is to fail a test

# A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C, which some press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Collecting imports libraries and makes thousands of tests, none of which ever becomes garbage; and so large a heap is
# dear to walk through as often as Python would by itself: a tenth of all processor time of the quick tests.
gc.disable()
COLLECT_AFTER = 20_000  # new objects

ROOT = Path(__file__).resolve().parent.parent

ALONE = ("slow", "engine", "packaging", "cluster")  # fill the machine by themselves
NOT_QUICK = (*ALONE, "training", "thorough")
LEFT_OUT = {"quick": NOT_QUICK, "parallel": ALONE}  # by `-m`: what is then not wanted
QUICK_EXAMPLES = 10  # of each property in `make quick`; `make test` tries Hypothesis's hundred
LEAST_EXAMPLES = 5
MOST_STEPS = 20  # of an optimizer in a quick test: enough to see that a loss falls

# Of a whole module: what it is marked with, or the fixture by which conftest will mark it.
_MARKER_OF_ALL = re.compile(
    r'^pytestmark = pytest\.mark\.(?:(\w+)|usefixtures\("(?:ray_cluster|serve_port)"\))$', re.MULTILINE
)

# Properties hold on a busy machine too: how long an example takes to make or to try is not what they assert.
WHOLE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("whole", WHOLE)
settings.register_profile("quick", WHOLE, max_examples=QUICK_EXAMPLES)
settings.load_profile("whole")  # `make quick` asks for the other

# The whole command line is built anew for each command that a test runs, a tenth of a second; it is always the same.
vars(typer.testing)["_get_command"] = functools.cache(typer.main.get_command)

_steps = 0


def tries(whole: int) -> int:
    """Of a property that has a number of its own: `whole` examples in `make test`, in `make quick` as many fewer as of
    every other property."""
    return max(LEAST_EXAMPLES, whole * settings.default.max_examples // WHOLE.max_examples)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where quick or parallel tests alone are asked for, a module whose tests all are not is not imported."""
    left_out = LEFT_OUT.get(config.option.markexpr, ())
    if not left_out or collection_path.suffix != ".py":
        return None
    marked = _MARKER_OF_ALL.search(collection_path.read_text(encoding="utf-8"))
    return True if marked and (marked[1] or "cluster") in left_out else None


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and "ray_cluster" in item.fixturenames:
            item.add_marker("cluster")
        if not any(item.get_closest_marker(name) for name in NOT_QUICK):
            item.add_marker("quick")
        if not any(item.get_closest_marker(name) for name in ALONE):
            item.add_marker("parallel")


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    gc.enable()
    if "torch" in sys.modules:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        register_optimizer_step_post_hook(_count_step)


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or libraries find their objects alive at the end of the process, and print them as leaks


def _count_step(*_: object) -> None:
    global _steps
    _steps += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fails a quick or parallel test that was none, and names the marker that it needs."""
    before, steps = _heavy_parts(), _steps
    result = yield
    found = _heavy_parts() - before if item.get_closest_marker("parallel") else set()
    if item.get_closest_marker("quick"):
        found |= _trained(_steps - steps)
    for marker, what in found:
        pytest.fail(f"this test {what}: mark it with pytest.mark.{marker}, or ask for the fixture that does")
    return result


def _heavy_parts() -> set[tuple[str, str]]:
    found = set()
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        found.add(("cluster", "starts Ray"))
    if "vllm" in sys.modules:
        found.add(("engine", "loads vLLM"))
    return found


def _trained(steps: int) -> set[tuple[str, str]]:
    return {("training", f"trains for {steps} steps")} if steps > MOST_STEPS else set()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A Ray of this test session's own. Four logical CPUs, so that small actors of several parts fit side by side."""
    import ray

    from actors.ray_api.nodes import LOCAL

    started = not ray.is_initialized()
    if started:
        ray.init(
            address="local",
            num_cpus=4,
            labels=LOCAL,
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
