"""The student sampler on `transformers`: for students that vLLM does not sample, encoder-decoders first of all.

Owns: the loaded student, the requests that wait for it, and the thread that answers them. Versions and swaps are
`actors.sampler.replica`'s; tokens are `reasoning.student.generation`'s.

Invariants
- Requests that come within a few milliseconds of each other are answered together, and those that come while a batch is
  made are sorted into the next ones: the batch with the oldest request goes first.
- The student is touched by one thread only, so the actor's event loop goes on while it computes.
- A new student is read from its checkpoint's files, whole; nothing of the one before is left.
- The probe proves that this process computes with the checkpoint's weights, in padded batches as answers are made. Its
  reference comes from `transformers` too (one prompt at a time, in another process): unlike with vLLM, a fault of the
  library itself would be on both sides.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from actors.sampler.replica import SamplerReplica
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, Sampling

if TYPE_CHECKING:
    import torch

    from reasoning.student.decoding import SampleRow
    from reasoning.student.generation import Generator

GATHER_S = 0.005  # how long a request that comes to an idle sampler waits for company
AT_ONCE = 1024  # more than any batch: the more wait, the more alike are the lengths of those that are answered together

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One completion that a caller waits for."""

    row: SampleRow
    future: asyncio.Future[Completion]


class TransformersSampler(SamplerReplica):
    """One replica on `transformers`, on the CPU or on one GPU."""

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self._generator: Generator | None = None
        self._waiting: list[_Waiting] = []  # oldest first
        self._arrived = asyncio.Event()
        self._thread: ThreadPoolExecutor | None = None
        self._worker: asyncio.Task[None] | None = None

    async def _start(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="student")
        await self._in_thread(_import_libraries)
        self._worker = asyncio.create_task(self._work())

    def _at_once(self) -> int:
        return AT_ONCE

    async def _load(self, version: str, checkpoint: str) -> None:
        self._generator = None  # first: two students may not fit the memory
        self._generator = await self._in_thread(_load_generator, checkpoint, self._settings)

    async def _prove(self, probe: Probe) -> ProbeReport:
        assert self._generator is not None
        return await self._in_thread(self._generator.prove, probe)

    async def _complete(self, prompt: str, sampling: Sampling) -> list[Completion]:
        from reasoning.student.decoding import rows_of

        assert self._generator is not None
        loop = asyncio.get_running_loop()
        asked = [_Waiting(row, loop.create_future()) for row in rows_of([self._generator.request(prompt, sampling)])]
        self._waiting += asked
        self._arrived.set()
        return list(await asyncio.gather(*(one.future for one in asked)))

    async def _stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        for one in self._waiting:
            one.future.cancel()
        self._waiting, self._generator = [], None

    def _is_death(self, error: Exception) -> bool:
        import torch

        return isinstance(error, torch.AcceleratorError)  # after which every call of this process to the GPU fails

    async def _work(self) -> None:
        """Answers whatever waits, batch by batch."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GATHER_S)
            while batch := self._next_batch():
                await self._answer(batch)
            self._arrived.clear()

    def _next_batch(self) -> list[_Waiting]:
        """The batch that the request which waited longest is in, taken off the list; [] when none is waiting."""
        from reasoning.student.generation import batches

        self._waiting = [one for one in self._waiting if not one.future.done()]  # done: its asker is gone
        if not self._waiting:
            return []
        assert self._generator is not None
        groups = batches([one.row for one in self._waiting], self._generator.tokens_at_once)
        taken = next(group for group in groups if 0 in group)
        batch = [self._waiting[index] for index in taken]
        left = sorted(set(range(len(self._waiting))) - set(taken))
        self._waiting = [self._waiting[index] for index in left]
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        assert self._generator is not None
        made = asyncio.ensure_future(self._in_thread(self._generator.generate, [one.row for one in batch]))
        await asyncio.wait([made])
        error = made.exception()
        for index, one in enumerate(batch):
            if one.future.done():
                continue
            if error is None:
                one.future.set_result(made.result()[index])
            else:
                one.future.set_exception(error)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def _import_libraries() -> None:
    """Seconds, while the actor's event loop goes on."""
    import transformers
    from transformers.utils.logging import disable_progress_bar

    import reasoning.student.generation  # noqa: F401

    disable_progress_bar()
    transformers.logging.set_verbosity_error()


def _load_generator(checkpoint: str, settings: EngineSettings) -> Generator:
    import torch

    from reasoning.student.checkpoint import load_student
    from reasoning.student.generation import Generator

    gc.collect()
    device = torch.device("cuda" if settings.gpus else "cpu")
    if device.type == "cuda":
        torch.cuda.empty_cache()
    student = load_student(checkpoint, _dtype(settings.dtype, device), as_it_is=True)
    student.model.to(device)
    return Generator(student, settings.max_model_len)


def _dtype(asked: str, device: torch.device) -> torch.dtype:
    """What is asked for; "auto" is float32 on a CPU and, on a GPU that has it, the bfloat16 it was trained in."""
    import torch

    if asked != "auto":
        return getattr(torch, asked)  # type: ignore[no-any-return]
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float32
