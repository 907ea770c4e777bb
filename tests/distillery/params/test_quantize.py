"""The block `quantize.static`: what is refused when params are read, and what the message says to do."""

from __future__ import annotations

import pytest

from distillery.errors import ParamsError
from distillery.params.project import load_params
from distillery.params.quantize import LearnedParams

MIXED = "{bits: [4, 8], max_accuracy_drop: 0.5, max_bytes: null}"


def refused(root, *settings):
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", (), [f"quantize.static.{setting}" for setting in settings])
    return "\n".join(caught.value.faults)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["bits.weights=3"], "quantize.static.bits.weights: input should be 4, 8 or 16, not 3"),
        (["bits.weights=true"], "quantize.static.bits.weights: input should be 4, 8 or 16, not True"),
        (["bits.activations=4"], "quantize.static.bits.activations: input should be 8 or 16, not 4"),
        (["rounding={kind: random}"], "quantize.static.rounding"),
        (["rounding.kind=learned"], "quantize.static.rounding.steps: is missing"),
        ([f"mixed={MIXED}", "fallback={max_accuracy_drop: 1}"], "fallback and mixed both choose layers"),
        ([f"mixed={MIXED}", "bits.weights=4"], "leave bits.weights at 8"),
        (["mixed={bits: [8], max_accuracy_drop: 1, max_bytes: null}"], "two or more of 4, 8, 16 and 32"),
        (["mixed={bits: [8, 4], max_accuracy_drop: 1, max_bytes: null}"], "rising, not [8, 4]"),
        (["mixed={bits: [4, 8], max_accuracy_drop: null, max_bytes: null}"], "or both"),
        (["bits.activations=16", "ranges=mse"], "16 take minmax or percentile"),
        (["bits.activations=16", "ranges=entropy"], "16 take minmax or percentile"),
    ],
)
def test_what_cannot_be_is_refused_when_params_are_read(root, settings, said):
    assert said in refused(root, *settings)


def test_all_that_does_not_agree_is_said_at_once(root):
    told = refused(
        root,
        f"mixed={MIXED}",
        "fallback={max_accuracy_drop: 1}",
        "bits={weights: 4, activations: 16}",
        "ranges=mse",
    )
    assert all(
        part in told for part in ("both choose layers", "leave bits.weights at 8", "minmax or percentile")
    )


def test_the_preset_gives_few_bits_where_they_do_no_harm(root):
    static = load_params(root / "params.yaml", [root / "params/int4.yaml"]).quantize.static
    assert static.mixed is not None
    assert static.mixed.bits[0] == 4
    assert isinstance(static.rounding, LearnedParams)
    assert static.fallback is None
