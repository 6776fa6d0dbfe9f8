"""The training step on one GPU, or several, without Ray and vLLM: right, fast, and how large a student fits.

    python -m bench.gpu --minutes 8
    torchrun --nproc-per-node 4 -m bench.gpu --minutes 8
    python -m bench.gpu --device cpu --tiny            # a rehearsal

Owns: the order, which is that of what one wants to know first. Every line is printed as soon as it is known, and no
part is begun for which no time is left, so that a run that is cut off has shown the most. It needs `torch`,
`transformers`, `peft` and `pydantic`, and TRL for its part, on Python 3.11 or 3.12.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
import transformers

from bench.gpu.device import OUT_OF_MEMORY, Device, left, this_device
from bench.gpu.measures import Dtype, deviation, speed, trl_speed
from bench.gpu.shapes import LLAMA_8B, QWEN_05B, QWEN_15B, TINY, Shape
from bench.refusals import amount, amount_or_none
from bench.training.trl_peer import WHERE_TO_GET_IT, has_trl
from bench.training.workload import MODES
from reasoning.recipe.training import LoraSection, ObjectiveSection, TrainingSection

CHECKED = Shape("checked", 2, 256, 512, 4, 2, 2_000, tied=True)
PART_S = 40.0  # that a part may take, at the most, with what it has to load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=amount_or_none, default=8.0, help="no part is begun after them")
    there = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if there else "cpu", choices=["cpu", "cuda"])
    parser.add_argument("--tiny", action="store_true", help="tiny students and short texts: the same lines in seconds")
    parser.add_argument(
        "--seconds", type=amount, default=None, help="of each measurement; default: 10, or 0.1 (--tiny)"
    )
    asked = parser.parse_args()
    if asked.device == "cuda" and not there:
        parser.error("--device cuda: there is no GPU that torch can use")
    until = time.monotonic() + 60 * asked.minutes
    device = this_device(asked.device)
    device.say(
        f"{device.name}, {device.world_size} worker(s), torch {torch.__version__}, transformers "
        f"{transformers.__version__}, Python {platform.python_version()}"
    )
    seconds = asked.seconds if asked.seconds is not None else (0.1 if asked.tiny else 10.0)
    try:
        for title, part in parts(device, seconds, tiny=asked.tiny):
            room = 0.0 if asked.tiny else PART_S
            if device.together(time.monotonic() + room) > until:
                device.say(f"no time left for: {title}")
                continue
            device.forget_peak()
            try:
                device.say(f"{title:58s} {part()}")
            except OUT_OF_MEMORY:
                device.say(f"{title:58s} does not fit: out of memory")
    finally:
        left(device)


def parts(device: Device, seconds: float, *, tiny: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    """Each measurement, its name and how it is made, in their order."""
    shorter, questions = (8, 8) if tiny else (1, 64)
    formats: list[Dtype] = ["float32", "bfloat16"]
    for dtype in formats if device.world_size == 1 else []:
        for mode in MODES:
            yield f"{dtype}, {mode}", partial(_right, mode, device, dtype, shorter)
    for shape in (TINY, TINY) if tiny else (QWEN_05B, QWEN_15B):
        for name, objective in (("language model", MODES["language model"]), ("with triplets", MODES["both losses"])):
            for precision, held in (("bfloat16", "bfloat16"), ("float32", "float32, bfloat16 passes")):
                training = TrainingSection.model_validate(
                    {"batch_size": questions, "max_tokens": 1024, "precision": precision}
                )
                made = partial(_fast, shape, training, objective, device, seconds, shorter)
                yield f"{shape.name}, full, {held}, {name}", made
        yield f"{shape.name}, full, TRL with packing, language model", partial(_peer, shape, device, seconds, shorter)
    large = TINY if tiny else LLAMA_8B
    lora = {"lora": LoraSection(rank=16), "precision": "bfloat16"}
    for title, keys in (
        ("LoRA", lora),
        ("LoRA, gradient checkpointing", {**lora, "gradient_checkpointing": True}),
        ("full, gradient checkpointing", {"precision": "bfloat16", "gradient_checkpointing": True}),
    ):
        training = TrainingSection.model_validate({"batch_size": questions // 4, "max_tokens": 1024, **keys})
        yield (
            f"{large.name}, {title}, language model",
            partial(_fast, large, training, MODES["language model"], device, seconds, shorter),
        )


def _right(mode: str, device: Device, dtype: Dtype, shorter: int) -> str:
    loss, gradient = deviation(mode, CHECKED, device, dtype, shorter)
    bound = 1e-4 if dtype == "float32" else 5e-2
    verdict = "as the plain one" if max(loss, gradient) < bound else "NOT AS THE PLAIN ONE"
    return f"loss off by {loss:.1e}, gradients by {gradient:.1e} of their size: {verdict}"


def _fast(
    shape: Shape, training: TrainingSection, objective: ObjectiveSection, device: Device, seconds: float, shorter: int
) -> str:
    found = speed(shape, training, objective, device, seconds, shorter)
    return f"{found.shown(device)}   {device.peak_memory()}"


def _peer(shape: Shape, device: Device, seconds: float, shorter: int) -> str:
    if not has_trl():
        return f"not measured: {WHERE_TO_GET_IT}"
    found = trl_speed(shape, device, seconds, shorter)
    return f"{found.shown(device)}   {device.peak_memory()}"


if __name__ == "__main__":
    main()
