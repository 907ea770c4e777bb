from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from distillery.data.batches import Batch
from distillery.distillation import distill, distillation_loss, soft_and_hard_labels
from distillery.labelling import label, load_targets


def softmax(logits, temperature):
    powers = [math.exp((z - max(logits)) / temperature) for z in logits]
    return [power / sum(powers) for power in powers]


def by_hand(student, teacher, labels, temperature, alpha):
    """Hinton, Vinyals, Dean 2015, section 2, in plain Python."""
    soft = hard = 0.0
    for s, t, y in zip(student, teacher, labels, strict=True):
        p, q = softmax(t, temperature), softmax(s, temperature)
        soft += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        hard -= math.log(softmax(s, 1.0)[y])
    return (alpha * temperature**2 * soft + (1 - alpha) * hard) / len(labels)


@st.composite
def cases(draw):
    batch, classes = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    logits = st.lists(st.floats(-8, 8), min_size=classes, max_size=classes)
    rows = st.lists(logits, min_size=batch, max_size=batch)
    labels = st.lists(st.integers(0, classes - 1), min_size=batch, max_size=batch)
    return draw(rows), draw(rows), draw(labels), draw(st.floats(0.5, 20)), draw(st.floats(0, 1))


@settings(max_examples=60)
@given(cases())
def test_the_loss_is_the_closed_form(case):
    student, teacher, labels, temperature, alpha = case
    loss = distillation_loss(
        torch.tensor(student, dtype=torch.float64),
        torch.tensor(teacher, dtype=torch.float64),
        torch.tensor(labels),
        temperature=temperature,
        alpha=alpha,
    )
    assert loss.item() == pytest.approx(by_hand(*case), rel=1e-9, abs=1e-9)


def some(seed=0, batch=64, classes=10):
    random = torch.Generator().manual_seed(seed)
    student = torch.randn(batch, classes, generator=random, requires_grad=True)
    teacher = 3 * torch.randn(batch, classes, generator=random)
    return student, teacher, torch.randint(classes, (batch,), generator=random)


def test_without_the_teacher_it_is_cross_entropy():
    student, teacher, labels = some()
    loss = distillation_loss(student, teacher, labels, temperature=1.0, alpha=0.0)
    assert loss.item() == pytest.approx(F.cross_entropy(student, labels).item(), rel=1e-6)


def test_without_the_labels_a_student_equal_to_the_teacher_loses_nothing():
    _, teacher, labels = some()
    student = (teacher + 5.0).requires_grad_()  # logits are equal up to a constant
    loss = distillation_loss(student, teacher, labels, temperature=3.0, alpha=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert student.grad.abs().max() < 1e-6


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_the_soft_gradient_is_the_difference_of_softened_probabilities_times_temperature(temperature):
    """Their equation 2 times T^2: T (q - p), a mean over the batch."""
    student, teacher, labels = some()
    distillation_loss(student, teacher, labels, temperature=temperature, alpha=1.0).backward()
    difference = torch.softmax(student / temperature, 1) - torch.softmax(teacher / temperature, 1)
    torch.testing.assert_close(
        student.grad, temperature * difference.detach() / len(labels), rtol=1e-4, atol=1e-7
    )


def test_the_gradient_keeps_its_scale_as_the_temperature_grows():
    """In the limit it is the difference of centred logits over the number of classes (their equation 4)."""
    student, teacher, labels = some()
    distillation_loss(student, teacher, labels, temperature=2000.0, alpha=1.0).backward()
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    torch.testing.assert_close(student.grad, centred.detach() / (10 * len(labels)), rtol=0.02, atol=1e-5)


def test_the_teacher_gets_no_say_in_the_wrong_row():
    student, teacher, labels = some()
    loss = distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.7)
    rolled = distillation_loss(student, teacher.roll(1, 0), labels, temperature=4.0, alpha=0.7)
    assert abs(loss.item() - rolled.item()) > 1e-3


def test_the_objective_uses_the_batch_targets_and_the_params(shipped):
    student, teacher, labels = some()
    loss = soft_and_hard_labels(shipped.distill)(student, Batch(torch.empty(64, 1), labels, teacher))
    terms = {"temperature": shipped.distill.temperature, "alpha": shipped.distill.alpha}
    assert loss.item() == distillation_loss(student, teacher, labels, **terms).item()


def test_batches_without_targets_are_refused(shipped):
    student, _, labels = some()
    with pytest.raises(ValueError, match="no teacher targets"):
        soft_and_hard_labels(shipped.distill)(student, Batch(torch.empty(64, 1), labels, None))


def test_a_student_of_the_teacher_alone_comes_to_agree_with_it(
    rows, students, untrained, augment, training, shipped, runtime, tmp_path
):
    teacher = students["resnet"]
    for _ in label(teacher, rows, augment, runtime, tmp_path / "targets.npy"):
        pass
    method = shipped.distill.model_copy(
        update={"alpha": 1.0, "training": training(epochs=16, schedule="one_cycle", learning_rate=0.02)}
    )
    student = untrained("resnet")
    epochs = list(distill(student, rows, load_targets(tmp_path), augment, method, runtime))
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    images = torch.from_numpy(np.array(rows.features))
    with torch.no_grad():
        agreement = (student(images).argmax(1) == teacher(images).argmax(1)).float().mean()
    assert agreement > 0.6
