"""The keys of an engine: declared once, the same wherever they stand, and in a run's identity only where they count."""

from __future__ import annotations

import pytest

from reasoning.recipe.cluster import ClusterSection
from reasoning.recipe.endpoint import ServeSection
from reasoning.recipe.engine import CapacitySection, EngineSection, PrecisionSection
from reasoning.recipe.student import StudentSection
from reasoning.recipe.tailored import RecipeError, parse_recipe


def test_student_and_cluster_together_have_the_keys_of_one_engine() -> None:
    text = "student: {dtype: float16, max_model_len: 99}\ncluster: {kv_cache_gib: 2, enforce_eager: false}"
    assert parse_recipe(text, "r").student_engine() == EngineSection(
        dtype="float16", max_model_len=99, kv_cache_gib=2, enforce_eager=False
    )


def test_every_section_has_its_keys_from_one_place() -> None:
    for section, place in (
        (StudentSection, PrecisionSection),
        (ClusterSection, CapacitySection),
        (ServeSection, EngineSection),
    ):
        for name, field in place.model_fields.items():
            assert section.model_fields[name].default == field.default
            assert name not in section.__annotations__, f"{section.__name__} declares {name} again"


def test_what_is_answered_is_identity_and_how_fast_is_not() -> None:
    plain = parse_recipe("{}", "r").fingerprint()
    assert parse_recipe("cluster: {enforce_eager: true, kv_cache_gib: 3}", "r").fingerprint() == plain
    assert parse_recipe("student: {dtype: bfloat16}", "r").fingerprint() != plain
    assert parse_recipe("student: {max_model_len: 128}", "r").fingerprint() != plain


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("cluster: {kv_cache_gib: 0}", "cluster.kv_cache_gib"),
        ("cluster: {kv_cache_gib: .inf}", "cluster.kv_cache_gib"),
        ("cluster: {gpu_memory_utilization: 1.5}", "cluster.gpu_memory_utilization"),
        ("student: {dtype: int8}", "student.dtype"),
        ("student: {max_model_len: 0}", "student.max_model_len"),
    ],
)
def test_impossible_values_are_refused_by_the_keys_path(text: str, key: str) -> None:
    with pytest.raises(RecipeError, match=key):
        parse_recipe(text, "r")
