"""A student of one's own: a function in the project folder, from the first run to a rebuilt version."""

import shutil
from pathlib import Path

import pytest
import yaml

from distillery.params.project import overlaid, read_tree

ROOT = Path(__file__).parents[2]

NETWORK = """
from distillery.models.layers import Conv, Depthwise, Linear, MaxPool, Network, Pool
from own_parts import widths

def small(rows, classes, width):
    layers = [Conv(channels=width, kernel=3, stride=1, relu=True), MaxPool(kernel=2, stride=2)]
    for channels in widths(width):
        layers += [Depthwise(kernel=3, stride=1, relu=True)]
        layers += [Conv(channels=channels, kernel=1, stride=1, relu=True)]
    return Network(rows=rows, layers=(*layers, Pool(), Linear(features=classes, relu=False)))
"""
PARTS = """
def widths(width):
    return [2 * width, 3 * width]
"""


MODULE = """
from torch import nn
from own_parts import widths

def net(size, classes, width):
    first, second = widths(width)
    return nn.Sequential(
        nn.Conv2d(size[0], first, 3, padding=1), nn.BatchNorm2d(first), nn.SiLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3), nn.ReLU(), nn.Flatten(), nn.Linear(second * 4, classes),
    )
"""
CUSTOM = {"family": "custom", "function": "nets.small:small", "arguments": {"width": 4}}
OWN_MODULE = {"family": "module", "function": "nets.module:net", "arguments": {"width": 4}}


@pytest.fixture
def own(new_project):
    """Makes a project whose student is a function of its own, under the smallest of budgets."""
    folder = new_project.folder
    files = {"nets/small.py": NETWORK, "nets/module.py": MODULE, "own_parts.py": PARTS}

    def make(student, **blocks):
        (folder / "nets").mkdir()
        for name, source in files.items():
            (folder / name).write_text(source)
        few = {"training": {"epochs": 2}}
        mlp = {"family": "mlp", "hidden": [16], "dropout": 0.0}
        tree = overlaid(read_tree(folder / "params.yaml"), {"teacher": {"model": mlp, **few}, "distill": few})
        tree = overlaid(tree, {"student": {"model": student}, **blocks})
        (folder / "params.yaml").write_text(yaml.safe_dump(tree))
        return new_project

    return make


@pytest.mark.slow
def test_layers_of_one_s_own_are_pruned_and_rounded_and_cached_by_their_code(own):
    prune = read_tree(ROOT / "params/pruned.yaml")["prune"]
    prune |= {"rounds": 1, "multiple": 1, "max_accuracy_drop": 100}
    prune["training"] |= {"epochs": 1}
    project = own(CUSTOM, prune=prune)
    variants = {variant["name"] for variant in project("run", "--json").json["variants"]}
    assert variants >= {"student-int8-qat", "student-pruned-fp32"}
    assert set(project("run", "--json").status().values()) == {"cached"}

    (project.folder / "own_parts.py").write_text(PARTS.replace("3 * width", "2 * width"))
    planned = project("plan", "--json")
    assert planned.status()["train_teacher", None] == "hit"
    assert "code own_parts.py changed" in planned.status("because")["distill_student", None]


@pytest.mark.slow
def test_a_module_of_one_s_own_is_rebuilt_with_the_code_that_its_version_carries(own):
    project = own(OWN_MODULE, quantize={"qat": None})
    variants = {variant["name"] for variant in project("run", "--json").json["variants"]}
    assert "student-int8-static" in variants
    assert "student-int8-qat" not in variants
    shutil.rmtree(project.folder / "nets")
    (project.folder / "own_parts.py").unlink()
    assert project("reproduce", "champion", "--json").json["verdict"] == "identical"


@pytest.mark.slow
def test_a_function_that_is_not_there_is_the_user_s_mistake_before_anything_runs(own):
    project = own(CUSTOM)
    shutil.rmtree(project.folder / "nets")
    assert "nets.small:small: the project folder has no nets.py" in project("run", code=2).err
