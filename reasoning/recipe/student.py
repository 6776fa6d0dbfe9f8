"""Who learns: the keys of `student`.

Owns: their defaults and bounds. The default is the embedded student, which needs no download.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from reasoning.files.resources import resource
from reasoning.recipe.base import PositiveInt
from reasoning.recipe.engine import PrecisionSection

EMBEDDED_STUDENT = resource("reasoning.student.embedded", "weights")


class StudentSection(PrecisionSection):
    """The model that learns, and how it is asked."""

    model: str = Field(
        default="embedded",
        description="The model that learns: `embedded`, a local folder in Hugging Face format, or a hub id.",
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

    @property
    def source(self) -> str:
        """The folder or hub id that `transformers` and vLLM load."""
        return str(EMBEDDED_STUDENT) if self.model == "embedded" else self.model
