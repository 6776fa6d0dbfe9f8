"""What the endpoints of a recipe permit together, and which keys would set their missing prices."""

from __future__ import annotations

from reasoning.estimate.sums import Pace
from reasoning.estimate.teachers import endpoints_of, pace_of, unpriced_keys
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import BatchSettings, EndpointSettings

RECIPE = """
teacher:
  kind: openai
  model: big
  base_url: http://a/v1
  price: {input: 1.0, output: 2.0}
  first: {kind: openai, model: small, base_url: "http://b/v1"}
"""


def test_plain_rationales_go_to_the_first_teacher_and_its_key_is_named() -> None:
    recipe = parse_recipe(RECIPE, "test")
    assert [one.model for one in endpoints_of(recipe, Ask.RATIONALES)] == ["small"]
    assert [one.model for one in endpoints_of(recipe, Ask.FEEDBACK)] == ["big"]
    assert unpriced_keys(recipe, {Ask.FEEDBACK}) == ()
    assert unpriced_keys(recipe, {Ask.FEEDBACK, Ask.RATIONALES}) == ("teacher.first.price",)


def test_limits_add_up_and_a_reported_limit_replaces_the_recipe_s() -> None:
    one = EndpointSettings("a", "http://a", "m", requests_per_minute=60, tokens_per_minute=1000)
    two = EndpointSettings("b", "http://b", "m", requests_per_minute=30)
    assert pace_of([one, two], {}) == Pace(90, None)
    assert pace_of([one, two], {("b", "m"): Pace(40, 500)}) == Pace(100, 1500)
    assert pace_of([one, two], {("b", "another"): Pace(40, 500)}) == Pace(90, None)
    assert pace_of([one, EndpointSettings("c", "http://c", "m", batch=BatchSettings())], {}) == Pace(None, None)
