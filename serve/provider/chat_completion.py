"""A chat completion as the faulty provider reads and writes it: strict checks by hand, for they are on the hot path.

Owns: OpenAI's request, reply and error bodies for `/v1/chat/completions`, and what a fault does to an answer. No I/O.
Invariants
- A request is read whole or refused with OpenAI's error; what is not offered (streaming) is refused, not ignored.
- The identity of a request is a hash of model, messages, temperature, max_tokens and seed.
- An answer counts its own tokens (`reasoning.offline.word_tokens`); only `wrong_usage` tells the client something else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from reasoning.offline.teacher import Teacher
from reasoning.offline.word_tokens import count_tokens, cut_to
from serve.provider.faults import FaultKind
from serve.provider.reply_forms import (
    CUT_OFF_WORDS,
    GIVEN_UP_WORDS,
    THINKING_FORMS,
    WHOLE_WORDS,
    WITHHELD_WORDS,
    ThinkingForm,
    chosen,
    draft_of,
    message,
    padded,
    streamed,
    usage,
)

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


class ProviderError(Exception):
    """An error that the client sees as it is. `kind` is OpenAI's `type`."""

    def __init__(
        self, status: int, message: str, code: str | None, param: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.kind = status, message, code, param, kind

    def text(self) -> str:
        """The body, as JSON."""
        return json.dumps(
            {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}
        )


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request that was read. `asked`: the last message of the user; `prompt`: all messages, as they are counted."""

    identity: str
    asked: str
    prompt: str
    n: int
    temperature: float
    seed: int | None
    limit: int | None
    stops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The choices, each a text and its finish_reason, and the tokens that are billed: `completion_tokens` with the
    `thinking_tokens` among them. `form`: how the choices tell their drafts."""

    choices: tuple[tuple[str, str | None], ...]
    prompt_tokens: int
    completion_tokens: int
    thinking_tokens: int = 0
    form: ThinkingForm = "none"

    def thinks(self, form: ThinkingForm, hidden_tokens: int) -> Answer:
        """The same answer after a draft of each choice, and `hidden_tokens` that nobody sees."""
        seen = sum(count_tokens(draft_of(text)) for text, _ in self.choices) if form != "none" else 0
        thought = self.thinking_tokens + seen + hidden_tokens
        made = self.completion_tokens + seen + hidden_tokens
        return replace(self, completion_tokens=made, thinking_tokens=thought, form=form)


class EchoTeacher:
    """Says `Answer to` and what it was asked: the teacher of benchmarks."""

    def complete(self, content: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        return [f"Answer to {content}"] * n

    def continue_text(self, prompt: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        return self.complete(prompt, n, temperature, seed)


def read_json(raw: bytes) -> object:
    """Errors: `ProviderError`."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProviderError(400, f"We could not parse the JSON body of your request: {error}", None) from error


def read_chat_request(sent: object, model: str) -> ProviderRequest:
    """The request in a JSON body. Errors: `ProviderError`, naming the first value that is wrong."""
    if not isinstance(sent, dict):
        raise ProviderError(400, "The body must be a JSON object.", "invalid_value", "body")
    if not isinstance(named := sent.get("model"), str):
        raise _wrong("model", "a string is required")
    if named != model:
        raise ProviderError(404, f"The model '{named}' does not exist; this server has '{model}'.", "model_not_found")
    if sent.get("stream"):
        raise ProviderError(400, "Streaming is not offered; send stream=false.", "unsupported_value", "stream")
    messages = sent.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", "a list of at least one message is required")
    said = [_read_message(i, message) for i, message in enumerate(messages)]
    asked = next((text for role, text in reversed(said) if role == "user"), None)
    if asked is None:
        raise _wrong("messages", "no message has the role 'user'")
    temperature, stop = _number(sent, "temperature", 1.0), sent.get("stop")
    stops = [stop] if isinstance(stop, str) else [] if stop is None else stop
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        raise _wrong("stop", "a string or a list of strings is required")
    seed = _integer(sent, "seed")
    limit = _integer(sent, "max_completion_tokens", 1) or _integer(sent, "max_tokens", 1)
    canonical = _CANONICAL.encode((model, messages, temperature, limit, seed))
    return ProviderRequest(
        identity=hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
        asked=asked,
        prompt=said[0][1] if len(said) == 1 else "\n".join(text for _, text in said),
        n=_integer(sent, "n", 1, 128) or 1,
        temperature=temperature,
        seed=seed,
        limit=limit,
        stops=tuple(one for one in stops if one),
    )


def _read_message(index: int, message: object) -> tuple[str, str]:
    """Role and text; parts of a content are joined by lines."""
    role = message.get("role") if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(role, str):
        raise _wrong(f"messages.{index}.role", "a string is required")
    if isinstance(content, str):
        return role, content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    if not parts or len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        raise _wrong(f"messages.{index}.content", "a string or a list of parts of type 'text' is required")
    return role, "\n".join(str(text) for text in texts)


def _number(sent: dict[str, Any], name: str, default: float) -> float:
    value = sent.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 2.0:
        raise _wrong(name, "a number between 0 and 2 is required")
    return float(value)


def _integer(sent: dict[str, Any], name: str, least: int | None = None, most: int | None = None) -> int | None:
    value = sent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, "an integer is required")
    if (least is not None and value < least) or (most is not None and value > most):
        raise _wrong(
            name, f"an integer of at least {least}" + (f" and at most {most}" if most else "") + " is required"
        )
    return value


def _wrong(param: str, problem: str) -> ProviderError:
    return ProviderError(400, f"Invalid '{param}': {problem}.", "invalid_value", param)


def answer(teacher: Teacher, ask: ProviderRequest, prompt_tokens: int) -> Answer:
    """What the teacher says, up to the first stop sequence and to the limit. Errors: the teacher's own."""
    ended = [_finish(text, ask) for text in teacher.complete(ask.asked, ask.n, ask.temperature, ask.seed)]
    choices = tuple((text, why) for text, why, _ in ended)
    return Answer(choices, prompt_tokens, sum(tokens for _, _, tokens in ended))


def _finish(text: str, ask: ProviderRequest) -> tuple[str, str, int]:
    """The text, why it ends there, and its tokens."""
    if ask.stops:
        found = [at for at in (text.find(stop) for stop in ask.stops) if at >= 0]
        text = text[: min(found)] if found else text
    tokens = count_tokens(text)
    if ask.limit is None or tokens <= ask.limit:
        return text, "stop", tokens
    return cut_to(text, ask.limit) or text, "length", ask.limit


def altered(given: Answer, fault: FaultKind | None, at: float = 0.0) -> Answer:
    """The answer as a fault leaves it. Text that was made and then withheld is billed; text that was never made is
    not. `at`, from 0 up to 1, chooses among the forms of a fault."""
    match fault:
        case FaultKind.EMPTY:
            return _ended(given, "stop")
        case FaultKind.CONTENT_FILTER:
            return _ended(given, "content_filter")
        case FaultKind.WITHHELD:
            return _ended(given, chosen(WITHHELD_WORDS, at))
        case FaultKind.TRUNCATED:
            return _halved(given, "length")
        case FaultKind.UNFINISHED:
            return _halved(given, chosen(CUT_OFF_WORDS, at))
        case FaultKind.GIVEN_UP:
            return _halved(given, chosen(GIVEN_UP_WORDS, at))
        case FaultKind.OTHER_WORD:
            word = chosen(WHOLE_WORDS, at)
            choices = tuple((text, word if why == "stop" else why) for text, why in given.choices)
            return replace(given, choices=choices)
        case FaultKind.THINKING:
            return given.thinks(chosen(THINKING_FORMS, at), 0)
        case FaultKind.OVERRUN:
            return given.thinks("none", _OVERRUN)
    return given


_OVERRUN = 400  # tokens of thinking that nobody sees


def _ended(given: Answer, word: str) -> Answer:
    return replace(given, choices=tuple(("", word) for _ in given.choices))


def _halved(given: Answer, word: str | None) -> Answer:
    halves = [cut_to(text, max(1, count_tokens(text) // 2)) or text for text, _ in given.choices]
    choices = tuple((half, word) for half in halves)
    return Answer(choices, given.prompt_tokens, sum(count_tokens(half) for half in halves))


def completion(
    name: str, model: str, created: int, given: Answer, fault: FaultKind | None, at: float, cost: float = 0.0
) -> bytes:
    """The body of a reply. `at`, from 0 up to 1, chooses among the forms of a fault; `cost` is what is billed, in
    dollars."""
    choices = [
        {"index": i, "message": _message(given, text, fault, at), "finish_reason": why, "logprobs": None}
        for i, (text, why) in enumerate(given.choices)
    ]
    body = {"id": f"chatcmpl-{name}", "object": "chat.completion", "created": created, "model": model}
    sent, made = given.prompt_tokens, given.completion_tokens
    told: object = {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}
    if fault is FaultKind.WRONG_USAGE:
        told = _wrong_usage({"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}, at)
    elif fault is FaultKind.OVERRUN:
        told = usage(sent, made - given.thinking_tokens, given.thinking_tokens, cost, at)
    whole = {**body, "choices": choices} if told is None else {**body, "choices": choices, "usage": told}
    encoded = json.dumps(whole).encode()
    if fault is FaultKind.PADDED:
        return padded(encoded, at)
    if fault is FaultKind.STREAMED and len(choices) == 1:
        return streamed(encoded)
    return encoded[: len(encoded) // 2] if fault is FaultKind.MALFORMED else encoded


def _message(given: Answer, text: str, fault: FaultKind | None, at: float) -> dict[str, Any]:
    if fault is FaultKind.ANSWER_AS_THINKING:
        return {"role": "assistant", "content": chosen((None, ""), at), "reasoning_content": text}
    return message(text, draft_of(text), given.form)


def _wrong_usage(usage: dict[str, int], at: float) -> object:
    told: tuple[object, ...] = (
        None,
        {name: -count - 1 for name, count in usage.items()},
        {name: str(count) for name, count in usage.items()},
        dict.fromkeys(usage, 0),
        {name: count * 1000 + 1000 for name, count in usage.items()},
    )
    return told[int(at * len(told))]
