"""How the weights of a distillation move from epoch to epoch."""

from __future__ import annotations

from dataclasses import dataclass

from distillery.params.distill import Annealed, ByAgreement, Constant, DistillParams, Rising


@dataclass(frozen=True)
class Progress:
    """Where a training stands as an epoch begins.

    `agreement`: the share of the last epoch's rows that the student classified as its teacher; 0 at first.
    """

    epoch: int  # from 0
    epochs: int
    agreement: float


@dataclass(frozen=True)
class Weights:
    """What holds for one epoch."""

    temperature: float
    alpha: float


def paced(distill: DistillParams, now: Progress) -> Weights:
    """Temperature and alpha of an epoch.

    Rising: alpha * min(1, epoch / epochs), from 1, as in the code of Zhao et al. 2022. Annealed: a straight
    line from the first epoch to the last (after Jafari et al. 2021, https://arxiv.org/abs/2104.07163, who
    lower the temperature). By agreement: the same line, at the student's agreement.
    """
    at_first = Weights(distill.temperature, distill.alpha)
    match distill.pace:
        case Constant():
            return at_first
        case Rising(epochs=epochs):
            return Weights(distill.temperature, distill.alpha * risen(epochs, now))
        case Annealed() as end:
            return _between(at_first, end, now.epoch / max(1, now.epochs - 1))
        case ByAgreement() as end:
            return _between(at_first, end, now.agreement)


def risen(epochs: int, now: Progress) -> float:
    """The share of a weight that rises over so many epochs; 0 epochs: all of it at once."""
    return 1.0 if epochs == 0 else min(1.0, (now.epoch + 1) / epochs)


def _between(start: Weights, end: Annealed | ByAgreement, share: float) -> Weights:
    return Weights(
        start.temperature + (end.temperature - start.temperature) * share,
        start.alpha + (end.alpha - start.alpha) * share,
    )
