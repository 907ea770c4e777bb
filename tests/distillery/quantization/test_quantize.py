from __future__ import annotations

import copy
import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from distillery.data.rows import Split
from distillery.export import compare, export
from distillery.feeding import feeder
from distillery.inference import class_names, column_names, open_session, run_feeds, run_rows
from distillery.labelling import label, load_targets
from distillery.operators import compute_operators, integer_share, macs_by_weight
from distillery.params.quantize import DynamicParams, LearnedScales, QatParams
from distillery.quantization.aware import train_aware
from distillery.quantization.calibration import Watched
from distillery.quantization.fake_quantization import ActivationQuantizer, round_biases, with_fake_quantizers
from distillery.quantization.quantize import dynamic, static

METHODS = ("dynamic", "static", "qat")


@pytest.fixture(scope="module")
def targets(students, rows, augment, runtime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    for _ in label(students["resnet"], rows, augment, runtime, folder / "targets.npy"):
        pass
    return load_targets(folder)


@pytest.fixture(scope="module")
def aware(students, rows, augment, targets, shipped, training, runtime):
    """The student after quantization-aware training, its epochs, and the digests of its ranges after each."""
    qat = shipped.quantize.qat.model_copy(
        update={"observe_epochs": 2, "training": training(epochs=4, learning_rate=0.001)}
    )
    model = with_fake_quantizers(students["resnet"])
    epochs, ranges = [], []
    for epoch in train_aware(model, rows, targets, augment, shipped.distill, qat, runtime):
        epochs.append(epoch)
        ranges.append(
            torch.stack([m.high for m in model.modules() if isinstance(m, ActivationQuantizer)]).clone()
        )
    return model, epochs, ranges


@pytest.fixture(scope="module")
def quantized(files, rows, aware, static_params):
    student = onnx.load_from_string(files["resnet"])
    return {
        "dynamic": dynamic(copy.deepcopy(student), DynamicParams(weights="uint8"), rows.classes),
        "static": static(copy.deepcopy(student), rows, static_params(ranges="minmax")),
        "qat": export(aware[0], rows.classes),
    }


def kinds(content):
    graph = onnx.load_from_string(content).graph
    return {
        (t.data_type, len(t.dims)) for t in graph.initializer if len(t.dims) >= 2 and min(t.dims[:2]) >= 2
    }


@pytest.mark.parametrize("method", METHODS)
def test_an_int8_file_runs_and_agrees_with_its_student(quantized, files, rows, method):
    positions = np.arange(len(rows.labels))
    student = run_rows(open_session(files["resnet"]), rows, positions)
    logits = run_rows(open_session(quantized[method]), rows, positions)
    assert np.isfinite(logits).all()
    assert (logits.argmax(1) == student.argmax(1)).mean() > (0.7 if method == "qat" else 0.9)
    assert class_names(open_session(quantized[method])) == rows.classes


@pytest.mark.parametrize("method", METHODS)
def test_every_weight_is_stored_in_eight_bits(quantized, files, method):
    stored = {kind for kind, _ in kinds(quantized[method])}
    assert stored <= {TensorProto.INT8, TensorProto.UINT8}
    assert stored
    assert {kind for kind, _ in kinds(files["resnet"])} == {TensorProto.FLOAT}


def test_an_int8_file_is_smaller_once_weights_outweigh_the_graph(untrained, rows, static_params):
    from distillery.models.mlp import Mlp

    model = type(untrained("mlp"))(Mlp(family="mlp", hidden=(64,), dropout=0.0).network(rows.form, 10))
    content = export(model, rows.classes)
    for smaller in (
        dynamic(onnx.load_from_string(content), DynamicParams(weights="uint8"), rows.classes),
        static(onnx.load_from_string(content), rows, static_params(ranges="minmax")),
    ):
        assert len(smaller) < 0.45 * len(content)


@pytest.mark.parametrize("method", METHODS)
def test_every_convolution_of_an_int8_file_runs_in_integer(quantized, method):
    operators = compute_operators(quantized[method])
    assert len(operators) == 1 + 2 * 2 + 1 + 1  # stem, two blocks of two, a projection, the dense layer
    convolutions = [o for o in operators if "Conv" in o.kind]
    assert len(convolutions) == 6
    assert {o.kind for o in convolutions} == {"ConvInteger" if method == "dynamic" else "QLinearConv"}


def test_dynamic_weights_are_of_the_type_that_is_asked_for(files, rows):
    for weights, kind in (("uint8", TensorProto.UINT8), ("int8", TensorProto.INT8)):
        content = dynamic(onnx.load_from_string(files["mlp"]), DynamicParams(weights=weights), rows.classes)
        assert {k for k, _ in kinds(content)} == {kind}


@pytest.mark.parametrize("ranges", ["entropy", "percentile"])
def test_every_way_to_find_ranges_gives_a_file_that_agrees(files, rows, ranges, static_params):
    content = static(onnx.load_from_string(files["mlp"]), rows, static_params(ranges=ranges))
    positions = np.arange(len(rows.labels))
    student = run_rows(open_session(files["mlp"]), rows, positions).argmax(1)
    assert (run_rows(open_session(content), rows, positions).argmax(1) == student).mean() > 0.9


def test_a_range_by_percentile_ends_at_that_of_the_distances_from_zero(
    files, rows, static_params, monkeypatch
):
    monkeypatch.setattr("distillery.quantization.quantize.PERCENTILE", 80)
    student = onnx.load_from_string(files["mlp"])
    tensors = [node.input[0] for node in student.graph.node if node.op_type == "Gemm"]
    graph = onnx.load_from_string(static(student, rows, static_params(ranges="percentile"))).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    rounded = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    seen = list(Watched(student, tensors).run(rows))
    for tensor, node in zip(tensors, rounded, strict=False):  # logits may be rounded too
        x = np.stack([row[tensor] for row in seen])
        far = np.abs(x)
        end = np.percentile(far, 80, method="inverted_cdf")
        low = max(-end, min(x.min(), 0))
        span = 255 * stored[node.input[1]]
        assert span == pytest.approx(end - low, abs=1.01 * float(np.ptp(far)) / 2048)  # a bin
        assert stored[node.input[2]] == np.rint(-low / stored[node.input[1]])
        assert end < 0.95 * far.max()


def test_static_ranges_come_from_the_calibration_rows_alone(files, rows, static_params):
    dark = np.where(rows.calibration[:, None, None, None], rows.features, 255).astype(np.uint8)
    same = dataclasses.replace(rows, features=dark)
    method = static_params(ranges="minmax")
    student = files["mlp"]
    assert static(onnx.load_from_string(student), same, method) == static(
        onnx.load_from_string(student), rows, method
    )
    other = dataclasses.replace(rows, features=(rows.features // 2))
    assert static(onnx.load_from_string(student), other, method) != static(
        onnx.load_from_string(student), rows, method
    )


@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_quantizing_twice_gives_the_same_bytes(quantized, files, rows, method, static_params):
    student = onnx.load_from_string(files["resnet"])
    again = (
        dynamic(student, DynamicParams(weights="uint8"), rows.classes)
        if method == "dynamic"
        else static(student, rows, static_params(ranges="minmax"))
    )
    assert again == quantized[method]


def test_quantizing_leaves_the_students_graph_as_it_was(files, rows, static_params):
    student = onnx.load_from_string(files["mlp"])
    static(student, rows, static_params(ranges="minmax"))
    assert student.SerializeToString(deterministic=True) == files["mlp"]


@pytest.mark.parametrize("method", METHODS)
def test_logits_stay_float(quantized, rows, method):
    logits = run_rows(open_session(quantized[method]), rows, np.arange(200))
    assert len(np.unique(logits)) > 256


def test_ranges_follow_the_data_while_observing_and_then_stand(aware):
    _, epochs, ranges = aware
    assert [e.done for e in epochs] == [1, 2, 3, 4]
    assert not torch.equal(ranges[0], ranges[1])
    assert torch.equal(ranges[1], ranges[2])
    assert torch.equal(ranges[2], ranges[3])


def test_the_trained_model_predicts_as_its_file_does_once_its_biases_are_rounded(aware, quantized, rows):
    model = copy.deepcopy(aware[0])
    round_biases(model)
    assert export(model, rows.classes) == quantized["qat"]
    everything = dataclasses.replace(rows, splits=np.full_like(rows.splits, Split.VALIDATION))
    assert compare(model, quantized["qat"], everything).agreement >= 0.999


LEARNED = {"kind": "learned", "start": "range", "weights": "per_channel"}
OTHER_WAYS = {
    "learned": {"scales": LEARNED},
    "learned from the mean, per tensor": {"scales": LEARNED | {"start": "mean", "weights": "per_tensor"}},
    "layers": {"progress": {"kind": "layers", "epochs": 2, "order": "sensitivity"}},
    "bits, then learned": {"scales": LEARNED, "progress": {"kind": "bits", "epochs": 2, "steps": [16, 12]}},
}


@pytest.fixture(scope="module", params=OTHER_WAYS.values(), ids=OTHER_WAYS)
def otherwise(request, students, rows, augment, targets, shipped, training, runtime):
    """The student after another quantization-aware training, that training, its epochs, and all its factors
    after each.
    """
    changes = {"observe_epochs": 1, "training": training(epochs=4, learning_rate=0.001)}
    qat = QatParams.model_validate(shipped.quantize.qat.model_dump() | changes | request.param)
    model = with_fake_quantizers(students["resnet"])
    epochs, factors = [], []
    for epoch in train_aware(model, rows, targets, augment, shipped.distill, qat, runtime):
        epochs.append(epoch)
        held = [p.detach().flatten() for n, p in model.named_parameters() if n.endswith("factor")]
        factors.append(torch.cat(held) if held else None)
    round_biases(model)
    return model, qat, epochs, factors


def test_however_it_was_trained_a_model_predicts_as_its_file_does(otherwise, rows):
    model, *_ = otherwise
    everything = dataclasses.replace(rows, splits=np.full_like(rows.splits, Split.VALIDATION))
    assert compare(model, export(model, rows.classes), everything).agreement >= 0.999


def test_however_it_was_trained_a_file_runs_in_integer_and_learned_something(otherwise, files, rows):
    model, _, epochs, _ = otherwise
    content = export(model, rows.classes)
    convolutions = [o.kind for o in compute_operators(content) if "Conv" in o.kind]
    assert convolutions == ["QLinearConv"] * 6
    assert epochs[-1].loss < epochs[0].loss
    student = run_rows(open_session(files["resnet"]), rows, np.arange(500)).argmax(1)
    assert (run_rows(open_session(content), rows, np.arange(500)).argmax(1) == student).mean() > 0.7


def test_no_epoch_is_kept_before_everything_is_rounded(otherwise):
    _, qat, epochs, _ = otherwise
    assert not any(epoch.best for epoch in epochs[: qat.whole_from])
    assert any(epoch.best for epoch in epochs)


def test_scales_are_learned_once_observing_ends_and_only_where_that_is_asked_for(otherwise):
    _, qat, epochs, factors = otherwise
    for epoch, held in zip(epochs, factors, strict=True):
        if not isinstance(qat.scales, LearnedScales):
            assert held is None
        elif epoch.done <= qat.observed:
            assert (held == 1).all()
        else:
            assert (held != 1).float().mean() > 0.9  # what never fires learns nothing


@pytest.fixture(scope="module")
def quantized_table(table_student, table_file, table, static_params):
    student = onnx.load_from_string(table_file)
    model = with_fake_quantizers(table_student).train()
    model(torch.from_numpy(np.array(table.features[table.calibration])))
    return {
        "dynamic": dynamic(copy.deepcopy(student), DynamicParams(weights="uint8"), table.classes),
        "static": static(copy.deepcopy(student), table, static_params(ranges="minmax")),
        "qat": export(model, table.classes),
    }


@pytest.mark.parametrize("method", METHODS)
def test_an_int8_file_of_a_table_agrees_with_its_student_and_takes_the_same(
    quantized_table, table_file, table, method
):
    content, positions = quantized_table[method], np.arange(len(table.labels))
    student = run_rows(open_session(table_file), table, positions)
    logits = run_rows(open_session(content), table, positions)
    assert (logits.argmax(1) == student.argmax(1)).mean() > 0.95
    assert np.median(np.abs(logits - student)) < 0.01 * np.ptp(student)  # far ones saturate
    assert column_names(open_session(content)) == column_names(open_session(table_file))


@pytest.mark.parametrize("method", METHODS)
def test_just_the_dense_layers_of_a_table_run_in_integer(quantized_table, method):
    content = quantized_table[method]
    macs = sum(macs_by_weight(onnx.load_from_string(content)).values())
    operators = compute_operators(content)
    assert macs == (2 + 1 + 3 + 5) * 16 + 16 * 3  # numbers, a flag, colours, kinds
    assert integer_share(operators, macs) == 1.0
    assert len(operators) == 2
    kinds = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert {"LabelEncoder", "Sub", "Mul", "Equal"} <= kinds  # as they are in float


@pytest.mark.parametrize("ranges", ["entropy", "percentile"])
def test_ranges_of_a_table_are_found_in_every_way_and_twice_the_same(
    table_file, table, ranges, static_params
):
    made = [static(onnx.load_from_string(table_file), table, static_params(ranges=ranges)) for _ in range(2)]
    assert made[0] == made[1]
    student = run_rows(open_session(table_file), table, np.arange(600)).argmax(1)
    assert (run_rows(open_session(made[0]), table, np.arange(600)).argmax(1) == student).mean() > 0.9


def test_a_typing_error_among_the_rows_of_a_batch_leaves_the_others_their_steps(quantized_table, table):
    """Dynamic ranges are of the whole batch."""
    feed = feeder(table.form)(table.features[:100])
    session = open_session(quantized_table["dynamic"])
    before = run_feeds(session, [feed])
    feed["input"][0] = 1e30
    after = run_feeds(session, [feed])
    assert (after[1:].argmax(1) == before[1:].argmax(1)).mean() > 0.9


@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_what_is_said_of_a_row_does_not_depend_on_the_rows_beside_it(quantized, rows, method):
    """A dynamic file finds its ranges on all the rows that it is given, so it is given them one by one."""
    session, positions = open_session(quantized[method]), np.arange(60)
    together = run_rows(session, rows, positions)
    alone = np.concatenate([run_rows(session, rows, positions[[at]]) for at in positions])
    np.testing.assert_array_equal(together, alone)
    fed = run_feeds(session, [{"input": np.asarray(rows.features[:60])}])
    np.testing.assert_array_equal(fed, alone)
    (at_once,) = session.run(["logits"], {"input": np.asarray(rows.features[:60])})
    assert (np.abs(at_once - alone).max() > 0) == (method == "dynamic")
