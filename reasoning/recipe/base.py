"""What the sections of a recipe have in common: strict, frozen, a few types of values; and what is wrong with YAML."""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, protected_namespaces=())


class GrowingSection(Section):
    """A section that got keys after recipes had been used: one that is left at its default is not written down, so that
    recipes from before there were such keys are the recipes they were."""

    @classmethod
    def later_keys(cls) -> tuple[str, ...]:
        """The names of the keys that there were not always."""
        return ()

    @model_serializer(mode="wrap")
    def _without_what_is_left_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        left_out = {name for name in self.later_keys() if getattr(self, name) == fields[name].default}
        return {key: value for key, value in content.items() if key not in left_out}


PositiveInt = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


def yaml_problem(error: yaml.YAMLError) -> str:
    """What is wrong and where, without the text itself."""
    mark = getattr(error, "problem_mark", None)
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    return f"{getattr(error, 'problem', None) or type(error).__name__}{where}"
