"""Which processes of a recipe have to be placed together."""

import pytest

from actors.ray_api.machines.needs import needs_at_once
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
            "cluster: {sampler_labels: {market: spot}, trainer_labels: {market: '!spot'}}",
            True,
            [["1 sampler (1 CPU each, market=spot)", "1 trainer (1 CPU each, market=!spot)"]],
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
