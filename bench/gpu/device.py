"""The device that is measured: its peak, its clock, its memory.

Owns: published peaks, and the workers of `torchrun`.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any

import torch

# Dense bfloat16 operations a second, from the makers' data sheets, by a part of torch's name of the device.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
}
OUT_OF_MEMORY = (torch.OutOfMemoryError,)


@dataclass(frozen=True, slots=True)
class Device:
    """One worker's device. `peak`: operations a second, None where nothing is published of it."""

    device: torch.device
    name: str
    peak: float | None
    rank: int
    world_size: int

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def say(self, line: str) -> None:
        """Prints for all workers, at once: a run that is cut off has shown what it had."""
        if self.rank == 0:
            print(line, flush=True)

    def clock(self) -> float:
        """Seconds, when all that was asked of the device is done."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def forget_peak(self) -> None:
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_memory(self) -> str:
        if not self.on_gpu:
            return "memory not known on a CPU"
        return f"peak {torch.cuda.max_memory_allocated(self.device) / 2**30:.1f} GiB"

    def together(self, number: float) -> float:
        """The largest of all workers' numbers, so that they stop at the same step."""
        if self.world_size == 1:
            return number
        most: Any = torch.tensor(number, device=self.device)
        torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
        return float(most)


def this_device(kind: str) -> Device:
    """Of a plain process, or of one that `torchrun` started."""
    rank, local, size = (int(os.environ.get(name, default)) for name, default in
                         (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 1)))  # fmt: skip
    device = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(device)
    if size > 1:
        torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    name = torch.cuda.get_device_name(device) if kind == "cuda" else "CPU"
    peak = next((peak for part, peak in PEAKS.items() if part in name), None)
    return Device(device, name, peak, rank, size)


def left(device: Device) -> None:
    """Ends what `this_device` began."""
    with contextlib.suppress(ValueError, AssertionError):
        if device.world_size > 1:
            torch.distributed.destroy_process_group()
