"""A tracker that cannot be told is refused before a run begins, with its cure; and no secret stands in a recipe."""

from __future__ import annotations

import pytest

from pipelines.run.checks import tracking_check
from pipelines.run.checks.tracking_check import tracking_faults
from reasoning.recipe.tailored import RecipeError, parse_recipe


def faults(text: str) -> list[str]:
    tracking = parse_recipe(text, "mine.yaml").tracking
    return [f"{fault.place}: {fault.what}. {fault.cure}" for fault in tracking_faults(tracking)]


def test_libraries_and_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(tracking_check, "find_spec", lambda name: None)
    both = "tracking: {wandb: {}, mlflow: {uri: 'http://mlflow:5000'}}"
    found = faults(both)
    assert len(found) == 3 and "pip install wandb" in found[0] and "pip install mlflow" in found[1]
    assert "WANDB_API_KEY is not set" in found[2] and "offline" in found[2]
    monkeypatch.setattr(tracking_check, "find_spec", lambda name: object())
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert faults(both) == [] == faults("name: mine")


@pytest.mark.parametrize("uri", ["http://me:word@mlflow:5000", "http://token@mlflow", "https://mlflow/?token=1", " "])
def test_an_address_with_a_secret_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"tracking: {{mlflow: {{uri: '{uri}'}}}}", "mine.yaml")
    assert "tracking.mlflow.uri" in str(caught.value) and "me:word" not in str(caught.value)
