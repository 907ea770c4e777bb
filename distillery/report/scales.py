"""Axes that are read at a glance: shares as percent, and logarithms with round numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

MOST_TICKS = 6


def percent_scale(axis: Axis) -> None:
    """Shares of 0 to 1, written `99.2 %`."""
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))


def log_scale(axes: Axes, written: Callable[[float], str], most: int = MOST_TICKS) -> None:
    """A logarithmic x axis over the present limits."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(round_ticks(*axes.get_xlim(), most))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))


def round_ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """1, 2 and 5 times powers of ten, fewer where they are many; the ends where there is none."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= most:
            break
    return inside[:: math.ceil(len(inside) / most)] if inside else [low, high]
