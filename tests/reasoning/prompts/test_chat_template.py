"""What chat templates, in the shapes as published, make of a question and of the answer that is taught."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import transformers.utils.chat_template_utils as rendering

from reasoning.grading.answers import grade
from reasoning.prompts.chat_template import QUESTION, ChatTemplate, chat_frame
from reasoning.prompts.encoding import Encoder
from reasoning.prompts.files import Message, PromptError
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import StudentForm, student_form
from reasoning.recipe.student import ChatSection
from reasoning.records import AnswerKind, Problem, Split, Verdict
from tests.reasoning.prompts.chat_templates import TEMPLATES, chat_tokenizer

ASKED = [Message(role="user", content=f"Think.\n\n{QUESTION}")]
SYSTEM = "Be brief."

_CHATML = "<|im_start|>user\nThink.\n\n{q}<|im_end|>\n<|im_start|>assistant\n"
_EMPTY = "<think>\n\n</think>\n\n"
_CLOSED = "<think>\n\n</think>\n"


def frame_of(family: str, written: str | None = None, /, **keys: Any) -> Frame:
    return ChatTemplate(f"student {family}", chat_tokenizer(family, template=written), ChatSection(**keys)).frame(ASKED)


def chat_form(tokenizer: Any, **keys: Any) -> StudentForm:
    return student_form("chat", chat=ChatTemplate("student", tokenizer, ChatSection(**keys)).frame)


@pytest.mark.parametrize(
    ("family", "thinking", "prompt", "lead", "trail", "end"),
    [
        ("chatml", None, _CHATML, "", "", "<|im_end|>"),
        ("chatml-bare", None, _CHATML, "", "", "<|im_end|>"),
        ("qwen2.5", None, "<|im_start|>system\nYou help.<|im_end|>\n" + _CHATML, "", "", "<|im_end|>"),
        ("qwen3", None, _CHATML, _EMPTY, "", "<|im_end|>"),
        ("qwen3", "on", _CHATML, _EMPTY, "", "<|im_end|>"),
        ("qwen3", "off", _CHATML + _EMPTY, "", "", "<|im_end|>"),
        ("qwen3-thinking", None, _CHATML + "<think>\n", "\n</think>\n\n", "", "<|im_end|>"),
        ("qwen3-thinking", "off", _CHATML + _EMPTY, "", "", "<|im_end|>"),
        ("deepseek-r1", "on", "<|User|>Think.\n\n{q}<|Assistant|><think>\n", "\n</think>\n\n", "", "<|end|>"),
        ("deepseek-r1", "off", "<|User|>Think.\n\n{q}<|Assistant|>" + _EMPTY, "", "", "<|end|>"),
        ("deepseek-v3.1", None, "<|User|>Think.\n\n{q}<|Assistant|></think>", "", "", "<|end|>"),
        ("deepseek-v3.1", "on", "<|User|>Think.\n\n{q}<|Assistant|><think>", "\n</think>\n\n", "", "<|end|>"),
        ("llama2", None, "[INST] Think.\n\n{q} [/INST]", " ", " ", "</s>"),
        ("mistral", None, "[INST] Think.\n\n{q} [/INST]", " ", "", "</s>"),
        (
            "gemma",
            None,
            "<start_of_turn>user\nThink.\n\n{q}<end_of_turn>\n<start_of_turn>model\n",
            "",
            "",
            "<end_of_turn>",
        ),
        ("phi3", None, "<|user|>\nThink.\n\n{q}<|end|>\n<|assistant|>\n", "", "", "<|end|>"),
        ("zephyr", None, "<|user|>\nThink.\n\n{q}</s>\n<|assistant|>\n", "", "", "</s>"),
        ("glm4", None, "[gMASK]<sop><|user|>\nThink.\n\n{q}<|assistant|>", "\n<think></think>\n", "", None),
        ("glm4", "off", "[gMASK]<sop><|user|>\nThink.\n\n{q}<|assistant|>\n<think></think>", "\n", "", None),
        ("strict", None, _CHATML, "", "", "<|im_end|>"),
        ("hunyuan", None, "<|startoftext|>Think.\n\n{q}<|extra_0|>", f"{_CLOSED}<answer>\n", "\n</answer>", "<|eos|>"),
        ("hunyuan", "off", "<|startoftext|>Think.\n\n{q}<|extra_0|>" + _CLOSED, "<answer>\n", "\n</answer>", "<|eos|>"),
        ("parts", None, _CHATML, "", "", "<|im_end|>"),
        ("falcon", None, "User: Think.\n{q}\n\nAssistant:", " ", "", None),
    ],
)
def test_the_frame_is_read_off_the_template(
    family: str, thinking: str | None, prompt: str, lead: str, trail: str, end: str | None
) -> None:
    frame = frame_of(family, thinking=thinking)
    assert f"{frame.before}{{q}}{frame.after}" == prompt
    assert (frame.lead, frame.trail, frame.end) == (lead, trail, end)


@pytest.mark.parametrize("family", sorted(TEMPLATES))
def test_what_is_read_is_what_the_template_makes_of_the_messages(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    form = chat_form(tokenizer)
    words = form.frame.before + "Is 3 < 4?" + form.frame.after
    assert form.prompt("Is 3 < 4? ") == words
    content = student_form("chat", chat=lambda messages: Frame(messages[0].content, "", (), ())).frame.before
    message = {"role": "user", "content": content.replace(QUESTION, "Is 3 < 4?")}
    message = message if family != "parts" else {**message, "content": [{"type": "text", "text": message["content"]}]}  # type: ignore[dict-item]
    asked = {"strftime_now": date(2024, 7, 26).strftime, "add_generation_prompt": family != "chatml-bare"}
    own = tokenizer.apply_chat_template([message], tokenize=True, return_dict=False, **asked)
    if family == "chatml-bare":
        own += tokenizer("<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    assert Encoder(tokenizer).prompt(words, form.frame.marks(words)) == own


@pytest.mark.parametrize("family", sorted(set(TEMPLATES) - {"deepseek-r1", "parts", "falcon", "glm4"}))
def test_what_is_taught_is_the_assistants_turn_up_to_its_end(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    form = chat_form(tokenizer)
    chat = [
        {"role": "user", "content": "Q?"},
        {"role": "assistant", "content": "4 < 5.\nAnswer: yes"},
    ]
    whole = tokenizer.apply_chat_template(chat, tokenize=False, strftime_now=date(2024, 7, 26).strftime)
    turn = whole[whole.index("Q?") + 2 :]
    (ids,) = Encoder(tokenizer).completions([form.completion("4 < 5.", "yes")], form.frame)
    head = form.frame.after if turn.startswith(form.frame.after) else ""
    assert head
    assert turn.startswith(head + tokenizer.decode(ids)), "the labels are the turn and the token that ends it"
    assert ids.count(ids[-1]) == 1 and ids[-1] == tokenizer.convert_tokens_to_ids(form.frame.end)


@pytest.mark.parametrize("thinking", [None, "on", "off"])
@pytest.mark.parametrize("family", ["qwen3", "qwen3-thinking", "deepseek-r1", "deepseek-v3.1", "glm4", "smollm3"])
def test_what_is_taught_is_read_back_as_right(family: str, thinking: Any) -> None:
    form = chat_form(chat_tokenizer(family), thinking=thinking)
    problem = Problem("own", "How many?", "42", AnswerKind.NUMBER, Split.TRAIN)
    assert grade(form.completion("Not 41.\n6 x 7.", "42"), True, problem) == ("42", Verdict.CORRECT)
    if form.frame.lead.strip():  # it may think in what it is left to write itself
        thought = form.frame.lead.replace("</think>", "Is it 41? Answer: 41\n</think>")
        assert grade(f"{thought}6 x 7.\nAnswer: 42", True, problem) == ("42", Verdict.CORRECT)


def test_the_day_does_not_change_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = []
    for year in (2025, 2031):

        class Clock(rendering.datetime):  # type: ignore[misc]
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return cls(year, 1, 1)  # noqa: B023

        monkeypatch.setattr(rendering, "datetime", Clock)
        forms.append([frame_of(family) for family in ("llama3", "smollm3", "granite")])
    assert forms[0] == forms[1]
    assert [("2024" in frame.before) for frame in forms[0]] == [True, True, True]
    assert "03 Feb 2021" in frame_of("llama3", template_date="2021-02-03").before


@pytest.mark.parametrize(
    ("family", "before"),
    [
        ("chatml", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nThink.\n\n"),
        ("qwen2.5", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nThink.\n\n"),
        ("llama2", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nThink.\n\n"),
        ("mistral", "[INST] Be brief.\n\nThink.\n\n"),
    ],
)
def test_a_system_message_on_wish(family: str, before: str) -> None:
    assert frame_of(family, system=SYSTEM).before == before


_BROKEN = {
    "raises": "{{ raise_exception('Only one user per day') }}",
    "drops the question": "{% for m in messages %}<{{ m.role }}>{% endfor %}",
    "repeats it": "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
    "no Jinja": "{% for m in messages %}{{ m.content }",
    "drops the system": "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}",
    "turns it around": "{% for m in messages | reverse %}{{ m.content }}{% endfor %}",
    "draws": "{{ range(100000) | random }}{% for m in messages %}{{ m.content }}{% endfor %}",
    "counts on": "{% for i in range(10 ** 9) %}x{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}",
    "wants tools": "{{ tools[0].name }}{% for m in messages %}{{ m.content }}{% endfor %}",
}


@pytest.mark.parametrize(
    ("family", "template", "keys", "said"),
    [
        ("gemma", None, {"system": SYSTEM}, r"System role not supported\. It takes no system.*prompt file"),
        ("chatml", "raises", {"system": SYSTEM}, r"Only one user per day\. Take a form of plain text"),
        ("chatml", "raises", {}, r"refuses the messages: Only one user per day"),
        ("chatml", "drops the question", {}, r"leaves out the question.*form of plain text"),
        ("chatml", "repeats it", {}, r"repeats it"),
        ("chatml", "no Jinja", {}, r"is not Jinja.*chat_template\.jinja"),
        (
            "chatml",
            "drops the system",
            {"system": SYSTEM},
            r"leaves out or rewrites the system message.*user's message",
        ),
        ("chatml", "turns it around", {"system": SYSTEM}, r"moves the user message"),
        ("chatml", "wants tools", {}, r"refuses the messages"),
        ("chatml", "draws", {}, r"something else each time"),
        ("chatml", "counts on", {}, r"refuses the messages: Range too big"),
        ("deepseek-v3.1", None, {"system": SYSTEM}, r"leaves out or rewrites the system message"),
        ("chatml", None, {"thinking": "off"}, r"has no thinking to switch.*student\.system"),
        (
            "qwen3",
            None,
            {"template_arguments": {"enable_thinkng": False}},
            r"'enable_thinkng'; it reads enable_thinking",
        ),
        (
            "qwen3",
            None,
            {"thinking": "on", "template_arguments": {"enable_thinking": False}},
            r"both set enable_thinking",
        ),
        ("chatml", None, {"template": "rag"}, r"one chat template.*none named 'rag'"),
    ],
)
def test_what_a_template_cannot_do_is_a_sentence_with_its_cure(
    family: str, template: str | None, keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(PromptError, match=said) as refused:
        frame_of(family, _BROKEN[template] if template else None, **keys)
    assert f"student {family}: " in str(refused.value)


def test_arguments_reach_the_template() -> None:
    told = frame_of("qwen3", template_arguments={"enable_thinking": False})
    assert told == frame_of("qwen3", thinking="off")
    assert "Today: May" in frame_of("llama3", template_arguments={"date_string": "May"}).before


def test_a_second_system_message_is_refused() -> None:
    template = ChatTemplate("student", chat_tokenizer("chatml"), ChatSection(system=SYSTEM))
    with pytest.raises(PromptError, match="has a system message too"):
        template.frame([Message(role="system", content="No."), *ASKED])


def test_one_of_several_templates_is_named() -> None:
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = {"rag": TEMPLATES["zephyr"], "short": TEMPLATES["chatml"]}
    assert chat_form(tokenizer, template="short") == chat_form(chat_tokenizer("chatml"))
    for key in (None, "long"):
        with pytest.raises(PromptError, match=r"there are rag, short\. Set student\.template"):
            chat_form(tokenizer, template=key)
    tokenizer.chat_template = {"rag": TEMPLATES["zephyr"], "default": TEMPLATES["chatml"]}
    assert chat_form(tokenizer) == chat_form(chat_tokenizer("chatml"))


def test_a_template_in_a_file_of_its_own_is_found_and_a_missing_one_told(tmp_path: Path) -> None:
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(PromptError, match=r"no chat template.*plain text.*chat_template\.jinja"):
        chat_frame(str(tmp_path))
    (tmp_path / "chat_template.jinja").write_text(TEMPLATES["chatml"], encoding="utf-8")
    assert chat_frame(str(tmp_path))(ASKED) == frame_of("chatml")


@pytest.mark.parametrize(
    ("family", "template", "begins"),
    [
        ("mistral", None, 1),
        ("mistral", "{{ bos_token + bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}", 1),
        ("zephyr", None, 0),
        ("phi3", None, 0),
    ],
)
def test_a_sequence_begins_once_and_only_where_the_template_wants_it(
    family: str, template: str | None, begins: int
) -> None:
    tokenizer = chat_tokenizer(family, template=template)
    frame = frame_of(family, template)
    prompt = f"{frame.before}Q?{frame.after}"
    assert Encoder(tokenizer).prompt(prompt, frame.marks(prompt)).count(tokenizer.bos_token_id) == begins
