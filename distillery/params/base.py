"""What every block of params.yaml is made of: frozen, complete, nothing unknown."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Block(BaseModel):
    """A block of params.yaml. No field has a default: params.yaml is the one place that says a number.

    `place` is where the block stands in params.yaml; cache keys name its values by it.
    """

    place: ClassVar[str] = ""
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, given: Any) -> Any:
        """Pydantic takes true for 1. As a word it is refused, with its place and all the other faults."""
        if not isinstance(given, dict):
            return given
        return {
            key: repr(value) if isinstance(value, bool) and cls._is_number(key) else value
            for key, value in given.items()
        }

    @classmethod
    def _is_number(cls, name: str) -> bool:
        field = cls.model_fields.get(name)
        return field is not None and not {int, float}.isdisjoint(_parts(field.annotation))


def _parts(annotation: Any) -> list[Any]:
    """A type, or what a union or an annotated type is made of; what a tuple holds is no part of it."""
    if get_origin(annotation) not in (Union, UnionType, Annotated):
        return [annotation]
    return [part for argument in get_args(annotation) for part in _parts(argument)]


Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
