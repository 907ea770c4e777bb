"""Sequences on their way into a data folder, and the numbers that tell one version's from another's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import TokenIds
from distillery.data.form import PADDING, Form, Series, Tokens
from distillery.data.rows import Features


class SequenceCoder:
    """Keeps sequences as they are, and counts how many token ids there are: one more than the highest."""

    def __init__(self, kind: Series | TokenIds, before: Form | None) -> None:
        self._kind = kind
        self._vocabulary = before.vocabulary if isinstance(before, Tokens) else 1

    def encode(self, features: Features) -> Features:
        """The same rows."""
        if isinstance(self._kind, TokenIds):
            self._vocabulary = max(self._vocabulary, int(features.max(initial=PADDING)) + 1)
        return features

    @property
    def form(self) -> Series | Tokens:
        """What a row looks like, as far as was read."""
        match self._kind:
            case TokenIds(length):
                return Tokens(length=length, vocabulary=self._vocabulary)
            case Series():
                return self._kind


def sequence_values(features: Features) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """What statistics are kept of: a series' channels (N, L, C), or the ids (N, L) that are no padding."""
    if features.ndim == 2:
        yield "token", features[features != PADDING]
    else:
        for channel in range(features.shape[2]):
            yield f"channel {channel}", features[:, :, channel]


def sequence_columns(features: Features) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """What versions are compared by: a channel's mean and spread a row; ids, and how many there are a row."""
    if features.ndim == 2:
        there = features != PADDING
        yield "length", there.sum(axis=1).astype(np.float64)
        yield "token", features[there].astype(np.float64)
    else:
        for name, values in sequence_values(features):
            yield name, values.mean(axis=1, dtype=np.float64)
            yield f"{name} spread", values.std(axis=1, dtype=np.float64)
