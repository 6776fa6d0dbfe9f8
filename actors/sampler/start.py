"""Starting the samplers a recipe asks for, alike for a run and for an evaluation on its own.

Owns: which back end a student is sampled with, and how its replicas are started.
"""

from __future__ import annotations

from typing import cast

import ray

from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle, SamplerReplica
from actors.sampler.transformers import TransformersSampler
from actors.sampler.vllm import VllmSampler
from actors.watching.logs import logged
from reasoning.recipe.tailored import Recipe
from reasoning.student.config import is_encoder_decoder
from reasoning.student.engine import EngineSettings

# A replica whose engine died exits, so that Ray starts it again; a fault that comes back every time ends the run.
MAX_RESTARTS = 3


def back_end(recipe: Recipe) -> type[SamplerReplica]:
    """vLLM, or `transformers` where the recipe says so or the student is an encoder-decoder."""
    asked = recipe.cluster.sampler
    if asked == "transformers" or (asked == "auto" and is_encoder_decoder(recipe.student.source)):
        return TransformersSampler
    return VllmSampler


def engine_settings(recipe: Recipe) -> EngineSettings:
    """How the engine of each sampler is set up."""
    return EngineSettings(
        model=recipe.student.source,
        gpus=recipe.cluster.sampler_gpus,
        seed=recipe.seed,
        **recipe.student_engine().engine_keys(),
    )


async def start_samplers(recipe: Recipe) -> SamplerPool:
    """Starts `cluster.samplers` replicas of the recipe's student and waits until each can be synced."""
    cluster, settings = recipe.cluster, engine_settings(recipe)
    remote = ray.remote(logged(back_end(recipe), "sampler", recipe.name)).options(
        num_cpus=cluster.sampler_cpus, num_gpus=cluster.sampler_gpus, max_restarts=MAX_RESTARTS, max_concurrency=1000
    )
    pool = SamplerPool([cast(ReplicaHandle, remote.remote(settings)) for _ in range(cluster.samplers)])
    await pool.start()
    return pool
