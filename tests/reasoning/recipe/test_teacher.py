"""The teacher's sections: who is asked and where, refused where they make no sense, and what the pool is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reasoning.recipe.tailored import parse_recipe
from reasoning.recipe.teacher import OPENAI_API, THROUGHPUT_KEYS, TailoredTeacherSection, TeacherSection
from reasoning.teacher.prices import Price, PriceError


def teacher(**keys: Any) -> TeacherSection:
    return TeacherSection.model_validate(keys)


def openai(**keys: Any) -> TeacherSection:
    return teacher(kind="openai", **{"model": "gpt-4o-mini", **keys})


# Where it is reached ------------------------------------------------------------------------------------------------


def test_a_teacher_by_default_is_served_by_the_run_and_free() -> None:
    section = teacher()
    name = section.application(section)
    assert name is not None and name.startswith("offline-") and section.name == "offline"
    (endpoint,) = section.settings({name: "http://127.0.0.1:8000/v1"}, max_cost=0.0).endpoints
    assert (endpoint.base_url, endpoint.model) == ("http://127.0.0.1:8000/v1", "offline-teacher")
    assert endpoint.price == Price(0.0, 0.0)


def test_an_api_is_asked_at_its_address_for_its_price() -> None:
    settings = openai(api_key_env="KEY", tokens_per_minute=1000, max_in_flight=7).settings(run="mine", max_cost=1.5)
    (endpoint,) = settings.endpoints
    assert (endpoint.name, endpoint.base_url, endpoint.api_key_env) == (OPENAI_API, OPENAI_API, "KEY")
    assert (endpoint.tokens_per_minute, endpoint.max_in_flight) == (1000, 7)
    assert endpoint.price == Price(0.15, 0.60, 0.5, cached=0.075)
    assert (settings.name, settings.run, settings.max_cost) == (OPENAI_API, "mine", 1.5)


def test_further_places_answer_for_the_same_teacher() -> None:
    section = openai(
        api_key_env="ONE",
        endpoints=[
            {"api_key_env": "OTHER", "weight": 3.0},
            {"base_url": "https://api.example/v1", "model": "openai/gpt-4o-mini"},
            {"serve": {"gpus": 1}, "model": "Qwen/Qwen3-8B"},
        ],
    )
    served = section.application(section.all_endpoints[3])
    assert served is not None
    first, other, far, own = section.settings({served: "http://127.0.0.1:9000/v1"}).endpoints
    assert (first.name, other.name) == (f"{OPENAI_API} (ONE)", f"{OPENAI_API} (OTHER)")
    assert (first.weight, other.weight) == (1.0, 3.0)
    assert (far.name, far.model, far.price) == ("https://api.example/v1", "openai/gpt-4o-mini", first.price)
    assert (own.name, own.base_url) == ("serve Qwen/Qwen3-8B", "http://127.0.0.1:9000/v1")
    assert own.price == Price(0.0, 0.0)


def test_the_same_model_served_alike_is_one_application_whoever_asks() -> None:
    one = teacher(kind="serve", model="m", serve={"replicas": 2})
    same = openai(endpoints=[{"model": "m", "serve": {"replicas": 2}, "weight": 5.0}])
    unlike = teacher(kind="serve", model="m", serve={"replicas": 3})
    other = teacher(kind="serve", model="n", serve={"replicas": 2})
    name = one.application(one)
    assert name is not None and name == same.application(same.all_endpoints[1])
    assert len({name, unlike.application(unlike), other.application(other)}) == 3


def test_what_shapes_a_served_teacher_s_answers_is_in_its_name() -> None:
    plain, parsed = (
        teacher(kind="serve", model="m"),
        teacher(kind="serve", model="m", serve={"reasoning_parser": "qwen3"}),
    )
    silent = teacher(kind="serve", model="m", serve={"chat_template_kwargs": {"enable_thinking": False}})
    assert plain.name == parsed.name == "serve" and silent.name == 'serve {"enable_thinking": false}'
    assert plain.application(plain) != silent.application(silent)


def test_a_teacher_that_the_run_serves_needs_no_more_than_its_name() -> None:
    section = teacher(kind="serve", model="m")
    assert section.serve is not None and section.serve.replicas == 1
    assert teacher(**section.model_dump()) == section


def test_a_recording_is_not_filed_under_the_offline_teachers_name() -> None:
    assert teacher(kind="recorded", recorded="r.jsonl").model == "recorded-teacher"
    assert teacher(kind="recorded", recorded="r.jsonl", model="mine").model == "mine"


def test_a_recorded_teacher_is_called_so(tmp_path: Path) -> None:
    section = teacher(kind="recorded", recorded=tmp_path / "r.jsonl")
    assert (section.name, section.model) == ("recorded", "recorded-teacher")
    other = teacher(kind="recorded", recorded=tmp_path / "other.jsonl")
    assert section.application(section) != other.application(other)


def test_two_teachers_of_the_run_must_be_told_apart_in_the_journal() -> None:
    first = {"error_rate": 0.3}
    with pytest.raises(ValueError, match=r"first is another offline teacher.*a model name of its own"):
        TailoredTeacherSection.model_validate({"first": first})
    two = TailoredTeacherSection.model_validate({"first": {**first, "model": "other"}})
    assert two.first is not None and two.application(two) != two.first.application(two.first)
    TailoredTeacherSection.model_validate({"first": {"temperature": 0.0}})  # the same, asked otherwise


places = st.fixed_dictionaries(
    {},
    optional={
        "base_url": st.sampled_from(["https://a.example/v1", "https://b.example/v1"]),
        "api_key_env": st.sampled_from(["ONE", "OTHER"]),
        "model": st.sampled_from(["m", "n"]),
    },
)


@given(st.lists(st.one_of(places, st.fixed_dictionaries({"serve": st.just({})})), max_size=6))
def test_every_place_is_called_differently(further: list[dict[str, Any]]) -> None:
    section = openai(endpoints=further)
    labels = section.labels()
    assert len(set(labels)) == len(labels) == len(section.all_endpoints)
    assert [endpoint.name for endpoint in section.settings().endpoints] == labels


# Money --------------------------------------------------------------------------------------------------------------


def test_a_price_of_ones_own_comes_before_the_tables(tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text("gpt-4o-mini: {input: 7, output: 8}\n")
    assert openai(prices=table).settings().endpoints[0].price == Price(7, 8)
    own = openai(prices=table, price={"input": 1, "output": 2, "batch_share": 0.5})
    assert own.settings().endpoints[0].price == Price(1, 2, 0.5)
    assert teacher(price={"input": 1, "output": 2}).settings().endpoints[0].price == Price(1, 2)


def test_a_cap_on_spending_is_refused_where_a_price_is_missing() -> None:
    section = openai(endpoints=[{"base_url": "https://api.example/v1", "model": "unheard-of"}])
    assert section.settings().endpoints[1].price is None
    with pytest.raises(ValueError, match=r"needs a price for https://api\.example/v1"):
        section.settings(max_cost=10.0)


def test_a_price_of_a_thousand_tokens_is_told() -> None:
    with pytest.raises(PriceError, match=r"gpt-4o-mini, output: 0\.0006, .* a thousand \(then write 0\.6\)"):
        openai(price={"input": 0.00015, "output": 0.0006}).settings()


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="absent"):
        openai(prices=tmp_path / "absent.yaml").settings()


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "openai"}, "needs model"),
        ({"kind": "serve"}, "needs model"),
        ({"kind": "openai", "model": " "}, "needs model"),
        ({"kind": "recorded"}, "needs recorded"),
        ({"recorded": "r.jsonl"}, "needs kind: recorded"),
        ({"base_url": "https://a.example/v1"}, "need kind: openai"),
        ({"api_key_env": "KEY"}, "need kind: openai"),
        ({"batch": {}}, "batch needs kind: openai"),
        ({"serve": {}}, "serve needs kind: serve"),
        ({"kind": "serve", "model": "m", "batch": {}}, "batch"),
        ({"kind": "openai", "model": "m", "latency_s": 1}, "need kind: offline"),
        ({"max_cost": 1}, "max_cost"),  # of a run, not of one of its teachers
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        teacher(**keys)


@pytest.mark.parametrize("kind", ["openai", "serve"])
def test_a_model_may_be_called_like_the_default(kind: str) -> None:
    named = teacher(kind=kind, model="offline-teacher")
    assert named.identity[1] == "offline-teacher"
    assert teacher(**named.model_dump(mode="json")) == named  # as a run keeps it


# Identity -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        "workers: 8",
        "max_in_flight: 1, requests_per_minute: 3, tokens_per_minute: 5, timeout_s: 7, attempts: 2",
        "api_key_env: OTHER",
        "price: {input: 1, output: 2}, max_cost: 3",
        "prices: mine.yaml",
        "batch: {}",
        "endpoints: [{base_url: 'https://api.example/v1', weight: 2}], weight: 5",
    ],
)
def test_how_fast_and_for_how_much_a_teacher_is_asked_is_no_part_of_a_run_s_identity(keys: str) -> None:
    plain = parse_recipe("teacher: {kind: openai, model: m}", "r.yaml")
    assert parse_recipe(f"teacher: {{kind: openai, model: m, {keys}}}", "r.yaml").fingerprint() == plain.fingerprint()


def test_every_key_that_is_no_part_of_the_identity_is_a_key() -> None:
    assert set(THROUGHPUT_KEYS) <= set(TailoredTeacherSection.model_fields)


def test_the_first_teacher_is_the_other_one_unless_it_is_given() -> None:
    section = TailoredTeacherSection()
    assert section.for_first is section
    section = TailoredTeacherSection.model_validate({"first": {"kind": "openai", "model": "m"}})
    assert section.for_first.name == OPENAI_API
