"""One replica of a served student: an engine, vLLM's server application over it, and the door before that. Students
that are adapters of one model share a replica.

Owns: the replica's life: its start, the weights it answers with, its health and its end.

Invariants
- A dead engine takes its replica along, within a second and without a 500: what it was answering gets 503 and
  Retry-After, and Ray Serve starts another replica, or asks one that is there.
- No engine process outlives its replica.
- Weights are swapped in place while no request is answered: those that come wait, none fails and none is answered by
  two. New weights answer only when the probe has shown that the engine computes with them; otherwise the old ones do.
- A replica answers with the weights of its `Weights`, also one that is started later.
- An adapter answers only when the probe has shown that the engine computes with it, from the start on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
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
    ServedAdapter,
    adapter_options,
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
from serve.door.limits import DoorSection
from serve.door.refusals import Refusal, unavailable
from serve.door.routes import MODELS, ROUTES
from serve.serving import StudentServing, chat_template
from serve.share.passing import TAKEN, Ask, NotAnswered, Passing
from serve.share.tally import Count, Tally
from serve.weights import Candidate, Checkpoint, Weights

VERDICTS, _TAGS = "tailor_served_answers", ("model", "version", "verdict")  # a metric: the accuracy of what is served
_LOOK_S = 0.1  # how often the engine is looked at
_LAST_WORDS_S = 1.0  # how long a replica with a dead engine tells its clients so
_OTHER_ENDS = {"add_generation_prompt", "continue_final_message"}  # of a chat's prompt than the form's
QUIET_S = 60.0  # how long a swap of weights waits for the requests that are being answered


@dataclass(slots=True)
class Named:
    """A student as requests name it: how its engine is asked, and how `/v1/answer` asks it (None: not)."""

    engine: StudentEngine
    how: AnswerSection | None


class StudentServer:
    """One replica. Deployed by `serve.student.build_app`."""

    def __init__(self, serving: StudentServing, environment: dict[str, Any] | None = None) -> None:
        self._serving, self._environment = serving, environment
        self._weights = serving.weights()
        self._swapping = asyncio.Lock()
        self._keys = keys_of(serving.door)
        self._verdicts = Counter(VERDICTS, "Answers to questions whose gold is known", tag_keys=_TAGS)
        self._tally = Tally()
        settings = serving.engine()
        prepare_process(settings)
        from vllm import AsyncEngineArgs, AsyncLLMEngine

        options = engine_options(settings) | serving.decoding()
        if serving.adapters:
            folders = {name: one.checkpoint for name, one in serving.adapters.items()}
            options |= adapter_options(folders, serving.most_rank)
        self._arguments = server_arguments(
            options, serving.model_name, serving.reasoning_parser, serving.chat_template_kwargs
        )
        self._engine = AsyncLLMEngine.from_engine_args(
            AsyncEngineArgs.from_cli_args(self._arguments), stat_loggers=metrics_of_ray()
        )

    async def __serve_build_asgi_app__(self) -> Any:
        await end_with_this_process(self._engine)
        serving, self._student = self._serving, StudentEngine(self._engine)
        tokenizer = self._student.tokenizer
        frame = serving.frame_for(tokenizer)
        if frame is not None:
            self._arguments.chat_template = chat_template(frame)
            read_prompts_by(self._engine, reading(tokenizer, frame))
        app = await server_application(self._engine, self._arguments)
        app.state.server = SimpleNamespace(should_exit=False)  # what vLLM tells of a death; `_end_when_dead` sees it
        self._students = {
            name: Named(StudentEngine(self._engine, ServedAdapter(app, name)), one.answers)
            for name, one in serving.adapters.items()
        } or {serving.model_name: Named(self._student, serving.answers)}
        app.add_api_route(f"{MODELS}/{{name:path}}", served_model(app), methods=["GET"])
        if frame is not None and all(one.how is not None for one in self._students.values()):
            app.include_router(answer_routes(self._answering(frame), self._grading, serving.names))
        self._app = app
        chats, versions = chat_by(serving, frame), {name: one.version for name, one in self._answering_now().items()}
        self._door = Door(app, serving.door, self._keys, self._alive, chats, versions, named=bool(serving.adapters))
        for name, one in self._weights.adapters.items():
            if reason := await self._unproven(name, one, _probe_of(one)):
                raise NotProven(reason)
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
            before, old = self._weights, self._answering_now()
            weights = weights.instead_of(before)
            new = weights.by_name(self._serving.model_name)
            changed = [name for name, one in new.items() if one.version != old[name].version]
            probes = {name: _probe_of(new[name]) for name in changed}
            if changed:
                async with self._door.closed(QUIET_S):
                    for number, name in enumerate(changed, start=1):
                        if reason := await self._swap(name, new[name], probes[name]):
                            for taken in changed[:number]:
                                await self._load(taken, old[taken])
                            raise NotProven(f"{name} stays at {old[name].version}: {reason}")
            self._weights = weights
            self._door.versions |= {name: one.version for name, one in new.items()}
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

    def _answering_now(self) -> dict[str, Weights]:
        return self._weights.by_name(self._serving.model_name)

    async def _swap(self, name: str, weights: Checkpoint, probe: Probe | None) -> str:
        """Why these weights do not answer as `name`; "" when they do."""
        return await self._load(name, weights) or await self._unproven(name, weights, probe)

    async def _load(self, name: str, weights: Checkpoint) -> str:
        """Why the engine does not have these weights; "" when it does."""
        try:
            fresh = await self._students[name].engine.take(weights.checkpoint)
        except ValueError as error:
            return f"{weights.version} cannot be loaded: {error}"
        return "" if fresh else "the engine keeps what it computed with the old weights"

    async def _unproven(self, name: str, weights: Checkpoint, probe: Probe | None) -> str:
        """Why the engine does not compute with these weights; "" when it does, or no probe says what that is."""
        report = await self._students[name].engine.prove(probe) if probe is not None else None
        return "" if report is None or report.ok else f"{weights.version} is not proven: {report.reason}"

    def _answering(self, frame: Frame) -> Callable[[Question], Any]:
        async def answering(question: Question) -> Answered:
            name = question.model or next(iter(self._students))
            student, version = self._students[name], self._answering_now()[name].version
            assert student.how is not None
            try:
                answered = await answer(student.engine.complete, student.how, frame, name, version, question)
                if answered.verdict is not None:
                    self._count(name, version, answered.verdict)
                return answered
            except Exception as error:
                if is_engine_death(error):
                    raise unavailable() from error
                raise

        return answering

    def _grading(self, feedback: Feedback) -> Graded:
        known = self._known()
        name = known.get(feedback.version)
        if name is None or feedback.model not in (None, "", name):
            message = f"no student of version {feedback.version} has answered here, only {', '.join(known)}"
            raise Refusal(404, message, code="not_found", param="version")
        how = self._students[name].how
        assert how is not None
        verdict = grade_feedback(how, feedback)
        self._count(name, feedback.version, verdict)
        return Graded(version=feedback.version, verdict=verdict)

    def _known(self) -> dict[str, str]:
        """The versions of which answers may be told right or wrong, those that answer first, each with its student."""
        now, candidate = self._answering_now(), self._weights.candidate
        found = {one.version: name for name, one in now.items()}
        found |= {candidate.version: self._serving.model_name} if candidate else {}
        return found | {each.version: name for name, one in now.items() for each in reversed(one.earlier)}

    def _count(self, name: str, version: str, verdict: Verdict) -> None:
        self._verdicts.inc(tags={"model": name, "version": version, "verdict": verdict})
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


def _probe_of(weights: Checkpoint) -> Probe | None:
    """What proves these weights, if anything does. Raises `ProbeUnreadable`."""
    return load_probe(Path(weights.probe)) if weights.probe else None


def keys_of(door: DoorSection) -> Keys | None:
    """The keys of the door; None where it has none. Raises `NoKeys`."""
    file, variable = door.keys_file, door.keys_variable
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
        said = {name: value for name, value in body.items() if name not in _OTHER_ENDS}
        return {**said, "messages": [{"role": "user", "content": asked_question(body.get("messages"), frame)}]}

    return rewritten
