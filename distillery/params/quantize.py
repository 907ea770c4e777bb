"""The block `quantize`: how int8 ranges are found, and how quantization-aware training runs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

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


class ObservedScales(Block):
    """Scales follow what is seen: max|w| / 127 a channel, and the range of the activations."""

    kind: Literal["observed"]


class LearnedScales(Block):
    """Scales are trained with the weights once observing ends (Esser et al. 2020; Bhalgat et al. 2020).

    They start at what was observed: the whole `range`, or from the `mean` magnitude as in the paper.
    """

    kind: Literal["learned"]
    start: Literal["range", "mean"]
    weights: Literal["per_channel", "per_tensor"]


Scales = Annotated[ObservedScales | LearnedScales, Field(discriminator="kind")]


class LayersProgress(Block):
    """Layers become rounded one after another over the first `epochs`, from the input or the worst first."""

    kind: Literal["layers"]
    epochs: Count
    order: Literal["input", "sensitivity"]


class BitsProgress(Block):
    """All layers are rounded to the bits of `steps`, over the first `epochs`, and to eight from then on."""

    kind: Literal["bits"]
    epochs: Count
    steps: tuple[Annotated[int, Field(gt=8, le=16)], ...]

    @model_validator(mode="after")
    def _bits_fall_and_have_their_epochs(self) -> BitsProgress:
        if not self.steps or list(self.steps) != sorted(set(self.steps), reverse=True):
            raise ValueError(f"steps must be ever fewer bits, as in [16, 12], not {list(self.steps)}")
        if self.epochs < len(self.steps):
            raise ValueError(f"epochs must be at least {len(self.steps)}, one for each of steps")
        return self


Progress = Annotated[LayersProgress | BitsProgress, Field(discriminator="kind")]


class QatParams(Block):
    """Quantization-aware training: activation ranges follow the data for `observe_epochs`, then stand.

    With `progress`, those are counted from when every layer is rounded to eight bits.
    """

    place: ClassVar[str] = "quantize.qat"
    scales: Scales
    progress: Progress | None
    observe_epochs: Count
    training: TrainingParams

    @property
    def whole_from(self) -> int:
        """The epoch, from 0, from which on everything is rounded to eight bits."""
        return self.progress.epochs if self.progress is not None else 0

    @property
    def observed(self) -> int:
        """After how many epochs observing ends."""
        return self.whole_from + self.observe_epochs

    @model_validator(mode="after")
    def _ranges_stand_at_the_end(self) -> QatParams:
        if self.observed >= self.training.epochs:
            more = " + quantize.qat.progress.epochs" if self.progress is not None else ""
            raise ValueError(f"quantize.qat.observe_epochs{more} must be below quantize.qat.training.epochs")
        return self


Quantization = DynamicParams | StaticParams | QatParams


class QuantizeParams(Block):
    """Block `quantize`: one typed config a method."""

    place: ClassVar[str] = "quantize"
    dynamic: DynamicParams
    static: StaticParams
    qat: QatParams
