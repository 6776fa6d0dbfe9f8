"""Students of six families are sampled by vLLM: each of its engines computes what was trained, and a swap is seen.

Slow: seven engines, one after another in one process of Ray's, which holds vLLM; 10 to 20 s each on two quiet cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from reasoning.student.probe import Probe, make_probe
from tests.reasoning.student_families import FAMILIES, SAMPLED_BY_VLLM

PROMPTS = ["Question: 12 + 30 =", "What is the largest of 3, 7 and 5?", "abc", "Question: heads or tails? Reasoning:"]


@dataclass(frozen=True)
class Sampled:
    """What became of a student: `wrong` where the engine failed, else how many tokens it said, and whether the probe of
    the first weights sees the second ones."""

    wrong: str
    tokens: int = 0
    sees_a_swap: bool = False


async def _sample(folders: list[str], probes: list[Probe]) -> Sampled:
    from actors.sampler.vllm import VllmSampler
    from reasoning.student.engine import EngineSettings
    from reasoning.student.sampling import Sampling

    sampler = VllmSampler(EngineSettings(model=folders[0], max_model_len=256, kv_cache_gib=0.25))
    try:
        await sampler.start()
        for folder, probe in zip(folders, probes, strict=True):
            await sampler.sync(probe.version, folder, probe)
        (said,) = await sampler.answer(probes[-1].version, PROMPTS[0], Sampling(max_new_tokens=8))
        return Sampled("", said.tokens, not (await sampler._prove(probes[0])).ok)
    except (RuntimeError, ValueError) as error:
        return Sampled(f"{type(error).__name__}: {error}")
    finally:
        await sampler.shutdown()


def _sample_all(asked: dict[str, tuple[list[str], list[Probe]]]) -> dict[str, Sampled]:
    import asyncio

    return {name: asyncio.run(_sample(*students)) for name, students in asked.items()}


@pytest.fixture(scope="module")
def sampled(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sampled]:
    import ray

    from reasoning.student.checkpoint import save_student

    asked = {}
    for family in (family for family in FAMILIES if family.name in SAMPLED_BY_VLLM):
        root, versions = tmp_path_factory.mktemp("family"), ("before", "after")
        for seed, version in enumerate(versions):
            student = family.student(seed)
            save_student(student.model, student.tokenizer, root / version)
        folders = [str(root / version) for version in versions]
        probes = [make_probe(folder, Path(folder).name, PROMPTS) for folder in folders]
        asked[family.name] = folders, probes
    outcomes: dict[str, Sampled] = ray.get(ray.remote(num_cpus=1)(_sample_all).remote(asked))
    return outcomes


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("name", SAMPLED_BY_VLLM)
def test_vllm_computes_what_was_trained(sampled: dict[str, Sampled], name: str) -> None:
    assert not sampled[name].wrong
    assert sampled[name].tokens and sampled[name].sees_a_swap
