"""What a recipe needs of a cluster: its samplers, its trainers, and the teachers that it serves itself.

Owns: the way from a recipe's keys to processes with resources. Which of them are there at once follows from
`cluster.placement`.

Where samplers sleep while trainers work (`actors.sampler.turns`), a place holds one of each: a GPU of its own, and the
CPU cores of the one that has more. The places are what the larger of the two sides takes where they restart in turns.
"""

from __future__ import annotations

from dataclasses import replace

from actors.ray_api.machines.capacity import Need
from reasoning.recipe.cluster import ClusterSection
from reasoning.recipe.tailored import Recipe

Resources = dict[str, float]
TRAINER_PART = 0.5  # of a place's GPU, in Ray's books: who has its memory is a matter of turns


def sampler_need(cluster: ClusterSection) -> Need:
    """The samplers of a recipe."""
    return Need(
        "sampler", cluster.samplers, _resources(cluster.sampler_cpus, cluster.sampler_gpus), cluster.sampler_labels
    )


def trainer_need(cluster: ClusterSection) -> Need:
    """The trainers of a recipe without which no training begins."""
    return replace(all_trainers(cluster), count=cluster.least_trainers)


def all_trainers(cluster: ClusterSection) -> Need:
    """The trainers of a recipe, where there is room for all."""
    return Need(
        "trainer", cluster.trainers, _resources(cluster.trainer_cpus, cluster.trainer_gpus), cluster.trainer_labels
    )


def place_need(cluster: ClusterSection) -> Need:
    """The places that samplers and as many trainers share, a GPU each."""
    cpus = max(cluster.sampler_cpus, cluster.trainer_cpus)
    return Need("sampler", cluster.samplers, _resources(cpus, 1.0), cluster.sampler_labels)


def sampler_part(cluster: ClusterSection) -> Resources:
    """What a sampler takes of its place: the trainer, which works while it sleeps, leaves it that."""
    cpus = max(cluster.sampler_cpus, cluster.trainer_cpus) - cluster.trainer_cpus
    return {"CPU": cpus, "GPU": 1.0 - TRAINER_PART}


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


def teacher_needs(recipe: Recipe) -> list[Need]:
    """The processes that ask the teacher, where they may be on certain machines only. They take nothing of these."""
    labels, teacher = recipe.cluster.teacher_labels, recipe.teacher
    if not labels or any(endpoint.batch is not None for endpoint in teacher.all_endpoints):
        return []  # what hands batches over is put anywhere
    return [Need("teacher worker", teacher.workers or 1, {}, labels)]


def needs_at_once(recipe: Recipe, trains: bool) -> list[list[Need]]:
    """The sets of processes that must be placed together: with shared placement samplers and trainers take turns,
    asleep (see the head) or started anew.
    `trains`: False where only the student is examined."""
    cluster = recipe.cluster
    if not trains:
        return [[sampler_need(cluster)]]
    served = [*served_needs(recipe), *teacher_needs(recipe)]
    if cluster.placement == "shared":
        return [[sampler_need(cluster), *served], [trainer_need(cluster), *served]]
    return [[sampler_need(cluster), trainer_need(cluster), *served]]


def _resources(cpus: float, gpus: float) -> Resources:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
