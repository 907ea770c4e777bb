from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distillery.losses.attention import attention_loss


def by_hand(student, teacher):
    """Zagoruyko, Komodakis 2017, equations 1 and 2 with p = 2, row by row; a mean over rows and places."""

    def attention(maps):
        q = (np.abs(maps) ** 2).sum(0).ravel()
        return q / np.linalg.norm(q)

    differences = [attention(s) - attention(t) for s, t in zip(student, teacher, strict=True)]
    return np.mean(np.square(differences))


@given(
    arrays.arrays(np.float64, (3, 2, 4, 5), elements=st.floats(0.1, 3)),
    arrays.arrays(np.float64, (3, 6, 4, 5), elements=st.floats(0.1, 3)),
)
def test_the_loss_is_the_closed_form(student, teacher):
    loss = attention_loss(torch.tensor(student), torch.tensor(teacher)).item()
    assert loss == pytest.approx(by_hand(student, teacher), rel=1e-6, abs=1e-12)


def test_neither_the_strength_nor_the_sign_of_the_activity_counts():
    maps = torch.randn(4, 8, 5, 5)
    assert attention_loss(-7 * maps, maps).item() == pytest.approx(0, abs=1e-10)


def test_the_larger_map_is_averaged_down():
    large = torch.randn(2, 3, 8, 8).abs()
    small = large.reshape(2, 3, 4, 2, 4, 2).mean((3, 5))
    assert attention_loss(small, large).item() == pytest.approx(0, abs=1e-10)
    assert attention_loss(large, small).item() == pytest.approx(0, abs=1e-10)


def test_a_dead_map_has_a_finite_gradient():
    dead = torch.zeros(2, 3, 4, 4, requires_grad=True)
    attention_loss(dead, torch.rand(2, 3, 4, 4)).backward()
    assert torch.isfinite(dead.grad).all()
