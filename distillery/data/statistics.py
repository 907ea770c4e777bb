"""What a column's values come to, gathered chunk by chunk: numbers that a schema keeps and a person reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

BYTES_AT_ONCE = 1 << 20


class Statistics(BaseModel):
    """One numeric column, or one channel of images. All numbers are None where no value was seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    count: int  # values that are there
    missing: int
    mean: float | None
    std: float | None  # of the population
    low: float | None
    high: float | None

    @property
    def constant(self) -> bool:
        """Whether every row has the same value, or none has one."""
        return self.low == self.high and not (self.missing and self.count)


@dataclass
class Gathered:
    """Running statistics; chunks are merged as in Chan, Golub, LeVeque 1979, equations 2.1."""

    count: int = 0
    missing: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared deviations from the mean
    low: float = math.inf
    high: float = -math.inf

    def add(self, values: NDArray[np.generic]) -> None:
        """Take in some values; NaN is missing, and so is what is infinite: data that have it are refused."""
        numbers = np.asarray(values, np.float64).ravel()
        there = numbers[np.isfinite(numbers)]
        self.missing += len(numbers) - len(there)
        if not len(there):
            return
        mean = float(there.mean())
        squares = float(((there - mean) ** 2).sum())
        self._merge(len(there), mean, squares, float(there.min()), float(there.max()))

    def add_bytes(self, values: NDArray[np.uint8]) -> None:
        """Take in whole numbers from 0 to 255, by counting them."""
        counts = np.zeros(256, np.int64)
        flat = values.reshape(-1)
        for start in range(0, len(flat), BYTES_AT_ONCE):  # bincount widens what it counts eightfold
            counts += np.bincount(flat[start : start + BYTES_AT_ONCE], minlength=256)
        seen, total = np.flatnonzero(counts), int(counts.sum())
        if not total:
            return
        mean = float((seen * counts[seen]).sum()) / total
        squares = float(((seen - mean) ** 2 * counts[seen]).sum())
        self._merge(total, mean, squares, float(seen[0]), float(seen[-1]))

    def _merge(self, count: int, mean: float, squares: float, low: float, high: float) -> None:
        apart, total = mean - self.mean, self.count + count
        self.squares += squares + apart**2 * self.count * count / total
        self.mean += apart * count / total
        self.count = total
        self.low, self.high = min(self.low, low), max(self.high, high)

    def result(self) -> Statistics:
        """What it came to."""
        if not self.count:
            return Statistics(count=0, missing=self.missing, mean=None, std=None, low=None, high=None)
        std = math.sqrt(self.squares / self.count)
        return Statistics(
            count=self.count,
            missing=self.missing,
            mean=_rounded(self.mean),
            std=_rounded(std),
            low=self.low,
            high=self.high,
        )


def _rounded(number: float) -> float:
    """To 7 digits: sums differ in their last ones from processor to processor, and schemas are compared."""
    return float(f"{number:.7g}")
