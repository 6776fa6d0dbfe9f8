"""Starting the samplers a recipe asks for, alike for a run and for an evaluation on its own.

Owns: which back end a student is sampled with, how its replicas are started, and whether they can sleep between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import ray

from actors.ray_api.internals import preferring
from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.needs import place_need, sampler_need, sampler_part
from actors.ray_api.machines.packing import packing_nodes
from actors.ray_api.machines.places import Places
from actors.ray_api.machines.waiting import free_abandoned_places
from actors.ray_api.nodes import on_one_node
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle, SamplerReplica
from actors.sampler.transformers import TransformersSampler
from actors.sampler.vllm import VllmSampler
from actors.watching.logs import logged
from reasoning.recipe.cluster import ClusterSection
from reasoning.recipe.tailored import Recipe
from reasoning.student.config import is_encoder_decoder
from reasoning.student.engine import EngineSettings


def back_end(recipe: Recipe) -> type[SamplerReplica]:
    """vLLM, or `transformers` where the recipe says so or the student is an encoder-decoder."""
    asked = recipe.cluster.sampler
    if asked == "transformers" or (asked == "auto" and is_encoder_decoder(recipe.student.source)):
        return TransformersSampler
    return VllmSampler


def take_turns_asleep(recipe: Recipe) -> bool:
    """Whether this recipe's samplers sleep while its trainers work, on the same GPUs: one of each to a GPU. Otherwise
    with shared placement they end and are started anew. Either way it needs the same machines."""
    cluster = recipe.cluster
    return (
        (cluster.placement, cluster.turns) == ("shared", "sleep")
        and cluster.sampler_gpus == cluster.trainer_gpus == 1
        and cluster.samplers == cluster.trainers == cluster.least_trainers  # in places that are held as a whole
        and cluster.sampler_labels == cluster.trainer_labels
        and back_end(recipe) is VllmSampler
    )


def engine_settings(recipe: Recipe, sleeps: bool = False) -> EngineSettings:
    """How the engine of each sampler is set up; `sleeps`: it is to be able to."""
    return EngineSettings(
        model=recipe.student.source,
        gpus=recipe.cluster.sampler_gpus,
        seed=recipe.seed,
        sleeps=sleeps,
        **recipe.student_engine().engine_keys(),
    )


def make_samplers(recipe: Recipe, sleeps: bool = False) -> SamplerPool:
    """Asks for `cluster.samplers` replicas of the recipe's student, packed on as few nodes as hold them;
    `SamplerPool.start` waits for them. `sleeps`: they are put where trainers can work while they sleep."""
    cluster, settings = recipe.cluster, engine_settings(recipe, sleeps)
    need = place_need(cluster) if sleeps else sampler_need(cluster)
    free_abandoned_places()  # of a coordinator that died
    places = Places(need) if sleeps else None
    parts = _apart(cluster, need) if places is None else _in_places(cluster, places)
    # The pool counts crashes: Ray's own count would run out by the machines that a night on spot takes away.
    replica = ray.remote(logged(back_end(recipe), "sampler", recipe.name))
    actors = [replica.options(max_restarts=-1, max_concurrency=1000, **part).remote(settings) for part in parts]
    replicas = [cast(ReplicaHandle, actor) for actor in actors]
    return SamplerPool(replicas, need, 60 * cluster.patience, places)


def _apart(cluster: ClusterSection, need: Need) -> Iterator[dict[str, Any]]:
    """What each sampler takes of a machine and where, when it shares that part with nobody."""
    nodes = [] if on_one_node() else packing_nodes(need)
    for number in range(cluster.samplers):
        part: dict[str, Any] = {"num_cpus": cluster.sampler_cpus, "num_gpus": cluster.sampler_gpus}
        part["label_selector"] = cluster.sampler_labels or None
        if number < len(nodes):  # elsewhere when that node is taken meanwhile, or gone
            part["scheduling_strategy"] = preferring(nodes[number])
        yield part


def _in_places(cluster: ClusterSection, places: Places) -> Iterator[dict[str, Any]]:
    """The same, when a trainer has the rest of its place."""
    part = sampler_part(cluster)
    for number in range(cluster.samplers):
        yield {"num_cpus": part["CPU"], "num_gpus": part["GPU"], "scheduling_strategy": places.at(number)}


async def start_samplers(recipe: Recipe) -> SamplerPool:
    """Starts `cluster.samplers` replicas of the recipe's student and waits until they can be synced."""
    pool = make_samplers(recipe)
    await pool.start()
    return pool
