"""The block `quantize`: how int8 ranges are found, and how quantization-aware training runs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.params.base import Block, Count, NonNegative, Positive
from distillery.params.training import TrainingParams


class DynamicParams(Block):
    """Post-training dynamic quantization: weights stored as `weights`, ranges found at run time."""

    place: ClassVar[str] = "quantize.dynamic"
    weights: Literal["uint8", "int8"]


class FallbackParams(Block):
    """Layers stay float, the worst first, until validation accuracy is within so many points of float."""

    max_accuracy_drop: NonNegative  # points of validation accuracy below the float student's


class BitsParams(Block):
    """Bits of weights and activations. Integer kernels take 4 or 8 by 8; a layer with 16 runs in float."""

    weights: Literal[4, 8, 16]  # of each weight
    activations: Literal[8, 16]  # of what layers give to each other


class NearestParams(Block):
    """Each weight goes to the nearest integer."""

    kind: Literal["nearest"]


class LearnedParams(Block):
    """Each weight goes up or down, whichever lets its layer's outputs stay (AdaRound, Nagel et al. 2020).

    `steps` of `batch_size` calibration rows a layer; `regularization` weighs what draws weights to integers.
    """

    kind: Literal["learned"]
    steps: Count
    batch_size: Count
    learning_rate: Positive  # of Adam, on how far each weight goes up
    regularization: Positive


Rounding = Annotated[NearestParams | LearnedParams, Field(discriminator="kind")]
WeightBits = Literal[4, 8, 16, 32]


class MixedParams(Block):
    """Each layer's weights get some of these `bits`, 32 being float: first the fewest, then ever more.

    The layers that gain most for a byte come first, until validation accuracy is within
    `max_accuracy_drop` points of float, and never to above `max_bytes`.
    """

    bits: tuple[WeightBits, ...]
    max_accuracy_drop: NonNegative | None
    max_bytes: Count | None

    @model_validator(mode="after")
    def _there_is_a_choice_and_an_end(self) -> MixedParams:
        if len(self.bits) < 2 or list(self.bits) != sorted(set(self.bits)):
            raise ValueError(
                f"bits must be two or more of 4, 8, 16 and 32 (float), rising, not {[*self.bits]}"
            )
        if self.max_accuracy_drop is None and self.max_bytes is None:
            raise ValueError("give max_accuracy_drop, max_bytes or both, so that there is an end")
        return self


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
    bits: BitsParams
    rounding: Rounding
    mixed: MixedParams | None

    @model_validator(mode="after")
    def _its_parts_agree(self) -> StaticParams:
        faults = []
        if self.mixed is not None and self.fallback is not None:
            faults.append("fallback and mixed both choose layers: set one to null; 32 in mixed.bits is float")
        if self.mixed is not None and self.bits.weights != 8:
            faults.append("mixed chooses the bits of weights: leave bits.weights at 8, or set mixed to null")
        if self.bits.activations == 16 and self.ranges in ("entropy", "mse"):
            faults.append(f"ranges {self.ranges} looks for eight bits; 16 take minmax or percentile")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class ObservedScales(Block):
    """Scales follow what is seen: max|w| / 127 a channel, and the range of the activations."""

    kind: Literal["observed"]


class LearnedScales(Block):
    """Scales are trained with the weights once observing ends (Esser et al. 2020; Bhalgat et al. 2020).

    They start at what was observed: the whole `range`, or from the `mean` magnitude as in the paper.
    """

    kind: Literal["learned"]
    start: Literal["range", "mean"]  # from what was observed: the whole range, or the mean magnitude
    weights: Literal["per_channel", "per_tensor"]  # one scale a channel, or one a layer


Scales = Annotated[ObservedScales | LearnedScales, Field(discriminator="kind")]


class LayersProgress(Block):
    """Layers become rounded one after another over the first `epochs`, from the input or the worst first."""

    kind: Literal["layers"]
    epochs: Count
    order: Literal["input", "sensitivity"]  # from the input, or those first that lose most


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
    """Block `quantize`: one typed config a method; null: no such variant is made."""

    place: ClassVar[str] = "quantize"
    dynamic: DynamicParams
    static: StaticParams | None
    qat: QatParams | None
