"""The block `prune`: which weights or channels go, and how the student is retrained meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from distillery.params.base import Block, Count, NonNegative, Positive
from distillery.params.training import TrainingParams

SomeShare = Annotated[float, Field(gt=0, lt=1)]
Scope = Literal["layer", "network"]


class PenaltyParams(Block):
    """A term of the loss that draws weights to zero: each one (`l1`), or a channel's together (`group`)."""

    kind: Literal["l1", "group"]
    weight: Positive  # factor of the sum


class _PruneParams(Block):
    place: ClassVar[str] = "prune"
    penalty: PenaltyParams | None  # added to the loss; null: nothing
    training: TrainingParams  # on the teacher's targets


class MagnitudeParams(_PruneParams):
    """Small weights become zero, ever more of them over `ramp_epochs` (Zhu & Gupta 2017).

    `share` of the weights, of every layer or of all layers together; masks change every `every` steps.
    """

    kind: Literal["magnitude"]
    share: SomeShare
    scope: Scope  # whether each layer gives its share, or all together
    ramp_epochs: Count
    every: Count

    @model_validator(mode="after")
    def _epochs_are_left_at_the_full_share(self) -> MagnitudeParams:
        if self.ramp_epochs >= self.training.epochs:
            raise ValueError("ramp_epochs must be below training.epochs")
        return self


class ThresholdParams(_PruneParams):
    """Weights below so many standard `deviations` go at once (Han et al. 2015, section 4).

    They are of the weights that are not zero, of a layer or of all layers together.
    """

    kind: Literal["threshold"]
    deviations: Positive
    scope: Scope  # whose weights the deviation is of: each layer's, or all


class RegrowParams(_PruneParams):
    """`share` of the weights stays zero, but which may change.

    Every `every` steps a part of the others is dropped, `drop` at first and ever less, and as many grow back,
    until `until` of the training is over: where the gradient is largest (RigL, Evci et al. 2020), or where
    what the weight would join is active together (CTRE, Atashgahi et al. 2022).
    """

    kind: Literal["regrow"]
    share: SomeShare
    scope: Scope  # whether each layer gives its share, or all together
    every: Count
    drop: SomeShare
    until: Annotated[float, Field(gt=0, le=1)]
    grow: Literal["gradient", "activation"]  # where the gradient is largest, or what is active together


class PatternParams(_PruneParams):
    """Of every `of` weights along a layer's inputs `keep` stay (N:M sparsity, Mishra et al. 2021)."""

    kind: Literal["pattern"]
    keep: Count
    of: Annotated[int, Field(ge=2, le=64)]

    @model_validator(mode="after")
    def _something_goes(self) -> PatternParams:
        if self.keep >= self.of:
            raise ValueError("keep must be below of: all weights would stay")
        return self


class ChannelParams(_PruneParams):
    """Whole channels go, round by round, each followed by a training, so that file and time shrink.

    `share` of the channels left goes a round, at the most `rounds` times; widths stay multiples of
    `multiple`. A round that costs more than `max_accuracy_drop` points of validation accuracy below the
    unpruned student is undone, and is the last.
    """

    kind: Literal["channels"]
    importance: Literal["l1", "group", "scale"]  # what says which channel goes first
    scope: Scope  # whether each layer gives its share, or all together
    share: SomeShare
    rounds: Count
    multiple: Count
    max_accuracy_drop: NonNegative


Pruning = MagnitudeParams | ThresholdParams | RegrowParams | PatternParams | ChannelParams


def _in_turn(given: Any) -> Any:
    """null is none, and a block one method."""
    return () if given is None else (given,) if isinstance(given, dict | _PruneParams) else given


def _as_written(methods: Sequence[Pruning]) -> Any:
    trees = [method.model_dump(mode="json") for method in methods]
    return trees if len(trees) > 1 else trees[0] if trees else None


OnePruning = Annotated[Pruning, Field(discriminator="kind")]
Prunings = Annotated[
    tuple[OnePruning, ...],
    BeforeValidator(_in_turn, json_schema_input_type=OnePruning | tuple[OnePruning, ...] | None),
    PlainSerializer(_as_written),
]  # in turn; written null, a block, or a list of blocks
