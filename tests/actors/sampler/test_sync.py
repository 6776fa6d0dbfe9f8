"""Samplers are brought to a checkpoint with the probe that is kept beside it, or one that is made and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from actors.sampler.outbox import Answer, Question
from actors.sampler.pool import SamplerPool
from actors.sampler.sync import PROBE_PROMPTS, bring_to, probe_prompts
from reasoning.prompts.run_prompts import form_of
from reasoning.recipe.student import StudentSection
from reasoning.records import Split
from reasoning.student.probe import Probe, ProbeReport, load_probe, save_probe
from reasoning.student.sampling import Completion, Sampling, StaleWeights
from reasoning.tasks.families import FAMILIES, problems
from tests.actors.in_process import in_process


class Recorder:
    """A sampler that keeps what it is synced with."""

    def __init__(self) -> None:
        self.synced: list[tuple[str, str, Probe]] = []

    async def start(self) -> int:
        return 100

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport:
        self.synced.append((version, checkpoint, probe))
        return ProbeReport(True, "")

    async def exchange(self, questions: Sequence[Question]) -> list[Answer]:
        return [Answer(one.number, [Completion(f"{one.version}: {one.prompt}", True, 1)]) for one in questions]


def test_a_kept_probe_is_the_one_that_proves(tmp_path: Path) -> None:
    kept = Probe("v1", "float32", ((1, 2),), ((3,),), ((-0.5,),), ((-1.0,),))
    kept = replace(kept, in_bfloat16=kept)
    save_probe(kept, tmp_path / "probe.json")
    sampler = Recorder()

    async def scenario() -> list[Completion]:
        pool = SamplerPool([in_process(sampler)])
        answering = await bring_to(pool, "v1", "nowhere", ["?"], tmp_path / "probe.json")
        said = await answering("1 + 1?", Sampling())
        await pool.sync("v2", "nowhere", kept)
        with pytest.raises(StaleWeights):
            await answering("1 + 1?", Sampling())
        return said

    assert asyncio.run(scenario())[0].text == "v1: 1 + 1?"
    assert sampler.synced[0] == ("v1", "nowhere", kept)


def test_weights_are_proven_by_the_shortest_questions() -> None:
    """One that fills the context leaves no room for the tokens of a proof."""
    drawn = problems(FAMILIES["coin_flip"], 1, Split.TRAIN, 20)
    long = [replace(problem, question=f"{problem.question} {'x' * 900}") for problem in drawn]
    form = form_of(StudentSection())
    assert set(probe_prompts(form, [*long, *drawn[:4]])) == {form.prompt(problem.question) for problem in drawn[:4]}
    assert len(probe_prompts(form, drawn[:2])) == 2


def test_a_probe_is_made_of_the_checkpoint_and_kept(ray_cluster: None, embedded_student: Path, tmp_path: Path) -> None:
    """In the place of one that cannot prove rounded weights. About 10 s: a process that imports torch."""
    save_probe(Probe("base", "float32", ((1,),), ((3,),), ((-0.5,),), ((-1.0,),)), tmp_path / "probe.json")
    sampler, form = Recorder(), form_of(StudentSection())
    prompts = probe_prompts(form, problems(FAMILIES["coin_flip"], 1, Split.TRAIN, 20))
    assert len(prompts) == PROBE_PROMPTS

    async def scenario() -> None:
        pool = SamplerPool([in_process(sampler)])
        await bring_to(pool, "base", str(embedded_student), prompts, tmp_path / "probe.json")

    asyncio.run(scenario())
    ((version, _, probe),) = sampler.synced
    assert version == probe.version == "base" and len(probe.prompts) == PROBE_PROMPTS
    assert probe.is_complete and load_probe(tmp_path / "probe.json") == probe
