"""The student as a Ray Serve application with an OpenAI-compatible endpoint.

Owns: the deployment of one checkpoint, its arguments, the chat template of a student that has none, and starting it
from Python.

The protocol is vLLM's own server application inside a Serve deployment: completions, chat, streaming, /v1/models, 404
for an unknown model, 400 for too long a prompt, /metrics. Why not `ray.serve.llm`: importing it takes 9 s and it puts a
router deployment before the engine's, so it was up in 41 s on two cores without a GPU where this takes about 30; and
the engine here is started by the same `reasoning.student.engine` as the sampler that examined the student.

Invariants
- A student is asked in the form it was trained on: a chat of one user message is rendered as `prompt`; without one, by
  the tokenizer's own chat template, or as the default form. `/v1/completions` gets the prompt as it is. Either way a
  prompt in that form has the token ids that exams and training gave it, in which special tokens are the form's alone.
- A student is served as it was examined: what a request does not say is as in an evaluation (greedy, no penalties). Of
  the checkpoint's `generation_config.json` only the ends of sequence count, where vLLM's server would take its defaults
  for sampling from it (Qwen2.5-Instruct: a repetition penalty of 1.1).
- A replica whose engine is dead reports itself unhealthy, and Serve replaces it.
- No engine process outlives its replica.

From the shell: `serve run serve.student:build_app checkpoint=/runs/coin/round-002/student`; the same keys are `args` in
a Serve config file. (No `from __future__ import annotations` here: Serve reads the builder's annotation as a class.)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator
from ray import serve
from ray.serve import Application

from reasoning.prompts.encoding import Encoder
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.base import NotNegative, Positive, PositiveInt
from reasoning.recipe.engine import EngineSection
from reasoning.student.config import is_encoder_decoder
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.vllm_internals import (
    end_with_this_process,
    read_prompts_by,
    server_application,
    server_arguments,
)
from serve.proxy import LOOPBACK, start_serve

QUESTION = "{question}"

EXAMINED = {"generation_config": "vllm", "override_generation_config": {"temperature": 0.0}}
PUBLISHED = {"generation_config": "auto"}


class StudentServing(EngineSection):
    """What is served and on how much. `checkpoint` is a folder in Hugging Face format or a hub id; `model_name` is the
    `model` of requests; `prompt` is the form it was trained on, with {question} in it; `frame` says more of that form
    than its text (a run's has one); `defaults` is what a request that does not say how to sample gets: `examined` as in
    an evaluation, `published` what the checkpoint's `generation_config.json` suggests, for other models;
    `gpus` and `cpus` are per replica; `reasoning_parser` (vLLM's, by name) parts thinking from an answer, and
    `chat_template_kwargs` are arguments of the chat template; how the engine is set up are a recipe's keys."""

    checkpoint: str
    model_name: Annotated[str, Field(min_length=1)] = "student"
    prompt: str | None = None
    frame: Frame | None = None
    defaults: Literal["examined", "published"] = "examined"
    replicas: PositiveInt = 1
    gpus: NotNegative = 0.0
    cpus: Positive = 1.0
    reasoning_parser: str | None = None
    chat_template_kwargs: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("checkpoint")
    @classmethod
    def _checkpoint_is_there(cls, checkpoint: str) -> str:
        folder = Path(checkpoint).expanduser()
        if (folder / "config.json").is_file():
            if is_encoder_decoder(str(folder)):
                raise ValueError(f"{checkpoint}: an encoder-decoder, which vLLM does not serve; use `tailor eval`")
            return str(folder.resolve())  # a replica works in another folder
        if folder.is_dir() or folder.is_absolute() or checkpoint.startswith(".") or checkpoint.count("/") > 1:
            raise ValueError(
                f"{checkpoint}: no student there (no config.json); give a run's round-NNN/student or a hub id"
            )
        return checkpoint

    @field_validator("prompt")
    @classmethod
    def _prompt_has_its_place(cls, prompt: str | None) -> str | None:
        if prompt is not None and prompt.count(QUESTION) != 1:
            raise ValueError(f"the student's prompt must contain {QUESTION} exactly once")
        return prompt

    def frame_for(self, tokenizer: Any) -> Frame | None:
        """The frame of the form that the student is asked in; None where its tokenizer's own template is."""
        if self.frame is not None:
            return self.frame
        if self.prompt is not None:
            return Frame.around(*self.prompt.split(QUESTION))
        return None if getattr(tokenizer, "chat_template", None) else default_form().frame

    def decoding(self) -> dict[str, Any]:
        """The engine's options that say how a request is answered which does not say it."""
        return EXAMINED if self.defaults == "examined" else PUBLISHED

    def engine(self) -> EngineSettings:
        return EngineSettings(model=self.checkpoint, gpus=self.gpus, **self.engine_keys())


def chat_template(frame: Frame) -> str:
    """A Jinja chat template that renders one user message in `frame`.

    Other conversations are refused (the server answers 400): the student has learnt to answer one question."""
    first, last = (json.dumps(text, ensure_ascii=False) for text in (frame.before, frame.after))  # no surrogate pairs
    return (
        "{%- if messages | length != 1 or messages[0]['role'] != 'user' -%}"
        "{{ raise_exception('this student answers one user message: the bare question') }}"
        "{%- endif -%}"
        f"{{{{ {first} + (messages[0]['content'] | trim) + {last} }}}}"
    )


def reading(tokenizer: Any, frame: Frame) -> Callable[[str], list[int] | None]:
    """The token ids of a prompt in `frame`, as in exams; None for another text, which is read as vLLM reads it."""
    encoder = Encoder(tokenizer)
    return lambda text: encoder.prompt(text, frame.marks(text)) if frame.fits(text) else None


@serve.ingress()
class StudentServer:
    """One replica: an engine and vLLM's server application over it."""

    def __init__(self, serving: StudentServing) -> None:
        self._serving = serving
        settings = serving.engine()
        prepare_process(settings)
        from vllm import AsyncEngineArgs, AsyncLLMEngine

        options = engine_options(settings) | serving.decoding()
        self._arguments = server_arguments(
            options, serving.model_name, serving.reasoning_parser, serving.chat_template_kwargs
        )
        self._engine = AsyncLLMEngine.from_engine_args(AsyncEngineArgs.from_cli_args(self._arguments))

    async def __serve_build_asgi_app__(self) -> Any:
        await end_with_this_process(self._engine)
        tokenizer = self._engine.get_tokenizer()
        frame = self._serving.frame_for(tokenizer)
        if frame is not None:
            self._arguments.chat_template = chat_template(frame)
            read_prompts_by(self._engine, reading(tokenizer, frame))
        return await server_application(self._engine, self._arguments)

    async def check_health(self) -> None:
        await self._engine.check_health()

    def __del__(self) -> None:
        engine = getattr(self, "_engine", None)  # not there when the constructor failed
        if engine is not None:
            engine.shutdown()


def build_app(serving: StudentServing) -> Application:
    """The Serve application, for `serve run`, a Serve config file, or `serve.run`."""
    deployment = serve.deployment(
        num_replicas=serving.replicas,
        ray_actor_options={"num_cpus": serving.cpus, "num_gpus": serving.gpus},
        max_ongoing_requests=256,  # the engine batches; Serve's default of 5 would starve it
        health_check_timeout_s=60,
        graceful_shutdown_timeout_s=20,
    )(StudentServer)
    return deployment.bind(serving)


def deploy_student(
    serving: StudentServing,
    host: str = LOOPBACK,
    port: int | None = None,
    name: str = "student",
    route_prefix: str = "/",
) -> str:
    """Serves the student in the Ray that the caller is connected to, and returns when it answers.

    Returns the base URL for an OpenAI client. `port` None takes a free one; a Serve that runs already keeps its port.
    `serve.delete(name)` removes the student, `serve.shutdown()` ends Serve."""
    port = start_serve(host, port)
    serve.run(build_app(serving), name=name, route_prefix=route_prefix)
    return f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}{route_prefix.rstrip('/')}/v1"
