"""Bringing samplers to a checkpoint with proof, alike for a run and for an evaluation on its own.

Owns: which prompts prove a checkpoint, and where the proof is computed.

Invariant: samplers are asked only after their weights were proven by the probe of that very checkpoint.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path

import ray

from actors.sampler.pool import SamplerPool
from actors.storage.places import student_here
from reasoning.prompts.student_forms import StudentForm
from reasoning.records import Problem
from reasoning.rounds.classroom import Answering
from reasoning.student.probe import Probe, load_probe, save_probe
from reasoning.student.sampling import Completion, Sampling

PROBE_PROMPTS = 4


def probe_prompts(form: StudentForm, problems: Sequence[Problem]) -> tuple[str, ...]:
    """What samplers are asked to prove that they hold the right weights: the shortest of `problems`, whose answers have
    room in the context before any other's."""
    shortest = heapq.nsmallest(PROBE_PROMPTS, problems, key=lambda problem: len(problem.question))
    return tuple(form.prompt(problem.question) for problem in shortest)


async def bring_to(
    pool: SamplerPool, version: str, checkpoint: str, prompts: Sequence[str], kept: Path | None = None
) -> Answering:
    """Has every sampler of `pool` hold `checkpoint` as `version`, proven, and returns what asks them.

    The probe is read from the file `kept` where it is there and complete, and otherwise made from `prompts` and kept
    there. Raises `SyncFailed`, `SamplersLost`."""
    await pool.sync(version, checkpoint, await _probe(version, checkpoint, prompts, kept))

    async def answer(prompt: str, sampling: Sampling) -> list[Completion]:
        return await pool.answer(version, prompt, sampling)

    return answer


async def _probe(version: str, checkpoint: str, prompts: Sequence[str], kept: Path | None) -> Probe:
    before = _read_probe(kept)
    if before is not None and before.is_complete:
        return before
    probe: Probe = await _probe_in_own_process.remote(checkpoint, version, prompts)
    if kept is not None:
        save_probe(probe, kept)
    return probe


def _read_probe(kept: Path | None) -> Probe | None:
    return load_probe(kept) if kept is not None and kept.exists() else None


@ray.remote(num_cpus=0)
def _probe_in_own_process(checkpoint: str, version: str, prompts: Sequence[str]) -> Probe:
    """`make_probe` in a process of its own: torch and the reference model stay out of the caller's."""
    from reasoning.student.probe import make_probe

    return make_probe(student_here(checkpoint), version, prompts)
