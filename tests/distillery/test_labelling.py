from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery import labelling
from distillery.data.batches import TrainBatches
from distillery.data.rows import Split
from distillery.labelling import label, load_targets
from distillery.training import predict


@pytest.fixture(scope="module", params=["mlp", "resnet"])
def labelled(request, rows, students, augment, runtime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    notes = [
        item.note for item in label(students[request.param], rows, augment, runtime, folder / "targets.npy")
    ]
    return students[request.param], load_targets(folder), notes, folder


def test_targets_are_the_teachers_logits_for_every_train_row_and_view(labelled, rows, augment, runtime):
    teacher, targets, _, _ = labelled
    count = len(rows.where(Split.TRAIN))
    assert (targets.shape, targets.dtype) == ((augment.views, count, 10), np.float32)
    batches = TrainBatches(rows, augment, 32, runtime.seed)
    for view in range(augment.views):
        expected = predict(teacher, batches.read(np.arange(count), view), runtime)
        np.testing.assert_allclose(targets[view], expected, rtol=1e-5, atol=1e-5)


def test_the_views_differ_from_each_other(labelled):
    _, targets, _, _ = labelled
    assert (np.abs(targets[0] - targets[1]).max(1) > 1e-3).mean() > 0.5


def test_the_stream_tells_of_every_view(labelled):
    assert labelled[2] == ["view 1 of 2", "view 2 of 2"]


def test_targets_are_mapped_from_disk_and_cannot_be_written(labelled):
    targets = labelled[1]
    assert isinstance(targets, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        targets[0, 0, 0] = 1


def test_labelling_twice_gives_the_same_bytes(labelled, rows, augment, runtime, tmp_path):
    teacher, _, _, folder = labelled
    for _ in label(teacher, rows, augment, runtime, tmp_path / "targets.npy"):
        pass
    assert (tmp_path / "targets.npy").read_bytes() == (folder / "targets.npy").read_bytes()


def test_small_portions_give_the_same_targets(labelled, rows, augment, runtime, tmp_path, monkeypatch):
    teacher, targets, _, _ = labelled
    monkeypatch.setattr(labelling, "ROWS_AT_ONCE", 17)
    for _ in label(teacher, rows, augment, runtime, tmp_path / "targets.npy"):
        pass
    np.testing.assert_allclose(load_targets(tmp_path), targets, rtol=1e-4, atol=1e-4)


def test_a_batch_carries_the_targets_of_its_rows(labelled, rows, augment, runtime):
    teacher, targets, _, _ = labelled
    batches = TrainBatches(rows, augment, 32, runtime.seed, augment.views, targets)
    for epoch in range(3):
        batch = next(batches.epoch(epoch))
        torch.testing.assert_close(predict(teacher, batch, runtime), batch.targets, rtol=1e-4, atol=1e-4)
