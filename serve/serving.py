"""What of a student is served and on how much: the arguments of its deployment.

Owns: these arguments and their checks, and the chat template of a student that has none.

Invariants
- A student is asked in the form it was trained on: a chat is rendered as `prompt`; without one, by the tokenizer's own
  chat template, or as the default form.
- A student is served as it was examined: what a request does not say is as in an evaluation (greedy, no penalties). Of
  the checkpoint's `generation_config.json` only the ends of sequence count, where vLLM's server would take its defaults
  for sampling from it (Qwen2.5-Instruct: a repetition penalty of 1.1).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.base import NotNegative, Positive, PositiveInt
from reasoning.recipe.engine import EngineSection
from reasoning.student.config import is_encoder_decoder
from reasoning.student.engine import EngineSettings
from reasoning.training.weights.combining import adapter_rank
from serve.answering import AnswerSection
from serve.door.limits import DoorSection
from serve.weights import Checkpoint, Weights

QUESTION = "{question}"

EXAMINED = {"generation_config": "vllm", "override_generation_config": {"temperature": 0.0}}
PUBLISHED = {"generation_config": "auto"}


class AdapterSection(Checkpoint):
    """A student that is an adapter (LoRA) of the weights that the engine has: `checkpoint` is its folder in PEFT's
    format, which `probe` proves before it answers; `answers` is how `/v1/answer` asks and reads."""

    probe: str
    answers: AnswerSection

    @field_validator("checkpoint")
    @classmethod
    def _adapter_is_there(cls, checkpoint: str) -> str:
        folder = Path(checkpoint).expanduser()
        adapter_rank(folder)
        return str(folder.resolve())

    def weights(self) -> Weights:
        return Weights(version=self.version, checkpoint=self.checkpoint, probe=self.probe)


class StudentServing(EngineSection):
    """What is served and on how much. `checkpoint` is a folder in Hugging Face format or a hub id; `model_name` is the
    `model` of requests; `version` names its weights (default: `checkpoint`), which the file `probe` proves; `prompt` is
    the form it was trained on, with {question} in it; `frame` says more of that form than its text (a run's has one);
    `defaults` is what a request that does not say how to sample gets: `examined` as in an evaluation, `published` what
    the checkpoint's `generation_config.json` suggests, for other models; `replicas` are always there, and with
    `most_replicas` up to so many when the load asks for them (0 replicas: none while nobody asks), one going after
    `idle_s` seconds without work; `gpus` and `cpus` are per replica; `door` says who and how much is let in, `answers`
    how `/v1/answer` asks and reads (None: there is no such route); `reasoning_parser` (vLLM's, by name) parts thinking
    from an answer, and `chat_template_kwargs` are arguments of the chat template; how the engine is set up are a
    recipe's keys. With `adapters` the students are these, by the names of their requests, `checkpoint` is the model
    that they are adapters of and is not served itself, and there is room for adapters of rank `adapter_rank` (None:
    those that are there)."""

    checkpoint: str
    version: str = ""
    probe: str | None = None
    model_name: Annotated[str, Field(min_length=1)] = "student"
    prompt: str | None = None
    frame: Frame | None = None
    defaults: Literal["examined", "published"] = "examined"
    replicas: Annotated[int, Field(ge=0)] = 1
    most_replicas: PositiveInt | None = None
    idle_s: Positive = 300.0
    gpus: NotNegative = 0.0
    cpus: Positive = 1.0
    reasoning_parser: str | None = None
    chat_template_kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    door: DoorSection = DoorSection()
    answers: AnswerSection | None = None
    adapters: dict[str, AdapterSection] = Field(default_factory=dict)
    adapter_rank: PositiveInt | None = None

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

    @model_validator(mode="after")
    def _replicas_can_be(self) -> Self:
        if self.most_replicas is None and not self.replicas:
            raise ValueError("replicas: 0 needs most_replicas: how many there may be when somebody asks")
        if self.most_replicas is not None and self.most_replicas < self.replicas:
            raise ValueError(f"most_replicas: {self.most_replicas} is less than replicas, {self.replicas}")
        return self

    @model_validator(mode="after")
    def _adapters_have_their_names(self) -> Self:
        if self.model_name in self.adapters:
            raise ValueError(f"adapters: {self.model_name} is the name of the model that they are adapters of")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """What requests call the students that are served."""
        return tuple(self.adapters) or (self.model_name,)

    @property
    def most_rank(self) -> int:
        """The rank that there is room for."""
        return self.adapter_rank or max(adapter_rank(Path(one.checkpoint)) for one in self.adapters.values())

    def frame_for(self, tokenizer: Any) -> Frame | None:
        """The frame of the form that the student is asked in; None where its tokenizer's own template is."""
        if self.frame is not None:
            return self.frame
        if self.prompt is not None:
            return Frame.around(*self.prompt.split(QUESTION))
        return None if getattr(tokenizer, "chat_template", None) else default_form().frame

    def decoding(self) -> dict[str, Any]:
        """The engine's options that say how a request is answered which does not say it."""
        options: dict[str, Any] = EXAMINED if self.defaults == "examined" else PUBLISHED
        if self.door.max_tokens is None:
            return options
        override = options.get("override_generation_config", {}) | {"max_new_tokens": self.door.max_tokens}
        return options | {"override_generation_config": override}

    def weights(self) -> Weights:
        """The weights that the deployment begins with."""
        return Weights(
            version=self.version or self.checkpoint,
            checkpoint=self.checkpoint,
            probe=self.probe,
            adapters={name: one.weights() for name, one in self.adapters.items()},
        )

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
