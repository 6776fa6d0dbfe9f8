"""The keys of a recipe as its models declare them: where each stands, what it may hold.

Owns: the walk through a recipe's sections, for the reference of keys and for messages about unknown ones.

Invariant: everything is read from the models, so a key that is added there is known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class SectionAt:
    """A section and where it stands: `path` is "" for the recipe itself, "task.form", or for each entry of a list
    "teacher.endpoints[]"."""

    path: str
    model: type[BaseModel]

    def key(self, name: str) -> str:
        """The path of the key `name` of this section."""
        return f"{self.path}.{name}" if self.path else name


def sections(kind: type[BaseModel], path: str = "") -> Iterator[SectionAt]:
    """The recipe `kind` and all sections below it, each before the sections inside it."""
    here = SectionAt(path, kind)
    yield here
    for name, field in kind.model_fields.items():
        model = section_in(field.annotation)
        if model is not None:
            yield from sections(model, here.key(name) + ("[]" if is_list(field.annotation) else ""))


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a key of this type contains, directly, in a list or as an option; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := section_in(part)) is not None), None)


def is_list(annotation: Any) -> bool:
    """Whether the value of a key of this type is a list."""
    return getattr(annotation, "__origin__", None) is tuple


def section_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The section at a location as pydantic names it, in which positions of lists are numbers."""
    model = kind
    for part in location:
        field = model.model_fields.get(str(part))
        model = (section_in(field.annotation) if field else None) or model
    return model
