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
$sent
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
    start = frame.own_before[-1][1] if frame.own_before else 0
    stop = frame.own_after[0][0] if frame.own_after else len(frame.after)
    # What a question begins and ends with that is sent in the form: the whole prompt, or the user's message of a chat.
    sent = [_as_it_is("if", "", frame.before, frame.after, "")]
    if (frame.before[start:] + frame.after[:stop]).strip():
        own = frame.before[:start], frame.before[start:], frame.after[:stop], frame.after[stop:]
        sent.append(_as_it_is("elif", *own))
    pieces = {
        "opening": opening,
        "before": frame.before,
        "after": frame.after,
        "lead": lead,
        "trail": trail + (frame.end or tokenizer.eos_token),
    }
    return _TEMPLATE.substitute({name: _quoted(text) for name, text in pieces.items()}, sent="\n".join(sent))


def _as_it_is(condition: str, ahead: str, first: str, last: str, behind: str) -> str:
    """The branch for a question that begins with `first` and ends with `last`: it stands between `ahead` and `behind`,
    with the white space that it lost."""
    begun, ended = first.lstrip(), last.rstrip()
    ahead, behind = ahead + first[: len(first) - len(begun)], last[len(ended) :] + behind
    return (
        f"{{%- {condition} question.startswith({_quoted(begun)}) and question.endswith({_quoted(ended)}) -%}}\n"
        f"{{{{- {_quoted(ahead)} + question + {_quoted(behind)} -}}}}"
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
