"""Which student can take the place of the one that is served. (That none fails meanwhile: `tests/serve`.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import Refused
from pipelines.serving.deployed import Served
from pipelines.serving.graduate import graduate_of, serving_of, version_of
from pipelines.serving.proof import check_place
from reasoning.rounds.directory import RunDirectory
from tests.pipelines.serving.test_graduate import finished_run


def served(directory: RunDirectory, round: int = 0) -> Served:
    serving = serving_of(directory, graduate_of(directory, round))
    return Served("student-mine", serving, serving.weights())


def test_another_round_of_the_run_can_take_the_place(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    check_place(served(directory), directory, graduate_of(directory, 1))


def test_another_model_cannot(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    config = directory.round(1).student / "config.json"
    config.write_text(json.dumps({"model_type": "llama", "hidden_size": 7}), encoding="utf-8")
    with pytest.raises(Refused, match=r"another model than the one served \(hidden_size differ\); serve it beside"):
        check_place(served(directory), directory, graduate_of(directory, 1))


def test_a_mixture_of_experts_cannot_on_a_cpu(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    for round in (0, 1):
        config = directory.round(round).student / "config.json"
        config.write_text(json.dumps({"model_type": "mixtral", "num_local_experts": 4}), encoding="utf-8")
    with pytest.raises(Refused, match="a mixture of experts cannot be taken on in place; serve it beside"):
        check_place(served(directory), directory, graduate_of(directory, 1))


def test_a_student_that_is_asked_otherwise_cannot(tmp_path: Path) -> None:
    directory, other = finished_run(tmp_path), finished_run(tmp_path / "other")
    changed = other
    serving = served(directory).serving.model_copy(update={"frame": None})
    with pytest.raises(Refused, match="asked in another form than the one served"):
        check_place(Served("student-mine", serving, serving.weights()), changed, graduate_of(changed, 1))


def test_weights_are_named_by_run_round_and_files(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    before = version_of(graduate_of(directory, 1))
    assert before.startswith("mine/round-001/") and before != version_of(graduate_of(directory, 0))
    (directory.round(1).student / "model.safetensors").write_bytes(b"x")
    assert version_of(graduate_of(directory, 1)) != before
