"""What the sections of a recipe have in common: strict, frozen, a few types of values; and what is wrong with YAML."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticKnownError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`max_cost: false` or `own: yes` would be 0 or 1, which nobody who writes that can mean."""
        if isinstance(value, bool):
            kinds = {*alternatives(cls.model_fields[info.field_name or ""].annotation)}
            if kinds & {int, float} and bool not in kinds:
                raise PydanticKnownError("int_type" if int in kinds else "float_type")
        return value


def alternatives(annotation: Any) -> Iterator[Any]:
    """The types that a key of this type may be of, one by one: of `int | None` both."""
    if get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from alternatives(part)
    else:
        yield annotation


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
