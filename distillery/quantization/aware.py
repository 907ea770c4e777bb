"""From a float student to int8, aware of the rounding while it is trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from distillery.data.batches import TrainBatches
from distillery.data.rows import Rows
from distillery.losses.soft import soft_and_hard_labels
from distillery.models.network import Classifier
from distillery.params.data import AugmentParams
from distillery.params.distill import DistillParams
from distillery.params.quantize import LearnedScales, QatParams
from distillery.params.runtime import RuntimeParams
from distillery.pruning.masks import held_zeros
from distillery.quantization.learned_scales import learn_scales
from distillery.quantization.progressive_rounding import Rounding
from distillery.training import Epoch, reproducible, train


def train_aware(
    quantized: Classifier,
    rows: Rows,
    targets: NDArray[np.float32],
    augment: AugmentParams,
    distill: DistillParams,
    qat: QatParams,
    runtime: RuntimeParams,
) -> Iterator[Epoch]:
    """Train a `with_fake_quantizers` model in place on the teacher's targets; pruned weights stay zero.

    In fp32 whatever the precision asked for: bf16 is coarser than int8. The epoch that is kept is one with
    everything rounded to eight bits.
    """
    batches = TrainBatches(rows, augment, qat.training.batch_size, runtime.seed, augment.views, targets)
    exact = runtime.model_copy(update={"precision": "fp32"})
    objective, held = soft_and_hard_labels(distill), held_zeros(quantized)
    if isinstance(qat.scales, LearnedScales):
        learn_scales(quantized, qat.scales)
    with reproducible(exact):
        rounding = Rounding(quantized, rows, qat)
    whole = qat.whole_from + 1
    for epoch in train(quantized, batches, objective, qat.training, exact, after_step=held, keep_from=whole):
        rounding.before(epoch.done)
        yield epoch
