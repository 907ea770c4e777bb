"""The points of a network that hidden features can be taken from, by name: plain data, no heavy import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from distillery.errors import ParamsError
from distillery.models.layers import Dropout, Flatten, Network
from distillery.models.sizes import Size, size_after, size_of
from distillery.params.distill import LOGITS, Attention, Hints, Term


@dataclass(frozen=True)
class Point:
    """Where in `network.layers` the features come out, and their size for one row."""

    position: int
    size: Size

    @property
    def is_map(self) -> bool:
        """Whether they have places."""
        return len(self.size) == 3


@dataclass(frozen=True)
class Lesson:
    """One distillation: which network learns from which, and where in params.yaml they stand.

    `teacher` None: a file, which shows its logits alone.
    """

    learner: str
    student: Network
    by: str
    teacher: Network | None


def points(network: Network) -> dict[str, Point]:
    """Every layer with an output of its own by kind and number: `conv1`, `residual1`, ...; not the logits."""
    numbers, size = Counter[str](), size_of(network.rows)
    found = {}
    for position, layer in enumerate(network.layers[:-1]):
        size = size_after(layer, size)
        if not isinstance(layer, Flatten | Dropout):
            numbers[layer.kind] += 1
            found[f"{layer.kind}{numbers[layer.kind]}"] = Point(position, size)
    return found


def require_known(terms: Sequence[Term], lessons: Iterable[Lesson]) -> None:
    """ParamsError with every term that names no point of a network, whatever rows that reads."""
    _require(_unknown, terms, lessons)


def require_comparable(terms: Sequence[Term], lessons: Iterable[Lesson]) -> None:
    """ParamsError with every term that names no point of a network, or two that cannot be compared."""
    _require(_faults, terms, lessons)


def _require(
    faults_of: Callable[[Term, Lesson], Iterator[str]], terms: Sequence[Term], lessons: Iterable[Lesson]
) -> None:
    faults = [
        f"distill.terms.{at}{fault}"
        for lesson in lessons
        for at, term in enumerate(terms)
        for fault in faults_of(term, lesson)
    ]
    if faults:
        raise ParamsError("the terms do not fit the models", faults)


def _faults(term: Term, lesson: Lesson) -> Iterator[str]:
    unknown = [*_unknown(term, lesson)]
    yield from unknown
    if not unknown and lesson.teacher is not None and isinstance(term, Hints | Attention):
        fault = _incomparable(
            term, points(lesson.student)[term.student], points(lesson.teacher)[term.teacher]
        )
        if fault is not None:
            yield f": {fault} ({lesson.learner} from {lesson.by})"


def _unknown(term: Term, lesson: Lesson) -> Iterator[str]:
    sides = (
        ("student", term.student, lesson.learner, lesson.student),
        ("teacher", term.teacher, lesson.by, lesson.teacher),
    )
    for side, name, place, network in sides:
        known = [*(points(network) if network is not None else ()), LOGITS]
        if name not in known:
            yield f".{side}: {place} has no {name!r}; it has {', '.join(known)}"


def _incomparable(term: Hints | Attention, student: Point, teacher: Point) -> str | None:
    said = f"{term.student} is {_said(student)}, {term.teacher} of the teacher {_said(teacher)}"
    if isinstance(term, Attention) and not (student.is_map and teacher.is_map):
        return f"attention compares maps; {said}"
    if student.is_map != teacher.is_map:
        return f"hints compare two maps or two rows; {said}"
    if any(max(a, b) % min(a, b) for a, b in zip(student.size[1:], teacher.size[1:], strict=True)):
        return f"the height and width of one map must divide the other's; {said}"
    return None


def _said(point: Point) -> str:
    return " x ".join(map(str, point.size))
