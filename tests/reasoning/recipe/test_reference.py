"""The reference of recipes: every key is on it with a meaning, and the page in docs/ is the one that is generated."""

from __future__ import annotations

import re

import pytest

from reasoning.recipe.base import Section
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.keys import sections
from reasoning.recipe.reference import meaning, reference
from reasoning.recipe.tailored import Recipe
from tests.conftest import ROOT


def test_the_page_is_the_one_that_is_generated() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert page == reference(), "docs/recipe.md is stale: write it with `make docs`"


@pytest.mark.parametrize("kind", [Recipe, FineTuneCotRecipe])
def test_every_key_has_a_meaning(kind: type[Section]) -> None:
    found = [
        (section.key(name), meaning(section.model, name))
        for section in sections(kind)
        for name in section.model.model_fields
    ]
    assert not [key for key, said in found if not said]
    assert not [said for _, said in found if not re.match(r"[A-Z`]", said) or said[-1] != "."]


def test_bounds_choices_and_defaults_are_on_the_page() -> None:
    page = reference()
    assert "| `rounds` | whole number, at least 0 and at most 100 | `2` |" in page
    assert "| `placement` | `dedicated` or `shared` | `dedicated` |" in page
    assert "| `kind` | `number`, `yes_no`, `choice`, `text`, `date`, `set` or `expression` | required |" in page
    assert "| `patience` | whole number, at least 1, or null | `null` |" in page
    assert "| `headers` | mapping | empty |" in page  # which a factory makes
    assert "| `learning_rate` | number, more than 0 and at most 1 | `0.0003` |" in page  # Fine-tune-CoT's own


def test_links_lead_to_headings() -> None:
    page = reference()
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= anchors
