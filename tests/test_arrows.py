"""Imports point one way, between the packages and between the rooms inside them; and light modules stay light.

A room is a folder of a package (`reasoning.grading`) or a module that stands beside the folders (`actors.starting`).
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("reasoning", "actors", "serve", "pipelines")

# Anywhere in a module, also inside functions.
NEVER = {
    "reasoning": {
        *("actors", "pipelines", "serve", "bench", "tests"),
        *("ray", "openai", "httpx", "aiohttp", "requests", "urllib3", "fastapi", "starlette", "uvicorn", "socket"),
    },
    "actors": {"pipelines", "serve", "bench", "tests"},
    "serve": {"actors", "pipelines", "bench", "tests"},
    "pipelines": {"bench", "tests"},
}

# Which rooms of its own package a room may import; what stands lower knows nothing of what stands higher.
_BASE = {"records", "files"}
_RECIPE = {*_BASE, "teacher", "recipe"}
_GRADING = {*_RECIPE, "prompts", "grading"}
_METHOD = {*_GRADING, "tasks", "student", "training", "exchange", "offline", "rounds"}
ARROWS: dict[str, dict[str, set[str]]] = {
    "reasoning": {
        "records": set(),
        "files": set(),
        "teacher": {*_BASE},
        "recipe": {*_BASE, "teacher"},
        "prompts": {*_RECIPE},
        "grading": {*_RECIPE, "prompts"},
        "tasks": {*_GRADING},
        "training": {*_GRADING, "tasks"},
        "student": {*_GRADING, "tasks", "training"},
        "offline": {*_GRADING, "tasks"},
        "exchange": {*_GRADING, "tasks"},
        "rounds": _METHOD - {"rounds"},
        "fine_tune_cot": {*_METHOD},
        "estimate": {*_METHOD, "fine_tune_cot"},
    },
    "actors": {
        "storage": {"journal"},
        "limits": {"ray_api"},
        "journal": {"ray_api"},
        "endpoint": {"limits"},
        "teacher": {"ray_api", "endpoint", "limits", "journal", "watching"},
        "batch_api": {"teacher", "endpoint", "limits", "journal"},
        "starting": {"ray_api", "batch_api", "teacher", "endpoint", "limits", "journal", "watching"},
        "ray_api": set(),
        "watching": set(),
        "sampler": {"ray_api", "storage", "watching"},
        "training": {"ray_api", "storage"},
        "classroom": {"starting", "storage", "sampler", "training"},
        "coordinator": {"ray_api", "watching", "classroom", "starting", "teacher", "training", "journal", "storage"},
        "cot_coordinator": {"coordinator", "classroom", "journal", "storage"},
    },
    "serve": {
        "internals": set(),
        "weights": set(),
        "share": {"weights"},
        "door": {"share"},
        "answering": {"door"},
        "serving": {"answering", "door", "weights"},
        "student_server": {"answering", "door", "serving", "share", "weights"},
        "front": {"door", "internals"},
        "deployed_front": {"front"},
        "proxy": {"door", "front", "internals"},
        "student": {"door", "front", "internals", "proxy", "serving", "student_server", "weights"},
        "offline_teacher": set(),
        "provider": set(),
    },
    "pipelines": {
        "errors": set(),
        "command_line": {"errors"},
        "report": {"command_line"},
        "run": {"errors", "command_line", "report"},
        "journal": {"command_line", "run"},
        "tailored": {"command_line", "report", "run"},
        "fine_tune_cot": {"command_line", "report", "run"},
        "serving": {"errors", "command_line", "run"},
        "grading": {"errors", "command_line", "run", "serving"},
        "estimate": {"errors", "run"},
        "exchange": {"errors", "serving"},
        "recipe": {"command_line"},
        "demo": {"errors", "run", "serving"},
        "cli": {
            *("command_line", "run", "tailored", "fine_tune_cot", "serving", "estimate", "exchange"),
            *("grading", "journal", "recipe", "report"),
        },
    },
}

# Seconds each: imported in the function that needs them, but for the modules that are about tensors.
HEAVY = {"torch", "vllm", "transformers", "datasets", "matplotlib", "accelerate", "peft"}
ABOUT_TENSORS = (
    *(f"reasoning.training.{name}" for name in ("collation", "fine_tuning", "losses", "objectives")),
    *("reasoning.training.distributed.sharding", "reasoning.training.distributed.state"),
    "reasoning.training.mistakes.pair_reading",
    "reasoning.training.weights.choice",
    "reasoning.training.weights.master_weights",
    "reasoning.training.weights.adding",
    *("reasoning.training.output_head", "reasoning.training.packed"),
    *("reasoning.training.prompt_sharing", "reasoning.training.readers"),
    *(f"reasoning.student.{name}" for name in ("checkpoint", "decoding", "generation")),
    "reasoning.rounds.in_process",
    "reasoning.student.embedded.pretraining",
)

# Whole processes that hold no torch, so that they claim no GPU memory and start at once.
LIGHT_PROCESSES = (
    "pipelines.cli",
    "pipelines.run.preflight",
    "actors.journal.actor",
    "actors.limits.actor",
    "actors.starting",
)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def import_statements(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Every import in a module, also inside functions."""
    return tuple(node for node in ast.walk(parsed(path)) if isinstance(node, ast.Import | ast.ImportFrom))


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """The full names a module imports; relative imports are resolved."""
    for node in parsed(path).body if top_level else import_statements(path):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            yield ".".join((*package[: len(package) - node.level + 1], node.module or ""))


def names() -> dict[str, Path]:
    """Every module of the packages by its full name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in modules()
    }


def arrows(known: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which modules each module imports, anywhere in it, of those that are known."""
    return {name: set(imported_modules(path, known)) - {name} for name, path in known.items()}


@functools.cache
def our_arrows() -> dict[str, set[str]]:
    return arrows(names())


def imported_modules(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def test_there_is_something_to_check() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in modules() if path.name != "__init__.py"}
    assert found == set(PACKAGES)
    assert "reasoning.records" in set(imported(ROOT / "reasoning" / "grading" / "answers.py"))
    assert "reasoning.records" in our_arrows()["reasoning.grading.answers"]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] in NEVER[package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_know_only_what_stands_below_them(package: str) -> None:
    allowed = ARROWS[package]
    wrong = [
        f"{name} imports {other}: {room} may import {', '.join(sorted(allowed.get(room, set()))) or 'no other room'}"
        for name, others in our_arrows().items()
        for other in sorted(others)
        if name.startswith(f"{package}.") and other.startswith(f"{package}.")
        for room, its in [(name.split(".")[1], other.split(".")[1])]
        if room != its and its not in allowed.get(room, set())
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_named_and_no_arrow_leads_back(package: str) -> None:
    rooms = {name.split(".")[1] for name in names() if name.startswith(f"{package}.")}
    assert rooms == set(ARROWS[package])
    TopologicalSorter(ARROWS[package]).prepare()


def test_no_module_imports_itself_by_way_of_others() -> None:
    circle: list[str] = []
    try:
        TopologicalSorter(our_arrows()).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert not circle, " -> ".join(circle)


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name} at its top"
        for module, path in names().items()
        if not module.startswith(ABOUT_TENSORS)
        for name in imported(path, top_level=True)
        if name.split(".")[0] in HEAVY or name.startswith("ray.serve.llm")
    ]
    assert not wrong, "\n".join(wrong)


def test_light_processes_hold_no_torch() -> None:
    """The import of everything above, in one fresh process (a second or two)."""
    code = (
        f"import importlib, sys\n[importlib.import_module(name) for name in {LIGHT_PROCESSES!r}]\n"
        "print(*[name for name in ('torch', 'vllm', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
