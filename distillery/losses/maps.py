"""Maps of features: how two of different size are brought to one."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def to_one_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """The larger of two maps (B, C, H, W) averaged down to the smaller's size, which must divide its own."""
    return _averaged(student, teacher.shape[2:]), _averaged(teacher, student.shape[2:])


def _averaged(x: Tensor, size: tuple[int, ...]) -> Tensor:
    windows = [max(1, here // there) for here, there in zip(x.shape[2:], size, strict=True)]
    return x if max(windows) == 1 else F.avg_pool2d(x, windows)
