"""Who learns: the keys of `student`.

Owns: their defaults and bounds. The default is the embedded student, which needs no download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from reasoning.files.resources import resource
from reasoning.recipe.base import PositiveInt, Section

EMBEDDED_STUDENT = resource("reasoning.student.embedded", "weights")


class StudentSection(Section):
    """Who learns: `embedded`, a local folder in Hugging Face format, or a hub id. `prompt` names the form in which it
    is asked and answers (a file of `prompts/student`, or a path), `demonstrations` a file of few-shot examples."""

    model: str = "embedded"
    prompt: str = "reasoning"
    demonstrations: Path | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_new_tokens: PositiveInt | None = Field(default=None, description="default: the task's own limit")
    max_model_len: PositiveInt | None = None

    @property
    def source(self) -> str:
        """The folder or hub id that `transformers` and vLLM load."""
        return str(EMBEDDED_STUDENT) if self.model == "embedded" else self.model
