import numpy as np
import pytest

from distillery.classifier import OnnxClassifier
from distillery.data.rows import Split
from distillery.errors import DataError
from distillery.feeding import feeder
from distillery.inference import open_session, run_rows, softmax


@pytest.fixture(scope="module")
def images(files):
    return OnnxClassifier(files["resnet"])


@pytest.fixture(scope="module")
def of_table(table_file):
    return OnnxClassifier(table_file)


def test_it_says_what_it_takes_and_tells_apart(images, of_table, rows, table):
    assert images.classes == rows.classes
    (tensor,) = images.inputs
    assert (tensor.name, tensor.dtype, tensor.row, tensor.columns) == ("input", "uint8", (8, 8, 1), ())
    assert str(tensor) == "input, uint8 (N, 8, 8, 1)"
    assert [(t.name, t.dtype, t.columns) for t in of_table.inputs] == [
        ("input", "float32", ("größe", "day")), ("categories", "str", ("colour", "kind")),
    ]  # fmt: skip
    assert of_table.classes == table.classes


def test_it_predicts_what_the_session_does(images, files, rows):
    test = rows.where(Split.TEST)
    shares = softmax(run_rows(open_session(files["resnet"]), rows, test))
    assert np.allclose(images.probabilities(rows.features[test]), shares)
    found = images.predict(rows.features[test])
    assert [p.label for p in found] == [rows.classes[code] for code in shares.argmax(1)]
    assert [p.probability for p in found] == pytest.approx(shares.max(1).tolist())


def test_a_table_is_handed_over_by_name(of_table, table):
    feed = feeder(table.form)(table.features[:300])
    every = of_table.probabilities(feed)
    assert every.shape == (300, 3)
    assert np.allclose(every.sum(1), 1)
    texts = {**feed, "categories": feed["categories"].astype(np.str_)}
    assert np.allclose(of_table.probabilities(texts), every)


def test_no_rows_give_no_predictions(images):
    assert images.predict(np.empty((0, 8, 8, 1), np.uint8)) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 8, 8), np.uint8), "shape (2, 8, 8), not (N, 8, 8, 1)"),
        (np.zeros((2, 8, 8, 1), np.float32), "float32, not uint8"),
        (np.zeros((2, 8, 8, 1), np.int64), "int64, not uint8"),
        (np.uint8(3), "shape ()"),
        ({"inputs": np.zeros((2, 8, 8, 1), np.uint8)}, "inputs is not an input"),
        ({}, "input is missing"),
    ],
    ids=range(6),
)
def test_what_it_does_not_take_is_refused_in_words(images, given, said):
    with pytest.raises(DataError) as error:
        images.predict(given)
    assert "the model takes input, uint8 (N, 8, 8, 1)" in str(error.value)
    assert said in str(error.value)


def test_arrays_of_different_lengths_are_refused_with_all_other_faults(of_table):
    with pytest.raises(DataError) as error:
        of_table.predict({"input": np.zeros((2, 2), np.float32), "categories": np.zeros((3, 2))})
    assert len(error.value.faults) == 2
