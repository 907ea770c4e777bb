"""A student of one's own: a function in the project folder, from the first run to a rebuilt version."""

import shutil
from pathlib import Path

import pytest

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


@pytest.fixture
def own(new_project):
    """A project whose student is a function of its own."""
    import yaml

    (new_project.folder / "nets").mkdir()
    (new_project.folder / "nets/small.py").write_text(NETWORK)
    (new_project.folder / "own_parts.py").write_text(PARTS)
    file = new_project.folder / "params.yaml"
    tree = yaml.safe_load(file.read_text())
    tree["student"]["model"] = {
        "family": "custom", "function": "nets.small:small", "arguments": {"width": 4},
    }  # fmt: skip
    tree["prune"] = yaml.safe_load((ROOT / "params/pruned.yaml").read_text())["prune"]
    tree["prune"] |= {"rounds": 1, "multiple": 1, "max_accuracy_drop": 100}
    tree["prune"]["training"] |= {"epochs": 1}
    tree["teacher"]["training"]["epochs"] = tree["distill"]["training"]["epochs"] = 2
    file.write_text(yaml.safe_dump(tree))
    return new_project


@pytest.mark.slow
def test_a_network_of_one_s_own_is_compressed_cached_by_its_code_and_rebuilt_without_the_project_s(own):
    done = own("run", "--json", code=0)
    assert {variant["name"] for variant in done.json["variants"]} >= {
        "student-int8-qat",
        "student-pruned-fp32",
    }
    assert all(step["status"] == "cached" for step in own("run", "--json").json["steps"])

    parts = own.folder / "own_parts.py"
    parts.write_text(PARTS.replace("3 * width", "2 * width"))
    planned = {(step["name"], step["variant"]): step for step in own("plan", "--json").json["steps"]}
    assert "code own_parts.py changed" in planned["distill_student", None]["because"]
    assert planned["train_teacher", None]["status"] == "hit"

    shutil.rmtree(own.folder / "nets")
    parts.unlink()
    assert own("reproduce", "champion", "--json").json["verdict"] == "identical"


@pytest.mark.slow
def test_a_function_that_is_not_there_is_the_user_s_mistake_before_anything_runs(own):
    shutil.rmtree(own.folder / "nets")
    done = own("run", code=2)
    assert "nets.small:small: the project folder has no nets.py and no folder nets" in done.err
