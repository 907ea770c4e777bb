"""Batches of tensors from prepared rows, in an order that only the seed and the epoch decide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distillery.data.form import Shape
from distillery.data.rows import Rows, Split
from distillery.data.views import apply, row_keys, vary
from distillery.params.data import AugmentParams

INFERENCE_ROWS = 1024


@dataclass(frozen=True)
class Batch:
    """B rows; `targets` are a teacher's logits for just these rows in just this view."""

    features: Tensor  # (B, ...), as `distillery.data.form` has them
    labels: Tensor  # (B,) int64
    targets: Tensor | None  # (B, classes) float32


class TrainBatches:
    """The train rows, epoch by epoch. With `views`, epoch e reads view e mod views; without, view e.

    `targets` is (views, N_train, classes) float32, mapped from disk.
    """

    def __init__(
        self,
        rows: Rows,
        augment: AugmentParams,
        batch_size: int,
        seed: int,
        views: int | None = None,
        targets: NDArray[np.float32] | None = None,
    ) -> None:
        self.rows, self.augment, self.batch_size, self.seed = rows, augment, batch_size, seed
        self.views, self.targets = views, targets
        self.positions = rows.where(Split.TRAIN)
        self.keys = row_keys(rows.row_ids[self.positions], seed)

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.positions) / self.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Every train row once."""
        view = number if self.views is None else number % self.views
        order = np.random.default_rng([self.seed, number]).permutation(len(self.positions))
        for chosen in np.array_split(order, len(self)):  # as even as can be: batch norm needs two rows
            yield self.read(np.sort(chosen), view)

    def read(self, chosen: NDArray[np.intp], view: int) -> Batch:
        """The view of the chosen train rows (indices into train)."""
        positions = self.positions[chosen]
        features = np.asarray(self.rows.features[positions])
        if isinstance(self.rows.form, Shape):  # any other row is the same in every view
            features = apply(
                features.astype(np.uint8, copy=False),
                vary(self.keys[chosen], view, self.augment),
                self.augment.shift,
            )
        targets = None if self.targets is None else torch.from_numpy(np.array(self.targets[view, chosen]))
        return Batch(torch.from_numpy(features), torch.from_numpy(self.rows.labels[positions]), targets)


def plain_batches(rows: Rows, positions: NDArray[np.intp]) -> Iterator[Batch]:
    """Rows as they are, in order, for inference."""
    for start in range(0, len(positions), INFERENCE_ROWS):
        chosen = positions[start : start + INFERENCE_ROWS]
        features = torch.from_numpy(np.asarray(rows.features[chosen]))
        yield Batch(features, torch.from_numpy(rows.labels[chosen]), None)
