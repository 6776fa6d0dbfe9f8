"""One replica of a served student: an engine, vLLM's server application over it, and the door before that.

Owns: the replica's life: its start, the weights it answers with, its health and its end.

Invariants
- A dead engine takes its replica along, within a second and without a 500: what it was answering gets 503 and
  Retry-After, and Ray Serve starts another replica, or asks one that is there.
- No engine process outlives its replica.
- Weights are swapped in place while no request is answered: those that come wait, none fails and none is answered by
  two. New weights answer only when the probe has shown that the engine computes with them; otherwise the old ones do.
- A replica answers with the weights of its `Weights`, also one that is started later.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.util.metrics import Counter
from starlette.types import Message

from reasoning.prompts.asked_question import asked_question
from reasoning.prompts.encoding import Encoder
from reasoning.prompts.frame import Frame
from reasoning.records import Verdict
from reasoning.student.engine import engine_options, prepare_process
from reasoning.student.probe import Probe, load_probe
from reasoning.student.vllm_engine import StudentEngine
from reasoning.student.vllm_internals import (
    end_with_this_process,
    is_engine_death,
    metrics_of_ray,
    read_prompts_by,
    served_model,
    server_application,
    server_arguments,
)
from serve.answering import (
    Answered,
    AnswerSection,
    Feedback,
    Graded,
    Question,
    answer,
    answer_routes,
    grade_feedback,
)
from serve.door.bodies import Body
from serve.door.door import Door
from serve.door.keys import Keys
from serve.door.refusals import Refusal, unavailable
from serve.door.routes import MODELS, ROUTES
from serve.serving import StudentServing, chat_template
from serve.share.passing import TAKEN, Ask, NotAnswered, Passing
from serve.share.tally import Count, Tally
from serve.weights import Candidate, Checkpoint, Weights

VERDICTS, _TAGS = "tailor_served_answers", ("model", "version", "verdict")  # a metric: the accuracy of what is served
_LOOK_S = 0.1  # how often the engine is looked at
_LAST_WORDS_S = 1.0  # how long a replica with a dead engine tells its clients so
QUIET_S = 60.0  # how long a swap of weights waits for the requests that are being answered


class StudentServer:
    """One replica. Deployed by `serve.student.build_app`."""

    def __init__(self, serving: StudentServing, environment: dict[str, Any] | None = None) -> None:
        self._serving, self._environment = serving, environment
        self._weights = serving.weights()
        self._swapping = asyncio.Lock()
        self._keys = keys_of(serving)
        self._verdicts = Counter(VERDICTS, "Answers to questions whose gold is known", tag_keys=_TAGS)
        self._verdicts.set_default_tags({"model": serving.model_name})
        self._tally = Tally()
        settings = serving.engine()
        prepare_process(settings)
        from vllm import AsyncEngineArgs, AsyncLLMEngine

        options = engine_options(settings) | serving.decoding()
        self._arguments = server_arguments(
            options, serving.model_name, serving.reasoning_parser, serving.chat_template_kwargs
        )
        self._engine = AsyncLLMEngine.from_engine_args(
            AsyncEngineArgs.from_cli_args(self._arguments), stat_loggers=metrics_of_ray()
        )

    async def __serve_build_asgi_app__(self) -> Any:
        await end_with_this_process(self._engine)
        self._student = StudentEngine(self._engine)
        tokenizer = self._engine.get_tokenizer()
        frame = self._serving.frame_for(tokenizer)
        if frame is not None:
            self._arguments.chat_template = chat_template(frame)
            read_prompts_by(self._engine, reading(tokenizer, frame))
        app = await server_application(self._engine, self._arguments)
        app.state.server = SimpleNamespace(should_exit=False)  # what vLLM tells of a death; `_end_when_dead` sees it
        name, how = self._serving.model_name, self._serving.answers
        app.add_api_route(f"{MODELS}/{{name:path}}", served_model(app), methods=["GET"])
        if frame is not None and how is not None:
            app.include_router(answer_routes(self._answering(frame, how), self._grading(how), name))
        self._app = app
        chats, version = chat_by(self._serving, frame), self._weights.version
        self._door = Door(app, self._serving.door, self._keys, self._alive, chats, version, name)
        self._share_with(self._weights.candidate)
        self._watch = asyncio.create_task(self._end_when_dead())
        return self._door

    async def reconfigure(self, config: dict[str, Any]) -> None:
        """Takes on the weights of a deployment's `user_config`. Raises `NotProven`."""
        await self.take(config)

    async def take(self, config: dict[str, Any]) -> str:
        """Takes on the weights that `config` (of `Weights`) names, and says which version it had. Raises `NotProven`,
        having the old ones again, and `TimeoutError` where requests do not end."""
        weights = Weights.model_validate(config)
        async with self._swapping:
            before = self._weights
            if weights.version == before.version:
                self._weights = weights
                self._share_with(weights.candidate)
                return before.version
            probe = load_probe(Path(weights.probe)) if weights.probe else None
            async with self._door.closed(QUIET_S):
                reason = await self._swap(weights, probe)
                if reason:
                    await self._swap(before, None)
            if reason:
                raise NotProven(f"{self._serving.model_name} stays at {before.version}: {reason}")
            self._weights = weights
            self._door.version = weights.version
            self._share_with(weights.candidate)
            return before.version

    def _share_with(self, candidate: Candidate | None) -> None:
        """Passes the share of a candidate on from now. Both are counted from the time on when it is another one."""
        passing = self._door.passing
        if candidate is None:
            self._door.passing = None
        elif passing is None or passing.candidate.version != candidate.version:
            self._door.passing = Passing(candidate, asking(candidate.application))
            self._tally.forget()
        else:
            passing.candidate = candidate

    async def schema(self) -> dict[str, Any]:
        """The OpenAPI description of the routes that exist: what is fuzzed."""
        found: dict[str, Any] = self._app.openapi()
        return found | {"paths": {path: what for path, what in found["paths"].items() if path in ROUTES}}

    async def passed_on(
        self, path: str, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> AsyncGenerator[Message, None]:
        """Answers, as a candidate, what the door of the served student has let in: the messages of the response."""
        yield TAKEN
        async for message in self._door.passed(path, headers, content):
            yield message

    async def prove(self, file: str) -> str:
        """Why the engine does not compute with the weights that the probe in `file` proves; "" where it does."""
        report = await self._student.prove(load_probe(Path(file)))
        return "" if report.ok else report.reason

    async def tally(self) -> tuple[list[Count], int, int]:
        """The verdicts of this replica, and how many requests it passed on to a candidate and had returned."""
        passing = self._door.passing
        return self._tally.counts(), passing.passed if passing else 0, passing.returned if passing else 0

    async def described(self) -> dict[str, Any]:
        """What is served (`StudentServing`), its weights, and the environment that it was deployed from."""
        return {
            "serving": self._serving.model_dump(mode="json"),
            "weights": self._weights.model_dump(),
            "environment": self._environment,
        }

    async def _swap(self, weights: Checkpoint, probe: Probe | None) -> str:
        """Why these weights do not answer; "" when they do."""
        if not await self._student.take(weights.checkpoint):
            return "the engine keeps what it computed with the old weights"
        report = await self._student.prove(probe) if probe is not None else None
        return "" if report is None or report.ok else f"{weights.version} is not proven: {report.reason}"

    def _answering(self, frame: Frame, how: AnswerSection) -> Callable[[Question], Any]:
        async def answering(question: Question) -> Answered:
            name, version = self._serving.model_name, self._weights.version
            try:
                answered = await answer(self._student.complete, how, frame, name, version, question)
                if answered.verdict is not None:
                    self._count(version, answered.verdict)
                return answered
            except Exception as error:
                if is_engine_death(error):
                    raise unavailable() from error
                raise

        return answering

    def _grading(self, how: AnswerSection) -> Callable[[Feedback], Graded]:
        def grading(feedback: Feedback) -> Graded:
            if feedback.version not in self._known:
                message = f"no student of version {feedback.version} has answered here, only {', '.join(self._known)}"
                raise Refusal(404, message, code="not_found", param="version")
            verdict = grade_feedback(how, feedback)
            self._count(feedback.version, verdict)
            return Graded(version=feedback.version, verdict=verdict)

        return grading

    @property
    def _known(self) -> list[str]:
        """The versions of which answers may be told right or wrong, the one that answers first."""
        weights = self._weights
        candidate = [weights.candidate] if weights.candidate else []
        return [one.version for one in (weights, *candidate, *reversed(weights.earlier))]

    def _count(self, version: str, verdict: Verdict) -> None:
        self._verdicts.inc(tags={"version": version, "verdict": verdict})
        self._tally.add(version, verdict)

    def _alive(self) -> bool:
        return not self._engine.errored

    async def _end_when_dead(self) -> None:
        """Ends this process when its engine is dead, having let it tell so to whom it was answering."""
        while self._alive():  # noqa: ASYNC110 - vLLM has a flag, and no event
            await asyncio.sleep(_LOOK_S)
        await self._door.quiet(_LAST_WORDS_S)
        await asyncio.sleep(_LOOK_S)  # what was said is on its way
        os._exit(1)

    async def check_health(self) -> None:
        await self._engine.check_health()

    def __del__(self) -> None:
        engine = getattr(self, "_engine", None)  # not there when the constructor failed
        if engine is not None:
            engine.shutdown()


class NotProven(RuntimeError):
    """New weights that the probe does not find in the engine. The message says what answers instead."""


def keys_of(serving: StudentServing) -> Keys | None:
    """The keys of the door; None where it has none. Raises `NoKeys`."""
    file, variable = serving.door.keys_file, serving.door.keys_variable
    if file is None and variable is None:
        return None
    return Keys(Path(file).expanduser() if file else None, variable)


def asking(application: str) -> Ask:
    """How the replicas of an application are asked to answer in the place of this one."""
    handles: list[Any] = []

    async def ask(
        path: str, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> AsyncGenerator[dict[str, Any], None]:
        from ray import serve
        from ray.exceptions import RayError
        from ray.serve.exceptions import RayServeException

        try:
            if not handles:  # it is looked up at the controller, which may be away
                handles.append((await asyncio.to_thread(serve.get_app_handle, application)).options(stream=True))
            response = handles[0].passed_on.remote(path, headers, content)
            try:
                async for message in response:
                    yield message
            finally:
                response.cancel()
        except (RayError, RayServeException) as error:
            raise NotAnswered(application) from error

    return ask


def reading(tokenizer: Any, frame: Frame) -> Callable[[str], list[int] | None]:
    """The token ids of a prompt in `frame`, as in exams; None for another text, which is read as vLLM reads it."""
    encoder = Encoder(tokenizer)
    return lambda text: encoder.prompt(text, frame.marks(text)) if frame.fits(text) else None


def chat_by(serving: StudentServing, frame: Frame | None) -> Callable[[Body], Body] | None:
    """What makes a chat the bare question that the student learnt to answer; None for other models, and where the
    tokenizer's own chat template renders chats."""
    if frame is None or serving.defaults != "examined":
        return None

    def rewritten(body: Body) -> Body:
        return {**body, "messages": [{"role": "user", "content": asked_question(body.get("messages"), frame)}]}

    return rewritten
