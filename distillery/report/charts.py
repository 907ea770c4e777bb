"""The report's charts: each takes facts and gives a drawing with its caption."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

from distillery.report.comparison import ClassRecall, Reliability, Stage, pareto_front
from distillery.report.facts import Curve, Facts
from distillery.report.plotting import (
    BAD,
    GOOD,
    INK,
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
from distillery.report.variants import Variant
from distillery.report.words import file_size, percent, points

MOST_CLASSES = 20


@dataclass(frozen=True)
class Cost:
    """What accuracy is bought with: a field of Variant, its axis, its bound, and how a value is written."""

    field: str
    axis: str
    bound: float
    written: Callable[[float], str]

    def of(self, variant: Variant) -> float:
        """The variant's own."""
        return float(getattr(variant, self.field))


def size_chart(facts: Facts) -> Chart:
    """Accuracy against bytes."""
    cost = Cost("file_bytes", "file size", facts.budget.max_bytes, file_size)
    earlier = [(e.file_bytes, e.accuracy, e.version) for e in facts.earlier]
    return _tradeoff(facts, cost, "size", earlier)


def latency_chart(facts: Facts) -> Chart:
    """Accuracy against the median latency; whiskers to the right reach to the 95th percentile."""
    cost = Cost("latency_p50_ms", "latency, batch 1, one thread", facts.budget.max_p50_ms, _milliseconds)
    earlier = [(e.latency_p50_ms, e.accuracy, e.version) for e in facts.earlier]
    return _tradeoff(facts, cost, "latency", earlier)


def _tradeoff(facts: Facts, cost: Cost, name: str, earlier: Sequence[tuple[float, float, str]]) -> Chart:
    with drawing(name, height=3.9) as drawn:
        (axes,) = drawn.axes()
        for x, accuracy, version in earlier:
            (dot,) = axes.plot(x, accuracy, "o", color=MUTED, alpha=0.35, markersize=5, markeredgewidth=0)
            tip(dot, f"version {version}, earlier: {percent(accuracy)}, {cost.written(x)}")
        front = pareto_front(facts.variants, cost.field)
        axes.step(
            [cost.of(v) for v in front], [v.accuracy for v in front],
            where="post", color=MUTED, linewidth=1, label="Pareto front", zorder=1.5,
        )  # fmt: skip
        for number, variant in enumerate(facts.variants):
            _point(axes, facts, cost, number, variant)
        _bounds(axes, facts, cost)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(_round_ticks(*axes.get_xlim()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: cost.written(value)))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(cost.axis)
        axes.set_ylabel("test accuracy")
        drawn.figure.legend(loc="outside lower left", ncols=2, fontsize=8.5, handletextpad=0.5)
        listed = "; ".join(f"{v.name} {percent(v.accuracy)}, {cost.written(cost.of(v))}" for v in facts.variants)
        svg = drawn.svg(f"Test accuracy against {cost.axis}: {listed}.")
    whiskers = "Bars are 95 % intervals" + ("" if name == "size" else "; to the right, p95")
    return Chart(svg, f"Accuracy against {cost.axis}. {whiskers}. Dashed: the budget, which is judged on "
                 "validation rows.")  # fmt: skip


def _point(axes: Axes, facts: Facts, cost: Cost, number: int, variant: Variant) -> None:
    chosen, x = variant.name == facts.chosen, cost.of(variant)
    colour = series(number)
    axes.vlines(x, variant.accuracy_low, variant.accuracy_high, color=colour, linewidth=1.2, alpha=0.7)
    if cost.field == "latency_p50_ms":
        axes.hlines(variant.accuracy, x, variant.latency_p95_ms, color=colour, linewidth=1.2, alpha=0.5)
    (dot,) = axes.plot(
        x, variant.accuracy, marker(number), color=colour, markersize=10 if chosen else 7,
        markeredgecolor=INK if chosen else PAPER, markeredgewidth=1.8 if chosen else 1, linestyle="none",
        label=f"{shortened(variant.name)}{' (chosen)' if chosen else ''}", zorder=3 if chosen else 2.5,
    )  # fmt: skip
    interval = f"{percent(variant.accuracy_low)} to {percent(variant.accuracy_high)}"
    tip(dot, f"{variant.name}: {percent(variant.accuracy)} ({interval}), {cost.written(x)}")


def _bounds(axes: Axes, facts: Facts, cost: Cost) -> None:
    floor = facts.teacher.accuracy - facts.budget.max_accuracy_drop / 100
    lowest = min(v.accuracy_low for v in facts.variants)
    if cost.bound < 30 * max(cost.of(v) for v in facts.variants):  # else it would squeeze all the points
        line = axes.axvline(cost.bound, color=BAD, linestyle=(0, (4, 3)), linewidth=1.1, label="budget")
        tip(line, f"budget: at the most {cost.written(cost.bound)}")
    if floor > lowest - 0.1:
        line = axes.axhline(floor, color=BAD, linestyle=(0, (4, 3)), linewidth=1.1)
        tip(line, f"budget: at the most {facts.budget.max_accuracy_drop:g} points below the teacher")


def _round_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten, thinned out to six at the most; the ends where there is none."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= 6:
            return inside or [low, high]
    return inside[:: math.ceil(len(inside) / 6)]


def _milliseconds(value: float) -> str:
    return f"{value:.3g} ms"


def stages_chart(found: Sequence[Stage]) -> Chart:
    """A waterfall: how much smaller each step made the file, and what it did to accuracy."""
    labels = [stage.what for stage in found]
    with drawing("stages", width=7.6, height=1.3 + 0.5 * len(found)) as drawn:
        size, accuracy = drawn.axes(1, 2)
        for place, stage in enumerate(found):
            before, after = stage.before.file_bytes, stage.after.file_bytes
            colour = GOOD if after <= before else BAD
            size.plot([before, after], [place, place], color=colour, linewidth=9, solid_capstyle="butt")
            size.plot([after, after], [place - 0.4, place + 1.4 if place + 1 < len(found) else place + 0.4],
                      color=MUTED, linewidth=0.8)  # fmt: skip
            factor = f"÷ {stage.times_smaller:.1f}" if after < before else f"{after - before:+,} bytes"
            size.annotate(f"{factor}  ({file_size(after)})", (max(before, after), place), xytext=(6, 0),
                          textcoords="offset points", va="center", fontsize=8.5, color=INK)  # fmt: skip
            _change(accuracy, place, stage)
        size.set_xscale("log")
        low, high = size.get_xlim()
        size.set_xlim(low, high * (high / low) ** 0.75)  # room for the words
        size.xaxis.set_minor_locator(NullLocator())
        size.set_xticks(_round_ticks(low, high))
        size.xaxis.set_major_formatter(FuncFormatter(lambda value, _: file_size(value)))
        size.set_xlabel("file size")
        accuracy.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
        accuracy.set_xlabel("change of test accuracy, points, with 95 % interval")
        for axes, shown in ((size, labels), (accuracy, [""] * len(labels))):
            axes.set_yticks(range(len(found)), shown)
            axes.set_ylim(len(found) - 0.4, -0.6)
            axes.grid(visible=False, axis="y")
        told = "; ".join(f"{s.what}: {s.times_smaller:.1f} times smaller, {points(s.change.points)}" for s in found)
        svg = drawn.svg(f"What each step gave. {told}.")
    return Chart(svg, "Each step starts where the one above it ended. The intervals are of matched pairs: the "
                 "same test rows, before and after.")  # fmt: skip


def _change(axes: Axes, place: int, stage: Stage) -> None:
    change = stage.change
    colour = GOOD if change.low > 0 else BAD if change.high < 0 else MUTED
    axes.hlines(place, change.low, change.high, color=colour, linewidth=1.6)
    (dot,) = axes.plot(change.points, place, "o", color=colour, markersize=7)
    tip(dot, f"{stage.what}: {points(change.points)}, {change.gained} rows gained, {change.lost} lost")


def curves_chart(curves: Sequence[Curve]) -> Chart:
    """Accuracy on validation rows by epoch, from where most epochs are."""
    later = sorted(a for curve in curves for a in curve.accuracies[len(curve.accuracies) // 5 :])
    with drawing("curves", width=7.6, height=3.2) as drawn:
        (axes,) = drawn.axes()
        for number, curve in enumerate(curves):
            epochs = range(1, len(curve.accuracies) + 1)
            axes.plot(epochs, curve.accuracies, color=series(number), label=shortened(curve.name), linewidth=1.4)
            best = curve.accuracies[curve.best - 1]
            (dot,) = axes.plot(curve.best, best, marker(number), color=series(number), markersize=8,
                               markeredgecolor=PAPER)  # fmt: skip
            tip(dot, f"{curve.name}: best in epoch {curve.best}, {percent(best)}")
        top = max(max(curve.accuracies) for curve in curves)
        bottom = min(later[0], top - 0.01)
        axes.set_ylim(bottom - 0.06 * (top - bottom), min(1.002, top + 0.1 * (top - bottom)))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation accuracy")
        axes.legend(loc="lower right", fontsize=8.5)
        told = "; ".join(f"{c.name} {percent(max(c.accuracies))} in epoch {c.best}" for c in curves)
        svg = drawn.svg(f"Validation accuracy by epoch. Best: {told}.")
    return Chart(svg, "Validation accuracy by epoch; marks are the epochs whose weights are kept. The first "
                 "epochs may lie below the picture.")  # fmt: skip


def recalls_chart(recalls: Sequence[ClassRecall], before: str, after: str) -> Chart:
    """Class by class, the share of test rows found by each file; the classes that moved most."""
    moved = sorted(recalls, key=lambda r: (-abs(r.after - r.before) / r.rows, r.after / r.rows))[:MOST_CLASSES]
    shown = [recall for recall in recalls if recall in moved]
    with drawing("recalls", width=7.6, height=1.1 + 0.27 * len(shown)) as drawn:
        (axes,) = drawn.axes()
        for place, recall in enumerate(shown):
            ends = recall.before / recall.rows, recall.after / recall.rows
            colour = MUTED if ends[0] == ends[1] else GOOD if ends[1] > ends[0] else BAD
            axes.hlines(place, min(ends), max(ends), color=colour, linewidth=2.4)
            labels = (shortened(before), shortened(after)) if not place else (None, None)
            axes.plot(ends[0], place, "o", color=PAPER, markeredgecolor=MUTED, markersize=7,
                      linestyle="none", label=labels[0])  # fmt: skip
            (dot,) = axes.plot(ends[1], place, "o", color=colour, markersize=5, linestyle="none", label=labels[1])
            tip(dot, f"{recall.name}: {recall.before} of {recall.rows} before, {recall.after} after")
        axes.set_yticks(range(len(shown)), [shortened(recall.name) for recall in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.set_xlabel("share of the class's test rows that is found (recall)")
        drawn.figure.legend(loc="outside upper left", ncols=2, fontsize=8.5)
        fell = [f"{r.name} {r.after - r.before:+d} of {r.rows} rows" for r in shown if r.after != r.before]
        svg = drawn.svg(f"Recall by class, {before} and {after}. Changed: {'; '.join(fell) or 'none'}.")
    left_out = f" The {len(shown)} of {len(recalls)} that moved most." if len(recalls) > len(shown) else ""
    return Chart(svg, f"Recall by class: the ring is {before}, the dot {after}.{left_out}")


def reliability_chart(found: Sequence[tuple[str, Reliability]]) -> Chart:
    """How often a file is right against how sure it says it is."""
    with drawing("reliability", height=3.6) as drawn:
        (axes,) = drawn.axes()
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.2, zorder=1)
        for number, (name, reliable) in enumerate(found):
            shift = 0.006 * (number - (len(found) - 1) / 2)
            colour = series(number)
            for b in reliable.bins:
                axes.vlines(b.confidence + shift, b.low, b.high, color=colour, linewidth=1.2, alpha=0.6)
                (dot,) = axes.plot(b.confidence + shift, b.accuracy, marker(number), color=colour,
                                   markersize=4 + 2 * math.log10(b.rows), markeredgecolor=PAPER)  # fmt: skip
                tip(dot, f"{name}: {b.rows} rows, sure {percent(b.confidence)}, right {percent(b.accuracy)}")
            axes.plot([], [], marker(number), color=colour, linestyle="none",
                      label=f"{shortened(name)}, off by {points(100 * reliable.error, sign=False)}")  # fmt: skip
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="how sure it is", ylabel="how often it is right")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        drawn.figure.legend(loc="outside upper left", fontsize=8.5)
        told = "; ".join(f"{name}: {points(100 * reliable.error, sign=False)}" for name, reliable in found)
        svg = drawn.svg(f"Reliability; the expected calibration error of {told}.")
    return Chart(svg, "On the diagonal a file is right as often as it says. Below it, it is too sure. Ten bins; "
                 "larger marks hold more rows; bars are 95 % intervals.")  # fmt: skip
