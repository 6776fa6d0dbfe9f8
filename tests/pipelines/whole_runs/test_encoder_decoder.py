"""An encoder-decoder goes through the whole loop: taught, sampled by `transformers`, examined, and not served."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from pipelines.serving.command import ServeOptions, serve_run
from reasoning.files.tables import read_table
from reasoning.records import Attempt
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import phases_of
from tests.pipelines.whole_runs.micro_run import start_run, write_recipe


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_t5_learns_from_one_command(tmp_path: Path) -> None:
    """About 90 s on two cores, most of it Ray Train's starts: the only run in which the second back end meets
    the trainer, its probes and the coordinator. (A random T5 answers no question; what it learns shows in its loss.)"""
    import torch

    from reasoning.student.checkpoint import load_student, save_student
    from tests.tiny_t5 import tiny_t5_student

    untaught = tiny_t5_student(seed=0, tied=False)
    save_student(untaught.model, untaught.tokenizer, tmp_path / "t5")
    recipe = write_recipe(tmp_path)
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("student: {", f"student: {{model: '{tmp_path / 't5'}', "), encoding="utf-8")
    process = start_run(recipe, tmp_path / "runs", tmp_path / "run.log")
    assert process.wait(800) == 0, (tmp_path / "run.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    directory = RunDirectory(tmp_path / "runs" / "micro")
    finished = directory.finished()
    assert [(r.round, r.phase) for r in finished] == [(i, phase) for i in (0, 1) for phase in phases_of(i)]
    assert len(read_table(directory.round(1).exam, Attempt)) == 24
    losses = [r.metrics for r in finished if "lm_loss_last" in r.metrics]
    assert float(losses[1]["lm_loss_last"]) < float(losses[0]["lm_loss_first"])
    taught = load_student(str(directory.round(1).student))
    assert taught.is_encoder_decoder
    assert not torch.equal(taught.model.get_output_embeddings().weight, untaught.model.get_output_embeddings().weight)
    with pytest.raises(RunDirectoryError, match="encoder-decoder, which vLLM does not serve"):
        serve_run([directory.path], None, ServeOptions(gpus=0.0), None, None, Console())
