"""Weights & Biases and MLflow are told by their own libraries, of which only what is used is imitated here.

(Weights & Biases was run with its real library too, offline; MLflow with this imitation alone.)"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from actors.watching.tracking.tracker import tracker_of
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import stable_id
from reasoning.rounds.phase_order import Phase, PhaseRecord

RECORD = PhaseRecord(2, Phase.EVALUATE, 6.0, {"test_accuracy": 0.5})


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    seen = SimpleNamespace(begun={}, logged=[], axes=[], exit_code=None)

    class Run:
        def define_metric(self, name: str, step_metric: str | None = None) -> None:
            seen.axes.append((name, step_metric))

        def log(self, values: dict[str, float]) -> None:
            seen.logged.append(values)

        def finish(self, exit_code: int) -> None:
            seen.exit_code = exit_code

    def init(**arguments: Any) -> Run:
        seen.begun = arguments
        return Run()

    module = ModuleType("wandb")
    module.init, module.Settings = init, lambda **settings: settings  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    yield seen


def test_weights_and_biases_is_told_nothing_but_the_run(tmp_path: Path, wandb: SimpleNamespace) -> None:
    text = "name: mine\ntracking: {tensorboard: false, wandb: {project: p, entity: e, mode: offline}}"
    tracker = tracker_of(parse_recipe(text, "mine.yaml"), tmp_path)
    tracker.recorded(RECORD)
    tracker.close()
    assert wandb.logged == [{"evaluate/test_accuracy": 0.5, "evaluate/seconds": 6.0, "round": 2}]
    assert wandb.exit_code == 0
    begun = wandb.begun
    assert (begun["project"], begun["entity"], begun["mode"]) == ("p", "e", "offline")
    assert begun["name"] == "mine" and begun["dir"] == str(tmp_path)
    assert {"disable_code", "disable_git", "x_disable_meta"} <= {key for key, on in begun["settings"].items() if on}
    assert ("steps/*", "training_step") in wandb.axes and ("*", "round") in wandb.axes


def told_of(text: str, folder: Path, *, finished: bool = True) -> None:
    """One start of the run of this recipe in `folder`."""
    folder.mkdir(exist_ok=True)
    tracker = tracker_of(parse_recipe(text, "mine.yaml"), folder)
    tracker.recorded(RECORD)
    tracker.close(finished=finished)


def test_a_run_resumed_goes_on_online_and_is_another_of_its_group_offline(
    tmp_path: Path, wandb: SimpleNamespace
) -> None:
    """Of two offline starts under one id the later one sent takes the place of the other, whatever `resume` says."""
    begun = []
    for mode, folder in (("online", "a"), ("online", "a"), ("online", "b"), ("offline", "a"), ("offline", "b")):
        told_of(f"tracking: {{tensorboard: false, wandb: {{mode: {mode}}}}}", tmp_path / folder, finished=folder == "b")
        begun.append([wandb.begun[name] for name in ("id", "resume", "group")])
        assert wandb.exit_code == (0 if folder == "b" else 1)
    ours, again, elsewhere, offline, offline_elsewhere = begun
    assert ours == again == [ours[0], "allow", None]
    assert elsewhere[0] != ours[0]  # the same recipe in another directory
    assert offline == [None, None, f"run-{ours[0]}"] and offline_elsewhere[2] != offline[2]


def test_a_run_of_an_earlier_version_keeps_its_id(tmp_path: Path, wandb: SimpleNamespace) -> None:
    recipe = parse_recipe("tracking: {tensorboard: false, wandb: {}}", "mine.yaml")
    (tmp_path / "rounds.jsonl").touch()
    tracker_of(recipe, tmp_path).close()
    assert wandb.begun["id"] == stable_id(recipe.name, recipe.fingerprint())


class Client:
    """MLflow's client, whose runs outlive it."""

    runs: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id="1")

    def search_runs(self, experiments: list[str], filter_string: str, max_results: int) -> list[Any]:
        wanted = filter_string.split("'")[1]
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=id)) for id, run in self.runs.items() if run["tag"] == wanted
        ]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        id = f"run-{len(self.runs)}"
        self.runs[id] = {"tag": tags["tailor.run"], "metrics": [], "params": {}, "state": "RUNNING"}
        return SimpleNamespace(info=SimpleNamespace(run_id=id))

    def update_run(self, id: str, status: str) -> None:
        self.runs[id]["state"] = status

    def log_param(self, id: str, name: str, value: str) -> None:
        self.runs[id]["params"][name] = value

    def log_batch(self, id: str, metrics: list[tuple[str, float, int, int]]) -> None:
        self.runs[id]["metrics"] += [(name, value, step) for name, value, _, step in metrics]

    def set_terminated(self, id: str, status: str) -> None:
        self.runs[id]["state"] = status


def test_mlflow_goes_on_with_the_run_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Client.runs = {}
    module, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    module.MlflowClient = Client  # type: ignore[attr-defined]
    entities.Metric = lambda name, value, time, step: (name, value, time, step)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    text = "tracking: {tensorboard: false, mlflow: {uri: 'http://mlflow:5000'}}"
    told_of(text, tmp_path / "a", finished=False)
    (run,) = Client.runs.values()
    assert run["state"] == "FAILED"
    told_of(text, tmp_path / "a")
    (run,) = Client.runs.values()
    assert run["metrics"] == [("evaluate/test_accuracy", 0.5, 2), ("evaluate/seconds", 6.0, 2)] * 2
    assert run["params"]["student.model"] == "embedded" and run["state"] == "FINISHED"
    told_of(text, tmp_path / "b")
    assert len(Client.runs) == 2
