"""The block `teachers`: who stands beside `teacher`, and between it and the student."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.params.base import Block, Positive
from distillery.params.student import StudentParams
from distillery.params.teacher import Teacher


class Mean(Block):
    """Every teacher counts the same."""

    place: ClassVar[str] = "teachers.combine"
    kind: Literal["mean"]


class Weighted(Block):
    """The teachers count by these weights, `teacher` first, then `teachers.others`."""

    place: ClassVar[str] = "teachers.combine"
    kind: Literal["weighted"]
    weights: tuple[Positive, ...]  # one a teacher; only their ratios count


class Confidence(Block):
    """Row by row, who is surer of the true class counts more (Zhang, Chen, Wang 2022)."""

    place: ClassVar[str] = "teachers.combine"
    kind: Literal["confidence"]


Combine = Annotated[Mean | Weighted | Confidence, Field(discriminator="kind")]


class TeachersParams(Block):
    """Block `teachers`. Of `teacher` and `others` one set of targets is made; `assistants` pass it on, each
    distilled from the one before (Mirzadeh et al. 2020); the student is distilled `generations` times, each
    from the one before (Furlanello et al. 2018).
    """

    place: ClassVar[str] = "teachers"
    others: tuple[Teacher, ...]
    combine: Combine
    assistants: tuple[StudentParams, ...]
    generations: Annotated[int, Field(ge=1, le=16)]

    @model_validator(mode="after")
    def _a_weight_a_teacher(self) -> TeachersParams:
        count = 1 + len(self.others)
        if count == 1 and not isinstance(self.combine, Mean):
            raise ValueError(
                f"teachers.combine.kind: {self.combine.kind} needs several teachers, and there is one: "
                "name more in teachers.others, or take mean"
            )
        if isinstance(self.combine, Weighted) and len(self.combine.weights) != count:
            raise ValueError(f"teachers.combine.weights: there are {count} teachers, `teacher` the first")
        return self
