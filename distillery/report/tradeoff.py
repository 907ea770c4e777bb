"""The picture of a run: accuracy against what it is bought with, the Pareto front, the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes

from distillery.report.comparison import pareto_front
from distillery.report.facts import Earlier, Facts
from distillery.report.plotting import BAD, INK, MUTED, PAPER, Chart, drawing, marker, series, shortened, tip
from distillery.report.scales import log_scale, percent_scale
from distillery.report.variants import Variant
from distillery.report.words import file_size, milliseconds, percent

CAPTION = (
    "Bars are 95 % intervals{more}. Dashed red: the budget, which is judged on validation rows.{earlier}"
)
EARLIER = " Faint: versions of earlier runs on the same data."
DASHED = (0, (4, 3))


@dataclass(frozen=True)
class Cost:
    """What accuracy is bought with: a field of Variant and Earlier, and how it is shown."""

    field: str
    whisker: str | None  # the field of Variant that a whisker reaches to
    axis: str
    bound: float
    written: Callable[[float], str]

    def of(self, variant: Variant | Earlier) -> float:
        """The variant's own."""
        return float(getattr(variant, self.field))


def size_chart(facts: Facts) -> Chart:
    """Accuracy against bytes."""
    cost = Cost("file_bytes", None, "file size", facts.budget.max_bytes, file_size)
    return _tradeoff("size", facts, cost)


def latency_chart(facts: Facts) -> Chart:
    """Accuracy against the median latency; whiskers reach to the 95th percentile."""
    axis, bound = "latency (p50), batch 1, one thread", facts.budget.max_p50_ms
    return _tradeoff("latency", facts, Cost("latency_p50_ms", "latency_p95_ms", axis, bound, milliseconds))


def _tradeoff(name: str, facts: Facts, cost: Cost) -> Chart:
    with drawing(name, height=3.9) as drawn:
        (axes,) = drawn.axes()
        for earlier in facts.earlier:
            _earlier(axes, cost, earlier)
        for number, variant in enumerate(facts.variants):
            _point(axes, cost, number, variant, chosen=variant.name == facts.chosen)
        front = pareto_front(facts.variants, cost.field)
        places = [cost.of(v) for v in front], [v.accuracy for v in front]
        axes.step(*places, where="post", color=MUTED, linewidth=1, label="Pareto front", zorder=1.5)
        _bounds(axes, facts, cost)
        log_scale(axes, cost.written)
        percent_scale(axes.yaxis)
        axes.set(xlabel=cost.axis, ylabel="test accuracy")
        drawn.figure.legend(loc="outside lower left", ncols=2, fontsize=9, handletextpad=0.5)
        told = (f"{v.name} {percent(v.accuracy)}, {cost.written(cost.of(v))}" for v in facts.variants)
        svg = drawn.svg(f"Test accuracy against {cost.axis}: {'; '.join(told)}.")
    more = "; to the right they reach to p95" if cost.whisker else ""
    return Chart(svg, CAPTION.format(more=more, earlier=EARLIER if facts.earlier else ""))


def _point(axes: Axes, cost: Cost, number: int, variant: Variant, *, chosen: bool) -> None:
    x, colour, name = cost.of(variant), series(number), shortened(variant.name)
    axes.vlines(x, variant.accuracy_low, variant.accuracy_high, color=colour, linewidth=1.2, alpha=0.7)
    if cost.whisker:
        axes.hlines(
            variant.accuracy, x, getattr(variant, cost.whisker), color=colour, linewidth=1.2, alpha=0.5
        )
    (dot,) = axes.plot(x, variant.accuracy, marker(number), color=colour, linestyle="none")
    if chosen:
        dot.set(markersize=10, markeredgecolor=INK, markeredgewidth=1.8, zorder=3, label=f"{name} (chosen)")
    else:
        dot.set(markersize=7.5, markeredgecolor=PAPER, markeredgewidth=0.6, zorder=2.5, label=name)
    interval = f"{percent(variant.accuracy_low)} to {percent(variant.accuracy_high)}"
    tip(dot, f"{variant.name}: {percent(variant.accuracy)} ({interval}), {cost.written(x)}")


def _earlier(axes: Axes, cost: Cost, earlier: Earlier) -> None:
    x = cost.of(earlier)
    (dot,) = axes.plot(x, earlier.accuracy, "o", color=MUTED, alpha=0.35, markersize=5, markeredgewidth=0)
    tip(dot, f"version {earlier.version}, {earlier.variant}: {percent(earlier.accuracy)}, {cost.written(x)}")


def _bounds(axes: Axes, facts: Facts, cost: Cost) -> None:
    """The budget's lines, where they do not squeeze the points together."""
    drop = facts.budget.max_accuracy_drop
    floor = facts.teacher.accuracy - drop / 100
    if cost.bound < 30 * max(cost.of(v) for v in facts.variants):
        line = axes.axvline(cost.bound, color=BAD, linestyle=DASHED, linewidth=1.1, label="budget")
        tip(line, f"budget: at the most {cost.written(cost.bound)}")
    if floor > min(v.accuracy_low for v in facts.variants) - 0.1:
        line = axes.axhline(floor, color=BAD, linestyle=DASHED, linewidth=1.1)
        tip(line, f"budget: at the most {drop:g} points below the teacher")
