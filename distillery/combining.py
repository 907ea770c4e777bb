"""One set of targets from several teachers'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.rows import Rows, Split
from distillery.labelling import Labelled, targets_file
from distillery.params.teachers import Confidence, Mean, Weighted

Logits = NDArray[np.float32]


def combine(
    rows: Rows, targets: Sequence[Logits], how: Mean | Weighted | Confidence, file: Path
) -> Iterator[Labelled]:
    """Write the weighted mean of the teachers' targets (views, N_train, classes), view by view.

    A mean of logits is the geometric mean of the distributions, whatever the temperature (Hinton, Vinyals,
    Dean 2015, section 1, name both means).
    """
    labels = rows.labels[rows.where(Split.TRAIN)]
    views = len(targets[0])
    with targets_file(file, targets[0].shape) as stream:
        for view in range(views):
            given = np.stack([np.asarray(target[view], np.float64) for target in targets])
            mean = (shares(given, labels, how)[:, :, None] * given).sum(0)
            stream.write(np.ascontiguousarray(mean, "<f4").data)
            yield Labelled(view + 1, views)


def shares(
    given: NDArray[np.float64], labels: NDArray[np.int64], how: Mean | Weighted | Confidence
) -> NDArray[np.float64]:
    """What each of K teachers counts for each of N rows, (K, N), summing to 1; logits are (K, N, classes).

    By confidence: (1 - exp(CE_k) / sum_j exp(CE_j)) / (K - 1), CE_k the cross-entropy of teacher k with the
    true label (Zhang, Chen, Wang 2022, https://arxiv.org/abs/2201.00007).
    """
    teachers, count = given.shape[:2]
    match how:
        case Mean():
            return np.full((teachers, count), 1 / teachers)
        case Weighted():
            weights = np.array(how.weights) / sum(how.weights)
            return np.repeat(weights[:, None], count, axis=1)
        case Confidence():
            unsure = _softmax(_cross_entropy(given, labels), axis=0)
            return np.asarray((1 - unsure) / (teachers - 1))


def _cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K, N)."""
    top = logits.max(2)
    of_all = top + np.log(np.exp(logits - top[:, :, None]).sum(2))
    return np.asarray(of_all - logits[:, np.arange(len(labels)), labels])


def _softmax(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis, keepdims=True))
