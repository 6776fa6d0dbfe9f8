"""TensorBoard's event files in a run's folder, written by tensorboardX (`tensorboard --logdir runs`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from actors.watching.tracking.sink import Axis

FOLDER = "tensorboard"


class EventFiles:
    """A sink into `folder`; each start of a run writes a file of its own there."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), max_queue=100, flush_secs=10)

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        if axis is Axis.ROUND:
            self._writer.flush()  # a finished phase is there when its line is

    def close(self) -> None:
        self._writer.close()
