import copy

import pytest
import torch

from distillery.models.network import load_model, save_model
from distillery.pruning.channels import channels_of
from distillery.pruning.masks import prunable, zero_share
from distillery.pruning.prune import prune
from distillery.training import validate


def pruned(student, method, rows, targets, augment, shipped, runtime):
    model = copy.deepcopy(student)
    return model, list(prune(model, rows, targets, augment, shipped.distill, method, runtime))


@pytest.fixture
def run(students, rows, targets, augment, shipped, runtime):
    def with_method(method, family="resnet"):
        return pruned(students[family], method, rows, targets, augment, shipped, runtime)

    return with_method


@pytest.mark.parametrize("kind", ["magnitude", "regrow", "pattern", "threshold"])
def test_weights_that_go_are_zero_in_the_model_that_is_kept(run, method, kind, rows, runtime):
    asked = method(kind, epochs=4)
    model, epochs = run(asked)
    zeros = zero_share(prunable(model))
    if kind == "pattern":  # the first layer reads one channel, of which two of four cannot go
        assert 0.4 < zeros <= 0.5
    elif kind == "threshold":
        assert 0.4 < zeros < 0.7  # about half of what is spread normally is below 0.7 deviations
    else:
        assert zeros == pytest.approx(asked.share, abs=0.01)
    assert epochs[-1].removed == pytest.approx(zeros, abs=1e-9)
    kept = max(e.accuracy for e in epochs if e.best)
    assert validate(model, rows, runtime) == pytest.approx(kept)


def test_an_epoch_of_the_ramp_is_never_kept_however_accurate(run, method):
    _, epochs = run(method("magnitude", epochs=4, ramp_epochs=3, share=0.95))
    assert [epoch.best for epoch in epochs] == [False, False, False, True]
    assert epochs[-1].accuracy < max(epoch.accuracy for epoch in epochs)
    assert [epoch.removed for epoch in epochs] == sorted(epoch.removed for epoch in epochs)
    assert "removed 95%" in epochs[-1].note


def test_channels_go_round_by_round_and_the_shape_reloads(run, method, tmp_path, students, rows, runtime):
    model, epochs = run(method("channels", epochs=2, rounds=2, share=0.25))
    assert list(channels_of(model.network).free.values()) == [
        2,
        2,
        4,
        4,
    ]  # of 4, 4, 8, 8: 3 and 6, then these
    assert [(e.done, e.total) for e in epochs] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    sizes = [sum(w.numel() for w in prunable(m).values()) for m in (model, students["resnet"])]
    assert epochs[-1].removed == pytest.approx(1 - sizes[0] / sizes[1])
    save_model(model, tmp_path)
    images = torch.from_numpy(rows.features[:16].copy())
    assert torch.equal(load_model(tmp_path)(images), model(images))


def test_a_round_that_costs_too_much_is_undone_and_is_the_last(run, method, students, rows, runtime):
    asked = method("channels", epochs=1, rounds=5, share=0.5, max_accuracy_drop=4.0)
    model, epochs = run(asked)
    whole = validate(students["resnet"], rows, runtime)
    limit = whole - 0.04
    assert epochs[-1].accuracy < limit  # the round that was undone
    assert all(epoch.accuracy >= limit for epoch in epochs[:-1])
    assert validate(model, rows, runtime) >= limit
    rounds = len(epochs) - 1
    width = channels_of(students["resnet"].network).widths[1]
    for _ in range(rounds):
        width -= round(0.5 * width)
    assert channels_of(model.network).widths[1] == width


def test_a_student_whose_first_round_costs_too_much_stays_as_it_was(run, method, students, rows):
    asked = method("channels", epochs=1, share=0.9, max_accuracy_drop=0.0)
    model, epochs = run(asked)
    assert len(epochs) == 1
    state = students["resnet"].state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_it_ends_when_every_group_is_down_to_one_channel(run, method):
    model, epochs = run(method("channels", epochs=1, rounds=9, share=0.9), family="mlp")
    assert list(channels_of(model.network).free.values()) == [1]
    assert len(epochs) < 9


@pytest.mark.parametrize(
    ("kind", "changes"), [("regrow", {}), ("regrow", {"grow": "activation"}), ("channels", {})]
)
def test_pruning_twice_gives_the_same_weights(run, method, kind, changes):
    first, second = (run(method(kind, epochs=2, **changes))[0].state_dict() for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_penalty_draws_the_weights_that_stay_towards_zero(run, method):
    sizes = []
    for penalty in (None, ("l1", 0.01)):
        model, _ = run(method("magnitude", epochs=3, share=0.3, penalty=penalty), family="mlp")
        sizes.append(sum(weight.abs().sum().item() for weight in prunable(model).values()))
    assert sizes[1] < 0.8 * sizes[0]


def test_activations_are_compared_in_reduced_precision_too_and_no_longer_than_the_training(
    students, method, rows, targets, augment, shipped, runtime
):
    fast = runtime.model_copy(update={"precision": "bf16"})
    asked = method("regrow", epochs=1, grow="activation")
    model, epochs = pruned(students["resnet"], asked, rows, targets, augment, shipped, fast)
    assert epochs[-1].removed == pytest.approx(0.6, abs=0.01)
    assert not any(module._forward_hooks for module in model.modules())
