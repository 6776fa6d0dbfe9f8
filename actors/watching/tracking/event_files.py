"""TensorBoard's event files in a run's folder, written by tensorboardX (`tensorboard --logdir runs`).

Invariant: what cannot be written (a full disk) is an error of the call. (`SummaryWriter` writes in a thread of its own,
whose end nobody hears of: the caller then waits for ever.)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from actors.watching.tracking.sink import Axis

FOLDER = "tensorboard"
_FLUSH_S = 10.0


class EventFiles:
    """A sink into `folder`; each start of a run writes a file of its own there."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX.event_file_writer import EventsWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"))
        self._flushed = 0.0

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        told = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._writer.write_event(Event(wall_time=time.time(), step=step, summary=told))
        # A finished phase is there when its line is.
        if axis is Axis.ROUND or time.monotonic() - self._flushed > _FLUSH_S:
            self._writer.flush()
            self._flushed = time.monotonic()

    def close(self, *, finished: bool = True) -> None:
        self._writer.close()
