"""The walk through a recipe's sections."""

from __future__ import annotations

from reasoning.recipe.keys import section_at, sections
from reasoning.recipe.tailored import Recipe


def test_every_section_is_found_where_it_stands() -> None:
    paths = [section.path for section in sections(Recipe)]
    assert paths[0] == "" and len(set(paths)) == len(paths)
    assert {"task.form", "teacher.endpoints[].price", "teacher.first", "learning.exam", "storage"} <= set(paths)
    first = next(section for section in sections(Recipe) if section.path == "task")
    assert first.key("name") == "task.name"


def test_a_location_leads_to_its_section() -> None:
    assert "max_tokens_key" in section_at(Recipe, ("teacher", "endpoints", 0)).model_fields
    assert "samples" in section_at(Recipe, ("learning", "exam")).model_fields
    assert section_at(Recipe, ()) is Recipe
