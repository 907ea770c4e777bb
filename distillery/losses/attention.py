"""Attention transfer: where in the image the activity is (Zagoruyko, Komodakis 2017).

https://arxiv.org/abs/1612.03928.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from distillery.losses.maps import to_one_size


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """mean((Q^s / |Q^s| - Q^t / |Q^t|)^2) over rows and places, Q = sum over channels of |A|^2.

    Equation 2, activation-based, with the square and the mean of its authors' code, whose weight is 1000.
    Maps are (B, C, H, W), of any two depths; the larger is averaged down to the smaller's size.
    """
    here, there = to_one_size(student, teacher)
    return F.mse_loss(_attention(here), _attention(there))


def _attention(maps: Tensor) -> Tensor:
    """(B, H * W), of length 1."""
    return F.normalize(maps.square().mean(1).flatten(1), dim=1)
