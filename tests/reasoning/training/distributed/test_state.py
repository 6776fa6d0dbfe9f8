"""What is kept of a training goes on as if it had never stopped, whoever wrote it and whoever reads it."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from reasoning.recipe.training import LoraSection, TrainingSection
from reasoning.student.checkpoint import Student
from reasoning.training.distributed.state import PROGRESS_FILE, Progress
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.report import LossPoint, TrainingError
from tests.reasoning.training.test_fine_tuning import OBJECTIVE, _examples, _Killed, _teach, _training, _weights
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training

CUT_AT = 4  # of six steps
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lora": {"lora": LoraSection(rank=4), "learning_rate": 1e-2},
    "bfloat16": {"precision": "bfloat16"},
}


def _cut(student: Student, training: TrainingSection, folder: Path, **ranks: int) -> None:
    """Trains to step `CUT_AT`, keeps the state while it goes on, and is killed a step later."""
    saving: list[Any] = []
    asked = itertools.count(1)

    def due() -> bool:
        turn = next(asked)
        if turn == CUT_AT:
            saving[0].finish()
            raise _Killed
        return turn == CUT_AT - 1  # no step of a pass's end asks

    with pytest.raises(_Killed):
        _teach(student, training, due=due, on_due=lambda run: saving.append(run.begin_save(folder)), **ranks)


def test_progress_survives_its_file() -> None:
    point = LossPoint(0, 0, 0.1 + 0.2, None, 1e-17, 1e-3, 3.5, 6)
    progress = Progress("x", 1, 2, 3, [point], [torch.get_rng_state()])
    found = Progress.from_json(progress.to_json())
    assert (found.identity, found.passes, found.steps_of_pass, found.tokens, found.points) == ("x", 1, 2, 3, [point])
    assert torch.equal(found.random_states[0], torch.get_rng_state())


@pytest.mark.parametrize("way", WAYS)
def test_a_state_is_that_of_the_step_at_which_it_was_begun(way: str, tmp_path: Path) -> None:
    """And nothing in it is unpickled."""
    training = _training(**WAYS[way])
    whole, cut, fresh = (tiny_student() for _ in range(3))
    _teach(whole, training)
    _cut(cut, training, tmp_path / "state")
    _teach(fresh, training, resume=tmp_path / "state")
    assert torch.equal(_weights(fresh), _weights(whole))
    assert {file.suffix for file in (tmp_path / "state").iterdir()} == {".json", ".safetensors"}


def test_a_state_of_an_earlier_version_is_gone_on_with(tmp_path: Path) -> None:
    whole, fresh = tiny_student(), tiny_student()

    def keep(run: FineTuning) -> None:
        if run.passes == 1:
            points = [tuple(asdict(point).values()) for point in run.points]
            kept = {"identity": run.identity, "passes": 1, "tokens": 7, "points": points}
            kept |= {"model": run.model.state_dict(), "optimizer": run.optimizer.state_dict()}
            torch.save(kept, tmp_path / "state.pt")

    _teach(whole, _training(), on_pass=keep)
    report = _teach(fresh, _training(), resume=tmp_path / "state.pt")
    assert torch.equal(_weights(fresh), _weights(whole))
    assert report.steps == 6
    with pytest.raises(TrainingError, match="the state of another training"):
        _teach(tiny_student(), _training(batch_size=3), resume=tmp_path / "state.pt")


def _worker(rank: int, world_size: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    ranks: dict[str, Any] = {"rank": rank, "world_size": world_size, "dtype": "float32"}
    for way, changes in WAYS.items():
        for sharding in ("none", "fsdp"):
            _cut(tiny_student(), _training(**changes, sharding=sharding), Path(folder) / f"{way}-{sharding}", **ranks)
        for by, sharding in (("alone", "fsdp"), ("alone", "none"), ("none", "fsdp"), ("fsdp", "none")):
            student, training = tiny_student(), _training(**changes, sharding=sharding)
            run = FineTuning(student.model, student.tokenizer, _examples(6), training, OBJECTIVE, 3, **ranks)
            run.load(Path(folder) / f"{way}-{by}")
            while run.passes < training.epochs:
                run.learn_pass(run.passes, None)
            weights = [
                getattr(p, "full_tensor", lambda p=p: p)().detach().flatten() for p in student.model.parameters()
            ]
            torch.save(torch.cat(weights), f"{folder}/{way}-{by}-{sharding}-{rank}.pt")
    torch.distributed.destroy_process_group()


def test_what_any_number_of_workers_wrote_any_number_reads(tmp_path: Path) -> None:
    """One writes and two read, two write and one reads, divided or not. Twenty seconds: two processes import torch and
    transformers."""
    for way, changes in WAYS.items():
        _cut(tiny_student(), _training(**changes), tmp_path / f"{way}-alone", rank=0, world_size=1)
    torch.multiprocessing.spawn(_worker, args=(2, str(tmp_path)), nprocs=2)
    for way, changes in WAYS.items():
        whole = tiny_student()
        expected = _teach(whole, _training(**changes), dtype="float32")
        tolerance = 2e-2 if way == "bfloat16" else 1e-4
        for by in ("none", "fsdp"):
            alone = tiny_student()
            report = _teach(alone, _training(**changes), dtype="float32", resume=tmp_path / f"{way}-{by}")
            torch.testing.assert_close(_weights(alone), _weights(whole), rtol=0, atol=tolerance)
            assert [point.step for point in report.losses] == list(range(expected.steps))
        for file in tmp_path.glob(f"{way}-*.pt"):
            torch.testing.assert_close(torch.load(file), _weights(whole), rtol=0, atol=tolerance)
    assert len(list(tmp_path.glob("*-1.pt"))) == 4 * len(WAYS)


def test_a_folder_that_is_no_whole_state_is_told(tmp_path: Path) -> None:
    _cut(tiny_student(), _training(), tmp_path / "state")
    content = json.loads((tmp_path / "state" / PROGRESS_FILE).read_text(encoding="utf-8"))
    assert content["steps_of_pass"] == 1
    with pytest.raises(TrainingError, match="the state of another training"):
        _teach(tiny_student(), _training(), count=5, resume=tmp_path / "state")
    (part,) = (tmp_path / "state").glob("*.safetensors")
    for file in (part, tmp_path / "state" / PROGRESS_FILE):  # as a lost machine leaves them
        for length in (0, file.stat().st_size // 2):
            whole = file.read_bytes()
            file.write_bytes(whole[:length])
            with pytest.raises(TrainingError, match=r"state: this state cannot be read .*cut off.* Remove that folder"):
                _teach(tiny_student(), _training(), resume=tmp_path / "state")
            file.write_bytes(whole)
    (tmp_path / "state" / PROGRESS_FILE).unlink()
    with pytest.raises(TrainingError, match=r"state: no state of a training is there"):
        _teach(tiny_student(), _training(), resume=tmp_path / "state")
