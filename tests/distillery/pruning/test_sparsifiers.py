import copy

import pytest
import torch

from distillery.pruning.growth import growing
from distillery.pruning.masks import apply_masks, by_magnitude, by_pattern, by_threshold, prunable, zero_share
from distillery.pruning.schedules import cubic
from distillery.pruning.sparsifiers import Gradual, Regrowing, above_threshold, exchange, patterned


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
    """Two of the four that stay are exchanged: 1 and 2 go; of the rest, by worth, one of them returns."""
    weight = torch.tensor([5.0, -1.0, 2.0, -6.0, 0.0, 0.0, 0.0])
    worth = torch.tensor([0.0, 7.0, 0.1, 0.0, 9.0, 0.5, 6.0])
    mask = torch.tensor([True, True, True, True, False, False, False])
    assert exchange(mask, weight, 0.5, worth).tolist() == [True, True, False, True, True, False, False]
    assert exchange(mask, weight, 0.0, worth).equal(mask)


@pytest.mark.parametrize("grow", ["gradient", "activation"])
def test_regrowing_keeps_each_layers_share_and_what_grows_begins_at_zero(students, method, grow):
    model = copy.deepcopy(students["resnet"])
    asked = method("regrow", share=0.6, every=4, until=0.75, grow=grow)
    with growing(model, grow) as worth:
        check_regrowing(model, Regrowing(model, asked, 20, worth))


def check_regrowing(model, regrowing):
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
    masks = []
    with growing(model, "gradient") as worth:
        regrowing = Regrowing(model, method("regrow", every=2, until=0.5), 16, worth)
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


def test_what_grows_is_what_is_active_together_though_the_gradient_would_choose_another(students, method):
    model, chosen = copy.deepcopy(students["mlp"]), {}
    for grow in ("gradient", "activation"):
        one = copy.deepcopy(model)
        with growing(one, grow) as worth:
            regrowing = Regrowing(one, method("regrow", every=4, until=1.0), 8, worth)
            before = {name: mask.clone() for name, mask in regrowing.masks.items()}
            list(descend(one, regrowing, 4))
            for name, weight in prunable(one).items():
                fresh, score = regrowing.masks[name] & ~before[name], worth(name, weight)
                passed_over = ~regrowing.masks[name]
                assert fresh.any()
                assert float(score[fresh].min()) >= float(score[passed_over].max()) - 1e-6
                chosen[grow, name] = fresh
    assert any(not chosen["gradient", name].equal(chosen["activation", name]) for name in before)


def test_what_is_below_the_threshold_goes_and_stays_gone(students, method):
    model, asked = copy.deepcopy(students["mlp"]), method("threshold", deviations=0.7)
    expected = {n: ~mask for n, mask in by_threshold(prunable(model), 0.7, "layer").items()}
    for _ in descend(model, above_threshold(model, asked), 4):
        assert all(found.equal(expected[name]) for name, found in zeros(model).items())
    assert 0.3 < zero_share(prunable(model)) < 0.8


def test_what_was_zero_before_a_ramp_stays_so(students, method):
    model = copy.deepcopy(students["resnet"])
    weights = prunable(model)
    apply_masks(weights, {name: by_pattern(weight, method("pattern")) for name, weight in weights.items()})
    gone = zeros(model)
    gradual = Gradual(model, method("magnitude", share=0.7, ramp_epochs=1, every=3), epoch_steps=10)
    for _ in descend(model, gradual, 12):
        assert all((found | ~gone[name]).all() for name, found in zeros(model).items())
    assert zero_share(prunable(model)) == pytest.approx(0.7, abs=0.01)


def test_a_dynamic_mask_begins_where_a_magnitude_mask_of_its_share_ended(students, method):
    model = copy.deepcopy(students["mlp"])
    masks = by_magnitude(prunable(model), 0.6, "layer")
    apply_masks(prunable(model), masks)
    with growing(model, "gradient") as worth:
        begun = Regrowing(model, method("regrow", share=0.6), 8, worth).masks
    assert all(begun[name].equal(mask) for name, mask in masks.items())
