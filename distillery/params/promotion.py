"""The block `promotion`: what a challenger must show on test rows before it may replace the champion."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from distillery.params.base import Block, Count, Positive, Share

Points = Annotated[float, Field(gt=0, le=100)]  # 0.01 of a share


class Gate(Block):
    """What each gate has: whether being undecided stops a promotion or only warns. Being refused stops it."""

    undecided: Literal["block", "warn"]  # block: it stops a promotion; warn: it is only told


class RowsGate(Gate):
    """A gate over rows: below `min_rows` it may refuse, and is otherwise undecided."""

    min_rows: Count


class AccuracyGate(RowsGate):
    """The challenger's accuracy is shown to be at most `margin` points below the champion's."""

    place: ClassVar[str] = "promotion.accuracy"
    margin: Points


class MacroF1Gate(RowsGate):
    """The same of macro F1, in which a small class counts as much as a large one."""

    place: ClassVar[str] = "promotion.macro_f1"
    margin: Points  # points that macro F1 may lose


class GroupsGate(RowsGate):
    """No class, and no value of the columns `slices`, loses more than `max_class_drop` points of accuracy."""

    place: ClassVar[str] = "promotion.per_class"
    max_class_drop: Points
    slices: tuple[str, ...]

    @property
    def bound(self) -> float:
        """Points that no group may lose."""
        return self.max_class_drop


class ForgettingGate(RowsGate):
    """On the test rows of each earlier version of the data, it loses no more than `max_drop` points."""

    place: ClassVar[str] = "promotion.forgetting"
    max_drop: Points

    @property
    def bound(self) -> float:
        """Points that no version may lose."""
        return self.max_drop


class MustPassGate(Gate):
    """The challenger may get none of these test rows wrong: ids in `rows`, and in `file`, one a line."""

    place: ClassVar[str] = "promotion.must_pass"
    rows: tuple[str, ...]
    file: str | None


class FootprintGate(Gate):
    """Bounds on the file and its memory; null: none. Ratios are challenger / champion."""

    place: ClassVar[str] = "promotion.footprint"
    max_bytes: Count | None
    max_bytes_ratio: Positive | None
    max_peak_ratio: Positive | None
    min_integer_share: Share | None  # of the multiply-accumulates


class LatencyGate(Gate):
    """Bounds on challenger / champion of paired times; null: none. Below `min_rounds` it may only refuse."""

    place: ClassVar[str] = "promotion.latency"
    max_p50_ratio: Positive | None  # challenger / champion, of the median
    max_p95_ratio: Positive | None  # challenger / champion, of the 95th percentile
    min_rounds: Count


class CalibrationGate(RowsGate):
    """Expected calibration error is shown to be at most `margin` points above the champion's; null: any."""

    place: ClassVar[str] = "promotion.calibration"
    margin: Points | None


class TeacherGate(RowsGate):
    """The share of rows on which challenger and teacher agree is at least `min_agreement`; null: any."""

    place: ClassVar[str] = "promotion.teacher"
    min_agreement: Share | None


Asked = (
    AccuracyGate
    | MacroF1Gate
    | GroupsGate
    | ForgettingGate
    | MustPassGate
    | FootprintGate
    | LatencyGate
    | CalibrationGate
    | TeacherGate
)


class PromotionParams(Block):
    """Block `promotion`: one typed config a gate, and whether a person has the last word.

    `approval` manual: a challenger that passed waits as `candidate` for `promote --approve`.
    """

    place: ClassVar[str] = "promotion"
    approval: Literal["automatic", "manual"]
    accuracy: AccuracyGate
    macro_f1: MacroF1Gate
    per_class: GroupsGate
    forgetting: ForgettingGate
    must_pass: MustPassGate
    footprint: FootprintGate
    latency: LatencyGate
    calibration: CalibrationGate
    teacher: TeacherGate

    @property
    def gates(self) -> tuple[Asked, ...]:
        """Every gate, in the order in which a verdict tells them."""
        quality = (
            self.accuracy,
            self.macro_f1,
            self.per_class,
            self.forgetting,
            self.must_pass,
            self.calibration,
            self.teacher,
        )
        return (*quality, self.footprint, self.latency)
