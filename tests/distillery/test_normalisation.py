from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from distillery.data.rows import Split
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier
from distillery.normalisation import learn_encoding

LOGISTIC = Mlp(family="mlp", hidden=(), dropout=0.0)


def learned(rows):
    """The encoding of a model of these rows."""
    model = Classifier(LOGISTIC.network(rows.form, len(rows.classes)))
    learn_encoding(model, rows)
    return model.encoding


def by_scikit_learn(table):
    """The same features from StandardScaler and OneHotEncoder, fitted to the train rows."""
    train = table.features[table.where(Split.TRAIN)]
    numeric = [i for i, column in enumerate(table.form.columns) if column.categories is None]
    others = [i for i, column in enumerate(table.form.columns) if column.categories is not None]
    scaled = StandardScaler().fit(train[:, numeric].astype(np.float64)).transform(table.features[:, numeric])
    flags = [np.isnan(table.features[:, i]) for i in numeric if table.form.columns[i].missing]
    counts = [len(table.form.columns[i].categories) for i in others]
    one_hot = OneHotEncoder(
        categories=[np.arange(n) for n in counts], handle_unknown="ignore", dtype=np.float32
    )
    codes = one_hot.fit(np.maximum(train[:, others], 0)).transform(table.features[:, others]).toarray()
    return np.concatenate([np.nan_to_num(scaled), np.stack(flags, 1), codes], axis=1)


def test_the_features_of_a_table_are_those_that_scikit_learn_makes(table):
    features = learned(table)(torch.from_numpy(np.array(table.features))).numpy()
    np.testing.assert_allclose(features, by_scikit_learn(table), rtol=0, atol=2e-3)  # days are whole 128s
    plain = [0, *range(2, features.shape[1])]
    np.testing.assert_allclose(features[:, plain], by_scikit_learn(table)[:, plain], rtol=0, atol=1e-5)


def test_only_train_rows_are_learned_from(table):
    elsewhere = (table.splits != Split.TRAIN)[:, None]
    strange = np.array([99.0, 1.0, -5.0, 4.0], np.float32)
    other = dataclasses.replace(table, features=np.where(elsewhere, strange, table.features))
    for name, tensor in learned(table).state_dict().items():
        assert torch.equal(tensor, learned(other).state_dict()[name])


def test_a_category_that_only_other_rows_have_is_not_learned(table):
    kind = table.features[:, 3]
    rare = np.where((kind == 2) & (table.splits == Split.TRAIN), 1, kind)
    features = np.concatenate([table.features[:, :3], rare[:, None]], axis=1)
    encoding = learned(dataclasses.replace(table, features=features))
    assert encoding.categories.codes.tolist() == [0, 1, 2, 0, 1, -2, 3, 4]
    assert learned(table).categories.codes.tolist() == [0, 1, 2, 0, 1, 2, 3, 4]


def test_the_size_of_the_blocks_that_are_read_plays_no_part(table, monkeypatch):
    whole = learned(table).state_dict()
    monkeypatch.setattr("distillery.data.arrays.STEP_BYTES", 7 * table.features[0].nbytes)
    for name, tensor in learned(table).state_dict().items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-6, atol=0)


def test_columns_without_a_value_or_with_one_alone_are_safe(prepared, columns):
    values = {"empty": np.full(60, np.nan, np.float32), "same": np.full(60, 7, np.float32)}
    values |= {"none": [None] * 60, "one": ["x"] * 60, "row": np.arange(60, dtype=np.float32)}
    rows = prepared(columns(values, ["a", "b"] * 30), calibration=8)
    encoding = learned(rows)
    assert encoding.size == (3 + 1 + 1,)
    features = encoding(torch.from_numpy(np.array(rows.features)))
    assert features[:, 0].abs().max() == 0
    assert features[:, 1].abs().max() == 0
    assert features[:, 3].tolist() == [1.0] * 60  # which is missing
    assert features[:, 4].tolist() == [1.0] * 60


def test_pixels_are_scaled_by_channel(rows):
    encoding = learned(rows)
    pixels = rows.features[rows.where(Split.TRAIN)].astype(np.float64)
    assert (1 / encoding.scale).item() == pytest.approx(pixels.std(), rel=1e-5)
    assert (-encoding.shift / encoding.scale).item() == pytest.approx(pixels.mean(), rel=1e-5)
