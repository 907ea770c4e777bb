from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from distillery import remembering
from distillery.data.batches import TrainBatches
from distillery.data.rows import Split
from distillery.errors import DataError
from distillery.inference import open_session
from distillery.params.retrain import RememberParams
from distillery.remembering import blend, columns_of, remember

logit = st.floats(-15, 15, width=32)
five = st.lists(logit, min_size=5, max_size=5)
T = 3.0


def soft(logits):
    return torch.softmax(torch.tensor(logits, dtype=torch.float64) / T, 0).numpy()


@given(five, st.lists(logit, min_size=2, max_size=2), st.floats(0, 1))
def test_the_blend_is_the_weighted_mean_of_both_soft_targets(teacher, champion, weight):
    one = np.array([teacher], np.float32), np.array([champion], np.float32)
    (blended,) = blend(*one, [3, 1], weight=weight, temperature=T)
    expected = (1 - weight) * soft(teacher)
    expected[[3, 1]] += weight * soft(champion)
    np.testing.assert_allclose(soft(blended), expected, atol=1e-6)


@given(five, five, st.floats(0.01, 0.99), five)
def test_learning_from_the_blend_is_learning_from_both(teacher, champion, weight, student):
    """The gradient is that of the weighted sum of both divergences."""
    one = np.array([teacher], np.float32), np.array([champion], np.float32)
    blended = blend(*one, range(5), weight=weight, temperature=T)

    def gradient(*sources):
        logits = torch.tensor([student], dtype=torch.float64, requires_grad=True)
        for share, source in sources:
            target = torch.softmax(torch.tensor(np.asarray(source), dtype=torch.float64) / T, 1)
            (share * F.kl_div(F.log_softmax(logits / T, 1), target, reduction="batchmean")).backward()
        return logits.grad

    both = gradient((1 - weight, [teacher]), (weight, [champion]))
    torch.testing.assert_close(gradient((1.0, blended)), both, atol=1e-6, rtol=1e-4)


def test_classes_are_matched_by_name_and_one_that_is_gone_is_refused():
    assert columns_of(("a", "b", "c"), ("c", "a")) == [2, 0]
    with pytest.raises(DataError, match=r"no more: 'd'; set retrain.remember.weight to 0"):
        columns_of(("a", "b", "c"), ("a", "d"))


@pytest.fixture(scope="module")
def grown(rows):
    """The rows as if they had come in two versions."""
    return dataclasses.replace(rows, version_rows=(200, len(rows.labels) - 200))


@pytest.fixture
def remembered(grown, files, augment, runtime, tmp_path):
    """Targets in which a champion has its say, and the zeros that the teacher said."""

    def make(weight, versions):
        count = len(grown.where(Split.TRAIN))
        teacher = np.zeros((augment.views, count, 10), np.float32)
        method = RememberParams(weight=weight, model="0" * 64, versions=versions)
        file = tmp_path / "targets.npy"
        notes = [
            item.note for item in remember(files["resnet"], teacher, grown, augment, method, T, runtime, file)
        ]
        assert notes == ["view 1 of 2", "view 2 of 2"]
        return np.load(file, allow_pickle=False)

    return make


def test_the_champion_has_its_say_on_the_rows_that_it_was_trained_on(
    remembered, grown, files, augment, runtime
):
    targets = remembered(1.0, 1)
    batches, known = TrainBatches(grown, augment, 32, runtime.seed), grown.where(Split.TRAIN) < 200
    assert 0 < known.sum() < len(known)
    assert (targets[:, ~known] == 0).all()
    session = open_session(files["resnet"])
    for view in range(augment.views):
        features = batches.read(np.flatnonzero(known), view).features.numpy()
        (said,) = session.run(["logits"], {"input": features})
        for logits, own in zip(targets[view, known], said, strict=True):
            np.testing.assert_allclose(soft(logits), soft(own), atol=1e-6)


@pytest.mark.parametrize(("weight", "versions"), [(0.0, 2), (0.5, 0)])
def test_without_weight_or_known_rows_the_teachers_targets_stay(remembered, weight, versions):
    assert (remembered(weight, versions) == 0).all()


def test_small_portions_give_the_same_targets(remembered, monkeypatch):
    whole = remembered(0.5, 1)
    monkeypatch.setattr(remembering, "ROWS_AT_ONCE", 17)
    np.testing.assert_allclose(remembered(0.5, 1), whole, rtol=1e-4, atol=1e-4)


def test_rows_know_which_data_version_brought_them(grown):
    positions = np.array([0, 199, 200, len(grown.labels) - 1])
    assert grown.versions(positions).tolist() == [1, 1, 2, 2]
