"""Which processes of a recipe have to be placed together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ray_api.machines.capacity import Capacity, Machine, Need, impossible, missing
from actors.ray_api.machines.needs import TRAINER_PART, needs_at_once, place_need, sampler_part
from reasoning.recipe.tailored import parse_recipe

SERVED = "teacher: {kind: serve, model: a/b, serve: {gpus: 2, replicas: 3}}\n"


@pytest.mark.parametrize(
    ("text", "trains", "expected"),
    [
        ("", True, [["1 sampler (1 CPU each)", "1 trainer (1 CPU each)"]]),
        ("", False, [["1 sampler (1 CPU each)"]]),
        ("cluster: {placement: shared, samplers: 2}", True, [["2 samplers (1 CPU each)"], ["1 trainer (1 CPU each)"]]),
        (
            "cluster: {sampler_gpus: 0.5, trainer_gpus: 1, trainer_cpus: 4, trainers: 2}",
            True,
            [["1 sampler (1 CPU, 0.5 GPUs each)", "2 trainers (4 CPUs, 1 GPU each)"]],
        ),
        (
            "cluster: {trainers: 4, fewest_trainers: 2, placement: shared}",
            True,
            [["1 sampler (1 CPU each)"], ["2 trainers (1 CPU each)"]],
        ),
        (
            "cluster: {sampler_labels: {market: spot}, trainer_labels: {market: '!spot'}}",
            True,
            [["1 sampler (1 CPU each, market=spot)", "1 trainer (1 CPU each, market=!spot)"]],
        ),
        (
            "cluster: {teacher_labels: {zone: b}, placement: shared}",
            True,
            [
                ["1 sampler (1 CPU each)", "1 teacher worker (no CPU each, zone=b)"],
                ["1 trainer (1 CPU each)", "1 teacher worker (no CPU each, zone=b)"],
            ],
        ),
        (
            "teacher: {kind: openai, model: m, batch: {}}\ncluster: {teacher_labels: {zone: b}}",
            True,
            [["1 sampler (1 CPU each)", "1 trainer (1 CPU each)"]],
        ),
        (
            SERVED + "cluster: {placement: shared}",
            True,
            [
                ["1 sampler (1 CPU each)", "3 served teachers (1 CPU, 2 GPUs each)"],
                ["1 trainer (1 CPU each)", "3 served teachers (1 CPU, 2 GPUs each)"],
            ],
        ),
    ],
)
def test_needs_of_a_recipe(text: str, trains: bool, expected: list[list[str]]) -> None:
    sides = needs_at_once(parse_recipe(text, "r.yaml"), trains)
    assert [[f"{need.named} ({need.each})" for need in side] for side in sides] == expected


ASLEEP = "cluster: {placement: shared, samplers: %d, trainers: %d, sampler_gpus: 1, trainer_gpus: 1, %s}"
CPUS = st.sampled_from([0.5, 1.0, 4.0, 8.0])
MACHINES = st.lists(
    st.tuples(st.integers(1, 16), st.integers(0, 4)).map(lambda one: Machine({"CPU": one[0], "GPU": one[1]})),
    max_size=4,
)


@given(st.integers(1, 4), CPUS, CPUS, MACHINES)
def test_samplers_that_sleep_beside_trainers_need_the_machines_of_such_that_restart(
    count: int, sampler: float, trainer: float, machines: list[Machine]
) -> None:
    """What is said of a recipe is true of both, and what runs in one way runs in the other."""
    cpus = f"sampler_cpus: {sampler}, trainer_cpus: {trainer}"
    recipe = parse_recipe(ASLEEP % (count, count, cpus), "r.yaml")
    sides, there = needs_at_once(recipe, True), Capacity(tuple(machines))
    for judged in (impossible, missing):
        in_turns = any(judged(side, there) for side in sides)
        assert bool(judged([place_need(recipe.cluster)], there)) is in_turns


@given(CPUS, CPUS)
def test_a_place_holds_a_sampler_and_a_trainer_and_no_second_trainer(sampler: float, trainer: float) -> None:
    cpus = f"sampler_cpus: {sampler}, trainer_cpus: {trainer}"
    cluster = parse_recipe(ASLEEP % (1, 1, cpus), "r.yaml").cluster
    part, place = sampler_part(cluster), place_need(cluster)
    assert place == Need("sampler", 1, {"CPU": max(sampler, trainer), "GPU": 1.0})
    left = {kind: place.resources[kind] - part[kind] for kind in part}
    assert left == {"CPU": trainer, "GPU": TRAINER_PART} and part["CPU"] >= 0
