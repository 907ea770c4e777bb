"""How much is pruned, or regrown, at a step of training."""

from __future__ import annotations

import math


def cubic(step: int, *, first: int, last: int, initial: float, final: float) -> float:
    """s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3 between the steps `first` and `last`, and flat outside.

    Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878, eq. 1: fast while much is redundant, then ever slower.
    """
    progress = min(max((step - first) / (last - first), 0.0), 1.0) if last > first else float(step >= last)
    return final + (initial - final) * (1 - progress) ** 3


def cosine(step: int, *, last: int, initial: float) -> float:
    """alpha / 2 (1 + cos(pi t / T_end)), and 0 from T_end on.

    Evci et al. 2020, https://arxiv.org/abs/1911.11134, section 3: which share of the weights is exchanged.
    """
    return initial / 2 * (1 + math.cos(math.pi * step / last)) if step < last else 0.0
