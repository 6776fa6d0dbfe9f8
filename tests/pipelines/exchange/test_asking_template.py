"""The chat template of an exported student, rendered as transformers renders it, beside the prompt that a run asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest

from pipelines.exchange.asking_template import asking_template, asks_so_by_itself
from reasoning.prompts.chat_template import ChatTemplate
from reasoning.prompts.encoding import Encoder
from reasoning.prompts.student_forms import StudentForm, student_form
from reasoning.recipe.student import ChatSection
from tests.reasoning.prompts.chat_templates import TEMPLATES, chat_tokenizer

QUESTION = 'Tom said: "5 + 7"?\n(a) {{ x }} (b) 12'
FORMS = ("reasoning", "fine_tune_cot", "label", "zero_shot_cot", "chat")


def form_of(name: str, tokenizer: Any, **options: Any) -> StudentForm:
    return student_form(name, chat=ChatTemplate("a student", tokenizer, ChatSection(**options)).frame)


def own_form(folder: Path, prompt: str) -> StudentForm:
    file = folder / "own.yaml"
    file.write_text(f'prompt: "{prompt}"\ncompletion: " {{rationale}} => {{answer}}"\n', encoding="utf-8")
    return student_form(str(file))


def user(content: object, *more: str) -> list[dict[str, object]]:
    """A chat: the user's message, and further ones, the assistant's first."""
    roles = ("assistant", "user")
    return [{"role": "user", "content": content}, *({"role": roles[i % 2], "content": t} for i, t in enumerate(more))]


@pytest.mark.parametrize("family", TEMPLATES)
@pytest.mark.parametrize("name", FORMS)
def test_a_chat_elsewhere_is_the_prompt_of_the_run_token_for_token(family: str, name: str) -> None:
    tokenizer = chat_tokenizer(family)
    form, encoder = form_of(name, tokenizer), Encoder(tokenizer)
    learnt = encoder.prompt(form.prompt(QUESTION), form.marks(QUESTION))
    tokenizer.chat_template, exact = asking_template(form, tokenizer)
    assert exact
    text = tokenizer.apply_chat_template(user(f" {QUESTION}\n"), tokenize=False, add_generation_prompt=True)
    assert text.endswith(form.prompt(QUESTION))
    tokens = tokenizer.apply_chat_template(user(QUESTION), add_generation_prompt=True)["input_ids"]
    assert tokens == learnt

    said = form.completion("5 and 7 make 12.", "12")
    (answer,) = encoder.completions([said], form.frame)
    own = said.removeprefix(form.frame.lead).removesuffix(form.frame.trail)
    assert tokenizer.apply_chat_template(user(QUESTION, own))["input_ids"] == [*learnt, *answer]


@pytest.mark.parametrize("name", FORMS)
def test_nothing_but_the_last_question_counts_and_no_form_is_put_on_twice(name: str) -> None:
    tokenizer = chat_tokenizer("qwen3")
    form = form_of(name, tokenizer, system="You solve it.", thinking="off")
    template, _ = asking_template(form, tokenizer)

    def asked(chat: list[dict[str, object]], **arguments: object) -> str:
        return str(tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False, **arguments))

    wanted = form.prompt(QUESTION)
    parts = [{"type": "text", "text": QUESTION.split("\n")[0]}, {"type": "text", "text": QUESTION.split("\n")[1]}]
    for chat in (
        user(parts),
        [{"role": "system", "content": "Be brief."}, *user(QUESTION)],
        user("An earlier one?", "Yes.", QUESTION),
        [*user(QUESTION), {"role": "assistant", "content": None}],
        user(wanted),
        user(f"\n{wanted.strip()} "),
    ):
        assert asked(chat) == wanted
    assert asked(user(QUESTION), add_generation_prompt=True, tools=[{"name": "f"}], enable_thinking=True) == wanted
    begun = [*user(QUESTION), {"role": "assistant", "content": "5 and"}]
    assert asked(begun, continue_final_message=True).endswith("5 and")
    with pytest.raises(jinja2.TemplateError, match="no message of the user has a question"):
        asked([{"role": "system", "content": "Be brief."}])


def test_the_users_own_message_of_a_chat_form_is_taken_as_it_is() -> None:
    tokenizer = chat_tokenizer("gemma")
    form = form_of("chat", tokenizer)
    template, _ = asking_template(form, tokenizer)
    message = (
        f"Think step by step, then write a last line 'Answer:' with the final answer alone.\n\nQuestion: {QUESTION}"
    )
    text = tokenizer.apply_chat_template(user(message), chat_template=template, tokenize=False)
    assert text == "<bos>" + form.prompt(QUESTION)


@pytest.mark.parametrize(
    "prompt",
    [
        '\\"{question}\\" \\\\boxed',
        "{question}",
        "Frage: {question}\\nÜberlegung (日本):\\t",
        "{{%- {question} -%}} ''' #}",
    ],
)
def test_a_form_may_have_any_words(prompt: str, tmp_path: Path) -> None:
    tokenizer, form = chat_tokenizer("llama3"), own_form(tmp_path, prompt.removesuffix("\\t"))
    template, exact = asking_template(form, tokenizer)
    text = tokenizer.apply_chat_template(user(QUESTION), chat_template=template, tokenize=False)
    assert exact and text == "<|begin_of_text|>" + form.prompt(QUESTION)


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_a_first_word_is_read_behind_the_begin_as_it_was_learnt(scheme: str) -> None:
    """SentencePiece's kind writes a space before a first word, and some of them not behind `<s>`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted({*"▁\nAnQuestioRag:?()0123456789+-*.WhbtdlcaIs", *"<s>"})
    backend = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<s>", "</s>")])
    begin = backend.token_to_id("<s>")
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", begin)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    form = student_form()
    tokenizer.chat_template, exact = asking_template(form, tokenizer)
    asked = tokenizer.apply_chat_template(user("What is 1+1?"))["input_ids"]
    assert exact and asked == Encoder(tokenizer).prompt(form.prompt("What is 1+1?"), form.marks("What is 1+1?"))


def test_a_template_that_asks_so_by_itself_is_known(tmp_path: Path) -> None:
    file = tmp_path / "bare.yaml"
    file.write_text('messages: [{role: user, content: "{question}"}]\ncompletion: "{rationale}\\nAnswer: {answer}"\n')
    for family, alone in (("llama3", False), ("gemma", True), ("qwen2.5", True), ("mistral", True)):
        tokenizer = chat_tokenizer(family)  # Llama 3's writes a date, and this run's is another one
        assert asks_so_by_itself(form_of(str(file), tokenizer), tokenizer) is alone, family
        assert not asks_so_by_itself(form_of("chat", tokenizer), tokenizer)
        assert not asks_so_by_itself(student_form(), tokenizer)
    tokenizer.chat_template = None
    assert not asks_so_by_itself(student_form(), tokenizer)
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    assert not asks_so_by_itself(student_form(), tokenizer)
