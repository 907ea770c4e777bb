from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
import torch

from distillery.data.batches import TrainBatches
from distillery.data.form import Shape
from distillery.errors import ParamsError
from distillery.export import compare, export
from distillery.models.custom import OwnModule, own_functions
from distillery.models.families import cannot_train_aware, require_fitting
from distillery.models.network import Classifier, load_model, save_model
from distillery.models.points import points
from distillery.operators import compute_operators
from distillery.params.project import load_params
from distillery.pruning.fitting import unfit
from distillery.quantization.quantize import static
from distillery.training import hard_labels, new_classifier, train
from distillery.warm_start import pack

IMAGE = Shape(height=6, width=6, channels=1)
CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, size, classes, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(size[0], width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Flatten(),
        )
        self.head = nn.Linear(width * (size[1] // 2) * (size[2] // 2), classes)

    def forward(self, x):
        return self.head(self.body(x))

def dense(size, classes):
    return nn.Sequential(nn.Linear(size[0], 8), nn.ReLU(), nn.Linear(8, classes))

def silent(size, classes):
    return nn.Flatten()

def shapeless(size, classes):
    return nn.Linear(3, classes)

def frozen(size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(36, classes)).requires_grad_(False)

def tied(size, classes):
    one = nn.Linear(36, 36)
    return nn.Sequential(nn.Flatten(), one, one, nn.Linear(36, classes))

class Unexported(nn.Module):
    def __init__(self, size, classes, branches):
        super().__init__()
        self.head, self.branches = nn.Sequential(nn.Flatten(), nn.Linear(36, classes)), branches

    def forward(self, x):
        logits = self.head(x)
        if self.branches and logits.sum().item() > 1e9:
            return -logits
        return logits.reshape(int(x.shape[0]), -1)

class Moody(nn.Module):
    def __init__(self, size, classes, fails):
        super().__init__()
        self.head, self.fails = nn.Sequential(nn.Flatten(), nn.Linear(36, classes)), fails

    def forward(self, x):
        if self.training and self.fails:
            raise RuntimeError("not in training")
        return (self.head(x), x) if self.training else self.head(x)

class Noisy(nn.Module):
    def __init__(self, size, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36), nn.Dropout(), nn.Linear(36, classes))

    def forward(self, x):
        return self.body(x + 1)

def a_list(size, classes):
    return [size, classes]
"""
MODULE = "own_modules_of_tests"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project folder whose module gives torch modules."""
    folder = tmp_path_factory.mktemp("project")
    (folder / f"{MODULE}.py").write_text(CODE)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop(MODULE, None)


@pytest.fixture(scope="module")
def own(folder):
    def make(function="Net", **arguments):
        return OwnModule(family="module", function=f"{MODULE}:{function}", arguments=arguments)

    return make


@pytest.fixture(scope="module")
def learned(own, rows, augment, training, runtime):
    """A module of one's own after four epochs, and its losses."""
    network = own(width=8).network(rows.form, len(rows.classes))
    model = new_classifier(network, rows, runtime)
    batches = TrainBatches(rows, augment, 32, runtime.seed, augment.views)
    losses = [epoch.loss for epoch in train(model, batches, hard_labels(0.0), training(epochs=4), runtime)]
    return model, losses


@pytest.fixture(scope="module")
def file(learned, rows):
    return export(learned[0], rows.classes)


def test_it_learns(learned):
    assert learned[1][-1] < learned[1][0]


def test_it_is_made_again_by_its_function_and_gets_its_weights_back(learned, rows, tmp_path):
    save_model(learned[0], tmp_path)
    images = torch.from_numpy(np.array(rows.features[:16]))
    assert torch.equal(load_model(tmp_path)(images), learned[0](images))


def test_its_file_says_what_it_says(learned, file, rows):
    parity = compare(learned[0], file, rows)
    assert parity.largest_logit_difference < 1e-4
    assert parity.agreement == 1.0


def test_its_file_becomes_static_int8_whole(learned, file, rows, static_params):
    content = static(onnx.load_from_string(file), rows, static_params())
    assert {operator.kind for operator in compute_operators(content)} <= {"QLinearConv", "QGemm"}
    assert compare(learned[0], content, rows).agreement > 0.8


def test_it_reads_the_features_of_a_table(own, table):
    model = Classifier(own("dense").network(table.form, len(table.classes))).eval()
    rows = torch.from_numpy(np.array(table.features[:4]))
    assert model(rows).shape == (4, len(table.classes))


def test_code_that_changed_since_is_not_loaded_with_old_weights(own, folder, tmp_path):
    save_model(Classifier(own(width=3).network(IMAGE, 2)), tmp_path)
    source = folder / f"{MODULE}.py"
    source.write_text(CODE.replace("nn.MaxPool2d(2)", "nn.AvgPool2d(2)"))
    with pytest.raises(ParamsError, match="is not that of the network"):
        load_model(tmp_path)
    source.write_text(f"{CODE}\n# a comment")
    load_model(tmp_path)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("a_list", "gave a builtins.list, not a torch.nn.Module"),
        ("silent", r"gave \(2, 36\) for two rows, not \(2, 3\)"),
        ("shapeless", r"cannot read rows \(1, 6, 6\): RuntimeError"),
        ("absent", "failed with AttributeError"),
        ("tied", "has one tensor as 1.weight and as 2.weight, which cannot be saved"),
        ("frozen", "has no parameters that can be trained"),
    ],
)
def test_what_gives_no_logits_is_the_user_s_mistake_and_names_the_function(own, function, said):
    with pytest.raises(ParamsError, match=said):
        Classifier(own(function).network(IMAGE, 3))


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (True, r"cannot read rows \(1, 6, 6\) in training: RuntimeError: not in training"),
        (False, r"gave tuple for two rows in training, not \(2, 3\)"),
    ],
)
def test_what_it_does_in_training_alone_is_known_before_it(own, fails, said):
    with pytest.raises(ParamsError, match=said):
        Classifier(own("Moody", fails=fails).network(IMAGE, 3))


@pytest.mark.parametrize(
    ("branches", "said"), [(True, "cannot be exported: "), (False, "takes 2 rows at a time once exported")]
)
def test_what_cannot_become_a_file_names_the_function(own, branches, said):
    model = Classifier(own("Unexported", branches=branches).network(IMAGE, 3))
    with pytest.raises(ParamsError, match=f"{MODULE}:Unexported.* {said}"):
        export(model, ("a", "b", "c"))


def test_trying_it_moves_neither_its_batch_norms_nor_the_random_numbers(own):
    torch.manual_seed(0)
    model = Classifier(own("Noisy").network(IMAGE, 3))
    after = torch.rand(1)
    torch.manual_seed(0)
    torch.nn.Linear(36, 3)
    assert torch.equal(torch.rand(1), after)
    state = {name.rpartition(".")[2]: value for name, value in model.state_dict().items()}
    assert not state["running_mean"].any()
    assert not state["num_batches_tracked"]


def test_a_function_that_is_not_there_is_refused_with_its_place():
    absent = OwnModule(family="module", function="no_such_module:f", arguments={})
    with pytest.raises(ParamsError) as caught:
        require_fitting({"student.model": absent}, IMAGE)
    assert caught.value.faults[0].startswith("student.model: no_such_module:f: the project folder has no")


def test_it_shows_no_layer_and_names_its_function(own):
    assert points(own(width=3).network(IMAGE, 2)) == {}
    assert list(own_functions(own(width=3))) == [f"{MODULE}:Net"]


def settings(own, *more):
    model = own(width=3)
    arguments = f"{{family: module, function: '{model.function}', arguments: {{width: 3}}}}"
    return [f"student.model={arguments}", *more]


def test_training_aware_of_rounding_is_refused_with_the_params_and_the_reason(own, root):
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", settings=settings(own))
    assert cannot_train_aware(own(width=3)) in caught.value.faults[0]
    assert "set quantize.qat to null" in caught.value.faults[0]
    params = load_params(root / "params.yaml", settings=settings(own, "quantize.qat=null"))
    assert params.quantize.qat is None


def test_pruning_is_refused_with_the_params_and_the_reason(own, root):
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", [root / "params/pruned.yaml"], settings(own, "quantize.qat=null"))
    assert "prune: what is inside" in caught.value.faults[0]
    assert "give its layers (family: custom)" in caught.value.faults[0]
    (method,) = load_params(root / "params.yaml", [root / "params/pruned.yaml"]).prune
    assert unfit(own(width=3), method, "prune")


def test_a_later_student_cannot_begin_from_it(own, tmp_path):
    save_model(Classifier(own(width=3).network(IMAGE, 2)), tmp_path)
    network, weights = ((tmp_path / name).read_bytes() for name in ("network.json", "weights.safetensors"))
    with pytest.raises(ValueError, match="head is not known"):
        pack(network, weights, ("a", "b"))
