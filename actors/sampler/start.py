"""Starting the samplers a recipe asks for, alike for a run and for an evaluation on its own.

Owns: which back end a student is sampled with, and how its replicas are started.
"""

from __future__ import annotations

from typing import Any, cast

import ray

from actors.ray_api.internals import preferring
from actors.ray_api.machines.needs import sampler_need
from actors.ray_api.machines.packing import packing_nodes
from actors.ray_api.nodes import on_one_node
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle, SamplerReplica
from actors.sampler.transformers import TransformersSampler
from actors.sampler.vllm import VllmSampler
from actors.watching.logs import logged
from reasoning.recipe.tailored import Recipe
from reasoning.student.config import is_encoder_decoder
from reasoning.student.engine import EngineSettings


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


def make_samplers(recipe: Recipe) -> SamplerPool:
    """Asks for `cluster.samplers` replicas of the recipe's student, packed on as few nodes as hold them;
    `SamplerPool.start` waits for them."""
    cluster, settings = recipe.cluster, engine_settings(recipe)
    need, labels = sampler_need(cluster), cluster.sampler_labels
    nodes = [] if on_one_node() else packing_nodes(need)
    replicas = []
    for number in range(cluster.samplers):
        where: dict[str, Any] = {"label_selector": labels or None}
        if number < len(nodes):  # elsewhere when that node is taken meanwhile, or gone
            where["scheduling_strategy"] = preferring(nodes[number])
        # The pool counts crashes: Ray's own count would run out by the machines that a night on spot takes away.
        actor = ray.remote(logged(back_end(recipe), "sampler", recipe.name)).options(
            num_cpus=cluster.sampler_cpus,
            num_gpus=cluster.sampler_gpus,
            max_restarts=-1,
            max_concurrency=1000,
            **where,
        )
        replicas.append(cast(ReplicaHandle, actor.remote(settings)))
    return SamplerPool(replicas, need, 60 * cluster.patience)


async def start_samplers(recipe: Recipe) -> SamplerPool:
    """Starts `cluster.samplers` replicas of the recipe's student and waits until they can be synced."""
    pool = make_samplers(recipe)
    await pool.start()
    return pool
