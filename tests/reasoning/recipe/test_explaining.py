"""What is said of a recipe that cannot be run: what a misspelt word was meant to be, and types in plain words."""

from __future__ import annotations

from typing import get_args

import pytest

from reasoning.recipe.explaining import CHOICES_ELSEWHERE, KEYS_ELSEWHERE, nearest
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.keys import sections
from reasoning.recipe.tailored import Recipe, RecipeError, parse_recipe


def told(text: str) -> str:
    with pytest.raises(RecipeError) as refused:
        (parse_cot_recipe if "fine_tuning" in text else parse_recipe)(text, "r.yaml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {training: {epoch_s: 3}}", "learning.training.epoch_s: unknown key; did you mean epochs? known"),
        ("teacher: {max-tokens: 3}", "teacher.max-tokens: unknown key; did you mean max_tokens?"),
        ("teacher: {endpoints: [{wieght: 1}]}", "teacher.endpoints.0.wieght: unknown key; did you mean weight?"),
        ("lerning: {}", "lerning: unknown key; did you mean learning?"),
        ("zzz: 1", "zzz: unknown key; known here: cluster, learning"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(text: str, said: str) -> None:
    assert said in told(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 3", "epochs belongs to learning.first_training or learning.training"),
        ("cluster: {max_cost: 3}", "max_cost belongs to teacher"),
        ("learning: {seed: 3}", "seed belongs to the top level"),
        ("learning: {sample: 3}", "did you mean samples, which belongs to learning.exam?"),
        ("fine_tuning: {epochs: 3}", "epochs belongs to fine_tuning.training"),
    ],
)
def test_a_key_of_another_section_is_sent_there(text: str, said: str) -> None:
    assert said in told(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {training: {lr: 1.0e-4}}", "learning.training.lr: unknown key; did you mean learning_rate? known"),
        ("learning: {training: {num_train_epochs: 3}}", "did you mean epochs?"),
        ("learning: {training: {per_device_train_batch_size: 8}}", "did you mean batch_size?"),
        ("learning: {training: {bf16: true}}", "did you mean precision?"),
        ("learning: {training: {dtype: bfloat16}}", "did you mean precision?"),  # `student` has a key of that name
        ("student: {torch_dtype: bfloat16}", "did you mean dtype?"),
        ("learning: {training: {lora_r: 8}}", "did you mean rank, which belongs to learning.first_training.lora or"),
        ("learning: {training: {lora: {r: 8}}}", "did you mean rank?"),
        ("learning: {training: {report_to: wandb}}", "did you mean tracking, which belongs to the top level?"),
        ("cluster: {min_trainers: 1}", "did you mean fewest_trainers?"),
        ("learning: {training: {optimizer: adamw_torch}}", "(got 'adamw_torch'); did you mean adamw?"),
        ("learning: {training: {optimizer: paged_adamw_8bit}}", "did you mean adamw_8bit?"),
        ("learning: {training: {schedule: constant_with_warmup}}", "did you mean constant?"),
        ("learning: {training: {precision: fp32}}", "did you mean float32?"),
        ("learning: {training: {sharding: full_shard}}", "did you mean fsdp?"),
    ],
)
def test_what_other_trainers_call_it_is_known(text: str, said: str) -> None:
    assert said in told(text)


def test_a_word_of_theirs_for_which_there_is_no_choice_is_told_without_a_guess() -> None:
    assert "did you mean" not in told("learning: {training: {sharding: fp16}}")


def test_what_other_trainers_call_it_names_keys_and_choices_that_there_are() -> None:
    keys = {key for section in sections(Recipe) for key in section.model.model_fields}
    choices = {c for s in sections(Recipe) for f in s.model.model_fields.values() for c in get_args(f.annotation)}
    assert {one for named in KEYS_ELSEWHERE.values() for one in named} <= keys
    assert set(CHOICES_ELSEWHERE.values()) <= choices
    assert not {*KEYS_ELSEWHERE} & (keys - {"dtype", "lora", "learning_rate"})


def test_a_very_near_key_of_the_section_comes_before_the_same_word_elsewhere() -> None:
    assert "did you mean questions?" in told("learning: {exam: {question: 3}}")  # `question` is one of task.form


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster: {placement: share}", "must be 'dedicated' or 'shared' (got 'share'); did you mean shared?"),
        ("task: {form: {question: q, answer: a, kind: nummer}}", "(got 'nummer'); did you mean number?"),
        ("task: {form: {question: q, answer: a, kind: yes-no}}", "did you mean yes_no?"),
    ],
)
def test_a_wrong_choice_names_the_nearest_one(text: str, said: str) -> None:
    assert said in told(text)


def test_a_choice_that_is_like_none_is_told_without_a_guess() -> None:
    assert "did you mean" not in told("cluster: {placement: nowhere}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {rounds: many}", "learning.rounds: must be a whole number (got 'many')"),
        ("learning: {rounds: 1.5}", "learning.rounds: must be a whole number (got 1.5)"),
        ("seed:", "seed: must be a whole number (got nothing)"),
        ("learning: {self_reflection: maybe}", "must be true or false (got 'maybe')"),
        ("cluster: {sampler_gpus: .inf}", "must be a finite number"),
        ("name: 12", "name: must be text (got 12); put it in quotes"),
        ("task: {form: {question: q, answer: no, kind: text}}", "must be text (got false); put it in quotes"),
        ("teacher: {api_version: 2024-10-21}", "teacher.api_version: must be text (got a date); put it in quotes"),
        ("teacher: {headers: {anthropic-version: 2023-06-01}}", "must be text (got a date); put it in quotes"),
        ("teacher: offline", "teacher: must be a section with keys of its own (got 'offline')"),
        ("teacher: [offline]", "teacher: must be a section with keys of its own (got a list)"),
        ("teacher: {temperature: 3}", "must be at most 2"),
        ("learning: {objective: {margin: {a: 1}}}", "must be a number (got keys)"),
        ("task: {form: {question: q, answer: a}}", "task.form.kind: is missing"),
        ("fine_tuning: {degrees: 3}", "fine_tuning.degrees: must be a list (got 3)"),
    ],
)
def test_wrong_values_are_told_in_plain_words(text: str, said: str) -> None:
    assert said in told(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {training: {lora: true}}", "(got true); write lora: {} for its defaults"),
        ("learning: {help: ladder, ladder: on}", "(got true); write ladder: {} for its defaults"),
        ("learning: {training: {lora: false}}", "(got false); leave it out"),
        ("learning: {training:}", "(got nothing); leave it out"),
        ("tracking: {mlflow: true}", "(got true); it needs uri"),
        ("tracking: wandb", "did you mean tracking: {wandb: {}}?"),
        ("tracking: mlflow", "did you mean tracking: {mlflow: {uri: ...}}?"),
        ("learning: {objective: dpo}", "(got 'dpo'); did you mean objective: {loss: dpo}?"),
        ("teacher: offline", "did you mean teacher: {kind: offline}?"),
        ("learning: {training: {epoch: 3}}", "(got 3); did you mean epochs: 3?"),
        ("learning: {training: {epochs: best}}", "(got 'best'); did you mean epoch: best?"),
        ("cluster: {samplers: vllm}", "did you mean sampler: vllm?"),
        ("learning: {training: {lora: {targets: q_proj}}}", "must be a list (got 'q_proj'); write [q_proj]"),
        ("learning: {help: ladder, ladder: {teacher_tokens: 1e4}}", "must be a whole number (got '1e4'); write 10000"),
        ("learning: {help: ladder, ladder: {teacher_tokens: 10k}}", "(got '10k'); write 10000"),
        ("learning: {rehearsal: 25%}", "must be a number (got '25%'); write 0.25"),
        ("cluster: {checkpoint_minutes: 10m}", "must be a number (got '10m'); a number alone, without m"),
        ("learning: {help: ladder, ladder: {solved_after: false}}", "(got false); to switch it off, write null"),
        ("teacher: {max_cost: no}", "teacher.max_cost: must be a number (got false); to switch it off, write null"),
        ("learning: {help: ladder, ladder: {own: true}}", "learning.ladder.own: must be a whole number (got true)"),
        ("learning: {rehearsal: on}", "learning.rehearsal: must be a number (got true)"),
        ("learning: {exam: {temperature: .nan}}", "learning.exam.temperature: must be a finite number (got nan)"),
    ],
)
def test_what_to_write_instead_is_told(text: str, said: str) -> None:
    assert said in told(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {help: {ladder: {own: 2}}}", "(got keys); write help: ladder, and its keys under learning.ladder"),
        ("learning: {help: {ladder: {}}}", "(got keys); write help: ladder"),
        ("learning: {help: {own: 2}}", "(got keys); own belongs to learning.ladder"),
        ("learning: {help: [ladder]}", "(got a list); write help: ladder"),
        ("learning: {objective: {loss: {dpo: {beta: 0.2}}}}", "(got keys); write loss: dpo, and beta beside it"),
        ("learning: {training: {optimizer: {type: adamw}}}", "(got keys); write optimizer: adamw"),
        ("teacher: {kind: {serve: {gpus: 1}}}", "(got keys); write kind: serve, and its keys under teacher.serve"),
        ("teacher: {kind: {openai: {model: m}}}", "(got keys); write kind: openai, and model beside it"),
        ("learning: {objective: {dpo: {beta: 0.2}}}", "objective.dpo: unknown key; did you mean loss: dpo? known here"),
        ("learning: {training: {schedule: {steps: 3}}}", "must be 'constant', 'linear' or 'cosine' (got keys)\n"),
    ],
)
def test_keys_in_the_place_of_a_word_are_sent_where_they_go(text: str, said: str) -> None:
    assert said in f"{told(text)}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {exam: 4}", "(got 4); did you mean exam: {questions: 4} or {samples: 4}?"),
        ("learning: {training: {lora: 16}}", "did you mean lora: {rank: 16} or {alpha: 16}?"),
        ("learning: {training: {lora: [q_proj, v_proj]}}", "did you mean lora: {targets: [q_proj, v_proj]}?"),
        ("learning: {training: {lora: q_proj}}", "(got 'q_proj'); its keys are alpha, dropout, rank, targets"),
        ("learning: {objective: sft}", "did you mean objective: {loss: completion}?"),
        ("learning: {ladder: tailored}", "did you mean ladder: {tailored: true}?"),
        ("student: Qwen/Qwen3-0.6B", "did you mean student: {model: Qwen/Qwen3-0.6B}?"),
        ("task: gsm8k", "did you mean task: {name: gsm8k}?"),
        ("teacher: {price: 3}", "(got 3); it needs input, output"),
        ("learning: {exam: 4.5}", "(got 4.5); its keys are questions, samples, temperature, top_p"),
    ],
)
def test_a_value_in_the_place_of_keys_is_told_whose_it_may_be(text: str, said: str) -> None:
    assert said in told(text)


def test_an_address_in_the_place_of_a_section_is_not_repeated() -> None:
    said = told("storage: 's3://bucket/runs?key=hunter2'")
    assert "hunter2" not in said and "storage: must be a section with keys of its own; its keys are" in said
    assert "hunter2" not in told("tracking: {mlflow: 'https://me:hunter2@host'}")


@pytest.mark.parametrize("value", ["many", "3.5", "1e999", "three", "0x1g"])
def test_what_is_no_whole_number_in_any_writing_gets_no_advice(value: str) -> None:
    assert told(f"learning: {{rounds: '{value}'}}").endswith(f"must be a whole number (got '{value}')")


def test_a_key_of_several_types_is_told_once() -> None:
    said = told("task: {form: {question: {a: b}, answer: a, kind: text}}")
    assert said.count("task.form.question") == 1 and "must be text or a list (got keys)" in said
    inside = told("task: {form: {question: [q, 1], answer: a, kind: text}}")
    assert inside.count("task.form.question") == 1 and "task.form.question.1: must be text (got 1)" in inside


def test_nearest_is_none_where_nothing_is_near() -> None:
    assert nearest("epoch", ["epochs", "batch_size"]) == "epochs"
    assert nearest("EPOCHS", ["epochs"]) == "epochs"
    assert nearest("x", ["epochs", "batch_size"]) is None
