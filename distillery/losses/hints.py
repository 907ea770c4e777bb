"""Hints: the teacher's features, guessed from the student's by a learned regressor (Romero et al. 2015).

https://arxiv.org/abs/1412.6550. The paper trains up to the hint first and distils afterwards; here the hint
is a term beside the other losses, which needs no second training.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from distillery.losses.maps import to_one_size


class Hint(nn.Module):
    """mean((r(student) - teacher)^2) / 2, equation 3 as a mean; r is a 1x1 convolution, or dense for rows.

    The sizes are (C, H, W) of a map, averaged down where one is larger, or (C,).
    """

    def __init__(self, student: tuple[int, ...], teacher: tuple[int, ...]) -> None:
        super().__init__()
        self.flat = len(student) == 1
        self.regressor: nn.Module = (
            nn.Linear(student[0], teacher[0]) if self.flat else nn.Conv2d(student[0], teacher[0], 1)
        )

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of a batch."""
        here, there = (student, teacher) if self.flat else to_one_size(student, teacher)
        return F.mse_loss(cast(Tensor, self.regressor(here)), there) / 2
