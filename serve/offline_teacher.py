"""The offline teacher as a server: the part of the OpenAI API that a teacher needs, as a Ray Serve application.

Owns: `/v1/chat/completions`, `/v1/completions` and `/v1/models` around a `Teacher` of `reasoning.offline.teacher`, and
their deployment. Invariants
- Every error has OpenAI's body, `{"error": {"message", "type", "param", "code"}}`: 400 for a bad request, 404 for an
  unknown model or an unrecorded question.
- What is not offered is refused, not ignored: streaming.
- Tokens are counted the same way in usage and for `max_tokens` (`reasoning.offline.word_tokens`).

Deploy with `serve.run(build_app(args), name="offline", route_prefix="/offline")`; the base URL of a client is then
`http://host:port/offline/v1`. An offline and a recorded teacher run side by side under two names and prefixes.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve import Application, Deployment
from starlette.exceptions import HTTPException

from reasoning.offline.teacher import OfflineTeacher, RecordedTeacher, Teacher, UnrecordedQuestionError
from reasoning.offline.word_tokens import count_tokens, cut_to


class TeacherArgs(BaseModel):
    """What is deployed. `kind`: `offline` solves the generated families, `recorded` answers from the file `records`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["offline", "recorded"] = "offline"
    model: str = Field(default="offline-teacher", min_length=1)
    error_rate: float = Field(default=0.0, ge=0.0, le=1.0)
    seed: int = 0
    records: str | None = None
    latency_s: float = Field(default=0.0, ge=0.0)
    replicas: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _records_when_recorded(self) -> TeacherArgs:
        if (self.kind == "recorded") != (self.records is not None):
            raise ValueError("records: a recorded teacher needs the path of its JSONL file, an offline one takes none")
        return self

    def teacher(self) -> Teacher:
        """Errors: `DataError` when the recorded file is missing or malformed."""
        if self.records is not None:
            return RecordedTeacher(self.records)
        return OfflineTeacher(self.error_rate, self.seed)


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: str
    content: str | list[TextPart]

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class CompletionOptions(BaseModel):
    """What chat and raw completions have in common.

    OpenAI's other options have no effect; without `max_tokens` there is no limit.
    """

    model: str
    n: int = Field(default=1, ge=1, le=128)
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    stream: bool | None = False

    def finish(self, text: str, limit: int | None) -> tuple[str, str]:
        """`text` up to the first stop sequence and to `limit` tokens, and why it ended there."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        found = [at for at in (text.find(stop) for stop in stops if stop) if at >= 0]
        text = text[: min(found)] if found else text
        shorter = cut_to(text, limit) if limit is not None else None
        return (text, "stop") if shorter is None else (shorter, "length")


class ChatRequest(CompletionOptions):
    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)


class CompletionRequest(CompletionOptions):
    prompt: str | list[str]


class ApiError(Exception):
    """A refusal that the client sees as it is."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


def create_app(teacher: Teacher, model_name: str, latency_s: float = 0.0) -> FastAPI:
    """The ASGI application, which knows nothing of Ray. Every completion request takes `latency_s` seconds longer."""
    app = FastAPI(title="Offline teacher", docs_url=None, redoc_url=None)
    _answer_errors(app)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model_card(model_name)]}

    @app.get("/v1/models/{model:path}")
    async def model_card(model: str) -> dict[str, Any]:
        _check_model(model, model_name)
        return _model_card(model_name)

    @app.post("/v1/chat/completions")
    async def chat(request: ChatRequest) -> dict[str, Any]:
        _check(request, model_name)
        asked = next((message for message in reversed(request.messages) if message.role == "user"), None)
        if asked is None:
            raise ApiError(400, "No message has the role 'user'.", "invalid_value", "messages")
        await asyncio.sleep(latency_s)
        replies = teacher.complete(asked.text(), request.n, request.temperature, request.seed)
        limit = request.max_completion_tokens or request.max_tokens
        ended = [request.finish(reply, limit) for reply in replies]
        choices = [
            {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": why, "logprobs": None}
            for i, (text, why) in enumerate(ended)
        ]
        prompt = "\n".join(message.text() for message in request.messages)
        return _body("chat.completion", "chatcmpl", model_name, choices, [prompt], [text for text, _ in ended])

    @app.post("/v1/completions")
    async def completions(request: CompletionRequest) -> dict[str, Any]:
        _check(request, model_name)
        prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
        await asyncio.sleep(latency_s)
        ended = [
            request.finish(reply, request.max_tokens)
            for prompt in prompts
            for reply in teacher.continue_text(prompt, request.n, request.temperature, request.seed)
        ]
        choices = [
            {"index": i, "text": text, "finish_reason": why, "logprobs": None} for i, (text, why) in enumerate(ended)
        ]
        return _body("text_completion", "cmpl", model_name, choices, prompts, [text for text, _ in ended])

    return app


def build_app(args: TeacherArgs) -> Application:
    """The Ray Serve application. The recorded file is read here once, so that a bad one is refused before anything is
    deployed. Errors: `DataError`."""
    args.teacher()
    if args.records is not None:  # a replica works in a folder of its own
        args = args.model_copy(update={"records": str(Path(args.records).resolve())})
    server: Deployment = serve.deployment(max_ongoing_requests=1000)(serve.ingress()(TeacherServer))
    application: Application = server.options(
        name=f"{args.kind}-teacher",
        num_replicas=args.replicas,
        ray_actor_options={
            "num_cpus": 0
        },  # it costs next to nothing, and a laptop's CPUs belong to student and trainer
    ).bind(args)
    return application


class TeacherServer:
    """One replica: builds its teacher and its ASGI application where it runs."""

    def __init__(self, args: TeacherArgs) -> None:
        self._args = args

    async def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._args.teacher(), self._args.model, self._args.latency_s)


def _check(request: CompletionOptions, model_name: str) -> None:
    _check_model(request.model, model_name)
    if request.stream:
        raise ApiError(400, "Streaming is not offered; send stream=false.", "unsupported_value", "stream")


def _check_model(model: str, model_name: str) -> None:
    if model != model_name:
        raise ApiError(404, f"The model '{model}' does not exist; this server has '{model_name}'.", "model_not_found")


def _model_card(model_name: str) -> dict[str, Any]:
    return {"id": model_name, "object": "model", "created": 0, "owned_by": "tailor"}


def _body(
    kind: str, prefix: str, model: str, choices: list[dict[str, Any]], prompts: list[str], texts: list[str]
) -> dict[str, Any]:
    sent = sum(count_tokens(prompt) for prompt in prompts)
    made = sum(count_tokens(text) for text in texts)
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "choices": choices,
        "usage": {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made},
    }


def _answer_errors(app: FastAPI) -> None:
    """Puts every refusal into OpenAI's error body."""

    def body(status: int, message: str, code: str | None, param: str | None = None) -> JSONResponse:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        return JSONResponse({"error": error}, status_code=status)

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> JSONResponse:
        return body(error.status, error.message, error.code, error.param)

    @app.exception_handler(UnrecordedQuestionError)
    async def unrecorded(_: Request, error: UnrecordedQuestionError) -> JSONResponse:
        return body(404, str(error), "question_not_recorded")

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
        return body(400, f"{where}: {first['msg']}", "invalid_value", where)

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> JSONResponse:
        return body(error.status_code, str(error.detail), None)
