"""From raw rows to what the first layer reads. It is part of the model, so that its file eats raw rows.

What is learned here is learned on train rows alone (`distillery.normalisation`).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.models.sequence_encoding import SeriesEncoding, TokenEncoding
from distillery.tensors import CODES, INPUT

FARTHEST = 10.0  # deviations from the mean that a number may seem to have
UNSEEN = -2  # stands for the code of a category that no train row has; a missing one is -1


class PixelEncoding(nn.Module):
    """Images uint8 (N, H, W, C) -> (N, C, H, W), every channel scaled and shifted."""

    scale: Tensor
    shift: Tensor

    def __init__(self, rows: Shape) -> None:
        super().__init__()
        self.size: tuple[int, ...] = (rows.channels, rows.height, rows.width)
        self.register_buffer("scale", torch.ones(rows.channels, 1, 1))
        self.register_buffer("shift", torch.zeros(rows.channels, 1, 1))

    def normalise_by(self, mean: Tensor, std: Tensor) -> None:
        """Learn (x - mean) / std, each (channels,) in raw units, as x * scale + shift."""
        self.scale.copy_((1 / std).view(-1, 1, 1))
        self.shift.copy_((-mean / std).view(-1, 1, 1))

    def examples(self) -> dict[str, Tensor]:
        """What `encode` takes, by the name of the tensor: two black images."""
        channels, height, width = self.size
        return {INPUT: torch.zeros(2, height, width, channels, dtype=torch.uint8)}

    def encode(self, images: Tensor) -> Tensor:
        """Normalised images."""
        return images.permute(0, 3, 1, 2).float() * self.scale + self.shift

    def forward(self, rows: Tensor) -> Tensor:
        """Normalised images."""
        return self.encode(rows)


class NumberEncoding(nn.Module):
    """The numbers of a table, NaN where missing -> (N, numbers + those that may miss).

    A number becomes (x - mean) / std; a missing one 0, which is the mean, and a 1 in a feature of its own
    where the column is known to miss some. Numbers end at `FARTHEST` deviations: no network knows what lies
    beyond, and one typing error among the rows of a batch would else take all int8 steps for itself.
    """

    columns: Tensor
    mean: Tensor
    scale: Tensor
    missing: Tensor

    def __init__(self, rows: Table) -> None:
        super().__init__()
        columns = [at for at, column in enumerate(rows.columns) if column.categories is None]
        missing = [i for i, at in enumerate(columns) if rows.columns[at].missing]
        self.width = len(columns) + len(missing)
        self.register_buffer("columns", torch.tensor(columns, dtype=torch.int64), persistent=False)
        self.register_buffer("missing", torch.tensor(missing, dtype=torch.int64), persistent=False)
        self.register_buffer("mean", torch.zeros(len(columns)))
        self.register_buffer("scale", torch.ones(len(columns)))

    def normalise_by(self, mean: Tensor, std: Tensor) -> None:
        """Learn mean and deviation, each (numbers,). A column that does not vary becomes 0."""
        self.mean.copy_(mean)
        varies = std > torch.finfo(std.dtype).tiny  # below which 1 / std is no number
        self.scale.copy_(torch.where(varies, 1 / std, torch.zeros_like(std)))

    def pick(self, rows: Tensor) -> Tensor:
        """The numbers float32 (N, numbers) of raw rows."""
        return rows.index_select(1, self.columns)

    def forward(self, numbers: Tensor) -> Tensor:
        """Features of picked numbers."""
        x = (numbers - self.mean) * self.scale
        x = x.masked_fill(torch.isnan(x), 0.0).clamp(-FARTHEST, FARTHEST)  # a clamp first may swallow NaN
        if not len(self.missing):
            return x
        return torch.cat([x, torch.isnan(numbers.index_select(1, self.missing)).float()], 1)


class CategoryEncoding(nn.Module):
    """The codes of a table, -1 where missing or unknown -> one-hot (N, categories of all its columns).

    A category that no train row has is unknown too: nothing was learned of it.
    """

    columns: Tensor
    owners: Tensor
    codes: Tensor

    def __init__(self, rows: Table) -> None:
        super().__init__()
        counts = {at: len(c.categories) for at, c in enumerate(rows.columns) if c.categories is not None}
        owners = [i for i, count in enumerate(counts.values()) for _ in range(count)]
        codes = [code for count in counts.values() for code in range(count)]
        self.width = len(codes)
        self.register_buffer("columns", torch.tensor(list(counts), dtype=torch.int64), persistent=False)
        self.register_buffer("owners", torch.tensor(owners, dtype=torch.int64), persistent=False)
        self.register_buffer("codes", torch.tensor(codes, dtype=torch.int64))

    def restrict_to(self, seen: Tensor) -> None:
        """Learn which categories there are: bool (categories of all columns,)."""
        self.codes.copy_(torch.where(seen, self.codes, UNSEEN))

    def pick(self, rows: Tensor) -> Tensor:
        """The codes int64 (N, columns of categories) of raw rows."""
        return rows.index_select(1, self.columns).long()

    def forward(self, codes: Tensor) -> Tensor:
        """Features of picked codes."""
        return (codes.index_select(1, self.owners) == self.codes).float()


class TableEncoding(nn.Module):
    """Rows of a table float32 (N, columns) -> (N, features): first the numbers', then the categories'.

    A file takes the two apart, so they are encoded apart: `encode` takes what each of `encoders` picks.
    """

    def __init__(self, rows: Table) -> None:
        super().__init__()
        kinds = {column.categories is None for column in rows.columns}
        self.numbers = NumberEncoding(rows) if True in kinds else None
        self.categories = CategoryEncoding(rows) if False in kinds else None
        self.size: tuple[int, ...] = (sum(encoder.width for encoder in self.encoders),)

    @property
    def encoders(self) -> tuple[NumberEncoding | CategoryEncoding, ...]:
        """Those that the table has columns for."""
        return tuple(encoder for encoder in (self.numbers, self.categories) if encoder is not None)

    def examples(self) -> dict[str, Tensor]:
        """What `encode` takes, by the name of the tensor: two rows of zeros."""
        zeros = {}
        if self.numbers is not None:
            zeros[INPUT] = torch.zeros(2, len(self.numbers.columns))
        if self.categories is not None:
            zeros[CODES] = torch.zeros(2, len(self.categories.columns), dtype=torch.int64)
        return zeros

    def encode(self, *picked: Tensor) -> Tensor:
        """Features of what the encoders picked."""
        encoded = [encoder(part) for encoder, part in zip(self.encoders, picked, strict=True)]
        return torch.cat(encoded, 1) if len(encoded) > 1 else cast(Tensor, encoded[0])

    def forward(self, rows: Tensor) -> Tensor:
        """Features of raw rows."""
        return self.encode(*(encoder.pick(rows) for encoder in self.encoders))


Encoding = PixelEncoding | TableEncoding | SeriesEncoding | TokenEncoding


def encoding_of(rows: Form) -> Encoding:
    """The encoding of rows of this form, which has learned nothing yet."""
    match rows:
        case Shape():
            return PixelEncoding(rows)
        case Table():
            return TableEncoding(rows)
        case Series():
            return SeriesEncoding(rows)
        case Tokens():
            return TokenEncoding(rows)
