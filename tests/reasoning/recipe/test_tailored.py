"""Recipes: defaults that run, faults named by their path, fingerprints that say what is learnt."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reasoning.recipe.fine_tune_cot import load_any_recipe
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.tailored import Recipe, RecipeError, load_recipe, parse_recipe
from tests.conftest import ROOT


def test_nothing_at_all_is_a_recipe() -> None:
    recipe = parse_recipe("", "empty.yaml")
    assert recipe == Recipe()
    assert recipe.student.source == str(EMBEDDED_STUDENT)
    assert recipe.teacher.kind == "offline" and recipe.teacher.for_first is recipe.teacher
    assert (recipe.cluster.sampler_gpus, recipe.cluster.trainer_gpus) == (0.0, 0.0)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_the_recipes_of_the_repository_are_valid(path: Path) -> None:
    assert load_any_recipe(path, data_folder=Path("/data")).name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {round: 3}", ["learning.round: unknown key", "rounds"]),
        ("lerning: {}", ["lerning: unknown key", "learning"]),
        ("learning: {training: {learning_rat: 1}}", ["learning.training.learning_rat: unknown key", "learning_rate"]),
        ("teacher: {first: {kind: openai, modle: x}}", ["teacher.first.modle: unknown key", "model"]),
        ("learning: {rounds: -1}", ["learning.rounds", "must be at least 0", "-1"]),
        ("learning: {rounds: many}", ["learning.rounds", "'many'"]),
        ("name: ../up", ["name", "'../up'"]),
        ("cluster: {placement: anywhere}", ["cluster.placement", "'dedicated' or 'shared'"]),
        ("cluster: {trainers: 2, fewest_trainers: 3}", ["fewest_trainers is 3, and trainers 2: lower"]),
        ("cluster: {fewest_trainers: 0}", ["cluster.fewest_trainers: must be at least 1"]),
        ("task: {source: file}", ["task", "needs path"]),
        ("task: {hub_id: a/b}", ["task", "hub_id needs source: hub"]),
        ("task: {path: here}", ["task", "use source: file"]),
        ("teacher: {kind: recorded}", ["teacher", "needs recorded"]),
        ("teacher: {kind: openai}", ["teacher", "needs model"]),
        ("teacher: {api_key_env: KEY}", ["teacher", "need kind: openai"]),
        ("teacher: {kind: openai, model: m, error_rate: 0.1}", ["teacher", "need kind: offline"]),
        ("learning: {objective: {loss: hf}}", ["learning.objective.loss", "'self_distillation' or 'on_policy'"]),
        ("learning: {objective: {loss: full, prompt_weight: 0.5}}", ["learning.objective", "needs loss: weighted"]),
        ("learning: {objective: {loss: contrastive, contrastive_weight: 0}}", ["learning.objective", "trains nothing"]),
        ("learning: {objective: {loss: contrastive}, self_reflection: no}", ["learning", "leave self_reflection on"]),
        ("learning: {ladder: {own: 2}}", ["learning", "ladder needs help: ladder"]),
        ("learning: {help: ladder, ladder: {teacher_tokens: 5, dollars: 1}}", ["learning.ladder", "one budget"]),
        (
            "teacher: {kind: openai, model: m, base_url: 'http://h/v1'}\n"
            "learning: {help: ladder, ladder: {rationalize: 1}, objective: {loss: on_policy}}",
            ["learning", "ladder.rationalize learns from questions with their answers shown"],
        ),
        ("[1, 2]", ["a recipe is a mapping", "list"]),
        ("a: [", ["not YAML", "line 1, column 5"]),
        ("storage: {path: 's3://key:hidden@bucket/runs'}", ["storage.path", "has a credential in it"]),
        ("storage: {path: ''}", ["storage.path", "it is empty"]),
        ("storage: {path: 's3:/bucket/runs'}", ["storage.path", "an address begins with s3://"]),
        ("storage: {path: 'GS:bucket/runs'}", ["storage.path", "an address begins with gs://"]),
        ("storage: {path: 'https://bucket/runs'}", ["storage.path", "an address of one of these kinds: s3"]),
        ("cluster: {sampler_gpus: .inf}", ["cluster.sampler_gpus"]),
        ("learning: {objective: {contrastive_weight: .inf}}", ["learning.objective.contrastive_weight"]),
        ("task: {path: '${DATA}/x', source: file}", ["--data", "TAILOR_DATA"]),
    ],
)
def test_faults_are_named_by_their_path(text: str, said: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "mine.yaml")
    for part in ["mine.yaml", *said]:
        assert part in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe("seed: -1\nlearning: {rounds: -1, exams: 2}", "mine.yaml")
    assert all(key in str(caught.value) for key in ("seed", "learning.rounds", "learning.exams"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe file"):
        load_recipe(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff")
    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(tmp_path / "bad.yaml")
    with pytest.raises(RecipeError, match=r"this is a folder; give the recipe's file$"):
        load_recipe(tmp_path)
    (tmp_path / "recipe.yaml").touch()  # as in a run's folder
    with pytest.raises(RecipeError, match=r"give the recipe's file, such as .*/recipe\.yaml$"):
        load_recipe(tmp_path)
    with pytest.raises(RecipeError, match=r"recipe\.yaml/more: cannot be read: Not a directory"):
        load_recipe(tmp_path / "recipe.yaml" / "more")


def test_the_data_folder_is_filled_in(tmp_path: Path) -> None:
    recipe = parse_recipe("task: {source: file, path: '${DATA}/coin_flip.json'}", "mine.yaml", tmp_path)
    assert recipe.task.path == tmp_path / "coin_flip.json"


def test_a_recipe_survives_its_yaml() -> None:
    recipe = parse_recipe("teacher: {kind: openai, model: m, first: {kind: recorded, recorded: r.jsonl}}", "mine.yaml")
    again = parse_recipe(yaml.safe_dump(recipe.model_dump(mode="json")), "again.yaml")
    assert again.fingerprint() == recipe.fingerprint() and again == recipe


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("cluster: {samplers: 4}", True),
        ("cluster: {trainers: 4, fewest_trainers: 2}", True),
        ("storage: {path: elsewhere}", True),
        ("cluster: {placement: shared, turns: restart}", True),
        ("learning: {rounds: 7, patience: 2}", True),
        ("teacher: {workers: 8, max_in_flight: 1, requests_per_minute: 3}", True),
        ("name: other", True),
        ("teacher: {send_temperature: false, max_tokens_key: max_completion_tokens}", True),  # mended in mid-run
        ("student: {grow_embeddings: false}", True),
        ("student: {grow_embeddings: true}", False),
        ("learning: {training: {precision: float32, optimizer: adamw}}", True),
        ("learning: {training: {gradient_checkpointing: true}}", True),  # a run that did not fit goes on with it
        ("learning: {training: {lora: {}}}", False),
        ("learning: {first_training: {precision: bfloat16}}", False),
        ("teacher: {thinking: drop}", True),
        ("teacher: {thinking: keep}", False),
        ("learning: {help: tailored}", True),
        ("learning: {help: ladder}", False),
        ("learning: {per_request: 1}", True),
        ("learning: {per_request: 4}", False),
        ("seed: 1", False),
        ("learning: {rehearsal: 0.5}", False),
        ("student: {model: some/other}", False),
        ("teacher: {error_rate: 0.5}", False),
        ("task: {train: 7}", False),
    ],
)
def test_a_fingerprint_is_of_what_is_learnt(text: str, same: bool) -> None:
    assert (parse_recipe(text, "mine.yaml").fingerprint() == Recipe().fingerprint()) is same


def test_a_ladder_that_was_climbed_before_answers_were_shown_is_the_same() -> None:
    """Its run was begun with a recipe that did not have the key."""
    of = [
        parse_recipe(f"learning: {{help: ladder, ladder: {{own: 4{keys}}}}}", "mine.yaml").identity()
        for keys in ("", ", rationalize: 0", ", rationalize: 1")
    ]
    assert "rationalize" not in of[0]["learning"]["ladder"] and of[0] == of[1] != of[2]


def test_a_key_in_a_recipe_is_not_repeated() -> None:
    for text in ("teacher: {api_key: hunter2, model: [}", "teacher: {kind: openai, model: m, api_key_env: hunter2x}"):
        with pytest.raises(RecipeError) as refused:
            parse_recipe(text, "r.yaml")
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("address", ["https://me:hunter2@api.example/v1", "https://api.example/v1?key=hunter2"])
def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(RecipeError, match=r"teacher\.base_url.*api_key_env") as refused:
        parse_recipe(f"teacher: {{kind: openai, model: m, base_url: '{address}'}}", "r.yaml")
    assert "hunter2" not in str(refused.value)


def test_recipes_of_before_keep_their_fingerprints_and_the_ladder_has_its_rungs() -> None:
    assert Recipe().fingerprint() == "644df6f1d2d7b44a"
    text = "{learning: {rounds: 3, first_questions: 12}, teacher: {feedback_prompt: plain}}"
    assert parse_recipe(text, "mine.yaml").fingerprint() == "b1257544c46e7d9b"
    ladder = parse_recipe("learning: {help: ladder}", "mine.yaml")
    assert ladder.learning.ladder is not None
    explicit = parse_recipe("learning: {help: ladder, ladder: {own: 4}}", "mine.yaml")
    assert explicit.fingerprint() == ladder.fingerprint()
