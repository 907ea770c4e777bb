"""What is said of a model where it is taken elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LICENCES = {
    "digits": "CC BY 4.0 (E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI)",
}
UNKNOWN_LICENCE = "not recorded: find it out and state it before you pass the model on"


@dataclass(frozen=True)
class Quality:
    """What was found on test rows; shares of `rows`, with Wilson's 95 % interval."""

    rows: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    teacher_agreement: float


@dataclass(frozen=True)
class Footprint:
    """What was measured of the file: batch 1 on one thread, on the machine that made it."""

    file_bytes: int
    parameters: int
    macs: int
    integer_op_share: float
    latency_p50_ms: float
    latency_p95_ms: float
    latency_runs: int
    throughput_rows_per_second: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Delivered:
    """One registered version."""

    registry: str
    version: str
    variant: str
    quality: Quality
    footprint: Footprint
    broken: tuple[str, ...]  # bounds of the budget
    dataset: str
    data_version: str | None
    data_digest: str
    counts: Mapping[str, int]  # rows by split
    licence: str | None  # of the data
    lineage: tuple[tuple[str, str], ...]  # name, value
