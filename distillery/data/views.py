"""Views: fixed random variations of a row, decided by (seed, row id, view) and nothing else.

Teacher targets are stored by row and view, so a view must come out the same in every process and batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillery.data.rows import RowIds
from distillery.params.data import AugmentParams

Keys = NDArray[np.uint64]
Images = NDArray[np.uint8 | np.float32]  # (B, H, W, C)


def row_keys(row_ids: RowIds, seed: int) -> Keys:
    """One 64-bit number a row, of its id and the seed."""
    occurrences = row_ids["occurrence"].astype(np.uint64)
    return mix(row_ids["high"] ^ mix(occurrences ^ mix(np.full(len(row_ids), seed, np.uint64))))


def mix(x: Keys) -> Keys:
    """SplitMix64's finalizer (Steele, Lea, Flood 2014, figure 17)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Variation:
    """What a view does to each of B rows: shifts in pixels and whether it is mirrored."""

    down: NDArray[np.int64]  # (B,) in -shift..shift
    right: NDArray[np.int64]  # (B,)
    mirrored: NDArray[np.bool_]  # (B,)


def vary(keys: Keys, view: int, augment: AugmentParams) -> Variation:
    """The variation of each row in a view, uniform over shifts and mirrorings."""
    drawn = mix(keys ^ mix(np.full(len(keys), view, np.uint64)))
    positions = np.uint64(2 * augment.shift + 1)
    down = (drawn % positions).astype(np.int64) - augment.shift
    right = (drawn // positions % positions).astype(np.int64) - augment.shift
    mirrored = (drawn >> np.uint64(63)).astype(np.bool_) & augment.flip
    return Variation(down, right, mirrored)


def apply(images: Images, variation: Variation, shift: int) -> Images:
    """Images (B, H, W, C) shifted over a background of zeros, and mirrored left-right where asked."""
    batch, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    columns = np.arange(width)[None, :]
    columns = np.where(variation.mirrored[:, None], width - 1 - columns, columns)
    y = np.arange(height)[None, :] + (shift - variation.down)[:, None]  # (B, H)
    x = columns + (shift - variation.right)[:, None]  # (B, W)
    return np.ascontiguousarray(padded[np.arange(batch)[:, None, None], y[:, :, None], x[:, None, :]])
