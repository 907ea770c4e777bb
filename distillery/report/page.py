"""From a run's facts to its report: one HTML page that needs nothing else, not even a script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from distillery.operators import INTEGER
from distillery.report.charts import curves_chart, recalls_chart, reliability_chart
from distillery.report.comparison import class_recalls, confusion, flips, reliability, stages
from distillery.report.facts import Answers, Facts
from distillery.report.pictures import Seen, look_at
from distillery.report.plotting import Chart
from distillery.report.tradeoff import latency_chart, size_chart
from distillery.report.trend_chart import trend_chart
from distillery.report.variants import are_sparse
from distillery.report.waterfall import accuracy_chart, bytes_chart
from distillery.report.words import file_size, percent, points, verdict

TEMPLATES = Path(__file__).parent / "templates"
MOST_FLIPS = 24  # of one kind
MOST_MATRIX = 20  # classes
MOST_PAIRS = 20
MOST_LAYERS = 100  # of one file


@dataclass(frozen=True)
class Flipped:
    """A row that two files predict differently, by the names of its classes."""

    seen: Seen
    label: str
    before: str
    before_sure: float
    after: str
    after_sure: float


@dataclass(frozen=True)
class FlipGroup:
    """Rows that flipped in the same way, those that can be shown; `total` counts all of them."""

    title: str
    total: int
    rows: tuple[Flipped, ...]


@dataclass(frozen=True)
class Cell:
    """One cell of a confusion matrix: how many rows, of which class, taken for which, and how dark it is."""

    rows: int
    label: str
    predicted: str
    right: bool
    shade: int  # 0 to 9


@dataclass(frozen=True)
class Matrix:
    """A file's confusions: whole where there are few classes (`cells`), else the commonest ones."""

    name: str
    cells: tuple[tuple[Cell, ...], ...]
    pairs: tuple[Cell, ...]  # wrong ones, the commonest first


@dataclass(frozen=True)
class OperatorRow:
    """What one file's multiply-accumulates run as."""

    variant: str
    share: float
    kinds: tuple[tuple[str, int, bool], ...]  # operator, how many, whether integer


def render(facts: Facts) -> str:
    """The page as HTML. Every name of classes, columns and files in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "points": points, "file_size": file_size, "svg": _svg}
    return environment.get_template("page.html").render(_view(facts))


def _svg(chart: Chart) -> Markup:
    return Markup(chart.svg)  # noqa: S704  # written by an XML library


def _view(facts: Facts) -> dict[str, Any]:
    teacher, subject = facts.teacher, facts.subject
    first, second = facts.tested[teacher.name], facts.tested[subject.name]
    classes = facts.rows.classes
    found, recalls = stages(facts), class_recalls(first, second, classes)
    reliable = [
        (name, reliability(facts.tested[name])) for name in dict.fromkeys((teacher.name, subject.name))
    ]
    return {
        "facts": facts,
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704  # our own
        "verdict": verdict(facts),
        "subject": subject,
        "sparse": are_sparse(facts.variants),
        "size": size_chart(facts),
        "latency": latency_chart(facts),
        "trend": trend_chart(facts.trend) if len(facts.trend) > 1 else None,
        "stages": found,
        "steps": [bytes_chart(found), accuracy_chart(found)] if found else [],
        "curves": curves_chart(facts.curves) if facts.curves else None,
        "matrices": [
            matrix(n, facts.tested[n], classes) for n in dict.fromkeys((teacher.name, subject.name))
        ],
        "recalls": recalls_chart(recalls, teacher.name, subject.name) if recalls else None,
        "flips": flip_groups(facts, first, second),
        "reliable": reliable,
        "reliability": reliability_chart(reliable),
        "operators": [
            _operators(facts, variant.name, variant.integer_op_share) for variant in facts.variants
        ],
        "layered": [(v, facts.layers[v.name]) for v in facts.variants if v.name in facts.layers],
        "most_layers": MOST_LAYERS,
        "drift": _drift(facts),
    }


def flip_groups(facts: Facts, first: Answers, second: Answers) -> list[FlipGroup]:
    """What the subject predicts differently from the teacher: lost, gained, and wrong in another way."""
    flipped, subject = flips(first, second), facts.subject.name
    kinds = (
        (f"Lost: the teacher is right, {subject} is not", flipped.lost),
        (f"Gained: {subject} is right, the teacher is not", flipped.gained),
        ("Both wrong, in different ways", flipped.neither),
    )
    return [
        FlipGroup(title, len(places), tuple(_flipped(facts, first, second, places[:MOST_FLIPS])))
        for title, places in kinds
        if len(places)
    ]


def _flipped(facts: Facts, first: Answers, second: Answers, places: NDArray[np.intp]) -> Iterable[Flipped]:
    names = facts.rows.classes
    for at in places.tolist():
        yield Flipped(
            look_at(facts.rows, int(first.positions[at])),
            names[first.labels[at]],
            names[first.predicted[at]],
            float(first.probability[at]),
            names[second.predicted[at]],
            float(second.probability[at]),
        )


def matrix(name: str, tested: Answers, classes: tuple[str, ...]) -> Matrix:
    """The confusions of one file; cells are as dark as their share of the class's rows."""
    counts = confusion(tested, len(classes))
    totals = counts.sum(axis=1)

    def cell(label: int, predicted: int) -> Cell:
        rows = int(counts[label, predicted])
        share = rows / max(1, int(totals[label]))
        shade = 0 if not rows else max(1, min(9, round(9 * share**0.5)))
        return Cell(rows, classes[label], classes[predicted], label == predicted, shade)

    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [cell(*divmod(int(at), len(classes))) for at in order if wrong.flat[at]]
    few = range(len(classes)) if len(classes) <= MOST_MATRIX else range(0)
    return Matrix(name, tuple(tuple(cell(i, j) for j in few) for i in few), tuple(pairs))


def _operators(facts: Facts, name: str, share: float) -> OperatorRow:
    kinds = sorted(facts.operators[name].items())
    return OperatorRow(name, share, tuple((kind, count, kind in INTEGER) for kind, count in kinds))


def _drift(facts: Facts) -> list[tuple[str, float]]:
    """What moved most between the newest version of the data and the one before."""
    shift = facts.data.versions[-1].shift if facts.data.versions else None
    return sorted((shift or {}).items(), key=lambda moved: (-moved[1], moved[0]))[:12]
