"""Starting the samplers a recipe asks for, alike for a run and for an evaluation on its own.

Owns: which back end a student is sampled with, and how its replicas are started.
"""

from __future__ import annotations

import ray

from actors.sampler.replica import SamplerReplica
from actors.sampler.transformers import TransformersSampler
from actors.sampler.vllm import SamplerPool, SamplerSettings, StudentSampler
from reasoning.recipe.tailored import Recipe
from reasoning.student.config import is_encoder_decoder

# A replica whose engine died exits, so that Ray starts it again; a fault that comes back every time ends the run.
MAX_RESTARTS = 3


def back_end(recipe: Recipe) -> type[SamplerReplica]:
    """vLLM, or `transformers` where the recipe says so or the student is an encoder-decoder."""
    asked = recipe.cluster.sampler
    if asked == "transformers" or (asked == "auto" and is_encoder_decoder(recipe.student.source)):
        return TransformersSampler
    return StudentSampler


async def start_samplers(recipe: Recipe) -> SamplerPool:
    """Starts `cluster.samplers` replicas of the recipe's student and waits until each can be synced."""
    cluster, student = recipe.cluster, recipe.student
    settings = SamplerSettings(
        model=student.source,
        dtype=student.dtype,
        max_model_len=student.max_model_len,
        kv_cache_gib=cluster.kv_cache_gib,
        gpu_memory_utilization=cluster.gpu_memory_utilization,
        enforce_eager=cluster.enforce_eager,
        seed=recipe.seed,
        gpus=cluster.sampler_gpus,
    )
    remote = ray.remote(back_end(recipe)).options(
        num_cpus=cluster.sampler_cpus, num_gpus=cluster.sampler_gpus, max_restarts=MAX_RESTARTS, max_concurrency=1000
    )
    pool = SamplerPool([remote.remote(settings) for _ in range(cluster.samplers)])
    await pool.start()
    return pool
