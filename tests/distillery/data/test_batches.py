from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery.data.batches import TrainBatches, plain_batches
from distillery.data.rows import Split
from distillery.data.views import apply, row_keys, vary

VIEWS = 2


@pytest.fixture(scope="module")
def targets(rows):
    """Each target names its view and its row, so that a mix-up shows."""
    count = len(rows.where(Split.TRAIN))
    view, row = np.meshgrid(np.arange(VIEWS), np.arange(count), indexing="ij")
    return np.repeat((view * 10_000 + row)[..., None], 10, 2).astype(np.float32)


def batches_of(rows, augment, **options):
    return TrainBatches(rows, augment, 32, 0, **options)


def test_an_epoch_covers_every_train_row_once(rows, augment, targets):
    batches = batches_of(rows, augment, views=VIEWS, targets=targets)
    for epoch in (0, 1, 5):
        read = list(batches.epoch(epoch))
        assert len(read) == len(batches) == -(-len(batches.positions) // 32)
        seen = torch.cat([batch.targets[:, 0] for batch in read]).long() % 10_000
        assert sorted(seen.tolist()) == list(range(len(batches.positions)))


def test_rows_labels_and_targets_of_a_batch_belong_together_in_view_e_mod_views(rows, augment, targets):
    batches = batches_of(rows, augment, views=VIEWS, targets=targets)
    positions = rows.where(Split.TRAIN)
    for epoch in range(4):
        for batch in batches.epoch(epoch):
            view, chosen = np.divmod(batch.targets[:, 0].numpy().astype(int), 10_000)
            assert set(view.tolist()) == {epoch % VIEWS}
            at = positions[chosen]
            assert batch.labels.tolist() == rows.labels[at].tolist()
            variation = vary(row_keys(rows.row_ids[at], 0), epoch % VIEWS, augment)
            np.testing.assert_array_equal(batch.features, apply(rows.features[at], variation, augment.shift))


def test_without_fixed_views_every_epoch_is_a_new_view(rows, augment):
    batches = batches_of(rows, augment)
    chosen = np.arange(50)
    for epoch in (0, 5, 9):
        seen = torch.cat([b.features for b in batches.epoch(epoch)]).sum((1, 2, 3)).sort().values
        expected = (
            batches.read(np.arange(len(batches.positions)), epoch).features.sum((1, 2, 3)).sort().values
        )
        assert torch.equal(seen, expected)
    assert not torch.equal(batches.read(chosen, 0).features, batches.read(chosen, 2).features)


def order_of(rows, augment, targets, seed, epoch):
    batches = TrainBatches(rows, augment, 32, seed, VIEWS, targets)
    return [sorted(batch.targets[:, 0].tolist()) for batch in batches.epoch(epoch)]


def test_seed_and_epoch_alone_decide_which_rows_meet_in_a_batch(rows, augment, targets):
    first = order_of(rows, augment, targets, 0, 0)
    assert first == order_of(rows, augment, targets, 0, 0)
    assert first != order_of(rows, augment, targets, 1, 0)
    assert first != order_of(rows, augment, targets, 0, 2)


def test_plain_batches_are_the_rows_as_they_are_in_order(rows):
    positions = rows.where(Split.VALIDATION)
    read = list(plain_batches(rows, positions))
    np.testing.assert_array_equal(torch.cat([b.features for b in read]), rows.features[positions])
    np.testing.assert_array_equal(torch.cat([b.labels for b in read]), rows.labels[positions])
    assert all(batch.targets is None for batch in read)


def test_batches_do_not_share_memory_with_the_rows(rows, augment, targets):
    before, kept = np.array(rows.features), targets.copy()
    for batch in (
        next(plain_batches(rows, rows.where(Split.TRAIN))),
        batches_of(rows, augment, views=2, targets=targets).read(np.arange(9), 0),
    ):
        batch.features.zero_()
        if batch.targets is not None:
            batch.targets.zero_()
    np.testing.assert_array_equal(rows.features, before)
    np.testing.assert_array_equal(targets, kept)
