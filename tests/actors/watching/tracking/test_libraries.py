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
from reasoning.rounds.phase_order import Phase, PhaseRecord

RECORD = PhaseRecord(2, Phase.EVALUATE, 6.0, {"test_accuracy": 0.5})


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    seen = SimpleNamespace(begun={}, logged=[], axes=[], finished=False)

    class Run:
        def define_metric(self, name: str, step_metric: str | None = None) -> None:
            seen.axes.append((name, step_metric))

        def log(self, values: dict[str, float]) -> None:
            seen.logged.append(values)

        def finish(self) -> None:
            seen.finished = True

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
    assert wandb.logged == [{"evaluate/test_accuracy": 0.5, "evaluate/seconds": 6.0, "round": 2}] and wandb.finished
    begun = wandb.begun
    assert (begun["project"], begun["entity"], begun["mode"], begun["resume"]) == ("p", "e", "offline", "allow")
    assert begun["name"] == "mine" and begun["dir"] == str(tmp_path)
    assert {"disable_code", "disable_git", "x_disable_meta"} <= {key for key, on in begun["settings"].items() if on}
    assert ("steps/*", "training_step") in wandb.axes and ("*", "round") in wandb.axes


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

    def set_terminated(self, id: str) -> None:
        self.runs[id]["state"] = "FINISHED"


def test_mlflow_goes_on_with_the_run_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Client.runs = {}
    module, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    module.MlflowClient = Client  # type: ignore[attr-defined]
    entities.Metric = lambda name, value, time, step: (name, value, time, step)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    recipe = parse_recipe("tracking: {tensorboard: false, mlflow: {uri: 'http://mlflow:5000'}}", "mine.yaml")
    for _ in range(2):
        tracker = tracker_of(recipe, tmp_path)
        tracker.recorded(RECORD)
        tracker.close()
    (run,) = Client.runs.values()
    assert run["metrics"] == [("evaluate/test_accuracy", 0.5, 2), ("evaluate/seconds", 6.0, 2)] * 2
    assert run["params"]["student.model"] == "embedded" and run["state"] == "FINISHED"
