"""What a model's encoding learns of the train rows: mean and deviation, and which categories there are.

Rows are read some at a time and sums are float64, so more rows cost neither memory nor digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distillery.data.arrays import steps
from distillery.data.batches import plain_batches
from distillery.data.form import Table
from distillery.data.rows import Rows, Split
from distillery.data.statistics import Gathered
from distillery.models.encoding import PixelEncoding, TableEncoding
from distillery.models.network import Classifier
from distillery.models.sequence_encoding import SeriesEncoding

LEAST_DEVIATION = 1e-3  # of pixels, which are whole numbers


def learn_encoding(model: Classifier, rows: Rows) -> None:
    """Fit the encoding of a model, in place, to the train rows."""
    match model.encoding:
        case PixelEncoding() as encoding:
            encoding.normalise_by(*_pixel_moments(rows, encoding.size[0]))
        case TableEncoding() as encoding:
            if encoding.numbers is not None:
                encoding.numbers.normalise_by(*_column_moments(rows, encoding.numbers.columns.tolist()))
            if encoding.categories is not None:
                encoding.categories.restrict_to(_seen_categories(rows))
        case SeriesEncoding() as encoding:
            encoding.normalise_by(*_column_moments(rows, list(range(encoding.size[1]))))


def _pixel_moments(rows: Rows, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation (channels,) of all pixels."""
    count, total, squares = 0, torch.zeros(channels).double(), torch.zeros(channels).double()
    for batch in plain_batches(rows, rows.where(Split.TRAIN)):
        pixels = batch.features.double()
        count += pixels.shape[0] * pixels.shape[1] * pixels.shape[2]
        total = total + pixels.sum((0, 1, 2))
        squares = squares + pixels.square().sum((0, 1, 2))
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt().clamp_min(LEAST_DEVIATION)
    return mean.float(), std.float()


def _column_moments(rows: Rows, columns: list[int]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the values that are there, by column or channel; 0 where none is."""
    gathered = {at: Gathered() for at in columns}
    for block in _train_blocks(rows):
        for at, column in gathered.items():
            column.add(block[..., at])
    mean = [column.mean for column in gathered.values()]
    std = [math.sqrt(column.squares / max(column.count, 1)) for column in gathered.values()]
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


def _seen_categories(rows: Rows) -> Tensor:
    """Which categories, column after column, some train row has."""
    columns = enumerate(rows.form.columns if isinstance(rows.form, Table) else ())
    seen = {at: np.zeros(len(c.categories), np.bool_) for at, c in columns if c.categories is not None}
    for block in _train_blocks(rows):
        for at, found in seen.items():
            codes = block[:, at].astype(np.int64)
            found[codes[codes >= 0]] = True
    return torch.from_numpy(np.concatenate(list(seen.values())))


def _train_blocks(rows: Rows) -> Iterator[NDArray[np.generic]]:
    positions = rows.where(Split.TRAIN)
    for step in steps(len(positions), rows.features[0].nbytes):
        yield rows.features[positions[step]]
