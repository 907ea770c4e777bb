"""Accuracy-controlled quantization: the layers that hurt most stay float, until the accuracy asked for holds.

How much a layer hurts is the mean squared difference that quantizing it alone makes to the logits of the
calibration rows; validation rows only say when it is enough. After the accuracy-aware loop of NNCF
(Kozlov et al. 2020, https://arxiv.org/abs/2002.08679).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from distillery.data.rows import Rows, Split
from distillery.inference import open_session, run_rows
from distillery.params.quantize import NearestParams, StaticParams
from distillery.quantization.quantize import layers, static


@dataclass(frozen=True)
class Point:
    """A point of the curve: which layers are float, and what the file then comes to."""

    in_float: tuple[str, ...]  # by operator and place in the student's graph: Conv_4
    accuracy: float  # share of the validation rows
    bytes: int


def static_within(
    student: ModelProto, rows: Rows, method: StaticParams, max_accuracy_drop: float
) -> tuple[bytes, list[Point]]:
    """The first file that is at most so many points below the float student, and the curve up to it.

    The last point there can be is the float student itself, which loses nothing.
    """
    held_out, whole = rows.where(Split.VALIDATION), student.SerializeToString(deterministic=True)
    least = accuracy(whole, rows, held_out) - max_accuracy_drop / 100
    curve: list[Point] = []
    for in_float in _ever_more(student, rows, method):
        all_of_them = len(in_float) == len(layers(student))
        content = whole if all_of_them else static(student, rows, method, in_float)
        curve.append(Point(in_float, accuracy(content, rows, held_out), len(content)))
        if curve[-1].accuracy >= least:
            break
    return content, curve


def _ever_more(student: ModelProto, rows: Rows, method: StaticParams) -> Iterator[tuple[str, ...]]:
    """No layer, the worst, the two worst, ... all; the order is only found where it is asked for."""
    yield ()
    order = worst_first(student, rows, method)
    for count in range(1, len(order) + 1):
        yield tuple(order[:count])


def worst_first(student: ModelProto, rows: Rows, method: StaticParams) -> list[str]:
    """The layers, from that which hurts most when it alone is quantized."""
    harm = harms(student, rows, method)
    return sorted(harm, key=lambda name: -harm[name])


def harms(student: ModelProto, rows: Rows, method: StaticParams) -> dict[str, float]:
    """Layer -> mean squared difference of the calibration rows' logits when it alone is quantized.

    Rounded to the nearest whatever the method says: to learn the rounding of each would take too long.
    """
    plain = method.model_copy(update={"rounding": NearestParams(kind="nearest")})
    positions = np.flatnonzero(rows.calibration)
    wanted = run_rows(open_session(student.SerializeToString()), rows, positions)
    names = layers(student)
    harm = {}
    for name in names:
        content = static(student, rows, plain, in_float=[other for other in names if other != name])
        found = run_rows(open_session(content), rows, positions)
        harm[name] = float(np.square(found - wanted).mean())
    return harm


def accuracy(content: bytes, rows: Rows, positions: NDArray[np.intp]) -> float:
    """Share of the rows at these positions that a file names right."""
    predicted = run_rows(open_session(content), rows, positions).argmax(1)
    return float((predicted == rows.labels[positions]).mean())
