"""What each step on the way from the teacher to the subject gave: smaller files, more or less accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from distillery.report.comparison import Stage
from distillery.report.plotting import BAD, GOOD, INK, MUTED, Chart, drawing, tip
from distillery.report.scales import log_scale
from distillery.report.words import file_size, points

BYTES = "Each step starts where the one above it ended."
ACCURACY = "With 95 % intervals of matched pairs: the same test rows, before and after each step."


def bytes_chart(found: Sequence[Stage]) -> Chart:
    """How much smaller each step made the file."""
    with drawing("steps-bytes", height=_height(found)) as drawn:
        (axes,) = drawn.axes()
        for place, stage in enumerate(found):
            _bytes(axes, place, stage, last=place + 1 == len(found))
        log_scale(axes, file_size, most=3)
        low, high = axes.get_xlim()
        axes.set_xlim(low, high * (high / low) ** 0.8)  # room for the words
        axes.set_xlabel("file size")
        _rows(axes, found)
        told = (f"{s.what}: {s.times_smaller:.1f} times smaller" for s in found)
        svg = drawn.svg(f"What each step did to the file's size. {'; '.join(told)}.")
    return Chart(svg, BYTES)


def accuracy_chart(found: Sequence[Stage]) -> Chart:
    """What each step did to accuracy."""
    with drawing("steps-accuracy", height=_height(found)) as drawn:
        (axes,) = drawn.axes()
        for place, stage in enumerate(found):
            _change(axes, place, stage)
        axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
        axes.set_xlabel("change of test accuracy, points")
        _rows(axes, found)
        told = (f"{s.what}: {points(s.change.points)}" for s in found)
        svg = drawn.svg(f"What each step did to test accuracy. {'; '.join(told)}.")
    return Chart(svg, ACCURACY)


def _height(found: Sequence[Stage]) -> float:
    return 1 + 0.5 * len(found)


def _rows(axes: Axes, found: Sequence[Stage]) -> None:
    axes.set_yticks(range(len(found)), [stage.what.replace(" (", "\n(") for stage in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _bytes(axes: Axes, place: int, stage: Stage, *, last: bool) -> None:
    before, after = stage.before.file_bytes, stage.after.file_bytes
    colour = GOOD if after <= before else BAD
    axes.plot([before, after], [place, place], color=colour, linewidth=9, solid_capstyle="butt")
    axes.plot([after, after], [place - 0.3, place + (0.3 if last else 1.3)], color=MUTED, linewidth=0.8)
    factor = "same size" if before == after else f"÷ {before / after:.1f}" if after < before else "bigger"
    axes.annotate(
        f"{factor}, {file_size(after)}",
        (max(before, after), place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=INK,
    )


def _change(axes: Axes, place: int, stage: Stage) -> None:
    change = stage.change
    colour = GOOD if change.low > 0 else BAD if change.high < 0 else MUTED
    axes.hlines(place, change.low, change.high, color=colour, linewidth=1.6)
    (dot,) = axes.plot(change.points, place, "o", color=colour, markersize=7)
    tip(dot, f"{stage.what}: {points(change.points)}, {change.gained} rows gained, {change.lost} lost")
