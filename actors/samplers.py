"""Starting the samplers a recipe asks for, alike for a run and for an evaluation on its own."""

from __future__ import annotations

import ray

from actors.sampler import SamplerPool, SamplerSettings, StudentSampler
from reasoning.recipe import Recipe

# A replica whose engine died exits, so that Ray starts it again; a fault that comes back every time ends the run.
MAX_RESTARTS = 3


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
    remote = ray.remote(StudentSampler).options(
        num_cpus=cluster.sampler_cpus, num_gpus=cluster.sampler_gpus, max_restarts=MAX_RESTARTS, max_concurrency=1000
    )
    pool = SamplerPool([remote.remote(settings) for _ in range(cluster.samplers)])
    await pool.start()
    return pool
