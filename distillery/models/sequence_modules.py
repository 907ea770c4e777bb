"""The modules of `Steps`: recurrent layers, and a Transformer encoder's blocks, over sequences."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distillery.data.form import PADDING
from distillery.models.sequence_layers import Recurrent, SelfAttention, Step, Steps

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentBlock(nn.Module):
    """A layer of LSTM (Hochreiter, Schmidhuber 1997; Gers et al. 2000) or GRU cells (Cho et al. 2014).

    An LSTM has 4 (w (d + w) + 2 w) weights a direction for d inputs and width w, a GRU 3 (...), as in PyTorch
    with two biases a gate.
    """

    def __init__(self, inputs: int, shape: Recurrent) -> None:
        super().__init__()
        cell = CELLS[shape.cell]
        self.cells = cell(inputs, shape.width, batch_first=True, bidirectional=shape.both_ways)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(N, L, inputs) -> (N, L, outputs). Padding is read as a token that says nothing."""
        return cast(Tensor, self.cells(x)[0])


class AttentionBlock(nn.Module):
    """x + attention(norm(x)), then x + dense(relu(dense(norm(x)))) (Vaswani et al. 2017, section 3.1).

    Each half is normalised first, which trains at any depth (Xiong et al. 2020, figure 1b). It has
    4 w (w + 1) + 2 f w + f + w + 4 w weights for width w and feed-forward width f.
    """

    def __init__(self, shape: SelfAttention, dropout: float) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attention_norm = nn.LayerNorm(shape.width)
        self.project_in = nn.Linear(shape.width, 3 * shape.width)  # queries, keys and values
        self.project_out = nn.Linear(shape.width, shape.width)
        self.forward_norm = nn.LayerNorm(shape.width)
        self.widen = nn.Linear(shape.width, shape.feed_forward)
        self.narrow = nn.Linear(shape.feed_forward, shape.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(N, L, width) -> the same; no step attends to one that `keep` (N, L) leaves out."""
        x = x + self.dropout(self._attended(self.attention_norm(x), keep))
        wide = self.dropout(F.relu(self.widen(self.forward_norm(x))))
        return x + cast(Tensor, self.dropout(self.narrow(wide)))

    def _attended(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """softmax(Q K^T / sqrt(d)) V of each head (equation 1), joined and projected."""
        parts = self.project_in(x).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)  # (N, heads, L, d)
        scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(2, 3)
        if keep is not None:
            scores = scores.masked_fill(~keep[:, None, None, :], torch.finfo(scores.dtype).min)
        together = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return cast(Tensor, self.project_out(together))


class Positions(nn.Module):
    """x + p, a learned vector a step (Vaswani et al. 2017, section 3.5, table 3 row E)."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(length, width) / math.sqrt(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, width) -> the same."""
        return x + self.vectors


class StepsBlock(nn.Module):
    """A sequence -> the mean of what its layers make of its steps; padding counts for nothing in it."""

    def __init__(self, size: tuple[int, ...], shape: Steps) -> None:
        super().__init__()
        self.reads_ids, self.share = shape.vocabulary is not None, shape.dropout
        width = shape.embed or size[-1]
        self.embed = _embedding(size[-1], shape)
        self.positions: nn.Module = Positions(size[0], width) if shape.positions else nn.Identity()
        inputs = [width, *(step.outputs for step in shape.body)]
        self.body = nn.ModuleList(
            _block(at, step, shape.dropout) for at, step in zip(inputs, shape.body, strict=False)
        )
        self.norm: nn.Module = nn.LayerNorm(shape.outputs) if shape.norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """float (N, L, channels), or ids (N, L) -> (N, outputs)."""
        keep = (x != PADDING) if self.reads_ids else None
        y = self.positions(self.embed(x))
        for number, block in enumerate(self.body):
            y = block(F.dropout(y, self.share, self.training) if number else y, keep)
        return _mean(self.norm(y), keep)

    def matrices(self) -> dict[str, nn.Parameter]:
        """The matrices (outputs, inputs) that multiply; an id's vector and a position's are none."""
        named = (*self.named_parameters(),)
        looked_up = ("positions.",) if isinstance(self.embed, nn.Linear) else ("positions.", "embed.")
        return {name: w for name, w in named if w.ndim > 1 and not name.startswith(looked_up)}


def _embedding(channels: int, shape: Steps) -> nn.Module:
    if shape.embed is None:
        return nn.Identity()
    if shape.vocabulary is None:
        return nn.Linear(channels, shape.embed)
    vectors = nn.Embedding(shape.vocabulary, shape.embed, padding_idx=PADDING)
    with torch.no_grad():
        vectors.weight /= math.sqrt(shape.embed)  # as large as the positions; that of padding is 0
    return vectors


def _block(inputs: int, step: Step, dropout: float) -> RecurrentBlock | AttentionBlock:
    match step:
        case Recurrent():
            return RecurrentBlock(inputs, step)
        case SelfAttention():
            return AttentionBlock(step, dropout)


def _mean(x: Tensor, keep: Tensor | None) -> Tensor:
    """(N, L, D) -> (N, D), over the steps that `keep` (N, L) has; 0 where it has none."""
    if keep is None:
        return x.mean(1)
    weight = keep.to(x.dtype)[:, :, None]
    return (x * weight).sum(1) / weight.sum(1).clamp_min(1.0)
