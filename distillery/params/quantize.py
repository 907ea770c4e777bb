"""The block `quantize`: how int8 ranges are found, and how quantization-aware training runs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from distillery.params.base import Block, Count
from distillery.params.training import TrainingParams


class DynamicParams(Block):
    """Post-training dynamic quantization: weights stored as `weights`, ranges found at run time."""

    place: ClassVar[str] = "quantize.dynamic"
    weights: Literal["uint8", "int8"]


class StaticParams(Block):
    """Post-training static quantization: how activation ranges come from the calibration rows."""

    place: ClassVar[str] = "quantize.static"
    ranges: Literal["minmax", "entropy", "percentile"]


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
    """Block `quantize`: one typed config a method."""

    place: ClassVar[str] = "quantize"
    dynamic: DynamicParams
    static: StaticParams
    qat: QatParams
