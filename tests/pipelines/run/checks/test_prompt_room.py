"""The room that is measured is that of the run: a prompt is refused, or not learnt, exactly where it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.run.checks.prompt_room import Measurement, measure, measured_here
from reasoning.prompts.run_prompts import form_of
from reasoning.recipe.student import StudentSection
from reasoning.records import Example
from reasoning.student.checkpoint import Student, save_student
from reasoning.student.generation import Generator
from reasoning.student.sampling import PromptRefused, Sampling
from reasoning.training.samples import tokenize_examples
from tests.tiny_students import byte_tokenizer, tiny_llama, tiny_student
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training

WORDS = len("Question: \nReasoning:")
CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def opening_student() -> Student:
    """One whose tokenizer puts a token before every text, as Llama's does."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    start = [("<s>", tokenizer.bos_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=start)
    return Student(tiny_llama(len(tokenizer), bos_token_id=tokenizer.bos_token_id), tokenizer)


def chat_student() -> Student:
    student = tiny_student()
    student.tokenizer.chat_template = CHAT
    return student


STUDENTS = {"bytes": tiny_student, "opening": opening_student, "t5": tiny_t5_student, "chat": chat_student}


def measurement(student: StudentSection, questions: list[str], **keys: Any) -> Measurement:
    form, everything = form_of(student), [list(range(len(questions)))]
    asked = {"vllm": True, "wanted": 20, "completion": form.completion("", "7"), "limits": []} | keys
    return Measurement(student=student, questions=questions, groups=everything, **asked)


@pytest.mark.parametrize("name", STUDENTS)
def test_what_has_no_room_is_what_the_sampler_refuses_and_the_trainer_leaves_out(name: str, tmp_path: Path) -> None:
    student = STUDENTS[name]()
    save_student(student.model, student.tokenizer, tmp_path)
    section = StudentSection(model=str(tmp_path), max_model_len=200, prompt="chat" if name == "chat" else "reasoning")
    form = form_of(section)
    questions = [*("x" * length for length in range(10, 210)), "How many </s></s> are left?" * 9]
    found = measured_here(measurement(section, questions, limits=[180]), form)
    generator, room = Generator(student, section.max_model_len), found.room
    answered = []
    for question in questions:
        sampling = Sampling(max_new_tokens=20, marks=form.marks(question))
        try:
            answered.append(generator.request(form.prompt(question), sampling).limit)
        except PromptRefused:
            answered.append(0)
    assert [count > room.answered for count in found.counts] == [limit == 0 for limit in answered]
    assert [count > room.answered_whole for count in found.counts] == [limit < 20 for limit in answered]
    examples = [Example(str(n), form.prompt(one), (form.completion("", "7"),)) for n, one in enumerate(questions)]
    apart = student.is_encoder_decoder
    kept = tokenize_examples(examples, student.tokenizer, 180, encoder_decoder=apart, frame=form.frame).examples
    learnt = {e.id for e, count in zip(examples, found.counts, strict=True) if count <= room.learnt(180)}
    assert learnt == {example.id for example in kept} and 0 < len(learnt) < len(questions)


def test_a_process_of_its_own_measures_the_same(tmp_path: Path) -> None:
    """Where this one holds no torch."""
    student = tiny_student()
    save_student(student.model, student.tokenizer, tmp_path)
    section = StudentSection(model=str(tmp_path))
    wanted = measurement(section, ["How many \u00e9t\u00e9?", "x" * 600, "\u591a\u5c11" * 90], limits=[512])
    assert Measurement.of_json(wanted.as_json()) == wanted
    here = measured_here(wanted, form_of(section))
    assert here == measure(wanted, form_of(section)) and here.counts[1] == 600 + WORDS and here.own == WORDS
    code = f"""
import dataclasses, json, sys
from pipelines.run.checks.prompt_room import Measurement, measure
from reasoning.prompts.run_prompts import form_of
wanted = Measurement.of_json({wanted.as_json()!r})
found = measure(wanted, form_of(wanted.student))
print(json.dumps(dataclasses.asdict(found)), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == f"{as_json(here)} False".split()


def as_json(found: Any) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(found))


def test_a_tokenizer_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = measurement(StudentSection(), ["How many?"])
    nowhere = Measurement.of_json(wanted.as_json().replace(StudentSection().model, str(tmp_path)))
    with pytest.raises((OSError, ValueError)):
        measured_here(nowhere, form_of(StudentSection()))
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises((OSError, ValueError), match=str(tmp_path)):
        measure(nowhere, form_of(StudentSection()))
