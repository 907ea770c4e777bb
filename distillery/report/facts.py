"""What a run's report is made of: plain frozen values, read from a run's artifacts by whoever has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillery.data.rows import Rows
from distillery.params.budget import BudgetParams
from distillery.report.layers import Layer
from distillery.report.variants import Variant
from distillery.trend import TrendPoint
from distillery.verdict import Verdict


@dataclass(frozen=True)
class Answers:
    """What a file says of the N test rows; all variants' are of the same rows in the same order."""

    positions: NDArray[np.intp]  # (N,) in the prepared rows
    labels: NDArray[np.int64]  # (N,)
    predicted: NDArray[np.int64]  # (N,)
    probability: NDArray[np.float32]  # (N,) of the predicted class

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether each row is predicted as it is labelled."""
        return np.asarray(self.predicted == self.labels)


@dataclass(frozen=True)
class Curve:
    """One training: accuracy on validation rows, epoch by epoch; `best` counts epochs from 1."""

    name: str
    accuracies: tuple[float, ...]
    best: int


@dataclass(frozen=True)
class Registered:
    """Where a run's variants stand in the registry."""

    registry: str
    run_id: str
    versions: Mapping[str, str]  # by variant
    alias: str | None  # of the chosen one


@dataclass(frozen=True)
class Earlier:
    """A version that an earlier run registered for the same data."""

    version: str
    variant: str
    accuracy: float
    file_bytes: int
    latency_p50_ms: float


@dataclass(frozen=True)
class DataVersion:
    """What one import or addition brought, what its checks warned of, and its shift (PSI by column)."""

    number: int
    rows: int
    format: str
    warnings: tuple[str, ...]
    shift: Mapping[str, float] | None  # None: there is no version before


@dataclass(frozen=True)
class DataFacts:
    """The data that a run read."""

    name: str
    digest: str
    counts: Mapping[str, int]  # rows by split
    warnings: tuple[str, ...]
    versions: tuple[DataVersion, ...]


@dataclass(frozen=True)
class Facts:
    """One run. The teacher comes first; `control` is the student that was trained without it."""

    written: str
    variants: tuple[Variant, ...]
    control: str | None
    tested: Mapping[str, Answers]  # by variant
    operators: Mapping[str, Mapping[str, int]]  # by variant, of the optimized graph
    layers: Mapping[str, tuple[Layer, ...]]  # by variant, without the teacher
    curves: tuple[Curve, ...]
    chosen: str | None
    reason: str
    budget: BudgetParams
    registered: Registered
    earlier: tuple[Earlier, ...]
    trend: tuple[TrendPoint, ...]  # champions and the chosen one, oldest first
    rows: Rows
    data: DataFacts
    lineage: tuple[tuple[str, str], ...]  # name, value
    digests: Mapping[str, str]  # SHA-256 of the file, by variant
    rebuild: tuple[str, ...]  # commands
    params: str  # resolved, as YAML
    verdict: Verdict | None

    @property
    def teacher(self) -> Variant:
        """The yardstick."""
        return self.variants[0]

    @property
    def subject(self) -> Variant:
        """What the report looks at closely: the chosen one, else the candidate that breaks least."""
        by_name = {variant.name: variant for variant in self.variants}
        if self.chosen is not None:
            return by_name[self.chosen]
        candidates = [v for v in self.variants[1:] if v.name != self.control] or list(self.variants)
        return min(candidates, key=lambda variant: (len(variant.broken), variant.file_bytes, variant.name))
