"""The student's own chat template: what it makes of a form's messages, and of the answer to them.

Owns: finding the template, its arguments, rendering it, and reading the frame of question and answer off it.

Invariants
- The answer that is taught is the assistant's turn as the template writes it, with the token that ends it: found by
  rendering a turn, so that no family needs to be known here.
- A template renders the same on every day: its clock stands still (`student.template_date`).
- Whatever a template cannot do with the messages is said before anything is spent: that it raises, or leaves out, moves
  or rewrites a message.

Sources: the templates as published of Llama 2 and 3, Qwen, Gemma, Phi, Mistral, SmolLM, DeepSeek, Granite, GLM; what
`transformers` says of them (chat templating guide): a template writes all special tokens itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

import jinja2
from jinja2 import meta

from reasoning.prompts.encoding import added_around, special_tokens
from reasoning.prompts.files import Message, PromptError
from reasoning.prompts.frame import Frame, Span
from reasoning.recipe.student import ChatSection

QUESTION = "\ue000question\ue001"
_ANSWER = "\ue000answer\ue001"

# The arguments by which templates switch thinking: Qwen3's kind, Granite's and DeepSeek-V3.1's.
_SWITCHES = ("enable_thinking", "thinking")
# What `apply_chat_template` gives a template itself.
_GIVEN = {"messages", "add_generation_prompt", "tools", "documents", "strftime_now", "raise_exception"}
_OPENED = re.compile(r"(?:<(think|thinking|thought|reasoning)>|\[THINK\])\s*$")
_BLOCK = re.compile(r"<(think|thinking|thought|reasoning)>\s*</\1>|\[THINK\]\s*\[/THINK\]|</(?:think|thinking)>")

_IN_THE_QUESTION = "Put its words at the beginning of the user's message, in a prompt file of your own"
TEMPLATE_FAULTS = (
    *(jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError),
    *(ArithmeticError, RecursionError, MemoryError),
)

FrameOf = Callable[[Sequence[Message]], Frame]


def chat_frame(source: str, options: ChatSection | None = None, kept: str | None = None) -> FrameOf:
    """What makes a frame of a form's messages (of which one holds `QUESTION`) by the chat template of the student at
    `source` (folder or hub id), or by the one that a run has `kept`. Raises `ChatTemplateError`."""
    tokenizer = _tokenizer(source)
    if kept is not None:
        tokenizer.chat_template = {options.template: kept} if options and options.template else kept
    return ChatTemplate(f"student {source}", tokenizer, options or ChatSection()).frame


def chat_template(source: str, options: ChatSection) -> str:
    """The text of the chat template of the student at `source` that a form of messages goes through. Raises
    `ChatTemplateError`."""
    return ChatTemplate(f"student {source}", _tokenizer(source), options).text


def _tokenizer(source: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(source, trust_remote_code=False, mistral_format=False)  # see `load_tokenizer`


class ChatTemplateError(PromptError):
    """A chat template that cannot do what is asked of it: `what` it is, and the `cure`."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what, cure)
        self.what, self.cure = what, cure

    def __str__(self) -> str:
        return f"{self.what}. {self.cure}"


@dataclass(frozen=True, slots=True)
class _Turn:
    """A rendering up to where the student begins (`prompt`), and what the template writes around its answer. `lead` is
    None when it writes the answer's turn in another way than it began it."""

    prompt: str
    lead: str | None
    rest: str | None


class ChatTemplate:
    """The template of `tokenizer`, with its options. `name` stands in errors. Raises `ChatTemplateError`."""

    def __init__(self, name: str, tokenizer: Any, options: ChatSection) -> None:
        self._name, self._tokenizer, self._options = name, tokenizer, options
        self._template = self._chosen(tokenizer.chat_template)
        self._known = self._arguments()
        self._given = {**options.template_arguments, **self._switched()}
        self._ends = sorted(_possible_ends(tokenizer), key=len, reverse=True)

    @property
    def text(self) -> str:
        """The template itself."""
        return self._template

    def frame(self, messages: Sequence[Message]) -> Frame:
        """The frame of `messages`, the recipe's system message before them. Raises `ChatTemplateError`."""
        if self._options.system is not None:
            if any(message.role == "system" for message in messages):
                what = "student.system is set, but the prompt file has a system message too"
                raise self._error(what, "Leave one out")
            messages = [Message(role="system", content=self._options.system), *messages]
        turn = self._turn(messages)
        prompt, lead = turn.prompt, turn.lead or ""
        if self._options.thinking == "off" and _BLOCK.search(lead):
            prompt, lead = prompt + lead, ""  # it is not to think: nothing is left for it to open
        before, found, after = prompt.partition(QUESTION)
        self._check_contents(messages, prompt)
        frame = Frame(before, after, *self._own(messages, before, after), lead=lead, **self._ending(turn.rest))
        assert found
        return self._without_opening(frame)

    # The template and its arguments

    def _chosen(self, template: Any) -> str:
        wanted = self._options.template
        if isinstance(template, Mapping) and template:
            name = wanted or ("default" if "default" in template else None)
            if name not in template:
                known = ", ".join(sorted(template))
                what = f"no chat template {wanted!r}" if wanted else "several chat templates and none is the default"
                raise self._error(f"it has {what}; there are {known}", "Set student.template to one of them")
            return str(template[name])
        if not template:
            raise self._error(
                "it has no chat template, so student.prompt must be a form of plain text",
                "Or put the template that it was trained with into its folder, as chat_template.jinja",
            )
        if wanted is not None:
            raise self._error(f"it has one chat template, without a name, and none named {wanted!r}", "Leave it out")
        return str(template)

    def _arguments(self) -> set[str]:
        """The names that the template reads and does not set itself."""
        from transformers.utils.chat_template_utils import _compile_jinja_template

        try:
            environment = _compile_jinja_template(self._template).environment
            found = meta.find_undeclared_variables(environment.parse(self._template))
        except jinja2.TemplateError as error:
            reason = str(error).rstrip(".")
            raise self._error(f"its chat template is not Jinja: {reason}", "Mend its chat_template.jinja") from error
        # A name that a template sets when it is not given counts as declared.
        asked_for = set(re.findall(r"\b(\w+) is (?:not )?defined", self._template))
        return (found | asked_for) - _GIVEN - set(self._tokenizer.special_tokens_map)

    def _switched(self) -> dict[str, bool]:
        """The arguments that `student.thinking` stands for."""
        given = self._options.template_arguments
        for name in given:
            if name not in self._known:
                read = ", ".join(sorted(self._known)) or "none"
                raise self._error(f"its chat template reads no argument {name!r}; it reads {read}", "Correct the name")
        wanted = self._options.thinking
        if wanted is None:
            return {}
        switches = {name: wanted == "on" for name in _SWITCHES if name in self._known}
        twice = sorted(switches.keys() & given.keys())
        if twice:
            raise self._error(f"student.thinking and template_arguments both set {twice[0]}", "Leave one out")
        if not switches and not _mentions_thinking(self._template):
            cure = "Leave student.thinking out; a model that is told by its system message gets student.system"
            raise self._error("its chat template has no thinking to switch", cure)
        return switches

    # Rendering

    def _turn(self, messages: Sequence[Message]) -> _Turn:
        plain = self._attempt(messages, parts=False)
        if isinstance(plain, _Turn):
            return plain
        in_parts = self._attempt(messages, parts=True)  # templates of models that also see want a list of parts
        if isinstance(in_parts, _Turn):
            return in_parts
        raise plain

    def _attempt(self, messages: Sequence[Message], *, parts: bool) -> _Turn | ChatTemplateError:
        try:
            prompt = self._render(messages, begun=True, parts=parts)
        except ChatTemplateError as error:
            return error
        if self._render(messages, begun=True, parts=parts) != prompt:
            what = "its chat template writes something else each time, and a student is asked alike every day"
            return self._error(
                what, "Take what it draws by chance out of its chat_template.jinja, or a form of plain text"
            )
        if prompt.count(QUESTION) != 1:
            return self._error("its chat template leaves out the question, or repeats it", "Take a form of plain text")
        answered = [*messages, Message(role="assistant", content=_ANSWER)]
        try:
            whole = self._render(answered, begun=False, parts=parts)
        except ChatTemplateError:
            return _Turn(prompt, None, None)  # it renders prompts alone
        head, found, rest = whole.partition(_ANSWER)
        if not found:
            return _Turn(prompt, None, None)
        if not head.startswith(prompt):
            opened = _OPENED.search(prompt)
            return _Turn(prompt, _closing(opened) if opened else None, rest)
        lead = head[len(prompt) :]
        if lead.strip() and not _BLOCK.search(lead) and not self._begins(messages, prompt, parts=parts):
            return _Turn(head, "", rest)
        return _Turn(prompt, lead, rest)

    def _begins(self, messages: Sequence[Message], prompt: str, *, parts: bool) -> bool:
        """Whether it begins the answer's turn where that is asked for alone, as in `prompt`."""
        try:
            return self._render(messages, begun=False, parts=parts) != prompt
        except ChatTemplateError:  # it ends with the assistant's turn, or is to begin one
            return True

    def _render(self, messages: Sequence[Message], *, begun: bool, parts: bool) -> str:
        chat = [
            {"role": m.role, "content": [{"type": "text", "text": m.content}] if parts else m.content} for m in messages
        ]
        try:
            return self._apply(chat, begun=begun)
        except TEMPLATE_FAULTS as error:
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise self._error(f"its chat template refuses the messages: {reason}", self._cure(chat)) from error

    def _apply(self, chat: list[dict[str, Any]], *, begun: bool) -> str:
        today = datetime.combine(self._options.template_date, time())
        return str(
            self._tokenizer.apply_chat_template(
                chat,
                chat_template=self._template,
                add_generation_prompt=begun,
                tokenize=False,
                strftime_now=today.strftime,
                **self._given,
            )
        )

    def _cure(self, chat: list[dict[str, Any]]) -> str:
        """What to do about refused messages: the system message is to blame where all is well without it."""
        rest = [message for message in chat if message["role"] != "system"]
        if len(rest) < len(chat):
            with suppress(*TEMPLATE_FAULTS):
                self._apply(rest, begun=True)
                return f"It takes no system message: leave student.system out. {_IN_THE_QUESTION}"
        return "Take a form of plain text, give what it asks for in student.template_arguments, or other messages"

    # Reading the frame

    def _check_contents(self, messages: Sequence[Message], prompt: str) -> None:
        """Every message is in the prompt, in its order; white space may differ."""
        squeezed, at = _squeezed(prompt), 0
        for message in messages:
            content = _squeezed(message.content)
            found = squeezed.find(content, at)
            if found < 0:
                moved = content in squeezed
                what = f"its chat template {'moves' if moved else 'leaves out or rewrites'} the {message.role} message"
                other = "Take a form of plain text, or other messages"
                raise self._error(what, _IN_THE_QUESTION if message.role == "system" else other)
            at = found + len(content)

    def _own(self, messages: Sequence[Message], before: str, after: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """The spans of `before` and `after` that the template wrote: what is not a message's. A message whose white
        space the template changed counts as the template's."""
        text, start = before + after, len(before)
        taken: list[Span] = []
        at = 0
        for message in messages:
            first, found, last = message.content.partition(QUESTION)
            for part in (first.lstrip(), last.rstrip()) if found else (message.content.strip(),):
                place = text.find(part, at) if part else -1
                if place >= 0:
                    taken.append((place, place + len(part)))
                    at = place + len(part)
        own, at = [], 0
        for first_taken, last_taken in [*taken, (len(text), len(text))]:
            own.append((at, first_taken))
            at = last_taken
        split = [piece for span in own for piece in _split(span, start)]
        return (
            tuple(span for span in split if span[1] <= start),
            tuple((a - start, b - start) for a, b in split if a >= start),
        )

    def _ending(self, rest: str | None) -> dict[str, Any]:
        """What closes the answer: text, and the first token of its own that stands after it."""
        found = re.search("|".join(map(re.escape, self._ends)) or r"(?!)", rest or "")
        if found is None:
            return {"trail": "", "end": None}
        return {"trail": (rest or "")[: found.start()], "end": found[0]}

    def _without_opening(self, frame: Frame) -> Frame:
        """The token that begins a sequence is put there once: by the tokenizer, where it does so, or by the template.
        Where neither does, none is wanted."""
        added, _ = added_around(self._tokenizer)
        if not added:
            return replace(frame, opening=False)
        opening = "".join(self._tokenizer.convert_ids_to_tokens(added))
        before, cut = frame.before, 0
        while opening and before.startswith(opening, cut):
            cut += len(opening)
        own = tuple((max(0, a - cut), b - cut) for a, b in frame.own_before if b > cut)
        return replace(frame, before=before[cut:], own_before=own, opening=cut > 0)

    def _error(self, what: str, cure: str) -> ChatTemplateError:
        return ChatTemplateError(f"{self._name}: {what}", cure)


def _possible_ends(tokenizer: Any) -> set[str]:
    """Special tokens, and those that were added to a vocabulary without being marked as special."""
    added = {str(entry.content) for entry in getattr(tokenizer, "added_tokens_decoder", {}).values()}
    return {text for text in {*added, *special_tokens(tokenizer).values()} if text.strip()}


def _mentions_thinking(template: str) -> bool:
    return re.search(r"</?(think|thinking|thought|reasoning)>|\[/?THINK\]", template) is not None


def _closing(opened: re.Match[str]) -> str:
    """What ends a thinking block that the prompt has opened, with nothing in it."""
    mark = f"</{opened[1]}>" if opened[1] else "[/THINK]"
    return f"\n{mark}\n\n"


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _split(span: Span, at: int) -> tuple[Span, ...]:
    """`span` in two where it runs over `at`; empty ones are left out."""
    pieces = ((span[0], min(span[1], at)), (max(span[0], at), span[1]))
    return tuple(piece for piece in pieces if piece[0] < piece[1])
