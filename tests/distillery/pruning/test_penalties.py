import copy

import pytest
import torch

from distillery.data.batches import Batch
from distillery.params.prune import PenaltyParams
from distillery.pruning.channels import channels_of
from distillery.pruning.masks import prunable
from distillery.pruning.penalties import penalised, penalty
from distillery.pruning.surgery import weight_of


def test_l1_is_the_sum_of_magnitudes_and_its_gradient_the_signs(students):
    model = copy.deepcopy(students["mlp"])
    value = penalty(model, PenaltyParams(kind="l1", weight=0.5))
    weights = list(prunable(model).values())
    assert value.item() == pytest.approx(0.5 * sum(w.abs().sum().item() for w in weights), rel=1e-5)
    value.backward()
    assert all(torch.equal(w.grad, 0.5 * w.detach().sign()) for w in weights)


def test_group_is_a_norm_a_channel_over_all_layers_that_are_added(students):
    model = copy.deepcopy(students["resnet"])
    channels = channels_of(model.network)
    expected = 0.0
    for group, width in channels.free.items():
        for c in range(width):
            parts = [weight_of(model, layer)[c].flatten() for layer in channels.writers(group)]
            expected += torch.cat(parts).norm().item()
    found = penalty(model, PenaltyParams(kind="group", weight=0.1))
    assert found.item() == pytest.approx(0.1 * expected, rel=1e-4)


def test_a_channel_that_is_zero_has_a_gradient_that_is_a_number(students):
    model = copy.deepcopy(students["mlp"])
    model.layers[1].dense.weight.data[0] = 0
    penalty(model, PenaltyParams(kind="group", weight=1.0)).backward()
    assert (model.layers[1].dense.weight.grad[0] == 0).all()
    assert model.layers[1].dense.weight.grad.isfinite().all()


def test_the_penalty_is_added_to_the_objective_or_there_is_none(students):
    model, batch = students["mlp"], Batch(torch.empty(2, 1), torch.tensor([0, 1]), None)

    def objective(logits, _batch):
        return logits.sum()

    assert penalised(objective, model, None) is objective
    kind = PenaltyParams(kind="l1", weight=2.0)
    both = penalised(objective, model, kind)(torch.ones(2, 3), batch)
    assert both.item() == pytest.approx(6 + penalty(model, kind).item())
