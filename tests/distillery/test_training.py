from __future__ import annotations

import copy
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from distillery.data.batches import TrainBatches
from distillery.data.rows import Split
from distillery.errors import DistilleryError
from distillery.training import (
    FINAL_RATE,
    WARM_UP,
    Epoch,
    _optimizer,
    _schedule,
    hard_labels,
    new_classifier,
    predict,
    reproducible,
    train,
    validate,
)

TRAIN_ONE = """
import hashlib
from pathlib import Path
from distillery.data.batches import TrainBatches
from distillery.data.rows import load_rows
from distillery.models.mlp import Mlp
from distillery.params.data import AugmentParams
from distillery.params.runtime import RuntimeParams
from distillery.params.training import TrainingParams
from distillery.training import hard_labels, new_classifier, train

rows = load_rows(Path(FOLDER))
runtime = RuntimeParams(seed=SEED, threads=2, precision="fp32", device="cpu")
training = TrainingParams(
    epochs=2, batch_size=32, optimizer="adamw", learning_rate=0.01, momentum=0.9, weight_decay=0.01,
    schedule="one_cycle", patience=None, target=None,
)
mlp = Mlp(family="mlp", hidden=(16,), dropout=0.2)
model = new_classifier(mlp.network(rows.form, 10), rows, runtime)
batches = TrainBatches(rows, AugmentParams(views=2, shift=1, flip=True), 32, runtime.seed)
list(train(model, batches, hard_labels(0.1), training, runtime))
state = sorted(model.state_dict().items())
DIGEST = hashlib.sha256(b"".join(t.numpy().tobytes() for _, t in state)).hexdigest()
"""


def train_one(rows, seed):
    folder = Path(rows.features.filename).parent
    return TRAIN_ONE.replace("SEED", str(seed)).replace("FOLDER", repr(str(folder)))


def digest(rows, seed):
    scope = {}
    exec(train_one(rows, seed), scope)  # noqa: S102
    return scope["DIGEST"]


@pytest.fixture
def run(rows, augment, untrained, runtime):
    """Train a fresh MLP; returns the model and its epochs."""

    def run(training, objective=None, model=None):
        model = model or untrained("mlp")
        batches = TrainBatches(rows, augment, training.batch_size, runtime.seed, augment.views)
        return model, list(train(model, batches, objective or hard_labels(0.0), training, runtime))

    return run


def test_the_same_seed_gives_the_same_bits_in_another_process_and_another_seed_does_not(rows):
    code = train_one(rows, 3) + "print(DIGEST)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    torch.rand(3)  # what was drawn before plays no part
    assert digest(rows, 3) == done.stdout.strip()
    assert digest(rows, 4) != digest(rows, 3)


def test_training_learns_the_digits_and_streams_its_epochs(run, training, rows, runtime):
    model, epochs = run(training(epochs=12, learning_rate=0.02))
    assert [e.done for e in epochs] == list(range(1, 13))
    assert {e.total for e in epochs} == {12}
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    assert max(e.accuracy for e in epochs) > 0.6
    assert epochs[0].note.startswith("loss ")
    assert f"{epochs[0].accuracy:.2%}" in epochs[0].note
    assert not model.training
    assert validate(model, rows, runtime) == max(e.accuracy for e in epochs)


def test_the_first_epoch_is_yielded_before_the_second_is_trained(rows, augment, untrained, training, runtime):
    batches = TrainBatches(rows, augment, 32, runtime.seed)
    stream = train(untrained("mlp"), batches, hard_labels(0.0), training(epochs=10_000), runtime)
    assert next(stream).done == 1
    stream.close()
    assert not torch.are_deterministic_algorithms_enabled()


def scripted(monkeypatch, accuracies):
    """Validation accuracies come from a script; the weights of each epoch are kept aside."""
    weights = []

    def validate(model, rows, runtime):
        weights.append(copy.deepcopy(model.state_dict()))
        return accuracies[len(weights) - 1]

    monkeypatch.setattr("distillery.training.validate", validate)
    return weights


def test_the_weights_of_the_best_epoch_are_kept_the_latest_among_equals(run, training, monkeypatch):
    weights = scripted(monkeypatch, [0.2, 0.7, 0.7, 0.5])
    model, epochs = run(training(epochs=4))
    assert [e.best for e in epochs] == [True, True, True, False]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[2][name])
    assert not torch.equal(weights[2]["layers.1.dense.weight"], weights[3]["layers.1.dense.weight"])


def test_patience_counts_epochs_without_a_better_accuracy(run, training, monkeypatch):
    scripted(monkeypatch, [0.1, 0.5, 0.5, 0.4, 0.9, 0.9])
    _, epochs = run(training(epochs=6, patience=2))
    assert [e.accuracy for e in epochs] == [0.1, 0.5, 0.5, 0.4]


def test_without_patience_every_epoch_runs(run, training, monkeypatch):
    scripted(monkeypatch, [0.5, 0.4, 0.3, 0.2, 0.1])
    assert len(run(training(epochs=5))[1]) == 5


def test_training_stops_when_the_target_is_reached(run, training, monkeypatch):
    scripted(monkeypatch, [0.5, 0.9, 0.95])
    assert len(run(training(epochs=3, target=0.9))[1]) == 2


def test_a_loss_that_is_no_number_stops_the_training(run, training):
    def diverge(logits, batch):
        return logits.sum() * float("nan")

    with pytest.raises(DistilleryError, match=r"diverged.*learning_rate"):
        run(training(), diverge)
    assert not torch.are_deterministic_algorithms_enabled()


def rates(training, steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], training.learning_rate)
    schedule = _schedule(optimizer, training, steps)
    seen = [schedule.get_last_lr()[0]]
    for _ in range(training.epochs * steps):
        optimizer.step()
        schedule.step()
        seen.append(schedule.get_last_lr()[0])
    return np.array(seen)


@pytest.mark.parametrize(
    ("name", "start", "middle", "end"),
    [
        ("constant", 1, 1, 1),
        ("linear", 1, (1 + FINAL_RATE) / 2, FINAL_RATE),
        ("exponential", 1, math.sqrt(FINAL_RATE), FINAL_RATE),
        ("cosine", 1, (1 + FINAL_RATE) / 2, FINAL_RATE),
    ],
)
def test_a_schedule_starts_ends_and_passes_where_it_should(training, name, start, middle, end):
    seen = rates(training(epochs=4, schedule=name, learning_rate=0.5), 10) / 0.5
    assert seen[[0, 20, 40]] == pytest.approx([start, middle, end])
    assert (np.diff(seen) <= 1e-12).all()


def test_one_cycle_rises_for_a_quarter_and_then_falls_below_where_it_began(training):
    seen = rates(training(epochs=4, schedule="one_cycle", learning_rate=0.5), 10)
    top = int(seen.argmax())
    assert top == pytest.approx(WARM_UP * 40, abs=1)
    assert seen[0] == pytest.approx(0.5 / 25)
    assert seen[top] == pytest.approx(0.5, rel=0.02)
    assert seen[-1] < seen[0] / 100
    assert (np.diff(seen[: top + 1]) > 0).all()
    assert (np.diff(seen[top:]) < 0).all()


def test_the_epochs_tell_the_learning_rate(run, training):
    _, epochs = run(training(epochs=2, schedule="linear", learning_rate=0.02))
    assert [e.learning_rate for e in epochs] == pytest.approx(
        [0.02 * (1 + FINAL_RATE) / 2, 0.02 * FINAL_RATE]
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_matrices_decay_and_biases_and_batch_norms_do_not(untrained, training, name, kind):
    model = untrained("resnet")
    optimizer = _optimizer(model, training(optimizer=name, weight_decay=0.3))
    assert type(optimizer) is kind
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {
        decay[id(p)] for n, p in model.named_parameters() if n.endswith(("conv.weight", "dense.weight"))
    } == {0.3}
    assert {decay[id(p)] for n, p in model.named_parameters() if "norm" in n or n.endswith("bias")} == {0.0}
    assert len(decay) == len(list(model.parameters()))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_one_step_of_sgd_is_the_textbook_step(training, momentum):
    """Nesterov's first step is lr (1 + momentum) gradient (Sutskever et al. 2013, with a zero velocity)."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = _optimizer(
        nn.ParameterList([weight]), training(optimizer="sgd", momentum=momentum, learning_rate=0.1)
    )
    (3 * weight).backward()
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.1 * 3 * (1 + momentum))


def test_smoothed_labels_are_a_mixture_with_the_uniform_distribution(rows):
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 4, 5])
    truth = 0.8 * nn.functional.one_hot(labels, 10) + 0.2 / 10
    expected = -(truth * torch.log_softmax(logits, 1)).sum(1).mean()
    batch = type("B", (), {"labels": labels})
    assert hard_labels(0.2)(logits, batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_rows_without_any_contrast_do_not_divide_by_zero(rows, untrained, runtime):
    import dataclasses

    flat = dataclasses.replace(rows, features=np.full_like(rows.features, 7))
    model = new_classifier(untrained("mlp").network, flat, runtime)
    assert torch.isfinite(model(torch.from_numpy(flat.features[:2]))).all()


def test_inside_reproducible_seed_threads_and_algorithms_are_fixed_and_outside_restored(runtime):
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    drawn = []
    for _ in range(2):
        with reproducible(runtime.model_copy(update={"threads": 2})):
            assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (2, True)
            drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_predicting_leaves_no_gradient_and_counts_right(rows, students, runtime):
    batches = TrainBatches(rows, _no_change(rows), 32, 0)
    batch = batches.read(np.arange(20), 0)
    logits = predict(students["mlp"], batch, runtime)
    assert not logits.requires_grad
    assert torch.equal(logits, students["mlp"](batch.features).detach())
    positions = rows.where(Split.VALIDATION)
    logits = students["mlp"](torch.from_numpy(rows.features[positions])).detach().numpy()
    assert validate(students["mlp"], rows, runtime) == (logits.argmax(1) == rows.labels[positions]).mean()


def _no_change(rows):
    from distillery.params.data import AugmentParams

    return AugmentParams(views=1, shift=0, flip=False)


def test_bf16_trains_and_gives_fp32_logits(rows, augment, untrained, training, runtime):
    half = runtime.model_copy(update={"precision": "bf16"})
    model = untrained("resnet")
    batches = TrainBatches(rows, augment, 32, 0)
    (epoch,) = train(model, batches, hard_labels(0.0), training(epochs=1), half)
    assert isinstance(epoch, Epoch)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert predict(model, batches.read(np.arange(4), 0), half).dtype == torch.float32


def test_after_step_is_called_after_every_step_and_sees_gradients(
    rows, untrained, augment, training, runtime
):
    model, seen = untrained("mlp"), []
    batches = TrainBatches(rows, augment, 32, runtime.seed)

    def look():
        seen.append(all(p.grad is not None for p in model.parameters()))

    list(train(model, batches, hard_labels(0.0), training(epochs=2), runtime, after_step=look))
    assert seen == [True] * (2 * len(batches))


def test_epochs_before_the_one_to_keep_from_are_neither_kept_nor_end_the_training(
    rows, untrained, augment, training, runtime
):
    batches = TrainBatches(rows, augment, 32, runtime.seed)
    asked = training(epochs=6, target=0.0, patience=1)
    epochs = list(train(untrained("mlp"), batches, hard_labels(0.0), asked, runtime, keep_from=4))
    assert [epoch.best for epoch in epochs] == [False, False, False, True]


def test_what_the_objective_learns_along_is_learned_and_the_model_keeps_its_own(
    untrained, rows, augment, training, runtime
):
    model, beside = untrained("mlp"), nn.Linear(10, 10)
    before = {name: value.clone() for name, value in beside.state_dict().items()}
    names = set(model.state_dict())

    def objective(logits, batch):
        return nn.functional.cross_entropy(beside(logits), batch.labels)

    batches = TrainBatches(rows, augment, 32, runtime.seed, augment.views)
    epochs = list(train(model, batches, objective, training(epochs=4), runtime, beside=beside))
    assert epochs[-1].loss < epochs[0].loss
    assert all(not torch.equal(value, before[name]) for name, value in beside.state_dict().items())
    assert set(model.state_dict()) == names
