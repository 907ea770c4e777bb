"""The block `teacher`: trained here, or brought along as a file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from distillery.models.families import Family
from distillery.params.base import Block, Positive
from distillery.params.training import TrainingParams

FilePath = Annotated[str, Field(min_length=1)]


class TeacherTraining(TrainingParams):
    """`teacher.training`: on true labels alone, which may be smoothed (Szegedy et al. 2015, section 7)."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]  # share of a label spread over all classes


class TrainedTeacher(Block):
    """A teacher that is trained here: its network and its training."""

    place: ClassVar[str] = "teacher"
    kind: Literal["trained"]
    model: Family
    training: TeacherTraining


class WeightsTeacher(Block):
    """Safetensors weights of a network that is named here. `file` is relative to the project."""

    place: ClassVar[str] = "teacher"
    kind: Literal["weights"]
    file: FilePath
    model: Family  # the network whose weights they are


class Pixels(Block):
    """How bytes become a file's floats: (byte / divide_by - mean) / std: one value, or one a channel."""

    divide_by: Positive  # 255 makes bytes shares
    mean: Annotated[tuple[float, ...], Field(min_length=1)]  # taken off after that
    std: Annotated[tuple[Positive, ...], Field(min_length=1)]  # divides what is left


class OnnxTeacher(Block):
    """Any ONNX file that classifies: only its outputs are needed. `file` is relative to the project.

    `pixels` null: it takes raw bytes, or the rows of a table. `output` null: the only one that fits.
    """

    place: ClassVar[str] = "teacher"
    kind: Literal["onnx"]
    file: FilePath
    gives: Literal["logits", "probabilities"]  # what the file's output is
    pixels: Pixels | None
    output: str | None


Teacher = Annotated[TrainedTeacher | WeightsTeacher | OnnxTeacher, Field(discriminator="kind")]
