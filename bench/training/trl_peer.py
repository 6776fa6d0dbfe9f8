"""TRL's `SFTTrainer` with packing, on the language-model loss alone: the same student, texts, optimizer and rate.

Owns: how it is set up, and what is counted. TRL is no dependency of the project; where it is missing, `WHERE_TO_GET_IT`
says how it is had beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.training.workload import LEARNING_RATE, MAX_GRAD_NORM, WEIGHT_DECAY
from reasoning.training.samples import TokenIds

WHERE_TO_GET_IT = (
    "TRL is not installed. Beside the project, for this measurement alone: `uv pip install --target /tmp/trl --no-deps "
    "trl==1.16.0 accelerate==1.15.0`, then `PYTHONPATH=.:/tmp/trl python -m bench.training ...`"
)
WARM_UP = 2  # steps


def has_trl() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("trl", "accelerate", "datasets"))


def trl_tokens_per_second(
    model: Any,
    tokenizer: Any,
    texts: Sequence[TokenIds],
    seconds: float,
    *,
    row: int,
    rows: int = 1,
    bfloat16: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    together: Callable[[float], float] = float,
) -> float:
    """Tokens of `texts` a second, of all workers, over `seconds` after a few steps.

    A step of a worker learns `rows` packed rows (bfd) of at most `row` tokens each. What the trainer measures beside
    the loss (entropy, accuracy) is part of what it does, and is counted. `clock` waits for the device; `together` is
    the largest of all workers' numbers."""
    from datasets import Dataset, disable_progress_bars
    from transformers import TrainerCallback

    trl = importlib.import_module("trl")
    disable_progress_bars()
    timed: list[tuple[float, int]] = []  # a clock, and the tokens so far, after each step

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            timed.append((clock(), int(state.num_input_tokens_seen)))
            if len(timed) > WARM_UP:
                control.should_training_stop = together(timed[-1][0] - timed[WARM_UP - 1][0]) > seconds

    with tempfile.TemporaryDirectory() as folder:
        config = trl.SFTConfig(
            output_dir=folder, packing=True, max_length=row, per_device_train_batch_size=rows, num_train_epochs=1_000,
            learning_rate=LEARNING_RATE, lr_scheduler_type="constant", weight_decay=WEIGHT_DECAY,
            max_grad_norm=MAX_GRAD_NORM, optim="adamw_torch_fused", gradient_checkpointing=False, bf16=bfloat16,
            use_cpu=next(model.parameters()).device.type == "cpu", include_num_input_tokens_seen="all",
            save_strategy="no", report_to="none", logging_strategy="no", disable_tqdm=True,
            dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = trl.SFTTrainer(
            model=model,
            args=config,
            train_dataset=Dataset.from_list([{"input_ids": list(text)} for text in texts]),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    (started, before), (ended, after) = timed[WARM_UP - 1], timed[-1]
    return (after - before) / (ended - started)
