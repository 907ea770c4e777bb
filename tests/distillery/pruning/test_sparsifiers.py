import copy

import pytest
import torch

from distillery.pruning.masks import by_pattern, prunable, zero_share
from distillery.pruning.schedules import cubic
from distillery.pruning.sparsifiers import Gradual, Regrowing, exchange, patterned


def descend(model, after_step, steps, seed=0):
    """Steps of Adam on noise; yields after each."""
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        images = torch.randint(256, (8, 8, 8, 1), generator=random).byte()
        model(images).square().sum().backward()
        optimizer.step()
        after_step()
        yield


def zeros(model):
    return {name: weight.detach() == 0 for name, weight in prunable(model).items()}


def test_the_share_follows_the_cubic_and_what_is_gone_stays_gone(students, method):
    model = copy.deepcopy(students["resnet"])
    gradual = Gradual(model, method("magnitude", share=0.7, ramp_epochs=2, every=3), epoch_steps=10)
    gone = zeros(model)
    for step, _ in enumerate(descend(model, gradual, 26), 1):
        updated = min(step, 20) if step >= 20 else step - step % 3
        expected = cubic(updated, first=0, last=20, initial=0.0, final=0.7)
        assert zero_share(prunable(model)) == pytest.approx(expected, abs=0.01)
        now = zeros(model)
        assert all((now[name] | ~gone[name]).all() for name in now)
        gone = now


def test_an_exchange_by_hand():
    """Two of the four that stay are exchanged: 1 and 2 go; of the rest, by gradient, one of them returns."""
    weight = torch.nn.Parameter(torch.tensor([5.0, -1.0, 2.0, -6.0, 0.0, 0.0, 0.0]))
    weight.grad = torch.tensor([0.0, 7.0, 0.1, 0.0, -9.0, 0.5, 6.0])
    mask = torch.tensor([True, True, True, True, False, False, False])
    assert exchange(mask, weight, 0.5).tolist() == [True, True, False, True, True, False, False]
    assert exchange(mask, weight, 0.0).equal(mask)


def test_an_exchange_asks_for_gradients():
    with pytest.raises(ValueError, match="without a gradient"):
        exchange(torch.tensor([True]), torch.nn.Parameter(torch.ones(1)), 0.5)


def test_regrowing_keeps_each_layers_share_and_what_grows_begins_at_zero(students, method):
    model = copy.deepcopy(students["resnet"])
    regrowing = Regrowing(model, method("regrow", share=0.6, every=4, until=0.75), total_steps=20)
    before, grown = dict(regrowing.masks), []
    for _ in descend(model, regrowing, 20):
        fresh = {name: mask & ~before[name] for name, mask in regrowing.masks.items()}
        assert all((prunable(model)[name][new] == 0).all() for name, new in fresh.items())
        assert all(mask.sum() == before[name].sum() for name, mask in regrowing.masks.items())
        grown.append(sum(int(new.sum()) for new in fresh.values()))
        before = dict(regrowing.masks)
    assert [step for step, count in enumerate(grown, 1) if count] == [4, 8, 12]
    assert zero_share(prunable(model)) == pytest.approx(0.6, abs=0.02)


def test_after_its_end_a_dynamic_mask_stands(students, method):
    model = copy.deepcopy(students["mlp"])
    regrowing = Regrowing(model, method("regrow", every=2, until=0.5), total_steps=16)
    masks = []
    for _ in descend(model, regrowing, 16):
        masks.append({name: mask.clone() for name, mask in regrowing.masks.items()})
    assert any(not masks[5][name].equal(masks[3][name]) for name in masks[5])
    assert all(masks[15][name].equal(masks[7][name]) for name in masks[15])


def test_a_pattern_is_held_from_the_first_step_on(students, method):
    model, two_of_four = copy.deepcopy(students["mlp"]), method("pattern")
    expected = {name: ~by_pattern(w, two_of_four) for name, w in prunable(model).items()}
    after_step = patterned(model, two_of_four)
    for _ in descend(model, after_step, 4):
        assert all(found.equal(expected[name]) for name, found in zeros(model).items())
    assert zero_share(prunable(model)) == 0.5
