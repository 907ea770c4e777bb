"""What is rounded as the epochs of quantization-aware training pass: all at once, or step by step.

After incremental network quantization (Zhou et al. 2017, https://arxiv.org/abs/1702.03044): while a part is
rounded, the rest, still in float, makes up for it. There the parts are shares of every layer's weights, and
frozen; here they are whole layers (as in Baskin et al. 2018, https://arxiv.org/abs/1804.10969) that go on
training, or all layers lose bits (Zhuang et al. 2018, https://arxiv.org/abs/1711.00205). Either way ends with
everything rounded to eight bits.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from distillery.data.batches import plain_batches
from distillery.data.rows import Rows
from distillery.models.network import Classifier
from distillery.params.quantize import BitsProgress, LayersProgress, QatParams
from distillery.quantization.fake_quantization import quantizers, stop_observing
from distillery.quantization.quantizers import BITS, ActivationQuantizer, WeightQuantizer

Layer = list[WeightQuantizer | ActivationQuantizer]  # a weight's, and those of what follows up to the next


class Rounding:
    """Sets a `with_fake_quantizers` model's quantizers, in place, to what an epoch asks of them."""

    def __init__(self, model: Classifier, rows: Rows, qat: QatParams) -> None:
        self.model, self.qat = model, qat
        self.layers = layers(model)
        if isinstance(qat.progress, LayersProgress) and qat.progress.order == "sensitivity":
            self.layers = by_sensitivity(model, rows)
        self.before(0)

    def before(self, epoch: int) -> None:
        """Set what holds in this epoch, from 0."""
        for layer, bits in zip(self.layers, self._bits(epoch), strict=True):
            _set(layer, bits)
        if epoch == self.qat.observed:
            stop_observing(self.model)

    def _bits(self, epoch: int) -> list[int | None]:
        """The bits of each layer; None: float."""
        count = len(self.layers)
        match self.qat.progress:
            case LayersProgress(epochs=epochs) if epoch < epochs:
                rounded = -(-count * (epoch + 1) // (epochs + 1))  # as many more every epoch, one at least
                return [BITS] * rounded + [None] * (count - rounded)
            case BitsProgress(epochs=epochs, steps=steps) if epoch < epochs:
                return [steps[epoch * len(steps) // epochs]] * count
            case _:
                return [BITS] * count


def layers(model: Classifier) -> list[Layer]:
    """The quantizers layer by layer from the input on; what is rounded before any weight is of the first."""
    found: list[Layer] = [[]]
    for quantizer in quantizers(model):
        if isinstance(quantizer, WeightQuantizer) and any(isinstance(q, WeightQuantizer) for q in found[-1]):
            found.append([])
        found[-1].append(quantizer)
    return found


def by_sensitivity(model: Classifier, rows: Rows) -> list[Layer]:
    """The layers, that first which when rounded alone moves the logits of the calibration rows the most.

    The most sensitive first, as in Dong et al. 2019, https://arxiv.org/abs/1905.03696, whose
    measure is of second order: it has the longest to recover. Ranges are those of the calibration rows.
    """
    ordered = layers(model)
    everything = [quantizer for layer in ordered for quantizer in layer]
    _set(everything, None)
    model.eval()
    for quantizer in everything:
        quantizer.train()  # where ranges are observed
    exact = _logits(model, rows)
    model.eval()
    moved = []
    for layer in ordered:
        _set(layer, BITS)
        moved.append(float((_logits(model, rows) - exact).square().mean()))
        _set(layer, None)
    return [ordered[at] for at in np.argsort(-np.array(moved), kind="stable")]


@torch.no_grad()
def _logits(model: Classifier, rows: Rows) -> Tensor:
    return torch.cat([model(b.features) for b in plain_batches(rows, np.flatnonzero(rows.calibration))])


def _set(layer: Iterable[WeightQuantizer | ActivationQuantizer], bits: int | None) -> None:
    for quantizer in layer:
        quantizer.bits = bits
