"""Who learns: the keys of `student`.

Owns: their defaults and bounds. The default is the embedded student, which needs no download.

Invariant: a key that came later (`later_keys`) and is left out is not written down either (`GrowingSection`).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator

from reasoning.files.gguf import is_gguf, student_folder
from reasoning.files.resources import resource
from reasoning.recipe.base import GrowingSection, PositiveInt
from reasoning.recipe.engine import PrecisionSection

EMBEDDED_STUDENT = resource("reasoning.student.embedded", "weights")


class ChatSection(GrowingSection):
    """How the student's chat template is used, by a form of messages (`prompt: chat`)."""

    thinking: Literal["on", "off"] | None = Field(
        default=None,
        description=(
            "Whether the student thinks before it answers, where its chat template can say so (Qwen3 and its like). "
            "Default: what the template does by itself."
        ),
    )
    system: str | None = Field(default=None, description="A system message before the question.")
    template_arguments: dict[str, JsonValue] = Field(
        default={}, description="Further arguments of the chat template, by their names in it."
    )
    template_date: date = Field(
        default=date(2024, 7, 26),
        description="What a chat template that writes today's date is told: one day for the whole run and for serving.",
    )
    template: str | None = Field(
        default=None, description="Which chat template, for a student that has several with names. Default: `default`."
    )

    @field_validator("thinking", mode="before")
    @classmethod
    def _on_and_off_are_words(cls, value: Any) -> Any:
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value  # YAML reads them as truth

    @classmethod
    def later_keys(cls) -> tuple[str, ...]:
        return cls.chat_keys()

    @classmethod
    def chat_keys(cls) -> tuple[str, ...]:
        """The names of these keys."""
        return tuple(ChatSection.model_fields)

    def set_chat_keys(self) -> tuple[str, ...]:
        """Those of these keys that are not left at their default."""
        return tuple(name for name in self.chat_keys() if getattr(self, name) != ChatSection.model_fields[name].default)


class StudentSection(ChatSection, PrecisionSection):
    """The model that learns, and how it is asked."""

    model: str = Field(
        default="embedded",
        description=(
            "The model that learns: `embedded`, a local folder in Hugging Face format, a GGUF file, or a hub id."
        ),
    )
    prompt: str = Field(
        default="reasoning",
        description=(
            "The form in which it is asked and answers: the name of one that comes with Tailor, or the "
            "path of a file ([prompts.md](prompts.md))."
        ),
    )
    demonstrations: Path | None = Field(
        default=None, description="A file of few-shot examples, for a prompt that shows them."
    )
    max_new_tokens: PositiveInt | None = Field(
        default=None, description="The longest answer, in tokens. Default: the task's own limit."
    )

    grow_embeddings: bool = Field(
        default=False,
        description=(
            "Give the student's table of embeddings rows for tokens of its tokenizer that have none, such as those of "
            "a chat template that was added later. They start as the mean of the others. By default such a student is "
            "refused."
        ),
    )

    @classmethod
    def later_keys(cls) -> tuple[str, ...]:
        return (*super().later_keys(), "grow_embeddings")

    @property
    def gguf(self) -> Path | None:
        """The GGUF file that the student is made of; None where it is made of none."""
        file = Path(self.model).expanduser()
        return file if self.model.strip() and is_gguf(file) else None

    @property
    def source(self) -> str:
        """The folder, from the root on (a trainer's worker runs in a folder of its own), or the hub id that
        `transformers` and vLLM load. That of a GGUF file is there when the student was made of it."""
        if self.model == "embedded":
            return str(EMBEDDED_STUDENT)
        if (file := self.gguf) is not None:
            return str(student_folder(file))
        folder = Path(self.model).expanduser()
        return str(folder.absolute()) if self.model.strip() and folder.is_dir() else self.model

    def asked_plainly(self, prompt: str) -> StudentSection:
        """The same student asked in the plain text of `prompt`, for which it needs no keys of a chat template."""
        return self.model_copy(
            update={"prompt": prompt, **{key: ChatSection.model_fields[key].default for key in self.chat_keys()}}
        )
