"""Putting a run's samplers to sleep for a training on the same GPUs.

Owns: whether that leaves the trainers enough. What a replica does is `actors.sampler.replica`'s; that the samplers end
where it does not, and the training goes on without them, is `actors.classroom`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.sampler.pool import SamplerPool
from reasoning.student.sampling import CannotSleep, GpuMemory

# Of a GPU. What an engine cannot give up (CUDA's own, its graphs) is one to three GiB; more than this is a fault.
LEAST_FREE = 0.8
GIB = 2**30


async def put_to_sleep(pool: SamplerPool) -> str:
    """Has all samplers of `pool` give their GPUs' memory up until they are synced. Returns why trainers cannot work
    beside them, "" where they can."""
    try:
        return too_little(await pool.sleep())
    except CannotSleep as error:
        return str(error)


def too_little(looks: Sequence[GpuMemory]) -> str:
    """Which GPU has too little free for a trainer, in words; "" where none has."""
    scarcest = min(looks, key=lambda look: look.free / max(1, look.total), default=None)
    if scarcest is None:
        return "no sampler is left that sleeps"
    if scarcest.free >= LEAST_FREE * scarcest.total > 0:
        return ""
    return f"{scarcest.free / GIB:.1f} of {scarcest.total / GIB:.1f} GiB of a GPU came free"
