"""The chat template of a student that is asked elsewhere: one that asks as the student learnt to be asked.

Owns: that template, made of the student's form and written in Jinja.

Invariants
- A chat's last user message is the question: rendered, it is the prompt of the run, with what the tokenizer puts before
  it. An answer after it stands as it is learnt, up to the token that ends it. Nothing else in a chat has an effect, as
  when the student is served (`reasoning.prompts.asked_question`).
- A question that is sent in the student's form already is not put into it twice.
- It is Jinja that transformers, vLLM and llama.cpp read alike: no clock, no arguments, no slices.
"""

from __future__ import annotations

import json
from string import Template
from typing import Any

from reasoning.prompts.chat_template import TEMPLATE_FAULTS
from reasoning.prompts.encoding import Encoder, added_around
from reasoning.prompts.student_forms import StudentForm

_ANSWER = "\ue000answer\ue001"
_ASKED = "A bat and a ball cost 1.10.\nWhat is 12 + 7 - (3 * 2)?"  # to see that its tokens are those that were learnt
_TEMPLATE = Template(
    """\
{#- Asks as this student learnt to be asked: the last message of the user is the question, and nothing else counts. -#}
{%- set chat = namespace(question='', answer='') -%}
{%- for message in messages -%}
{%- set content = message['content'] or '' -%}
{%- if content is not string -%}{%- set content = content | map(attribute='text') | join('\\n') -%}{%- endif -%}
{%- if message['role'] == 'user' -%}{%- set chat.question = content | trim -%}{%- set chat.answer = '' -%}
{%- elif message['role'] == 'assistant' -%}{%- set chat.answer = content | trim -%}{%- endif -%}
{%- endfor -%}
{%- set question = chat.question -%}
{%- if not question -%}{{- raise_exception('no message of the user has a question') -}}{%- endif -%}
{{- $opening -}}
{%- if question.startswith($whole_first) and question.endswith($whole_last) -%}
{{- $whole_before + question + $whole_after -}}
{%- elif question.startswith($own_first) and question.endswith($own_last) -%}
{{- $own_before + question + $own_after -}}
{%- else -%}
{{- $before + question + $after -}}
{%- endif -%}
{%- if chat.answer -%}{{- $lead + chat.answer + $trail -}}{%- endif -%}
"""
)


def asking_template(form: StudentForm, tokenizer: Any) -> tuple[str, bool]:
    """The chat template by which a student with `tokenizer` is asked in `form`; whether a chat so becomes exactly the
    tokens that were learnt."""
    opening = _opening(form, tokenizer)
    learnt = Encoder(tokenizer).prompt(form.prompt(_ASKED), form.marks(_ASKED))
    # Behind the token that begins a sequence some tokenizers read a first word otherwise, unless a space is there.
    for gap in ("", " "):
        text = _written(form, tokenizer, f"{opening}{gap}" if opening else "")
        chat = [{"role": "user", "content": _ASKED}]
        asked = tokenizer.apply_chat_template(chat, chat_template=text, tokenize=False)
        if tokenizer(asked, add_special_tokens=False)["input_ids"] == learnt:
            return text, True
    return _written(form, tokenizer, opening), False


def asks_so_by_itself(form: StudentForm, tokenizer: Any) -> bool:
    """Whether the chat template that `tokenizer` has makes the prompt of `form` of a question."""
    if not tokenizer.chat_template:
        return False
    try:
        chat = [{"role": "user", "content": _ASKED}]
        asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    except TEMPLATE_FAULTS:
        return False
    return bool(asked == _opening(form, tokenizer) + form.prompt(_ASKED))


def _opening(form: StudentForm, tokenizer: Any) -> str:
    """What the tokenizer puts before a prompt by itself: in a chat a template has to write it."""
    return "".join(tokenizer.convert_ids_to_tokens(added_around(tokenizer)[0])) if form.frame.opening else ""


def _written(form: StudentForm, tokenizer: Any, opening: str) -> str:
    frame = form.frame
    lead, _, trail = form.own_completion(_ANSWER).partition(_ANSWER)
    # The user's own message of a chat, or the whole prompt: what a question begins and ends with that is sent so.
    start = frame.own_before[-1][1] if frame.own_before else 0
    stop = frame.own_after[0][0] if frame.own_after else len(frame.after)
    own = (frame.before[start:], frame.after[:stop])
    if not "".join(own).strip():
        start, stop, own = 0, len(frame.after), (frame.before, frame.after)
    pieces = {
        "opening": opening,
        "before": frame.before,
        "after": frame.after,
        "whole_first": frame.before.lstrip(),
        "whole_last": frame.after.rstrip(),
        "whole_before": _space_before(frame.before),
        "whole_after": _space_after(frame.after),
        "own_first": own[0].lstrip(),
        "own_last": own[1].rstrip(),
        "own_before": frame.before[:start] + _space_before(own[0]),
        "own_after": _space_after(own[1]) + frame.after[stop:],
        "lead": lead,
        "trail": trail + (frame.end or tokenizer.eos_token),
    }
    return _TEMPLATE.substitute({name: json.dumps(text, ensure_ascii=False) for name, text in pieces.items()})


def _space_before(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _space_after(text: str) -> str:
    return text[len(text.rstrip()) :]
