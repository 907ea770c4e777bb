from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distillery.combining import combine, shares
from distillery.data.rows import Split
from distillery.params.teachers import Confidence, Mean, Weighted

MEAN, CONFIDENCE = Mean(kind="mean"), Confidence(kind="confidence")


def by_hand(logits, label):
    """The weights of Zhang, Chen, Wang 2022, in plain Python, for one row: (K, classes) -> K shares."""
    losses = []
    for z in logits:
        powers = [math.exp(x) for x in z]
        losses.append(-math.log(powers[label] / sum(powers)))
    total = sum(math.exp(loss) for loss in losses)
    return [(1 - math.exp(loss) / total) / (len(losses) - 1) for loss in losses]


given_logits = st.integers(2, 4).flatmap(
    lambda teachers: arrays.arrays(np.float64, (teachers, 3, 5), elements=st.floats(-8, 8))
)


@given(given_logits)
def test_confidence_is_the_closed_form_and_sums_to_one(logits):
    labels = np.array([0, 2, 4])
    found = shares(logits, labels, CONFIDENCE)
    for row, label in enumerate(labels):
        assert found[:, row] == pytest.approx(by_hand(logits[:, row], label), rel=1e-9, abs=1e-12)
    assert found.sum(0) == pytest.approx(1.0)


def test_the_one_who_is_surely_wrong_has_no_say():
    logits = np.array([[[500.0, 0.0]], [[0.0, 1.0]]])
    found = shares(logits, np.array([1]), CONFIDENCE)
    assert found[:, 0] == pytest.approx([0.0, 1.0])


@given(given_logits)
def test_fixed_shares_are_the_same_for_every_row(logits):
    labels = np.zeros(3, np.int64)
    count = len(logits)
    assert shares(logits, labels, MEAN) == pytest.approx(np.full((count, 3), 1 / count))
    weighted = Weighted(kind="weighted", weights=tuple(range(1, count + 1)))
    expected = np.arange(1, count + 1) / (count * (count + 1) / 2)
    assert shares(logits, labels, weighted) == pytest.approx(np.repeat(expected[:, None], 3, 1))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_mean_is_the_geometric_mean_of_the_distributions_at_any_temperature(temperature, rows, tmp_path):
    count = len(rows.where(Split.TRAIN))
    random = np.random.default_rng(0)
    targets = [random.normal(size=(2, count, 10)).astype(np.float32) for _ in range(3)]
    notes = [item.note for item in combine(rows, targets, MEAN, tmp_path / "targets.npy")]
    assert notes == ["view 1 of 2", "view 2 of 2"]
    combined = np.load(tmp_path / "targets.npy")
    assert (combined.shape, combined.dtype) == (targets[0].shape, np.float32)

    def softened(logits):
        powers = np.exp(logits.astype(np.float64) / temperature)
        return powers / powers.sum(2, keepdims=True)

    geometric = np.prod([softened(target) for target in targets], axis=0) ** (1 / 3)
    geometric /= geometric.sum(2, keepdims=True)
    np.testing.assert_allclose(softened(combined), geometric, rtol=1e-4)


def test_confidence_reads_the_labels_of_the_train_rows(rows, tmp_path):
    """A teacher that knows the labels against one that knows nothing."""
    labels = rows.labels[rows.where(Split.TRAIN)]
    sure = (100.0 * np.eye(10, dtype=np.float32)[labels])[None]
    wrong = np.roll(sure, 1, axis=2)
    list(combine(rows, [wrong, sure], CONFIDENCE, tmp_path / "targets.npy"))
    assert (np.load(tmp_path / "targets.npy")[0].argmax(1) == labels).all()
