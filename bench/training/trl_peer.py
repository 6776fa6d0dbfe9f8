"""TRL's `SFTTrainer` with packing, on the language-model loss alone: the same student, examples, optimizer and rate.

TRL is no dependency of the project; where it is missing, `WHERE_TO_GET_IT` says how it is had beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from bench.training.workload import LEARNING_RATE, MAX_GRAD_NORM, WEIGHT_DECAY, Workload, make_student
from reasoning.training.samples import Sample

WHERE_TO_GET_IT = (
    "TRL is not installed. Beside the project, for this measurement alone: `uv pip install --target /tmp/trl --no-deps "
    "trl==1.16.0 accelerate==1.15.0`, then `PYTHONPATH=.:/tmp/trl python -m bench.training ...`"
)
WARM_UP = 2  # steps


def has_trl() -> bool:
    return importlib.util.find_spec("trl") is not None


def trl_tokens_per_second(load: Workload, batches: Sequence[tuple[Sample, ...]], seconds: float) -> float:
    """Tokens of prompts and anchors a second, over `seconds` after a few steps.

    A step learns one packed row (bfd) of as many tokens as our batches have on average. What the trainer measures
    beside the loss (entropy, accuracy) is part of what it does, and is counted."""
    from datasets import Dataset, disable_progress_bars
    from transformers import TrainerCallback

    trl = importlib.import_module("trl")
    disable_progress_bars()

    student = make_student(load)
    samples = [sample for batch in batches for sample in batch]
    row = round(sum(sample.length for sample in samples) / len(batches))
    timed: list[tuple[float, int]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            timed.append((time.perf_counter(), trainer._total_train_tokens))
            if len(timed) > WARM_UP and timed[-1][0] - timed[WARM_UP - 1][0] > seconds:
                control.should_training_stop = True

    with tempfile.TemporaryDirectory() as folder:
        config = trl.SFTConfig(
            output_dir=folder, packing=True, max_length=row, per_device_train_batch_size=1, num_train_epochs=1_000,
            learning_rate=LEARNING_RATE, lr_scheduler_type="constant", weight_decay=WEIGHT_DECAY,
            max_grad_norm=MAX_GRAD_NORM, optim="adamw_torch_fused", gradient_checkpointing=False,
            bf16=load.dtype == "bfloat16", use_cpu=load.device.type == "cpu", save_strategy="no", report_to="none",
            logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = trl.SFTTrainer(
            model=student.model,
            args=config,
            train_dataset=Dataset.from_list([{"input_ids": [*s.prompt, *s.anchor]} for s in samples]),
            processing_class=student.tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    (started, before), (ended, after) = timed[WARM_UP - 1], timed[-1]
    return (after - before) / (ended - started)
