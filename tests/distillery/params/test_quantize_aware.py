"""The block `quantize.qat`: what is legal, and what is refused when params are read."""

from __future__ import annotations

import pytest

from distillery.errors import ParamsError
from distillery.params.project import load_params
from distillery.params.quantize import BitsProgress, LayersProgress, LearnedScales, ObservedScales

LAYERS = "quantize.qat.progress={kind: layers, epochs: %d, order: input}"
BITS = "quantize.qat.progress={kind: bits, epochs: %d, steps: %s}"


def faults(root, *settings):
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", (), settings)
    return caught.value.faults


def test_the_shipped_recipe_observes_its_scales_and_rounds_everything_at_once(shipped):
    assert isinstance(shipped.quantize.qat.scales, ObservedScales)
    assert shipped.quantize.qat.progress is None
    assert shipped.quantize.qat.whole_from == 0
    assert shipped.quantize.qat.observed == shipped.quantize.qat.observe_epochs


def test_the_preset_of_learned_scales_is_legal_and_changes_nothing_else(root, shipped):
    preset = load_params(root / "params.yaml", [root / "params/lsq.yaml"])
    qat = preset.quantize.qat
    assert isinstance(qat.scales, LearnedScales)
    assert qat.training == shipped.quantize.qat.training
    scales = shipped.quantize.qat.scales
    assert (
        preset.quantize.model_copy(update={"qat": qat.model_copy(update={"scales": scales})})
        == shipped.quantize
    )


def test_the_preset_that_rounds_step_by_step_is_legal(root):
    qat = load_params(root / "params.yaml", [root / "params/progressive.yaml"]).quantize.qat
    assert isinstance(qat.progress, LayersProgress | BitsProgress)
    assert qat.whole_from == qat.progress.epochs
    assert qat.observed < qat.training.epochs


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (LAYERS % 10, "observe_epochs + quantize.qat.progress.epochs must be below"),
        (LAYERS % 0, "quantize.qat.progress.epochs: input should be greater than or equal to 1"),
        (BITS % (2, "[12, 16]"), "quantize.qat.progress: steps must be ever fewer bits, as in [16, 12]"),
        (BITS % (2, "[12, 12]"), "not [12, 12]"),
        (BITS % (1, "[16, 12]"), "epochs must be at least 2, one for each of steps"),
        (BITS % (2, "[8]"), "quantize.qat.progress.steps.0: input should be greater than 8"),
        (BITS % (2, "[24]"), "quantize.qat.progress.steps.0: input should be less than or equal to 16"),
        (BITS % (2, "[]"), "not []"),
        ("quantize.qat.scales={kind: learned, start: range}", "quantize.qat.scales.weights: is missing"),
        ("quantize.qat.scales={kind: learned, start: zero, weights: per_channel}", "'range' or 'mean'"),
        ("quantize.qat.scales={kind: observed, start: range}", "quantize.qat.scales.start: is unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place_and_what_may_be(root, setting, words):
    (fault,) = faults(root, setting)
    assert fault.startswith("quantize.qat")
    assert words in fault


def test_the_longest_progress_leaves_an_epoch_whose_ranges_stand(root):
    settings = (LAYERS % 9,)
    qat = load_params(root / "params.yaml", (), settings).quantize.qat
    assert qat.observed == qat.training.epochs - 1
