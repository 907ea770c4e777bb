"""Where to clip an activation: the range whose eight bits make the smallest squared error.

argmin over (a, b) of the sum over x of (x - x'(x; a, b))^2, with x' the round trip through eight bits of the
range [a, b]; a and b are searched from the whole range towards 0 (Nagel et al. 2021,
https://arxiv.org/abs/2106.08295, section 3.1, "MSE").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from distillery.data.rows import Rows
from distillery.quantization.calibration import Watched

BINS = 2048
STEPS = 64  # of each end, from the whole range towards 0
LEVELS = 255  # steps between the values of eight bits

Range = tuple[float, float]


@dataclass(frozen=True)
class Histogram:
    """Values of one tensor: how many lie in each bin (B,), and the mean of those; and how far they reach."""

    counts: NDArray[np.float64]
    means: NDArray[np.float64]
    low: float
    high: float


def clipping_ranges(
    model: ModelProto, tensors: Sequence[str], rows: Rows, *, symmetric: bool
) -> dict[str, Range]:
    """The best range of each tensor on the calibration rows; a symmetric one is as wide on either side."""
    search = best_symmetric_range if symmetric else best_range
    return {name: search(found) for name, found in _histograms(Watched(model, tensors), rows).items()}


def best_range(found: Histogram) -> Range:
    """The best [a, b] with a <= 0 <= b, as ONNX needs; the narrowest of equals."""
    shrinking = np.arange(1, STEPS + 1) / STEPS
    highs = found.high * shrinking if found.high else np.zeros(1)
    best, error = (found.low, found.high), np.inf
    for low in found.low * shrinking if found.low else np.zeros(1):
        errors = round_trip_errors(found, np.full_like(highs, low), highs)
        at = int(errors.argmin())
        if errors[at] < error:
            best, error = (float(low), float(highs[at])), errors[at]
    return best


def best_symmetric_range(found: Histogram) -> Range:
    """The best [-b, b]; the narrowest of equals."""
    bounds = max(-found.low, found.high) * np.arange(1, STEPS + 1) / STEPS
    errors = round_trip_errors(found, -bounds, bounds)
    bound = float(bounds[errors.argmin()])
    return -bound, bound


def round_trip_errors(
    found: Histogram, lows: NDArray[np.float64], highs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared errors (C,), summed over all values, of eight bits on the ranges [lows, highs], each (C,)."""
    scale = np.maximum((highs - lows) / LEVELS, np.finfo(np.float32).tiny)[:, None]
    zero = np.rint(-lows[:, None] / scale)
    q = np.clip(np.rint(found.means / scale) + zero, 0, LEVELS)  # (C, bins)
    return np.asarray(((q - zero) * scale - found.means) ** 2 @ found.counts)


def _histograms(watched: Watched, rows: Rows) -> dict[str, Histogram]:
    """Two passes over the calibration rows: first how far each tensor reaches, then what lies where."""
    reach = dict.fromkeys(watched.tensors, (0.0, 0.0))  # ONNX ranges hold 0
    for values in watched.run(rows):
        for name, (low, high) in reach.items():
            reach[name] = min(low, float(values[name].min())), max(high, float(values[name].max()))
    counts = {name: np.zeros(BINS) for name in watched.tensors}
    sums = {name: np.zeros(BINS) for name in watched.tensors}
    for values in watched.run(rows):
        for name, (low, high) in reach.items():
            flat = values[name].ravel().astype(np.float64)
            width = (high - low) or 1.0
            bins = np.clip((flat - low) / width * BINS, 0, BINS - 1).astype(np.intp)
            counts[name] += np.bincount(bins, minlength=BINS)
            sums[name] += np.bincount(bins, flat, minlength=BINS)
    return {n: Histogram(counts[n], sums[n] / np.maximum(counts[n], 1), *reach[n]) for n in reach}
