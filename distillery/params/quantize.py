"""The block `quantize`: how int8 ranges are found, and how quantization-aware training runs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from distillery.params.base import Block, Count, NonNegative
from distillery.params.training import TrainingParams


class DynamicParams(Block):
    """Post-training dynamic quantization: weights stored as `weights`, ranges found at run time."""

    place: ClassVar[str] = "quantize.dynamic"
    weights: Literal["uint8", "int8"]


class FallbackParams(Block):
    """Layers stay float, the worst first, until validation accuracy is within so many points of float."""

    max_accuracy_drop: NonNegative


class StaticParams(Block):
    """Post-training static quantization: how ranges come from the calibration rows, and what helps.

    `weights` have a scale a channel or a tensor; symmetric `activations` reach as far on both sides of 0.
    """

    place: ClassVar[str] = "quantize.static"
    ranges: Literal["minmax", "entropy", "percentile", "mse"]
    weights: Literal["per_channel", "per_tensor"]
    activations: Literal["asymmetric", "symmetric"]
    equalize: bool
    correct_biases: bool
    fallback: FallbackParams | None


class QatParams(Block):
    """Quantization-aware training: activation ranges follow the data for `observe_epochs`, then stand."""

    place: ClassVar[str] = "quantize.qat"
    observe_epochs: Count
    training: TrainingParams

    @model_validator(mode="after")
    def _ranges_stand_at_the_end(self) -> QatParams:
        if self.observe_epochs >= self.training.epochs:
            raise ValueError("quantize.qat.observe_epochs must be below quantize.qat.training.epochs")
        return self


Quantization = DynamicParams | StaticParams | QatParams


class QuantizeParams(Block):
    """Block `quantize`: one typed config a method; null: no such variant is made."""

    place: ClassVar[str] = "quantize"
    dynamic: DynamicParams
    static: StaticParams | None
    qat: QatParams | None
