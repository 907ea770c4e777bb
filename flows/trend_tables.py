"""A model over time on standard output, for people."""

from __future__ import annotations

from collections.abc import Sequence

from distillery.trend import TrendPoint, other_data, trend_table
from flows.tables import console


def print_trend(points: Sequence[TrendPoint], model: str) -> None:
    """A line a version, and what may not be compared."""
    out = console()
    if not points:
        out.print(f"{model} has no version yet: `distillery run` registers some.", markup=False)
        return
    out.print(trend_table(points))
    if other_data(points):
        out.print("Across a rule the data, and so the test rows, are others: `distillery compare` is fair.")
