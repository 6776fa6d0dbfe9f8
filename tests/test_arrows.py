"""Imports point one way: pipelines -> actors -> reasoning, serve -> reasoning; and light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
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
# Seconds each: imported in the function that needs them, but for the modules that are about tensors.
HEAVY = {"torch", "vllm", "transformers", "datasets", "matplotlib", "accelerate", "peft"}
ABOUT_TENSORS = {
    "collation",
    "decoding",
    "fine_tuning",
    "generation",
    "losses",
    "objectives",
    "students",
    "pretrain",
    "readers",
}

# Whole processes that hold no torch, so that they claim no GPU memory and start at once.
LIGHT_PROCESSES = (
    "pipelines.cli",
    "pipelines.run.preflight",
    "actors.journal.actor",
    "actors.limits.rate_limiter",
    "actors.starting",
)


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """The full names a module imports; relative imports are resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            yield ".".join((*package[: len(package) - node.level + 1], node.module or ""))


def test_there_is_something_to_check() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in modules() if path.name != "__init__.py"}
    assert found == set(PACKAGES)
    assert "reasoning.records" in set(imported(ROOT / "reasoning" / "answers.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] in NEVER[package]
    ]
    assert not wrong, "\n".join(wrong)


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name} at its top"
        for path in modules()
        if path.stem not in ABOUT_TENSORS
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
