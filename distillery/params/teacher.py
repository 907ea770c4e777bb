"""The block `teacher`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from distillery.models.families import Family
from distillery.params.base import Block
from distillery.params.training import TrainingParams


class TeacherTraining(TrainingParams):
    """`teacher.training`: on true labels alone, which may be smoothed (Szegedy et al. 2015, section 7)."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]


class TeacherParams(Block):
    """Block `teacher`: its network and its training."""

    place: ClassVar[str] = "teacher"
    model: Family
    training: TeacherTraining
