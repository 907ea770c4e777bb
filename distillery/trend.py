"""How a model fares over its versions and its data's: a value a version, and a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

COLUMNS = (
    "version", "variant", "standing", "since", "accuracy ± 95 %", "test rows", "file bytes", "p50 ms", "data",
)  # fmt: skip
SHORT = 12  # letters of a digest


@dataclass(frozen=True)
class TrendPoint:
    """One version as it was measured when it was registered.

    `standing`: its aliases, `was champion`, or nothing. `since`: when it first became champion (ISO 8601).
    `data_version`: the number of the newest version of the data that it was trained and tested on.
    """

    version: str
    variant: str
    standing: str
    since: str | None
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    test_rows: int | None
    file_bytes: int
    latency_p50_ms: float
    data_digest: str
    data_version: int | None

    @property
    def data(self) -> str:
        """The data version in a word."""
        short = self.data_digest[:SHORT]
        return short if self.data_version is None else f"{self.data_version} ({short})"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def point_of(row: Mapping[str, Any], standing: str, since: str | None) -> TrendPoint | None:
    """A version as the registry lists it; None where it lacks one of its numbers."""
    words = ("version", "data_digest", "data_version", "test_rows")
    numbers = ("accuracy", "accuracy_low", "accuracy_high", "file_bytes", "latency_p50_ms")
    if any(row[name] is None for name in (*numbers, "name", "data_digest")):
        return None
    same = {name: row[name] for name in (*words, *numbers)}
    return TrendPoint(variant=str(row["name"]), standing=standing, since=since, **same)


def other_data(points: Sequence[TrendPoint]) -> list[int]:
    """The places, from 1, whose rows are not those of the point before: accuracies are of other test rows."""
    digests = [point.data_digest for point in points]
    return [at for at in range(1, len(points)) if digests[at] != digests[at - 1]]


def trend_table(points: Sequence[TrendPoint]) -> Table:
    """A line a version, oldest first; a rule where the data became other data."""
    table = Table(*COLUMNS, title="as measured when each version was registered")
    for column in table.columns[4:8]:
        column.justify = "right"
    breaks = {at - 1 for at in other_data(points)}
    for at, point in enumerate(points):
        half = 50 * (point.accuracy_high - point.accuracy_low)
        table.add_row(
            point.version,
            Text(point.variant),
            Text(point.standing),
            (point.since or "")[:16].replace("T", " "),
            f"{point.accuracy:.2%} ± {half:.2f}",
            "" if point.test_rows is None else f"{point.test_rows:,}",
            f"{point.file_bytes:,}",
            f"{point.latency_p50_ms:.3f}",
            point.data,
            style="bold" if "champion" in point.standing.split(", ") else None,
            end_section=at in breaks,
        )
    return table
