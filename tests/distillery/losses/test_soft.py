from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from distillery.data.batches import Batch
from distillery.losses.soft import decoupled_divergence, distillation_loss, soft_and_hard_labels, taught_loss
from distillery.params.distill import Decoupled, Kl, LogitMse


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


def decoupled_by_hand(student, teacher, label, temperature):
    """Zhao et al. 2022, section 3.1, in plain Python: (TCKD, NCKD) of one row."""
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    rest = [sum(x for i, x in enumerate(shares) if i != label) for shares in (p, q)]
    binary = [(p[label], q[label]), tuple(rest)]
    others = [(p[i] / rest[0], q[i] / rest[1]) for i in range(len(p)) if i != label]
    return tuple(sum(a * math.log(a / b) for a, b in pairs) for pairs in (binary, others))


@settings(max_examples=60)
@given(cases(), st.floats(0, 3), st.floats(0, 9))
def test_the_decoupled_divergence_is_the_closed_form(case, target, others):
    student, teacher, labels, temperature, _ = case
    loss = decoupled_divergence(
        torch.tensor(student, dtype=torch.float64),
        torch.tensor(teacher, dtype=torch.float64),
        torch.tensor(labels),
        temperature=temperature,
        target=target,
        others=others,
    )
    rows = [decoupled_by_hand(*row, temperature) for row in zip(student, teacher, labels, strict=True)]
    expected = temperature**2 * sum(target * t + others * n for t, n in rows) / len(rows)
    assert loss.item() == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_weighed_by_what_the_teacher_leaves_the_others_the_parts_are_the_plain_divergence(temperature):
    """Their equation 6: KD = TCKD + (1 - p_t) NCKD, row by row."""
    student, teacher, labels = some(batch=8)
    for row in range(8):
        s, t, y = student[row : row + 1], teacher[row : row + 1], labels[row : row + 1]
        rest = 1 - torch.softmax(t / temperature, 1)[0, y[0]].item()
        parts = decoupled_divergence(s, t, y, temperature=temperature, target=1.0, others=rest)
        plain = distillation_loss(s, t, y, temperature=temperature, alpha=1.0)
        assert parts.item() == pytest.approx(plain.item(), rel=1e-4)


def test_the_parts_stay_finite_where_the_teacher_is_certain():
    student, _, labels = some()
    certain = F.one_hot(labels, 10) * 1000.0
    loss = decoupled_divergence(student, certain, labels, temperature=1.0, target=1.0, others=8.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()


def test_with_two_classes_there_is_nothing_among_the_others():
    student, teacher, labels = some(classes=2)
    loss = decoupled_divergence(student, teacher, labels, temperature=2.0, target=0.0, others=8.0)
    assert loss.item() == pytest.approx(0, abs=1e-7)


def test_the_squares_of_logits_are_a_mean_over_rows_and_classes():
    student, teacher, labels = some()
    loss = taught_loss(student, teacher, labels, LogitMse(kind="mse"), temperature=9.0, alpha=0.4)
    expected = 0.4 * ((student - teacher) ** 2).sum() / 640 + 0.6 * F.cross_entropy(student, labels)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_divergence_of_centred_logits_comes_to_half_the_squares_as_the_temperature_grows():
    """Kim et al. 2021: both gradients point the same way in the limit."""
    student, teacher, labels = some()
    centred = [(x - x.mean(1, keepdim=True)).detach().requires_grad_() for x in (student, teacher)]
    hot = distillation_loss(*centred, labels, temperature=5000.0, alpha=1.0)
    squares = taught_loss(*centred, labels, LogitMse(kind="mse"), temperature=1.0, alpha=1.0)
    (of_hot,) = torch.autograd.grad(hot, centred[0])
    (of_squares,) = torch.autograd.grad(squares, centred[0])
    torch.testing.assert_close(of_hot, of_squares / 2, rtol=0.02, atol=1e-5)


@pytest.mark.parametrize(
    "soft", [Kl(kind="kl"), LogitMse(kind="mse"), Decoupled(kind="decoupled", target=1.0, others=8.0)]
)
def test_whatever_is_soft_the_labels_weigh_the_rest(soft):
    student, teacher, labels = some()
    loss = taught_loss(student, teacher, labels, soft, temperature=3.0, alpha=0.0)
    assert loss.item() == pytest.approx(F.cross_entropy(student, labels).item(), rel=1e-6)
    same = taught_loss(teacher, teacher, labels, soft, temperature=3.0, alpha=1.0)
    assert same.item() == pytest.approx(0, abs=1e-6)


def test_the_objective_is_the_one_that_the_params_name(shipped):
    student, teacher, labels = some()
    soft = Decoupled(kind="decoupled", target=1.0, others=8.0)
    distill = shipped.distill.model_copy(update={"soft": soft})
    weights = {"temperature": distill.temperature, "alpha": distill.alpha}
    loss = soft_and_hard_labels(distill)(student, Batch(torch.empty(64, 1), labels, teacher))
    assert loss.item() == taught_loss(student, teacher, labels, soft, **weights).item()
