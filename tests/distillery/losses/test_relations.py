from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distillery.losses.relations import angle_loss, distance_loss


def huber(difference):
    """The l_delta of Park et al. 2019, section 3.2.1."""
    size = abs(difference)
    return 0.5 * size**2 if size <= 1 else size - 0.5


def distances_by_hand(student, teacher):
    """Section 3.2.1, pair by pair."""
    pairs = list(itertools.permutations(range(len(student)), 2))

    def potentials(x):
        lengths = [np.linalg.norm(x[i] - x[j]) for i, j in pairs]
        return [length / (sum(lengths) / len(lengths)) for length in lengths]

    return np.mean([huber(a - b) for a, b in zip(potentials(student), potentials(teacher), strict=True)])


def angles_by_hand(student, teacher):
    """Section 3.2.2, triple by triple."""

    def cosine(x, i, j, k):
        there, back = x[i] - x[j], x[k] - x[j]
        return there @ back / (np.linalg.norm(there) * np.linalg.norm(back))

    triples = list(itertools.permutations(range(len(student)), 3))
    return np.mean([huber(cosine(student, *t) - cosine(teacher, *t)) for t in triples])


@st.composite
def batches(draw):
    """Two batches of as many rows, well apart, of their own widths."""
    count = draw(st.integers(3, 6))

    def batch():
        noise = draw(arrays.arrays(np.float64, (count, draw(st.integers(2, 5))), elements=st.floats(-1, 1)))
        return noise + 5 * np.arange(count)[:, None] * np.eye(noise.shape[1])[0]

    return batch(), batch()


@pytest.mark.parametrize(
    ("loss", "by_hand"), [(distance_loss, distances_by_hand), (angle_loss, angles_by_hand)]
)
@given(case=batches())
def test_the_loss_is_the_closed_form(loss, by_hand, case):
    student, teacher = case
    found = loss(torch.tensor(student), torch.tensor(teacher)).item()
    assert found == pytest.approx(by_hand(student, teacher), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
def test_a_batch_that_is_moved_turned_and_stretched_keeps_its_relations(loss):
    random = torch.Generator().manual_seed(0)
    teacher = torch.randn(12, 6, generator=random).double()
    turn, _ = torch.linalg.qr(torch.randn(6, 6, generator=random).double())
    assert loss(3.0 * teacher @ turn + 5.0, teacher).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
@pytest.mark.parametrize("rows", [1, 2, 3, 8])
def test_equal_rows_and_tiny_batches_have_finite_gradients(loss, rows):
    student = torch.ones(rows, 4, requires_grad=True)
    value = loss(student, torch.randn(rows, 3))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(student.grad).all()


def test_descent_brings_the_relations_together():
    torch.manual_seed(0)
    teacher, student = torch.randn(16, 8), torch.randn(16, 3, requires_grad=True)
    start = (distance_loss(student, teacher) + angle_loss(student, teacher)).item()
    optimizer = torch.optim.Adam([student], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = distance_loss(student, teacher) + angle_loss(student, teacher)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * start


def test_maps_are_read_as_flat_rows():
    torch.manual_seed(0)
    student, teacher = torch.randn(6, 4, 3, 3), torch.randn(6, 10)
    assert torch.equal(distance_loss(student, teacher), distance_loss(student.flatten(1), teacher))
