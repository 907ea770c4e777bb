import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tasks.onnx_tensors import graph_tensors


def write(path, kind, shape):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["logits"])],
        "g",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "kind", [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING]
)
def test_the_example_is_what_the_file_takes(tmp_path, kind):
    file = write(tmp_path / "m.onnx", kind, ["n", 2, 3])
    (taken,), (given,) = graph_tensors(file)
    assert (taken.name, taken.shape, given.name) == ("input", (-1, 2, 3), "logits")

    example = taken.example()
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"input": example})
    assert np.array_equal(answer, example)
    assert example.shape == (1, 2, 3)


def test_the_example_of_a_tables_file_is_numbers_and_names(tmp_path, table_file):
    (tmp_path / "m.onnx").write_bytes(table_file)
    taken, (logits,) = graph_tensors(tmp_path / "m.onnx")
    example = {tensor.name: tensor.example() for tensor in taken}
    assert {name: (array.dtype, array.shape) for name, array in example.items()} == {
        "input": (np.float32, (1, 2)),
        "categories": (object, (1, 2)),
    }
    session = onnxruntime.InferenceSession(table_file, providers=["CPUExecutionProvider"])
    assert session.run([logits.name], example)[0].shape == (1, 3)
