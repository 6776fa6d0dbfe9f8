"""The states of a training under way, in Ray Train's hands: when one is kept, and which one is gone on with.

Owns: these decisions. What is in a state, and that any number of workers reads it, is
`reasoning.training.distributed.state`'s.

Invariants
- A training waits for a state that is being written only when the next one is due, or when it is done.
- Ray Train knows of a state once all workers have written and moved their parts; before that the last one counts.

torch stays in Ray Train's workers: importing this module is light.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from actors.ray_api.internals import checkpoint_storage
from actors.ray_api.nodes import this_node_leaves
from actors.training.ranks import from_all

if TYPE_CHECKING:
    import ray.train

    from reasoning.training.distributed.state import Saving
    from reasoning.training.fine_tuning import FineTuning

STATE_FILE = "state.pt"  # an earlier version's
LEAVING_LOOK_S = 5.0


class StatesInRay:
    """The states of a training as Ray Train's checkpoints: all workers write one together while they go on, and Ray
    moves their parts to its storage. One at a time is under way."""

    def __init__(self) -> None:
        self._saving: Saving | None = None

    def save(self, run: FineTuning) -> None:
        import ray.train

        self.wait()
        folder = mkdtemp(prefix="tailor-state-")
        saving = self._saving = run.begin_save(Path(folder))
        storage = checkpoint_storage()

        def upload(checkpoint: ray.train.Checkpoint, name: str) -> ray.train.Checkpoint:
            saving.finish()
            moved: ray.train.Checkpoint = storage.persist_current_checkpoint(checkpoint, name)
            return moved

        ray.train.report(
            {"passes": run.passes, "steps": run.steps_of_pass},
            checkpoint=ray.train.Checkpoint.from_directory(folder),
            checkpoint_upload_mode=ray.train.CheckpointUploadMode.ASYNC,
            checkpoint_upload_fn=upload,
        )

    def wait(self) -> None:
        """Until nothing is being written. (Ray waits for what is being moved before a worker ends.)"""
        if self._saving is not None:
            self._saving.wait()

    @contextmanager
    def last(self, unsaved: Path) -> Iterator[Path | None]:
        """Where the state to go on from is: `unsaved`, where every worker sees it, or Ray's last checkpoint."""
        import ray.train

        from reasoning.training.distributed.state import PROGRESS_FILE

        if not any(from_all(not (unsaved / PROGRESS_FILE).is_file())):
            yield unsaved
        elif (checkpoint := ray.train.get_checkpoint()) is None:
            yield None
        else:
            with checkpoint.as_directory() as folder:
                file = Path(folder) / STATE_FILE
                yield file if file.is_file() else Path(folder)


class CheckpointDue:
    """Says when a checkpoint between two passes is worth its time: every so many seconds, and once when this worker's
    node is about to leave (`ray drain-node`, a notice of preemption)."""

    def __init__(
        self,
        rank: int,
        every_s: float,
        leaving: Callable[[], bool] = this_node_leaves,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rank, self._every_s, self._leaving, self._clock = rank, every_s, leaving, clock
        self._saved = self._looked = clock()
        self._told = False

    def __call__(self) -> bool:
        now = self._clock()
        if self._rank == 0 and now - self._saved > self._every_s:
            self._saved = now
            return True
        if self._told or now - self._looked < LEAVING_LOOK_S:
            return False
        self._looked = now
        self._told = self._leaving()
        return self._told
