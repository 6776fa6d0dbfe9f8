"""TRL's `SFTTrainer` with packing, on the same model, texts and optimizer: the peer of the language-model loss.

Owns: how it is set up, and what is counted. Where TRL is not installed, that is said.
"""

from __future__ import annotations

import importlib.util
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench.gpu.device import Device
from bench.gpu.measures import Speed
from bench.gpu.shapes import Shape, make_examples, make_model, make_tokenizer

PACKED = 2_048  # tokens of a row
ROWS = 8


def why_not() -> str:
    """Why TRL cannot be measured here; "" where it can."""
    missing = [name for name in ("trl", "accelerate", "datasets") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else ""


def trl_speed(shape: Shape, device: Device, seconds: float, shorter: int) -> Speed:
    """Its training loop, on rows that it packs itself, after two steps that warm up."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    tokenizer = make_tokenizer()
    texts = [f"{one.prompt}{one.positives[0]}" for one in make_examples(2_000 // shorter, shorter=shorter)]
    rows = [{"input_ids": [*tokenizer(text).input_ids, 0]} for text in texts]
    usual = [len(row["input_ids"]) for row in rows]

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.started = self.took = 0.0
            self.steps = 0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 2:
                self.started = device.clock()
            elif state.global_step > 2:
                self.took, self.steps = device.clock() - self.started, state.global_step - 2
                control.should_training_stop = device.together(self.took) > seconds

    clock, row_tokens = Clock(), PACKED // shorter
    with TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder, max_steps=100_000, per_device_train_batch_size=ROWS, packing=True, max_length=row_tokens,
            learning_rate=1e-5, bf16=device.on_gpu, use_cpu=not device.on_gpu, optim="adamw_torch_fused",
            gradient_checkpointing=False, report_to=[], save_strategy="no", logging_steps=10**6, disable_tqdm=True,
        )  # fmt: skip
        dtype = torch.bfloat16 if device.on_gpu else torch.float32
        trainer = SFTTrainer(
            model=make_model(shape, device.device, dtype), args=settings, train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer, callbacks=[clock],
        )  # fmt: skip
        packed: list[int] = [len(one) for one in trainer.train_dataset["input_ids"]]
        trainer.train()
    tokens = clock.steps * ROWS * device.world_size * sum(packed) / len(packed)
    operations = shape.operations(usual) / sum(usual) * tokens
    return Speed(tokens / clock.took, operations / clock.took)
