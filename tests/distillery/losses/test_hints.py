from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery.losses.hints import Hint


def test_a_flat_hint_is_half_the_mean_square_of_a_linear_guess():
    torch.manual_seed(0)
    hint, student, teacher = Hint((3,), (5,)), torch.randn(4, 3), torch.randn(4, 5)
    weight, bias = (p.detach().numpy() for p in hint.parameters())
    expected = np.mean((student.numpy() @ weight.T + bias - teacher.numpy()) ** 2) / 2
    assert hint(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_a_hint_of_maps_guesses_place_by_place():
    torch.manual_seed(0)
    hint, student, teacher = Hint((3, 4, 4), (5, 4, 4)), torch.randn(2, 3, 4, 4), torch.randn(2, 5, 4, 4)
    weight, bias = (p.detach().numpy() for p in hint.parameters())
    guess = np.einsum("tc,bchw->bthw", weight[:, :, 0, 0], student.numpy()) + bias[:, None, None]
    expected = np.mean((guess - teacher.numpy()) ** 2) / 2
    assert hint(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_a_teacher_with_a_larger_map_is_averaged_down():
    hint = Hint((3, 2, 2), (3, 4, 4))
    large = torch.randn(2, 3, 4, 4)
    small = large.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    with torch.no_grad():
        hint.regressor.weight.copy_(torch.eye(3)[:, :, None, None])
        hint.regressor.bias.zero_()
    assert hint(small, large).item() == pytest.approx(0, abs=1e-10)


def test_the_regressor_learns_what_can_be_guessed():
    """Features that are a linear map of the student's are guessed in the end."""
    torch.manual_seed(0)
    student, mix = torch.randn(256, 4), torch.randn(4, 6)
    hint = Hint((4,), (6,))
    optimizer = torch.optim.Adam(hint.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = hint(student, student @ mix)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3
