"""The picture of a model over time: accuracy, bytes and latency by version, and where the data changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from distillery.report.plotting import INK, MUTED, PAPER, RULE, Chart, drawing, series, tip
from distillery.report.scales import percent_scale
from distillery.report.words import file_size, milliseconds, percent
from distillery.trend import TrendPoint, other_data

CAPTION = (
    "Each version as measured when it was registered; bars are 95 % intervals. A dashed line: the data became"
    " another version, so the test rows on its sides are not the same. Latencies compare on one machine only."
)
DASHED = (0, (4, 3))
MOST_LABELS = 8


def trend_chart(points: Sequence[TrendPoint]) -> Chart:
    """Three panels over the versions, oldest first."""
    with drawing("trend", height=4.8) as drawn:
        accuracy, size, latency = drawn.axes(rows=3)
        _line(accuracy, points, lambda point: point.accuracy, percent)
        for at, point in enumerate(points):
            accuracy.vlines(at, point.accuracy_low, point.accuracy_high, color=series(1), alpha=0.6)
        _line(size, points, lambda point: float(point.file_bytes), file_size)
        _line(latency, points, lambda point: point.latency_p50_ms, milliseconds)
        percent_scale(accuracy.yaxis)
        for axes, name, written in ((size, "file size", file_size), (latency, "p50", milliseconds)):
            axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, as_text=written: as_text(value)))
            axes.set_ylabel(name)
        accuracy.set_ylabel("test accuracy")
        for axes in (accuracy, size, latency):
            _mark_data(axes, points)
            axes.set_xlim(-0.5, len(points) - 0.5)
            axes.set_xticks([])
        step = -(-len(points) // MOST_LABELS)
        latency.set_xticks(range(0, len(points), step), [f"v{point.version}" for point in points[::step]])
        svg = drawn.svg(f"Accuracy, bytes and latency by version. {'; '.join(map(_told, points))}.")
    return Chart(svg, CAPTION)


def _line(
    axes: Axes,
    points: Sequence[TrendPoint],
    value: Callable[[TrendPoint], float],
    written: Callable[[float], str],
) -> None:
    values = [value(point) for point in points]
    axes.plot(range(len(points)), values, color=RULE, linewidth=1.2, zorder=1)
    for at, point in enumerate(points):
        champion = "champion" in point.standing.split(", ")
        (dot,) = axes.plot(at, values[at], "o", color=series(1), markersize=8 if champion else 5.5)
        dot.set(markeredgecolor=INK if champion else PAPER, markeredgewidth=1.5 if champion else 0.6)
        tip(dot, f"version {point.version}, {point.variant}: {written(values[at])}, data {point.data}")


def _mark_data(axes: Axes, points: Sequence[TrendPoint]) -> None:
    for at in other_data(points):
        line = axes.axvline(at - 0.5, color=MUTED, linestyle=DASHED, linewidth=0.9)
        tip(line, f"from here on data {points[at].data}")


def _told(point: TrendPoint) -> str:
    numbers = (
        f"{percent(point.accuracy)}, {file_size(point.file_bytes)}, {milliseconds(point.latency_p50_ms)}"
    )
    return f"version {point.version} {numbers}"
