"""Whether a cluster can ever hold what a recipe asks for.

Owns: the words for what it cannot, with the table of what is needed against what is there or could come; the note on
what a run will have to wait for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from actors.ray_api.internals import label_problem
from actors.ray_api.machines.capacity import ROUNDING, Capacity, Need, impossible, labelled, missing, table
from actors.ray_api.machines.needs import all_trainers, needs_at_once, served_needs
from pipelines.run.checks.student_files import PreflightFault
from reasoning.recipe.tailored import Recipe


@dataclass(frozen=True)
class Lacking(PreflightFault):
    """More than the cluster can ever hold. `table`: lines to print beside it."""

    table: tuple[str, ...] = ()


def machine_faults(recipe: Recipe, there: Capacity, trains: bool, notes: list[str]) -> Iterator[PreflightFault]:
    """More than could ever be there: Ray would wait for it for ever. What only has to be waited for becomes a note.
    `trains`: False where the student is only examined."""
    cluster = recipe.cluster
    if wrong := list(_label_faults(recipe)):
        yield from wrong
        return
    sides = needs_at_once(recipe, trains)
    short = next((needs for needs in sides if impossible(needs, there)), None)
    if short is not None:
        yield _lacking(recipe, short, there, trains)
    else:
        late = {need.what: need for needs in sides for need in missing(needs, there)}
        if late:
            named = ", ".join(f"{need.named} ({need.each})" for need in late.values())
            notes.append(
                f"cluster: the machines for {named} are not there yet. The cluster's autoscaler is asked for them, and "
                f"the run waits up to {cluster.patience:g} minutes (cluster.patience)."
            )
        room = there.places(all_trainers(cluster))
        if trains and cluster.least_trainers <= room < cluster.trainers:
            notes.append(
                f"cluster: the machines that are there have room for {room} of {cluster.trainers} trainers. A training "
                "begins with as many as have room, and takes more when machines come (cluster.fewest_trainers)."
            )
    for key, gpus in (("sampler_gpus", cluster.sampler_gpus), ("trainer_gpus", cluster.trainer_gpus)):
        if gpus > 1 and gpus != int(gpus):
            yield PreflightFault(
                f"cluster.{key}",
                f"{gpus:g} GPUs: above one, only whole numbers of GPUs can be requested",
                f"Set {math.ceil(gpus)}",
            )


def _lacking(recipe: Recipe, needs: Sequence[Need], there: Capacity, trains: bool) -> Lacking:
    """The fault of the first resource that is too little, or of the first process that fits no machine."""
    cluster, rows = recipe.cluster, table(needs, there)
    samplers, trainers = cluster.samplers, cluster.least_trainers
    kind, wanted = _scarcest(needs, there)
    sampler, trainer = getattr(cluster, f"sampler_{kind.lower()}s"), getattr(cluster, f"trainer_{kind.lower()}s")
    more = samplers * sampler >= trainers * trainer or not trains
    key = f"cluster.sampler_{kind.lower()}s" if more else f"cluster.trainer_{kind.lower()}s"
    could = there.startable(kind)
    come = f" and could start {could:g} more" if there.types else ""
    if wanted <= there.total(kind) + could + ROUNDING:
        whose = impossible(needs, there)[0]
        if nowhere := _nowhere(whose, there):
            return Lacking(f"cluster.{whose.what.split()[0]}_labels", *nowhere, tuple(rows))
        what = f"the cluster's machines have no room for {whose.named} of {whose.each}"
        key = f"cluster.{whose.what}s" if whose.what in ("sampler", "trainer") else "teacher.serve"
        return Lacking(
            key, what, "Ask for fewer or smaller ones, or run on a cluster with larger machines", tuple(rows)
        )
    parts = f"{samplers} samplers with {sampler:g} each"
    parts += f" and {trainers} trainers with {trainer:g} each" if trains else ""
    served = sum(need.count * need.resources.get(kind, 0.0) for need in served_needs(recipe)) if trains else 0.0
    parts += " in turns" if cluster.placement == "shared" else ""
    parts += f", and {served:g} for the teacher that the run serves" if served else ""
    what = f"{wanted:g} {kind}s are requested ({parts}), but the cluster has {there.total(kind):g}{come}"
    cure = "Ask for fewer samplers, trainers or " + f"{kind}s, or run on a larger cluster (cluster.address)"
    in_turns = max(samplers * sampler, trainers * trainer) + served
    if cluster.placement == "dedicated" and trains and in_turns <= there.total(kind) + could + ROUNDING:
        cure += ", or let them take turns with cluster.placement: shared"
    return Lacking(key, what, cure, tuple(rows))


def _label_faults(recipe: Recipe) -> Iterator[PreflightFault]:
    for key in ("sampler_labels", "trainer_labels", "teacher_labels"):
        labels = getattr(recipe.cluster, key)
        if labels and (problem := label_problem(labels)):
            what = problem.partition(". ")[0].replace("`", "")
            yield PreflightFault(
                f"cluster.{key}",
                f"{what[:1].lower()}{what[1:]}",
                "A label's value is written `spot`, `!spot`, `in(a, b)` or `!in(a, b)`",
            )


def _nowhere(need: Need, there: Capacity) -> tuple[str, str] | None:
    """What to say, and to do, where it is the labels that no machine has; None where some have them."""
    bare = replace(need, resources={})
    if not need.labels or there.places(bare) or there.places_to_come(bare):
        return None
    what = f"no machine that is there or could come has what {need.named} must find there{labelled(need.labels)}"
    return what, "Correct the labels (`ray list nodes --detail` shows those of each node), or add such machines"


def _scarcest(needs: Sequence[Need], there: Capacity) -> tuple[str, float]:
    """The resource that is missed most, GPUs first, and how much of it is wanted in all."""
    wanted = {kind: sum(n.count * n.resources.get(kind, 0.0) for n in needs) for kind in ("GPU", "CPU")}
    short = [kind for kind, amount in wanted.items() if amount > there.total(kind) + there.startable(kind) + ROUNDING]
    kind = (short or ["GPU" if wanted["GPU"] else "CPU"])[0]
    return kind, wanted[kind]
