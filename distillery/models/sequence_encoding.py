"""From raw sequences to what the first layer reads; as part of the model, so that its file eats raw rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distillery.data.form import PADDING, Series, Tokens
from distillery.tensors import INPUT

FARTHEST = 10.0  # deviations from the mean that a number may seem to have


class SeriesEncoding(nn.Module):
    """Series float32 (N, L, C) -> the same, every channel as (x - mean) / std, to `FARTHEST` at the most.

    A channel that does not vary becomes 0.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, rows: Series) -> None:
        super().__init__()
        self.size: tuple[int, ...] = (rows.length, rows.channels)
        self.register_buffer("mean", torch.zeros(rows.channels))
        self.register_buffer("scale", torch.ones(rows.channels))

    def normalise_by(self, mean: Tensor, std: Tensor) -> None:
        """Learn mean and deviation, each (channels,)."""
        self.mean.copy_(mean)
        varies = std > torch.finfo(std.dtype).tiny  # below which 1 / std is no number
        self.scale.copy_(torch.where(varies, 1 / std, torch.zeros_like(std)))

    def examples(self) -> dict[str, Tensor]:
        """What `encode` takes, by the name of the tensor: two rows of zeros."""
        return {INPUT: torch.zeros(2, *self.size)}

    def encode(self, series: Tensor) -> Tensor:
        """Normalised series."""
        return ((series - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)

    def forward(self, rows: Tensor) -> Tensor:
        """Normalised series."""
        return self.encode(rows)


class TokenEncoding(nn.Module):
    """Ids (N, L) -> int64 (N, L): one that lies outside of the vocabulary tells as little as padding."""

    def __init__(self, rows: Tokens) -> None:
        super().__init__()
        self.size: tuple[int, ...] = (rows.length,)
        self.vocabulary = rows.vocabulary

    def examples(self) -> dict[str, Tensor]:
        """What `encode` takes, by the name of the tensor: two rows of padding."""
        return {INPUT: torch.full((2, *self.size), PADDING, dtype=torch.int64)}

    def encode(self, ids: Tensor) -> Tensor:
        """Known ids."""
        known = (ids >= 0) & (ids < self.vocabulary)
        return torch.where(known, ids, PADDING)

    def forward(self, rows: Tensor) -> Tensor:
        """Known ids."""
        return self.encode(rows.long())
