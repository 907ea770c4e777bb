"""The block `student`."""

from __future__ import annotations

from typing import ClassVar

from distillery.models.families import Family
from distillery.params.base import Block


class StudentParams(Block):
    """Block `student`: the network that teacher and labels, or labels alone, train."""

    place: ClassVar[str] = "student"
    model: Family
