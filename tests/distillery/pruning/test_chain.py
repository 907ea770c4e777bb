"""Pruned, retrained, then quantization-aware: what was pruned stays so in the file."""

import copy
import dataclasses

import numpy as np
import pytest

from distillery.data.rows import Split
from distillery.export import compare, export
from distillery.operators import compute_operators
from distillery.pruning.prune import prune
from distillery.quantization.aware import train_aware
from distillery.quantization.fake_quantization import round_biases, with_fake_quantizers
from distillery.sparsity import zero_share


@pytest.fixture(scope="module")
def chained(students, rows, targets, augment, shipped, runtime, training, method):
    """Kind -> the quantized model and its file, after one epoch of either."""
    made = {}
    for kind in ("regrow", "channels"):
        model = copy.deepcopy(students["resnet"])
        for _ in prune(model, rows, targets, augment, shipped.distill, method(kind, epochs=1), runtime):
            pass
        quantized = with_fake_quantizers(model)
        qat = shipped.quantize.qat.model_copy(
            update={"observe_epochs": 1, "training": training(epochs=2, learning_rate=0.002)}
        )
        for _ in train_aware(quantized, rows, targets, augment, shipped.distill, qat, runtime):
            pass
        round_biases(quantized)
        made[kind] = (quantized, export(quantized, rows.classes))
    return made


def test_zeros_outlive_quantization_aware_training(chained):
    assert 0.59 <= zero_share(chained["regrow"][1]) < 0.75  # small weights round to zero besides


def test_a_narrower_student_has_no_more_zeros_than_rounding_makes(chained):
    assert zero_share(chained["channels"][1]) < 0.1


@pytest.mark.parametrize("kind", ["regrow", "channels"])
def test_the_file_of_a_pruned_student_agrees_and_runs_in_integer(chained, rows, kind):
    model, content = chained[kind]
    everything = dataclasses.replace(rows, splits=np.full_like(rows.splits, Split.VALIDATION))
    assert compare(model, content, everything).agreement >= 0.999
    assert all(operator.is_integer for operator in compute_operators(content))
