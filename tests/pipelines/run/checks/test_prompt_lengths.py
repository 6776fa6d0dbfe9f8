"""Questions that would end a run when it comes to them are told before its teacher is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.ray_api.machines.capacity import Capacity
from pipelines.run.checks import prompt_lengths
from pipelines.run.fine_tune_cot import check_cot, fitted
from pipelines.run.preflight import Checked, PreflightError, PreflightFault, check
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import load_recipe, parse_recipe
from tests.conftest import ROOT
from tests.tiny_students import byte_tokenizer
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training

LAPTOP = Capacity.of_one({"CPU": 2.0})
WORDS = len("Question: \nReasoning:")  # of the form, each character a token
TEACHER = "teacher: {kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1', api_key_env: PATH}\n"  # never asked
COT = "fine_tuning: {"


def long(characters: int) -> str:
    return ("How many " + "x" * characters)[: characters - 1] + "?"


class Run:
    """A task of 40 training and 10 test questions of 30 characters, of the first of which 4 become validation's."""

    def __init__(self, folder: Path, student: Path) -> None:
        self.folder, self.student = folder, student

    def check(
        self, text: str = "", keys: str = "", *, train: Sequence[str] = (), test: Sequence[str] = (), **more: Any
    ) -> Checked:
        for split, count, added in (("train", 40, train), ("test", 10, test)):
            usual = (f"How many {split} apples are {number:03d}?".ljust(30) for number in range(count))
            rows = [json.dumps({"question": question, "answer": "7"}) for question in (*usual, *added)]
            (self.folder / f"{split}.jsonl").write_text("\n".join(rows), encoding="utf-8")
        form = "form: {question: question, answer: answer, kind: number}"
        student = f"student: {{model: '{self.student}', {keys if 'max_new' in keys else f'max_new_tokens: 64{keys}'}}}"
        recipe = f"{TEACHER}task: {{name: mine, source: file, path: '{self.folder}', {form}}}\n{student}\n{text}"
        if COT in text:
            return check_cot(fitted(parse_cot_recipe(recipe, "r")), "r", LAPTOP, probe=False, ask=False)
        return check(parse_recipe(recipe, "r"), "r", LAPTOP, probe=False, **more)

    def faults(self, *arguments: Any, **more: Any) -> tuple[PreflightFault, ...]:
        with pytest.raises(PreflightError) as caught:
            self.check(*arguments, **more)
        return caught.value.faults

    def only(self, *arguments: Any, **more: Any) -> PreflightFault:
        (fault,) = self.faults(*arguments, **more)
        return fault

    def notes(self, *arguments: Any, **more: Any) -> list[str]:
        return [note for note in self.check(*arguments, **more).notes if "is a folder" not in note]


@pytest.fixture
def run(tmp_path: Path, student: Path) -> Run:
    """With a student of 512 positions, each byte a token."""
    (tmp_path / "data").mkdir()
    return Run(tmp_path / "data", student)


def test_one_long_question_among_many_is_found(run: Run) -> None:
    fault = run.only(test=[long(600)])
    assert fault.place == "task" and fault.cure == "Shorten or leave out those questions"
    assert fault.what.startswith("1 of 51 questions leave no room for an answer in the student's context of 512 tokens")
    assert fault.what.endswith(f"the longest has {600 + WORDS} (test: {long(600)[:60]!r})")
    assert "(training: " in run.only(train=[long(600), long(500)]).what
    assert run.notes() == [] == run.notes(test=[" " * 900 + "How many 9s?" + "\n" * 900])


def test_a_context_that_was_set_is_to_be_raised(run: Run) -> None:
    fault = run.only("", ", max_model_len: 128", test=[long(200)])
    assert (fault.place, fault.cure) == (
        "student.max_model_len",
        f"Set at least {201 + WORDS} ({264 + WORDS} for a whole answer), or shorten or leave out those questions",
    )
    fault = run.only("", ", max_model_len: 128", test=[long(700)])
    assert "up to the student's 512 positions, too few for all" in fault.cure


def test_one_token_of_room_is_room_and_a_note(run: Run) -> None:
    (note,) = run.notes(test=[long(511 - WORDS)])
    assert note.startswith("student.max_new_tokens: 1 of 51 questions leave fewer than 64 tokens for the answer")
    assert "in a context of 512 (the longest leaves 1): longer answers are cut off." in note
    assert run.only(test=[long(512 - WORDS)]).place == "task"
    assert run.notes("", "max_new_tokens: 512", test=[long(400)]) == []  # as long as there is room: no wish


def test_training_questions_count_where_they_are_asked(run: Run) -> None:
    (note,) = run.notes("learning: {rounds: 0}", train=[long(600)])
    assert note.startswith("learning.first_training.max_tokens: 1 of 37 training questions leave no room for a")
    assert f"not learnt from. The longest has {600 + WORDS} (training: " in note and "examined" not in note
    (note,) = run.notes("learning: {rounds: 1, exam: {questions: 5}}", train=[long(600)])  # not among those five
    assert "not learnt from" in note and "examined" not in note
    assert run.notes("learning: {rounds: 0, first_questions: 1}", train=[long(600)]) == []


def test_where_a_missed_question_is_asked_with_its_answer_that_needs_room_too(run: Run) -> None:
    question = long(500 - WORDS)
    assert "leaves 12)" in run.notes(train=[question])[0]
    fault = run.only("learning: {help: ladder, ladder: {rationalize: 2}}", train=[question])
    assert f"the longest has {500 + len(' (Hint: the answer is 7.)')} (training: 'How many" in fault.what


def test_limits_of_a_training_below_every_prompt_end_the_run_before_it_begins(run: Run) -> None:
    first, later = run.faults("learning: {first_training: {max_tokens: 20}, training: {max_tokens: 20}}")
    assert (first.place, later.place) == ("learning.first_training.max_tokens", "learning.training.max_tokens")
    assert first.what.startswith("none of 36 training questions leaves room for a completion within 20 tokens")
    assert (
        f"the shortest has {30 + WORDS}" in first.what and "Raise it, up to the student's 512 positions (" in first.cure
    )
    assert run.only("learning: {training: {max_tokens: 20}}").place == "learning.training.max_tokens"
    (note,) = run.notes("learning: {training: {max_tokens: 20}, new_questions: {}}")  # which may be shorter
    assert note.startswith("learning.training.max_tokens: 36 of 36") and "examined, and not learnt from" in note


def test_a_form_that_takes_the_context_is_what_is_to_be_shortened(run: Run, tmp_path: Path) -> None:
    shown = [{"question": f"How many {n}?", "rationale": "r" * 60, "answer": str(n)} for n in range(8)]
    demonstrations = tmp_path / "shown.yaml"
    demonstrations.write_text(json.dumps(shown), encoding="utf-8")
    faults = run.faults("", f", prompt: few_shot_cot, demonstrations: '{demonstrations}'")
    assert [fault.place for fault in faults] == [
        *("task", "learning.first_training.max_tokens", "learning.training.max_tokens")
    ]
    assert "50 of 50 questions" in faults[0].what and "of them the form's own" in faults[0].what
    assert {fault.cure for fault in faults} == {
        "Take a shorter form (its prompt file, student.system, student.demonstrations)"
    }


def test_a_student_of_relative_positions_has_no_end(run: Run, tmp_path: Path) -> None:
    student = tiny_t5_student()
    student.model.save_pretrained(tmp_path / "t5")
    student.tokenizer.save_pretrained(tmp_path / "t5")
    run.student = tmp_path / "t5"
    (note,) = run.notes(train=[long(2000)])
    assert "1 of 37" in note and f"{2001 + WORDS} (training" in note  # with the end of an encoder's text
    assert run.notes("", ", max_model_len: 512", test=[long(511 - WORDS)]) == []
    fault = run.only("", ", max_model_len: 512", test=[long(600)])
    assert fault.cure == f"Set at least {601 + WORDS}, or shorten or leave out those questions"


def test_the_context_is_that_of_who_samples(run: Run, tmp_path: Path) -> None:
    """vLLM gives a student of LongRoPE's positions what it had before they were scaled, unless it is told more."""
    from transformers import Phi3Config, Phi3ForCausalLM

    factors = {"short_factor": [1.0] * 16, "long_factor": [1.0] * 16, "factor": 8.0, "rope_theta": 10_000.0}
    layers = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    tokens = {"vocab_size": 258, "pad_token_id": None, "eos_token_id": 256, "bos_token_id": None}
    positions = {"max_position_embeddings": 2048, "original_max_position_embeddings": 256}
    config = Phi3Config(**layers, **heads, **tokens, **positions, rope_parameters={"rope_type": "longrope", **factors})
    Phi3ForCausalLM(config).save_pretrained(tmp_path / "phi")
    byte_tokenizer().save_pretrained(tmp_path / "phi")
    run.student = tmp_path / "phi"
    fault = run.only(test=[long(300)])
    assert fault.place == "student.max_model_len" and f"Set at least {301 + WORDS} (" in fault.cure
    assert "context of 256 tokens" in fault.what
    assert run.notes("cluster: {sampler: transformers}", test=[long(300)]) == []
    assert run.notes("", ", max_model_len: 1024", test=[long(300)]) == []


def test_an_exam_minds_the_questions_that_it_asks(run: Run) -> None:
    def of_test(data: Any) -> Any:
        return data.test

    assert run.check(train=[long(600)], teacher=False, asked=of_test)
    assert run.check(train=[long(600)], test=[long(600)], teacher=False, asked=lambda _: ())  # others' questions
    assert "1 of 11 questions" in run.only(test=[long(600)], teacher=False, asked=of_test).what
    assert "1 of 15 questions" in run.only(test=[long(600)], teacher=False).what


def test_fine_tune_cot_is_told_by_its_own_keys_and_of_each_form(run: Run, tmp_path: Path) -> None:
    assert "1 of 15 questions" in run.only(f"{COT}}}", test=[long(600)]).what
    fault = run.only(f"{COT}training: {{max_tokens: 20}}}}")
    assert fault.place == "fine_tuning.training.max_tokens" and "none of 36 training questions" in fault.what
    (note,) = run.notes(f"{COT}}}", train=[long(600)])
    assert note.startswith("fine_tuning.training.max_tokens: 1 of 37 training questions")
    labels = tmp_path / "labels.yaml"
    labels.write_text(f"prompt: '{'Be good. ' * 60}{{question}} ###'\ncompletion: ' {{answer}}'\n", encoding="utf-8")
    degrees = f"{COT}degrees: [0, 1], label_prompt: '{labels}'}}"
    assert all(fault.what.startswith(f"asked by {labels}, ") for fault in run.faults(degrees))
    assert run.check(degrees.replace("[0, 1]", "[1]"))


def test_the_demo_fits_and_reads_no_tokenizer_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Any:
        raise AssertionError

    monkeypatch.setattr(prompt_lengths, "measure", never)
    path = ROOT / "recipes" / "quickstart.yaml"
    assert check(load_recipe(path), "quickstart", LAPTOP, probe=False, ask=False).data.train
