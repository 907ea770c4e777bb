from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distillery.inference import BATCH, class_names, open_session, run_rows, softmax


def test_rows_are_run_in_the_order_of_their_positions(files, rows):
    session = open_session(files["mlp"])
    positions = np.array([5, 3, 3, 400])
    logits = run_rows(session, rows, positions)
    (expected,) = session.run(None, {"input": rows.features[[5, 3, 3, 400]]})
    np.testing.assert_array_equal(logits, expected)


def test_more_rows_than_a_batch_are_all_run(files, rows):
    positions = np.arange(BATCH + 3)
    logits = run_rows(open_session(files["mlp"]), rows, positions)
    assert logits.shape == (BATCH + 3, 10)
    np.testing.assert_allclose(
        logits[-1:], run_rows(open_session(files["mlp"]), rows, positions[-1:]), rtol=1e-5
    )


def test_a_session_runs_on_the_threads_that_are_stated_on_the_cpu(files):
    session = open_session(files["mlp"], threads=1)
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == 1
    assert class_names(session) == tuple("0123456789")


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=8))
def test_probabilities_are_positive_shares_in_the_order_of_the_logits(logits):
    (shares,) = softmax(np.array([logits], np.float32))
    assert abs(shares.sum() - 1) < 1e-9
    assert (shares >= 0).all()
    assert shares.argmax() == np.argmax(logits) or np.isclose(shares.max(), shares[np.argmax(logits)])


def test_probabilities_do_not_change_with_a_constant_and_follow_the_exponential():
    logits = np.array([[0.0, 1.0]], np.float32)
    np.testing.assert_allclose(softmax(logits), [[1 / (1 + np.e), np.e / (1 + np.e)]])
    np.testing.assert_allclose(softmax(logits + 1000), softmax(logits))
