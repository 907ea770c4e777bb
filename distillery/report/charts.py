"""The report's smaller charts: training, recall by class, reliability."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from distillery.report.comparison import ClassRecall, Reliability
from distillery.report.facts import Curve
from distillery.report.plotting import (
    BAD,
    GOOD,
    MUTED,
    PAPER,
    RULE,
    Chart,
    drawing,
    marker,
    series,
    shortened,
    tip,
)
from distillery.report.scales import percent_scale
from distillery.report.words import percent, points

MOST_CLASSES = 20
TRAINING = "Marks are the epochs whose weights are kept. The first epochs may lie below the picture."
RELIABILITY = (
    "On the diagonal a file is right as often as it says; below it, it is too sure. Ten bins of equal width; "
    "larger marks hold more rows; bars are 95 % intervals."
)


def curves_chart(curves: Sequence[Curve]) -> Chart:
    """Accuracy on validation rows by epoch, from where most epochs are."""
    later = [a for curve in curves for a in curve.accuracies[len(curve.accuracies) // 5 :]]
    top = max(max(curve.accuracies) for curve in curves)
    bottom = min(*later, top - 0.01)
    with drawing("training-curves", height=3.4) as drawn:
        (axes,) = drawn.axes()
        for number, curve in enumerate(curves):
            _curve(axes, number, curve)
        axes.set_ylim(bottom - 0.06 * (top - bottom), min(1.002, top + 0.1 * (top - bottom)))
        percent_scale(axes.yaxis)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="epoch", ylabel="validation accuracy")
        axes.legend(loc="lower right", fontsize=9)
        told = (f"{c.name} {percent(max(c.accuracies))} in epoch {c.best}" for c in curves)
        svg = drawn.svg(f"Validation accuracy by epoch. Best: {'; '.join(told)}.")
    return Chart(svg, TRAINING)


def _curve(axes: Axes, number: int, curve: Curve) -> None:
    colour, best = series(number), curve.accuracies[curve.best - 1]
    epochs = range(1, len(curve.accuracies) + 1)
    axes.plot(epochs, curve.accuracies, color=colour, label=shortened(curve.name), linewidth=1.4)
    (dot,) = axes.plot(curve.best, best, marker(number), color=colour, markersize=8, markeredgecolor=PAPER)
    tip(dot, f"{curve.name}: best in epoch {curve.best}, {percent(best)}")


def recalls_chart(recalls: Sequence[ClassRecall], before: str, after: str) -> Chart:
    """Class by class, the share of test rows found by each file; of many classes, those that moved most."""
    moved = sorted(recalls, key=lambda r: (-abs(r.after - r.before) / r.rows, r.after / r.rows))[
        :MOST_CLASSES
    ]
    shown = [recall for recall in recalls if recall in moved]
    with drawing("recalls", height=1.1 + 0.27 * len(shown)) as drawn:
        (axes,) = drawn.axes()
        for place, recall in enumerate(shown):
            _recall(axes, place, recall)
        axes.plot([], [], "o", color=PAPER, markeredgecolor=MUTED, markersize=7, label=shortened(before))
        axes.plot([], [], "o", color=MUTED, markersize=5, label=shortened(after))
        axes.set_yticks(range(len(shown)), [shortened(recall.name) for recall in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        percent_scale(axes.xaxis)
        axes.set_xlabel("share of the class's test rows that is found (recall)")
        drawn.figure.legend(loc="outside upper left", ncols=2, fontsize=9)
        changed = [f"{r.name} {r.after - r.before:+d} of {r.rows} rows" for r in shown if r.after != r.before]
        svg = drawn.svg(f"Recall by class, {before} and {after}. Changed: {'; '.join(changed) or 'none'}.")
    left_out = (
        f" The {len(shown)} of {len(recalls)} classes that moved most." if len(recalls) > len(shown) else ""
    )
    return Chart(svg, f"Recall by class: the ring is {before}, the dot {after}.{left_out}")


def _recall(axes: Axes, place: int, recall: ClassRecall) -> None:
    before, after = recall.before / recall.rows, recall.after / recall.rows
    colour = MUTED if before == after else GOOD if after > before else BAD
    axes.hlines(place, min(before, after), max(before, after), color=colour, linewidth=2.4)
    axes.plot(before, place, "o", color=PAPER, markeredgecolor=MUTED, markersize=7)
    (dot,) = axes.plot(after, place, "o", color=colour, markersize=5)
    tip(dot, f"{recall.name}: {recall.before} of {recall.rows} before, {recall.after} after")


def reliability_chart(found: Sequence[tuple[str, Reliability]]) -> Chart:
    """How often a file is right against how sure it says it is."""
    with drawing("reliability-diagram", height=3.6) as drawn:
        (axes,) = drawn.axes()
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.2, zorder=1)
        for number, (name, reliable) in enumerate(found):
            _reliable(axes, number, name, reliable)
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="how sure it is", ylabel="how often it is right")
        for axis in (axes.xaxis, axes.yaxis):
            percent_scale(axis)
            axis.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        drawn.figure.legend(loc="outside upper left", fontsize=9)
        told = (f"{name}: {points(100 * reliable.error, sign=False)}" for name, reliable in found)
        svg = drawn.svg(f"Reliability. Expected calibration error of {'; '.join(told)}.")
    return Chart(svg, RELIABILITY)


def _reliable(axes: Axes, number: int, name: str, reliable: Reliability) -> None:
    colour, off = series(number), points(100 * reliable.error, sign=False)
    for b in reliable.bins:
        x = b.confidence + 0.006 * number  # two files are alike: side by side, not on top of each other
        axes.vlines(x, b.low, b.high, color=colour, linewidth=1.2, alpha=0.6)
        (dot,) = axes.plot(x, b.accuracy, marker(number), color=colour, markeredgecolor=PAPER)
        dot.set_markersize(4 + 2 * math.log10(b.rows))
        tip(dot, f"{name}: {b.rows} rows, sure {percent(b.confidence)}, right {percent(b.accuracy)}")
    axes.plot([], [], marker(number), color=colour, label=f"{shortened(name)}, off by {off} on average")
