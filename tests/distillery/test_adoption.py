from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save
from sklearn.linear_model import LogisticRegression

from distillery.adoption import adopt_onnx, adopt_weights
from distillery.data.rows import Split
from distillery.errors import ParamsError
from distillery.inference import class_names, open_session, run_rows
from distillery.models.mlp import Mlp
from distillery.operators import compute_operators, macs_by_weight
from distillery.params.teacher import OnnxTeacher, WeightsTeacher
from distillery.quantization.quantize import dynamic

PIXELS = {"divide_by": 16.0, "mean": [0.3], "std": [0.4]}
MLP = Mlp(family="mlp", hidden=(16,), dropout=0.0)


def named(gives="logits", pixels=None, output=None):
    plain = {"kind": "onnx", "file": "t.onnx", "gives": gives, "pixels": pixels, "output": output}
    return OnnxTeacher.model_validate(plain)


@pytest.fixture(scope="module")
def linear(rows):
    """A logistic regression on scaled pixels: weights (64, 10) and intercepts."""
    train = rows.where(Split.TRAIN)
    x = (np.asarray(rows.features[train], np.float64).reshape(len(train), -1) / 16 - 0.3) / 0.4
    model = LogisticRegression(max_iter=2000).fit(x, rows.labels[train])
    return model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)


@pytest.fixture(scope="module")
def said(rows, linear):
    """What it says of all rows."""
    weights, intercepts = linear
    x = (np.asarray(rows.features, np.float32).reshape(len(rows.labels), -1) / 16 - 0.3) / 0.4
    return x @ weights + intercepts


@pytest.fixture(scope="module")
def foreign(linear):
    """Its ONNX file as another tool may write it."""

    def make(
        *, kind=TensorProto.FLOAT, shape=("n", 1, 8, 8), columns=None, metadata=None, raw=False, reshape=None,
        softmax=False, out_kind=TensorProto.FLOAT, width=10, names=("x", "logits"), more=(), opset=17,
    ):  # fmt: skip
        weights, intercepts = linear
        order = list(range(10)) if columns is None else columns
        pads = np.zeros((64, width - len(order)), np.float32)
        weights, intercepts = np.hstack([weights[:, order], pads]), [*intercepts[order], *pads[0]]
        tensors = {"w": weights, "b": np.array(intercepts, np.float32)}
        nodes, here = [helper.make_node("Cast", [names[0]], ["c"], to=TensorProto.FLOAT)], "c"
        if raw:  # it scales for itself
            tensors |= {"d": np.float32(16), "m": np.float32(0.3), "s": np.float32(0.4)}
            for number, (operator, constant) in enumerate((("Div", "d"), ("Sub", "m"), ("Div", "s"))):
                nodes.append(helper.make_node(operator, [here, constant], [f"s{number}"]))
                here = f"s{number}"
        if reshape is None:
            nodes.append(helper.make_node("Flatten", [here], ["f"]))
        else:
            tensors["r"] = np.array(reshape, np.int64)
            nodes.append(helper.make_node("Reshape", [here, "r"], ["f"]))
        nodes.append(helper.make_node("Gemm", ["f", "w", "b"], ["g"]))
        last = "Softmax" if softmax else "Identity"
        nodes.append(helper.make_node(last, ["g"], ["h"]))
        nodes.append(helper.make_node("Cast", ["h"], [names[1]], to=out_kind))
        outputs = [helper.make_tensor_value_info(names[1], out_kind, [shape[0], width]), *more]
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info(names[0], kind, list(shape))], outputs,
            [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        if metadata is not None:
            helper.set_model_props(model, {"classes": metadata})
        return model.SerializeToString()

    return make


def logits_of(content, rows):
    return run_rows(open_session(content), rows, np.arange(len(rows.labels)))


def faults(content, teacher, rows):
    with pytest.raises(ParamsError) as caught:
        adopt_onnx(content, teacher, rows)
    assert "t.onnx" in caught.value.message
    return " | ".join([caught.value.message, *caught.value.faults])


@pytest.mark.parametrize(
    "shape", [("n", 1, 8, 8), ("n", 8, 8, 1), ("n", 8, 8), ("n", 64), (1, 1, 8, 8), ("n", "c", "h", "w")]
)
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_a_file_that_takes_floats_of_any_usual_shape_says_what_it_said(shape, kind, foreign, rows, said):
    adopted = adopt_onnx(foreign(kind=kind, shape=shape), named(pixels=PIXELS), rows)
    close = 0.05 if kind == TensorProto.FLOAT16 else 1e-3
    np.testing.assert_allclose(logits_of(adopted, rows), said, rtol=close, atol=close)


@pytest.mark.parametrize("shape", [("n", 8, 8, 1), ("n", 1, 8, 8), ("n", 64)])
def test_a_file_that_takes_bytes_gets_them_as_they_are(shape, foreign, rows, said):
    adopted = adopt_onnx(foreign(kind=TensorProto.UINT8, shape=shape, raw=True), named(), rows)
    np.testing.assert_allclose(logits_of(adopted, rows), said, rtol=1e-3, atol=1e-3)


def test_probabilities_become_logits_whose_softmax_gives_them_back(foreign, rows, said):
    adopted = adopt_onnx(foreign(softmax=True), named("probabilities", PIXELS), rows)
    found = torch.softmax(torch.from_numpy(logits_of(adopted, rows)), 1)
    np.testing.assert_allclose(found, torch.softmax(torch.from_numpy(said), 1), atol=1e-5)


def test_classes_are_matched_by_name_whatever_their_order(foreign, rows, said):
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    content = foreign(columns=order, metadata=json.dumps([str(code) for code in order]))
    adopted = adopt_onnx(content, named(pixels=PIXELS), rows)
    np.testing.assert_allclose(logits_of(adopted, rows), said, rtol=1e-3, atol=1e-3)
    assert class_names(open_session(adopted)) == rows.classes


def test_classes_that_the_data_have_not_are_left_out(foreign, rows, said):
    names = [*rows.classes, "a dog", "a cat"]
    adopted = adopt_onnx(foreign(width=12, metadata=json.dumps(names)), named(pixels=PIXELS), rows)
    np.testing.assert_allclose(logits_of(adopted, rows), said, rtol=1e-3, atol=1e-3)


def test_one_output_of_several_is_taken_by_its_name(foreign, rows, said):
    also = helper.make_tensor_value_info("g", TensorProto.FLOAT, ["n", 10])
    content = foreign(more=[also])
    assert "set teacher.output to one of logits, g" in faults(content, named(pixels=PIXELS), rows)
    adopted = adopt_onnx(content, named(pixels=PIXELS, output="g"), rows)
    np.testing.assert_allclose(logits_of(adopted, rows), said, rtol=1e-3, atol=1e-3)


def test_other_outputs_that_cannot_be_meant_do_not_matter(foreign, rows):
    also = helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", 64])
    adopt_onnx(foreign(more=[also]), named(pixels=PIXELS), rows)


def test_names_like_our_own_do_not_clash(foreign, rows, said):
    content = foreign(kind=TensorProto.UINT8, shape=("n", 8, 8, 1), raw=True, names=("input", "logits"))
    adopted = adopt_onnx(content, named(), rows)
    np.testing.assert_allclose(logits_of(adopted, rows), said, rtol=1e-3, atol=1e-3)


def test_an_adopted_file_can_be_adopted_again_and_can_be_measured(foreign, rows, said):
    adopted = adopt_onnx(foreign(), named(pixels=PIXELS), rows)
    again = adopt_onnx(adopted, named(), rows)
    np.testing.assert_allclose(logits_of(again, rows), said, rtol=1e-3, atol=1e-3)
    assert sum(macs_by_weight(onnx.load_from_string(again)).values()) == 640
    assert [operator.macs for operator in compute_operators(again)] == [640]


def test_equal_files_give_equal_bytes(foreign, rows):
    first, second = (adopt_onnx(foreign(), named(pixels=PIXELS), rows) for _ in range(2))
    assert first == second


def test_our_own_files_are_adopted_as_they_are(files, rows, table_file, table):
    for content in files.values():
        adopted = adopt_onnx(content, named(), rows)
        np.testing.assert_allclose(logits_of(adopted, rows), logits_of(content, rows), rtol=1e-4, atol=1e-4)
    adopted = adopt_onnx(table_file, named(), table)
    np.testing.assert_allclose(logits_of(adopted, table), logits_of(table_file, table), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_a_network_from_the_exporter_of_another_project_is_adopted(rows):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 10)
    )
    train = rows.where(Split.TRAIN)
    x = torch.from_numpy(np.array(rows.features[train])).permute(0, 3, 1, 2).float() / 16
    labels = torch.from_numpy(np.array(rows.labels[train]))
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()
    program = torch.onnx.export(
        net.eval(), (x[:2],), dynamo=True, verbose=False, dynamic_shapes=({0: torch.export.Dim("rows")},)
    )
    content = program.model_proto.SerializeToString()
    pixels = {"divide_by": 16.0, "mean": [0.0], "std": [1.0]}
    adopted = adopt_onnx(content, named(pixels=pixels), rows)
    everything = torch.from_numpy(np.array(rows.features)).permute(0, 3, 1, 2).float() / 16
    with torch.no_grad():
        np.testing.assert_allclose(logits_of(adopted, rows), net(everything), rtol=1e-3, atol=1e-3)
    assert sum(macs_by_weight(onnx.load_from_string(adopted)).values()) == 8 * 9 * 9 + 720


def test_a_file_that_quantizes_as_it_runs_is_adopted(files, rows, shipped):
    content = dynamic(onnx.load_from_string(files["resnet"]), shipped.quantize.dynamic, rows.classes)
    adopted = adopt_onnx(content, named(), rows)
    np.testing.assert_allclose(logits_of(adopted, rows), logits_of(content, rows), rtol=1e-3, atol=1e-3)


def test_a_file_that_mixes_the_rows_of_a_batch_is_refused(foreign, rows):
    model = onnx.load_from_string(foreign())
    last = model.graph.node[-1]
    mixed = helper.make_node("ReduceMean", [last.input[0]], ["mean"], axes=[0], keepdims=1)
    apart = helper.make_node("Sub", [last.input[0], "mean"], ["apart"])
    last.input[0] = "apart"
    del model.graph.node[-1]
    model.graph.node.extend([mixed, apart, last])
    told = faults(model.SerializeToString(), named(pixels=PIXELS), rows)
    assert "depends on the other rows of the batch" in told


REFUSED = [
    ({"kind": TensorProto.INT64}, {}, "x int64 (?, 1, 8, 8); uint8 or float images can be used"),
    ({}, {}, "it takes floats: say what bytes become, for example teacher.pixels"),
    ({"kind": TensorProto.UINT8}, {"pixels": PIXELS}, "teacher.pixels: it takes bytes as they are"),
    ({"shape": ("n", 3, 8, 8)}, {"pixels": PIXELS}, "these images are 8 x 8 x 1"),
    ({"shape": ("n", 63)}, {"pixels": PIXELS}, "these images are 8 x 8 x 1"),
    ({}, {"pixels": PIXELS | {"mean": [1, 2, 3]}}, "mean and std have one value, or one for each of 1"),
    ({}, {"pixels": PIXELS, "output": "head"}, "no output 'head'; it has logits float (?, 10)"),
    ({"width": 12}, {"pixels": PIXELS}, "a float output (batch, 10), one value a class, can be used"),
    ({"out_kind": TensorProto.INT64}, {"pixels": PIXELS}, "a float output (batch, 10)"),
    ({"metadata": "[1, 2]"}, {"pixels": PIXELS}, "not a JSON list of names"),
    ({"metadata": "nonsense"}, {"pixels": PIXELS}, "not a JSON list of names"),
    ({"metadata": '["0", "0"]'}, {"pixels": PIXELS}, "names a class twice"),
    ({"metadata": '["zero", "1"]'}, {"pixels": PIXELS}, "it does not know the classes '0', '2', '3'"),
    ({"softmax": True}, {"pixels": PIXELS}, "teacher.gives: what it gives are probabilities"),
    ({}, {"pixels": PIXELS, "gives": "probabilities"}, "teacher.gives: what it gives are no probabilities"),
    ({"reshape": (1, 64)}, {"pixels": PIXELS}, "one row at a time: export it with a dynamic batch"),
    ({"columns": [*range(5, 10), *range(5)]}, {"pixels": PIXELS}, "see teacher.pixels, and the order"),
    ({"opset": 6}, {"pixels": PIXELS}, "has opset 6"),
]


@pytest.mark.parametrize(("file", "teacher", "words"), REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_what_it_is_and_what_can(
    file, teacher, words, foreign, rows
):
    assert words in faults(foreign(**file), named(**teacher), rows)


def test_all_that_is_wrong_is_told_at_once(foreign, rows):
    content = foreign(shape=("n", 63), metadata='["zero"]')
    told = faults(content, named(pixels=PIXELS), rows)
    assert "8 x 8 x 1" in told
    assert "does not know the classes" in told


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09"])
def test_a_file_that_is_no_model_is_refused(content, rows):
    assert "not an ONNX file" in faults(content, named(), rows)


def test_weights_in_another_file_are_refused_with_what_to_do(foreign, rows):
    model = onnx.load_from_string(foreign())
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    assert "save_as_external_data=False" in faults(model.SerializeToString(), named(pixels=PIXELS), rows)


def test_two_inputs_are_refused(foreign, rows):
    model = onnx.load_from_string(foreign())
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 8]))
    told = faults(model.SerializeToString(), named(pixels=PIXELS), rows)
    assert "it takes 2 inputs (x float (?, 1, 8, 8), mask float (?, 8))" in told


def test_a_table_with_categories_wants_a_file_that_knows_them(foreign, table):
    assert "these rows have categories" in faults(foreign(shape=("n", 4)), named(), table)


def test_weights_of_a_named_network_are_the_network(students, rows):
    model = students["mlp"]
    teacher = WeightsTeacher(kind="weights", file="t.safetensors", model=MLP)
    adopted = adopt_weights(save(dict(model.state_dict())), teacher, rows)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in adopted.state_dict().items())


def test_weights_without_an_encoding_learn_it_from_the_train_rows(students, rows):
    model = students["mlp"]
    bare = {name: value for name, value in model.state_dict().items() if not name.startswith("encoding.")}
    teacher = WeightsTeacher(kind="weights", file="t.safetensors", model=MLP)
    adopted = adopt_weights(save(bare), teacher, rows)
    images = torch.from_numpy(np.array(rows.features[:50]))
    with torch.no_grad():
        torch.testing.assert_close(adopted(images), model.eval()(images))


def test_weights_of_another_network_are_refused_tensor_by_tensor(students, rows):
    weights = dict(students["mlp"].state_dict())
    weights["head.weight"] = weights.pop("layers.2.dense.weight")
    weights["layers.1.dense.bias"] = torch.zeros(7)
    teacher = WeightsTeacher(kind="weights", file="t.safetensors", model=MLP)
    with pytest.raises(ParamsError) as caught:
        adopt_weights(save(weights), teacher, rows)
    assert caught.value.faults == (
        "layers.2.dense.weight is missing",
        "head.weight is unknown to the network",
        "layers.1.dense.bias is (7,); the network's is (16,)",
    )


def test_a_file_that_holds_no_safetensors_is_refused(rows):
    teacher = WeightsTeacher(kind="weights", file="t.safetensors", model=MLP)
    with pytest.raises(ParamsError, match=r"t\.safetensors is not a safetensors file"):
        adopt_weights(b"pickle me", teacher, rows)
