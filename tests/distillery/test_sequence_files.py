"""Files for sequences: their operators, parity, integers, counts, and prediction from arrays."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from distillery.classifier import OnnxClassifier
from distillery.errors import DataError, ParamsError
from distillery.export import compare, export
from distillery.inference import open_session, run_rows
from distillery.measurement import count_weights
from distillery.models.network import count_parameters
from distillery.models.recurrent import Gru, Lstm
from distillery.models.transformer import Transformer
from distillery.operators import compute_operators, count_macs, integer_share
from distillery.pairing import takes
from distillery.params.project import load_params
from distillery.quantization.quantize import dynamic, static
from distillery.sparsity import zero_share
from distillery.training import new_classifier

SHAPES = {
    "lstm": Lstm(family="lstm", layers=2, width=6, both_ways=True, embed=4, dropout=0.0),
    "gru": Gru(family="gru", layers=1, width=6, both_ways=False, embed=4, dropout=0.0),
    "lstm one way": Lstm(family="lstm", layers=1, width=6, both_ways=False, embed=None, dropout=0.0),
    "gru both ways": Gru(family="gru", layers=1, width=6, both_ways=True, embed=4, dropout=0.0),
    "transformer": Transformer(
        family="transformer", layers=1, width=8, heads=2, feed_forward=12, dropout=0.0
    ),
}
CASES = [
    ("lstm", "tokens"), ("lstm one way", "series"),
    ("gru", "series"), ("gru both ways", "tokens"),
    ("transformer", "tokens"), ("transformer", "series"),
]  # fmt: skip


@pytest.fixture(scope="module")
def exported(sequences, runtime):
    """(family, kind of rows) -> a network that has learned its encoding alone, and its file."""
    made = {}
    for family, kind in CASES:
        rows = sequences[kind]
        model = new_classifier(SHAPES[family].network(rows.form, 3), rows, runtime)
        made[family, kind] = model, export(model, rows.classes)
    return made


def operators(content):
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


@pytest.mark.parametrize("case", CASES)
def test_a_file_says_what_its_network_says_of_any_number_of_rows(case, exported, sequences):
    model, content = exported[case]
    rows = sequences[case[1]]
    parity = compare(model, content, rows)
    assert parity.largest_logit_difference < 1e-5
    assert parity.agreement == 1.0
    alone = run_rows(open_session(content), rows, np.arange(1))
    np.testing.assert_allclose(alone, run_rows(open_session(content), rows, np.arange(7))[:1], atol=1e-5)
    assert takes(content, rows) is None
    other = sequences["series" if case[1] == "tokens" else "tokens"]
    assert "it takes rows of" in takes(content, other)


def test_cells_are_operators_of_onnx_and_ask_for_no_shape_at_run_time(exported):
    for case, kind, count in ((("lstm", "tokens"), "LSTM", 2), (("gru", "series"), "GRU", 1)):
        names = operators(exported[case][1])
        assert names.count(kind) == count
        assert not {"Shape", "Expand", "Loop", "Scan", "Concat"} & set(names)


def test_inputs_are_floats_or_64_bit_ids_with_an_open_batch(exported):
    series = onnx.load_from_string(exported["gru", "series"][1]).graph.input[0].type.tensor_type
    tokens = onnx.load_from_string(exported["lstm", "tokens"][1]).graph.input[0].type.tensor_type
    assert [d.dim_param or d.dim_value for d in series.shape.dim] == ["batch", 16, 2]
    assert [d.dim_param or d.dim_value for d in tokens.shape.dim] == ["batch", 12]
    assert (series.elem_type, tokens.elem_type) == (onnx.TensorProto.FLOAT, onnx.TensorProto.INT64)


def test_multiply_accumulates_are_those_of_the_closed_forms(exported):
    """gates * h * (d + h) a step and direction; of attention 2 L^2 w beside its dense layers."""
    h, ways, steps = 6, 2, 12
    cells = sum(ways * 4 * h * (d + h) * steps for d in (4, ways * h))
    assert count_macs(exported["lstm", "tokens"][1]) == cells + ways * h * 3
    assert count_macs(exported["gru", "series"][1]) == 16 * (2 * 4 + 3 * 6 * (4 + 6)) + 6 * 3
    w, f = 8, 12
    block = steps * (4 * w * w + 2 * w * f) + 2 * steps**2 * w
    assert count_macs(exported["transformer", "tokens"][1]) == block + w * 3
    for _, content in exported.values():
        assert sum(operator.macs for operator in compute_operators(content)) == count_macs(content)
        assert integer_share(compute_operators(content), count_macs(content)) == 0.0


@pytest.mark.parametrize(("case", "least"), [(("lstm", "tokens"), 1.0), (("transformer", "series"), 0.6)])
def test_dynamic_quantization_takes_the_cells_and_the_vectors_of_tokens(
    case, least, exported, sequences, shipped
):
    model, content = exported[case]
    rows = sequences[case[1]]
    quantized = dynamic(onnx.load_from_string(content), shipped.quantize.dynamic, rows.classes)
    assert len(quantized) < len(content)
    assert integer_share(compute_operators(quantized), count_macs(quantized)) >= least
    assert count_macs(quantized) == count_macs(content)
    assert zero_share(quantized) < 0.1
    assert count_weights(quantized) == pytest.approx(count_parameters(model), rel=0.1)
    wanted = run_rows(open_session(content), rows, np.arange(30))
    found = run_rows(open_session(quantized), rows, np.arange(30))
    assert np.abs(found - wanted).max() < 0.1 * max(1.0, np.abs(wanted).max())
    vectors = [t for t in onnx.load_from_string(quantized).graph.initializer if list(t.dims) == [30, 4]]
    assert all(t.data_type == onnx.TensorProto.UINT8 for t in vectors)
    assert len(vectors) == (case == ("lstm", "tokens"))


def test_a_row_is_said_the_same_of_whatever_stands_beside_it(exported, sequences, shipped):
    rows = sequences["tokens"]
    content = exported["lstm", "tokens"][1]
    quantized = dynamic(onnx.load_from_string(content), shipped.quantize.dynamic, rows.classes)
    together = run_rows(open_session(quantized), rows, np.arange(5))
    np.testing.assert_array_equal(run_rows(open_session(quantized), rows, np.arange(4, 5))[0], together[4])


def test_static_quantization_takes_all_of_a_transformer_and_leaves_cells_in_float(
    exported, sequences, static_params
):
    for case, share in ((("transformer", "series"), 1.0), (("gru", "series"), None)):
        rows = sequences[case[1]]
        quantized = static(onnx.load_from_string(exported[case][1]), rows, static_params())
        found = integer_share(compute_operators(quantized), count_macs(quantized))
        assert found == share if share else found < 0.1


def test_a_classifier_takes_ids_of_any_integer_type_and_refuses_floats(exported, sequences):
    content = exported["lstm", "tokens"][1]
    ids = np.asarray(sequences["tokens"].features[:3])
    classifier = OnnxClassifier(content)
    (taken,) = classifier.inputs
    assert (taken.dtype, taken.row) == ("int64", (12,))
    np.testing.assert_array_equal(classifier.probabilities(ids), classifier.probabilities(ids.astype("u2")))
    with pytest.raises(DataError, match="the model takes input, int64"):
        classifier.predict(ids.astype(np.float32))


def test_files_of_arrays_are_predicted_and_others_refused(predict_file, exported, sequences, tmp_path):
    rows, content = sequences["series"], exported["gru", "series"][1]
    np.savez(tmp_path / "rows.npz", input=rows.features[:4].astype(np.float64))
    np.save(tmp_path / "ids.npy", np.asarray(sequences["tokens"].features[:2]))
    found = predict_file(content, tmp_path / "rows.npz").rows
    wanted = run_rows(open_session(content), rows, np.arange(4)).argmax(1)
    assert [row.label for row in found] == [rows.classes[code] for code in wanted]
    assert len(predict_file(exported["lstm", "tokens"][1], tmp_path / "ids.npy").rows) == 2
    with pytest.raises(DataError, match=r"holds int32 \(2, 12\); the model takes float32 \(N, 16, 2\)"):
        predict_file(content, tmp_path / "ids.npy")
    np.save(tmp_path / "nan.npy", np.full((2, 16, 2), np.nan))
    with pytest.raises(DataError, match="row 0 step 0: is no finite number"):
        predict_file(content, tmp_path / "nan.npy")
    with pytest.raises(DataError, match=r"rows.csv has 2 columns; the model takes 32, \(16, 2\) a row"):
        (tmp_path / "rows.csv").write_text("1,2\n")
        predict_file(content, tmp_path / "rows.csv")


def test_the_recipe_is_legal_and_training_aware_of_rounding_is_refused(root):
    preset = root / "params/sequences.yaml"
    params = load_params(root / "params.yaml", [preset])
    assert (params.quantize.static, params.quantize.qat) == (None, None)
    shipped = (root / "params.yaml").read_text()
    assert "qat:" in shipped
    student = "student.model={family: gru, layers: 1, width: 4, both_ways: false, embed: 4, dropout: 0.0}"
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", settings=[student])
    assert (
        "quantize.qat: networks that read sequences (gru) are rounded after their training"
        in caught.value.faults[0]
    )
    load_params(root / "params.yaml", settings=[student, "quantize.qat=null"])
