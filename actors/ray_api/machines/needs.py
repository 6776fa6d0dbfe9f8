"""What a recipe needs of a cluster: its samplers, its trainers, and the teachers that it serves itself.

Owns: the way from a recipe's keys to processes with resources. Which of them are there at once follows from
`cluster.placement`.
"""

from __future__ import annotations

from actors.ray_api.machines.capacity import Need
from reasoning.recipe.cluster import ClusterSection
from reasoning.recipe.tailored import Recipe


def sampler_need(cluster: ClusterSection) -> Need:
    """The samplers of a recipe."""
    return Need(
        "sampler", cluster.samplers, _resources(cluster.sampler_cpus, cluster.sampler_gpus), cluster.sampler_labels
    )


def trainer_need(cluster: ClusterSection) -> Need:
    """The trainers of a recipe."""
    return Need(
        "trainer", cluster.trainers, _resources(cluster.trainer_cpus, cluster.trainer_gpus), cluster.trainer_labels
    )


def served_needs(recipe: Recipe) -> list[Need]:
    """The models that the run serves as teachers, each application once."""
    places = {
        teacher.application(endpoint): endpoint.serve
        for teacher in (recipe.teacher, recipe.teacher.first)
        if teacher is not None
        for endpoint in teacher.all_endpoints
    }
    return [
        Need("served teacher", serve.replicas, _resources(serve.cpus, serve.gpus))
        for serve in places.values()
        if serve is not None
    ]


def needs_at_once(recipe: Recipe, trains: bool) -> list[list[Need]]:
    """The sets of processes that must be placed together: with shared placement samplers and trainers take turns.
    `trains`: False where only the student is examined."""
    cluster = recipe.cluster
    if not trains:
        return [[sampler_need(cluster)]]
    served = served_needs(recipe)
    if cluster.placement == "shared":
        return [[sampler_need(cluster), *served], [trainer_need(cluster), *served]]
    return [[sampler_need(cluster), trainer_need(cluster), *served]]


def _resources(cpus: float, gpus: float) -> dict[str, float]:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
