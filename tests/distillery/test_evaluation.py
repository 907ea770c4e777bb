from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.rows import Split, row_names
from distillery.evaluation import Predictions, assess, predict_held_out, tabulated
from distillery.inference import softmax
from distillery.statistics.wilson import wilson_interval


def said(label, predicted, splits=Split.TEST):
    """Predictions of as many rows."""
    count = len(label)
    codes = np.broadcast_to(np.array(splits, np.uint8), count)
    return Predictions(np.arange(count), codes, np.array(label), np.array(predicted), np.ones(count))


def predicted(content, rows):
    """The predictions, and all logits."""
    kept = []
    predictions = predict_held_out(content, rows, kept.append)
    return predictions, np.concatenate(kept)


def by_hand(label, predicted, classes):
    """Macro precision, recall and F1 over all classes; 0 where a ratio has no denominator."""
    scores = []
    for code in range(classes):
        hits = sum(a == b == code for a, b in zip(label, predicted, strict=True))
        precision = hits / max(1, predicted.count(code))
        recall = hits / max(1, label.count(code))
        scores.append((precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0))
    return [sum(s[i] for s in scores) / classes for i in range(3)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_quality_is_that_counted_by_hand(triples):
    label, predicted, teacher = (list(column) for column in zip(*triples, strict=True))
    quality = assess(said(label, predicted), np.array(teacher), Split.TEST, "abcd")
    correct = sum(a == b for a, b in zip(label, predicted, strict=True))
    assert quality.rows == len(triples)
    assert quality.accuracy == correct / len(triples)
    assert (quality.accuracy_low, quality.accuracy_high) == wilson_interval(correct, len(triples))
    assert quality.teacher_agreement == pytest.approx(
        sum(a == b for a, b in zip(predicted, teacher, strict=True)) / len(triples)
    )
    ours = [quality.macro_precision, quality.macro_recall, quality.macro_f1]
    assert ours == pytest.approx(by_hand(label, predicted, 4))
    for true in range(4):
        for guess in range(4):
            assert quality.confusion[true][guess] == sum(t == true and g == guess for t, g, _ in triples)


def test_only_the_rows_of_the_split_count():
    both = said([0, 1, 0, 1, 1], [0, 1, 1, 0, 0], [Split.VALIDATION] * 2 + [Split.TEST] * 3)
    assert assess(both, both.predicted, Split.VALIDATION, "ab").accuracy == 1.0
    assert assess(both, both.predicted, Split.TEST, "ab").accuracy == 0.0
    assert assess(both, both.predicted, Split.TEST, "ab").rows == 3


def test_a_quality_is_plain_json():
    plain = assess(said([0, 1], [0, 0]), np.array([0, 0]), Split.TEST, "ab").to_json()
    assert json.loads(json.dumps(plain)) == plain


def test_every_held_out_row_is_predicted_once_and_no_train_row(files, rows):
    predictions, logits = predicted(files["resnet"], rows)
    positions = np.flatnonzero(rows.splits != Split.TRAIN)
    kept = pd.concat(tabulated(predictions, rows), ignore_index=True)
    assert kept["row_id"].tolist() == row_names(rows.row_ids[positions])
    assert kept["label"].tolist() == rows.labels[positions].tolist()
    assert set(kept["split"]) == {"validation", "test"}
    assert (kept["split"] == "test").sum() == len(rows.where(Split.TEST))
    assert kept["predicted"].tolist() == logits.argmax(1).tolist()
    np.testing.assert_allclose(kept["probability"], softmax(logits).max(1), rtol=1e-6)
    again, same = predicted(files["resnet"], rows)
    pd.testing.assert_frame_equal(pd.concat(tabulated(again, rows), ignore_index=True), kept)
    np.testing.assert_array_equal(same, logits)


def test_the_table_is_the_same_however_few_rows_are_made_at_once(files, rows, monkeypatch):
    predictions, _ = predicted(files["mlp"], rows)
    (whole,) = tabulated(predictions, rows)
    monkeypatch.setattr("distillery.evaluation.TABLE_ROW_BYTES", 1 << 20)
    parts = list(tabulated(predictions, rows))
    assert len(parts) > 5
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)
