"""The block `distill`."""

from __future__ import annotations

from typing import ClassVar

from distillery.params.base import Block, Positive, Share
from distillery.params.training import TrainingParams


class DistillTraining(TrainingParams):
    """`distill.training`: the student's, and the control's, which sees nothing else of `distill`."""

    place: ClassVar[str] = "distill.training"


class DistillParams(Block):
    """Block `distill`: `alpha` weighs the teacher against the labels, `temperature` softens both logits."""

    place: ClassVar[str] = "distill"
    temperature: Positive
    alpha: Share
    training: DistillTraining
