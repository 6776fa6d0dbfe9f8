"""How an exported student is asked and decoded elsewhere, as transformers and llama.cpp's gguf read its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import Refused
from pipelines.exchange.asking import CHAT_TEMPLATE, Asking, ask_as_learnt, asking_of, end_by
from reasoning.prompts.chat_template import ChatTemplate
from reasoning.prompts.encoding import Encoder
from reasoning.prompts.student_forms import StudentForm, default_form, student_form
from reasoning.recipe.student import ChatSection
from reasoning.student.checkpoint import save_student
from reasoning.student.generation import Generator
from reasoning.student.loading import load_tokenizer
from reasoning.student.sampling import Sampling
from tests.reasoning.prompts.chat_templates import chat_tokenizer
from tests.tiny_students import tiny_student

CHAT = [{"role": "user", "content": "How much is 5 + 7?"}]
DECODING = {
    "do_sample": True,
    "temperature": 0.7,
    "repetition_penalty": 1.1,
    "eos_token_id": [257, 258],
    "pad_token_id": 258,
    "max_new_tokens": 20,
}


def exported(folder: Path, family: str, form: str = "reasoning", **config: Any) -> tuple[StudentForm, Asking]:
    """A folder of a student of `family` that is asked in `form`, as `ask_as_learnt` leaves it, and how it is asked."""
    tokenizer = chat_tokenizer(family)
    learnt = student_form(form, chat=ChatTemplate("a student", tokenizer, ChatSection()).frame)
    tokenizer.chat_template = {"default": tokenizer.chat_template, "tool_use": "{{ tools }}"}
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    (folder / "generation_config.json").write_text(json.dumps(DECODING))
    asking = asking_of(folder, learnt)
    assert asking.exact
    ask_as_learnt(folder, asking)
    return learnt, asking


@pytest.mark.parametrize("family", ["qwen3", "llama3", "gemma", "chatml-bare"])
@pytest.mark.parametrize("form", ["reasoning", "fine_tune_cot", "chat"])
def test_who_loads_the_folder_asks_in_the_students_form(family: str, form: str, tmp_path: Path) -> None:
    learnt, asking = exported(tmp_path, family, form)
    tokenizer, question = load_tokenizer(str(tmp_path)), CHAT[0]["content"]
    assert asking.chat and asking.template is not None
    asked = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, tools=[{"name": "f"}])["input_ids"]
    assert asked == Encoder(tokenizer).prompt(learnt.prompt(question), learnt.marks(question))


def test_a_template_that_asks_so_stays_with_all_it_can(tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text('messages: [{role: user, content: "{question}"}]\ncompletion: "{rationale}\\nAnswer: {answer}"\n')
    _, asking = exported(tmp_path / "student", "gemma", str(bare))
    assert asking == Asking() and "tool_use" in load_tokenizer(str(tmp_path / "student")).chat_template


def test_an_encoder_decoder_gets_no_template(tmp_path: Path) -> None:
    assert exported(tmp_path, "chatml", is_encoder_decoder=True, model_type="t5")[1] == Asking(chat=False)
    assert "raise_exception" not in (tmp_path / CHAT_TEMPLATE).read_text()


def test_the_student_decides_its_ends_and_nothing_else_of_decoding(tmp_path: Path) -> None:
    exported(tmp_path, "chatml")
    left = json.loads((tmp_path / "generation_config.json").read_text())
    assert left == {"eos_token_id": [257, 258], "pad_token_id": 258, "do_sample": False}


def test_a_pipeline_says_what_the_students_exam_said(tmp_path: Path) -> None:
    from transformers import pipeline

    taught = tiny_student()
    save_student(taught.model, taught.tokenizer, tmp_path)
    form = default_form()
    (own,) = Generator(taught).answer([form.prompt(CHAT[0]["content"])], Sampling(max_new_tokens=24))
    ask_as_learnt(tmp_path, asking_of(tmp_path, form))
    said = pipeline("text-generation", model=str(tmp_path), dtype="float32")(CHAT, max_new_tokens=24)
    assert said[0]["generated_text"][-1]["content"] == own[0].text


@pytest.mark.parametrize(("form", "end"), [("reasoning", "<|endoftext|>"), ("chat", "<|im_end|>")])
def test_a_gguf_file_has_the_template_and_the_end_that_were_learnt(form: str, end: str, tmp_path: Path) -> None:
    from gguf import SpecialVocab

    learnt, _ = exported(tmp_path, "chatml-bare", form)
    end_by(tmp_path, learnt.frame.end)
    written = SpecialVocab(tmp_path)  # what llama.cpp's converter writes
    assert written.chat_template == (tmp_path / CHAT_TEMPLATE).read_text(encoding="utf-8")
    assert written.special_token_ids["eos"] == load_tokenizer(str(tmp_path)).convert_tokens_to_ids(end)


def test_a_student_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    learnt, _ = exported(tmp_path, "chatml")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Refused, match=r"tokenizer\.json cannot be read"):
        asking_of(tmp_path, learnt)
