import copy
import zlib

import onnx
import pytest

from distillery.export import export
from distillery.params.quantize import DynamicParams
from distillery.pruning.masks import apply_masks, by_magnitude, prunable
from distillery.quantization.quantize import dynamic, static
from distillery.sparsity import transport_bytes, zero_share


@pytest.fixture(scope="module")
def sparse(students, rows):
    """A residual network of whose weights 70 % are zero, layer by layer, as a float file."""
    model = copy.deepcopy(students["resnet"])
    weights = prunable(model)
    apply_masks(weights, by_magnitude(weights, 0.7, "layer"))
    return export(model, rows.classes)


def test_a_float_file_has_the_zeros_of_its_model_also_after_folding(sparse, files):
    assert zero_share(sparse) == pytest.approx(0.7, abs=0.01)
    assert zero_share(files["resnet"]) == 0


@pytest.mark.parametrize("weights", ["uint8", "int8"])
def test_integers_at_their_zero_point_are_zeros_too(sparse, rows, weights):
    content = dynamic(onnx.load_from_string(sparse), DynamicParams(weights=weights), rows.classes)
    assert 0.7 <= zero_share(content) < 0.75  # small weights round to zero besides


def test_a_static_file_keeps_the_zeros(sparse, rows, static_params):
    content = static(onnx.load_from_string(sparse), rows, static_params(ranges="minmax"))
    assert 0.7 <= zero_share(content) < 0.75


def test_zeros_make_no_file_smaller_but_the_compressed_one(sparse, files):
    assert len(sparse) == len(files["resnet"])
    assert transport_bytes(sparse) < 0.7 * transport_bytes(files["resnet"])
    assert transport_bytes(sparse) == len(zlib.compress(sparse, 9))
