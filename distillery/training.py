"""The one training loop, as a stream of epochs. What is learned is the objective's business."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.utils.deterministic as deterministic_fill
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from distillery.data.batches import Batch, TrainBatches, plain_batches
from distillery.data.rows import Rows, Split
from distillery.errors import DistilleryError
from distillery.models.layers import Network
from distillery.models.network import Classifier
from distillery.normalisation import learn_encoding
from distillery.params.runtime import RuntimeParams
from distillery.params.training import TrainingParams

Objective = Callable[[Tensor, Batch], Tensor]  # logits (B, classes), batch -> scalar loss
AfterStep = Callable[[], None]  # may change weights; gradients are still there

FINAL_RATE = 0.01  # share of the learning rate that a decaying schedule ends at
WARM_UP = 0.25  # share of the steps in which one-cycle rises


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. `accuracy` is on validation rows; `best` says that its weights are kept."""

    done: int
    total: int
    loss: float
    accuracy: float
    learning_rate: float
    best: bool

    @property
    def note(self) -> str:
        """The metric, for a progress bar."""
        return f"loss {self.loss:.3f}  validation {self.accuracy:.2%}"


@contextmanager
def reproducible(runtime: RuntimeParams) -> Iterator[None]:
    """Fix seed, threads and algorithms inside the block, so that equal inputs give equal bits."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(runtime.threads)
    torch.use_deterministic_algorithms(True)
    deterministic_fill.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a tenth of the time
    torch.manual_seed(runtime.seed)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)


def new_classifier(network: Network, rows: Rows, runtime: RuntimeParams) -> Classifier:
    """A freshly initialised network whose encoding has learned the train rows."""
    torch.manual_seed(runtime.seed)
    model = Classifier(network)
    learn_encoding(model, rows)
    return model


def train(
    model: Classifier,
    batches: TrainBatches,
    objective: Objective,
    training: TrainingParams,
    runtime: RuntimeParams,
    *,
    after_step: AfterStep | None = None,
    keep_from: int = 1,
    beside: nn.Module | None = None,
) -> Iterator[Epoch]:
    """Train `model` in place and yield each epoch; at the end it holds the weights of the best epoch.

    Best is the highest validation accuracy, the latest among equals, of the epochs from `keep_from` on: those
    before cannot end the training either. `beside` is what the objective learns along. Raises
    DistilleryError when the loss is no longer a number.
    """
    with reproducible(runtime):
        fast = runtime.precision == "bf16"  # whose kernels want channels last; fp32's do not
        _place(model, runtime.device, torch.channels_last if fast else torch.contiguous_format)
        learned = model if beside is None else nn.ModuleList([model, beside.to(runtime.device)])
        optimizer = _optimizer(learned, training)
        schedule = _schedule(optimizer, training, len(batches))
        best, weights, since_best = -1.0, copy.deepcopy(model.state_dict()), 0
        for number in range(training.epochs):
            loss = _one_epoch(
                model, batches.epoch(number), objective, optimizer, schedule, runtime, after_step
            )
            accuracy = validate(model, batches.rows, runtime)
            counts = number + 1 >= keep_from
            improved = counts and accuracy >= best
            since_best = since_best + 1 if counts and accuracy <= best else 0
            if improved:
                best, weights = accuracy, copy.deepcopy(model.state_dict())
            yield Epoch(
                number + 1, training.epochs, loss, accuracy, float(schedule.get_last_lr()[0]), improved
            )
            if counts and _is_over(training, accuracy, since_best):
                break
        model.load_state_dict(weights)
        _place(model.eval(), "cpu", torch.contiguous_format)


def _place(model: nn.Module, device: str, layout: torch.memory_format) -> None:
    model.to(device).to(memory_format=layout)  # type: ignore[call-overload]


def _is_over(training: TrainingParams, accuracy: float, since_best: int) -> bool:
    reached = training.target is not None and accuracy >= training.target
    return reached or (training.patience is not None and since_best >= training.patience)


def _one_epoch(
    model: nn.Module,
    batches: Iterator[Batch],
    objective: Objective,
    optimizer: Optimizer,
    schedule: LRScheduler,
    runtime: RuntimeParams,
    after_step: AfterStep | None,
) -> float:
    """Mean loss over the rows of one epoch of descent."""
    model.train()
    total, count = torch.zeros((), device=runtime.device), 0
    for batch in batches:
        here = moved(batch, runtime)
        optimizer.zero_grad(set_to_none=True)
        with autocast(runtime):
            logits = model(here.features)
        loss = objective(logits.float(), here)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if after_step is not None:
            after_step()
        schedule.step()
        total += loss.detach() * len(batch.labels)
        count += len(batch.labels)
    mean = float(total) / count
    if not math.isfinite(mean):
        raise DistilleryError(f"training diverged: the loss is {mean}; lower the learning_rate")
    return mean


@torch.no_grad()
def validate(model: nn.Module, rows: Rows, runtime: RuntimeParams) -> float:
    """Accuracy on the validation rows."""
    positions = rows.where(Split.VALIDATION)
    correct = 0
    for batch in plain_batches(rows, positions):
        correct += int((predict(model, batch, runtime).argmax(1) == batch.labels).sum())
    return correct / len(positions)


@torch.no_grad()
def predict(model: nn.Module, batch: Batch, runtime: RuntimeParams) -> Tensor:
    """Logits (B, classes) float32 on the CPU, in eval mode."""
    model.eval()
    with autocast(runtime):
        logits: Tensor = model(batch.features.to(runtime.device))
    return logits.float().cpu()


def moved(batch: Batch, runtime: RuntimeParams) -> Batch:
    """The batch on the device that trains."""
    targets = None if batch.targets is None else batch.targets.to(runtime.device)
    return Batch(batch.features.to(runtime.device), batch.labels.to(runtime.device), targets)


def autocast(runtime: RuntimeParams) -> torch.autocast:
    """bf16 where the precision asks for it."""
    return torch.autocast(runtime.device, dtype=torch.bfloat16, enabled=runtime.precision == "bf16")


def hard_labels(label_smoothing: float) -> Objective:
    """Cross-entropy with the true labels, smoothed (Szegedy et al. 2015, section 7)."""

    def objective(logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits, batch.labels, label_smoothing=label_smoothing)

    return objective


def _optimizer(model: nn.Module, training: TrainingParams) -> Optimizer:
    """Weight decay on matrices and kernels only, as is usual for batch norm and biases."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    match training.optimizer:
        case "sgd":
            nesterov = training.momentum > 0
            return torch.optim.SGD(groups, training.learning_rate, training.momentum, nesterov=nesterov)
        case "adam":
            return torch.optim.Adam(groups, training.learning_rate)
        case "adamw":
            return torch.optim.AdamW(groups, training.learning_rate)


def _schedule(optimizer: Optimizer, training: TrainingParams, steps: int) -> LRScheduler:
    """The learning rate, step by step."""
    total = training.epochs * steps
    match training.schedule:
        case "constant":
            return LambdaLR(optimizer, lambda _: 1.0)
        case "linear":
            return LambdaLR(optimizer, lambda step: 1 - (1 - FINAL_RATE) * min(1, step / total))
        case "exponential":
            return LambdaLR(optimizer, lambda step: FINAL_RATE ** (step / total))
        case "cosine":
            return LambdaLR(
                optimizer,
                lambda step: (
                    FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * min(1, step / total))) / 2
                ),
            )
        case "one_cycle":
            return OneCycleLR(
                optimizer,
                training.learning_rate,
                total_steps=total + 1,
                pct_start=WARM_UP,
                cycle_momentum=False,
            )
