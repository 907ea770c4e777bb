from __future__ import annotations

import re
import sys
import textwrap

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from distillery.data.form import Column, Series, Shape, Table, Tokens
from distillery.errors import ParamsError
from distillery.models.custom import Custom, OwnModule, own_functions
from distillery.models.families import Family, cannot_train_aware, require_fitting
from distillery.models.network import Classifier, load_model, save_model
from distillery.params.student import StudentParams

IMAGE = Shape(height=6, width=6, channels=1)
TABLE = Table(columns=(Column(name="a", categories=None, missing=False),))
SERIES, TOKENS = Series(length=6, channels=3), Tokens(length=6, vocabulary=9)
CODE = """
from distillery.models.sequence_layers import Recurrent, SelfAttention, Steps
from distillery.models.layers import Conv, Dropout, Flatten, Linear, MaxPool, Network, Pool, Residual

def small(rows, classes, width, bad=None):
    conv = Conv(channels=width, kernel=3, stride=1, relu=True)
    body = {
        None: (conv, Residual(body=(conv, conv), shortcut=()), Pool()),
        "flat": (conv,),
        "late": (Pool(), conv),
        "gone": (MaxPool(kernel=4, stride=4), MaxPool(kernel=2, stride=2), Flatten()),
        "unlike": (Residual(body=(conv,), shortcut=()), Pool()),
    }[bad]
    return Network(rows=rows, layers=(*body, Linear(features=classes, relu=False)))

def for_tables(rows, classes):
    return Network(rows=rows, layers=(Linear(features=8, relu=True), Linear(features=classes, relu=False)))

def of_steps(rows, classes, vocabulary=None, embed=4, bad=None):
    steps = (SelfAttention(width=4, heads=2, feed_forward=8), Recurrent(cell="gru", width=5, both_ways=True))
    steps = Steps(vocabulary=vocabulary, embed=embed, positions=True, norm=True, dropout=0.0, body=steps)
    body = {None: (steps,), "late": (Flatten(), steps), "raw": (Dropout(share=0.1),)}[bad]
    return Network(rows=rows, layers=(*body, Linear(features=classes, relu=False)))

def headless(rows, classes):
    return Network(rows=IMAGE, layers=(Flatten(), Linear(features=classes + 1, relu=False)))

def a_list(rows, classes):
    return [rows, classes]

from distillery.data.form import Shape
IMAGE = Shape(height=1, width=1, channels=1)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A model block that names a function of a project's module `own_networks`."""
    (tmp_path / "own_networks.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(function="small", **arguments):
        block = {"family": "custom", "function": f"own_networks:{function}", "arguments": arguments}
        return TypeAdapter(Family).validate_python(block)

    yield make
    sys.modules.pop("own_networks", None)


def test_a_network_of_one_s_own_is_trained_saved_and_loaded_as_any_other(own, tmp_path):
    model = Classifier(own(width=4).network(IMAGE, 3)).eval()
    save_model(model, tmp_path)
    sys.modules.pop("own_networks")
    (tmp_path / "own_networks.py").unlink()  # what is saved names no code
    images = torch.randint(256, (5, 6, 6, 1)).byte()
    assert torch.equal(load_model(tmp_path)(images), model(images))


def test_arguments_reach_the_function(own):
    assert own(width=7).network(IMAGE, 3).layers[0].channels == 7


def test_a_function_may_read_tables(own):
    assert own("for_tables").refusal(TABLE) is None


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("flat", "layers.1, linear: it reads flat rows, and a map 3 x 6 x 6 comes in: put Pool"),
        ("late", "layers.1, conv: it reads a map, and a flat row of 1 comes in"),
        ("gone", "layers.1, max_pool: nothing is left of the map 1 x 1 x 1 that comes in"),
        (
            "unlike",
            "layers.0, residual: what is added must be alike: its body gives 3 x 6 x 6, its shortcut 1 x 6",
        ),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_by_the_layer(own, bad, said):
    with pytest.raises(ParamsError, match="own_networks:small gave a network that cannot be built") as caught:
        own(width=3, bad=bad).network(IMAGE, 2)
    assert caught.value.faults[0].startswith(said)


def test_all_faults_of_what_is_given_are_told_at_once(own):
    with pytest.raises(ParamsError) as caught:
        own("headless").network(IMAGE, 2)
    assert caught.value.faults == (
        "its rows are not those that it was given",
        "its last layer must be Linear(features=2, relu=False), which gives the logits",
    )


def test_a_function_may_read_sequences_which_training_aware_of_rounding_refuses(own):
    series, tokens = own("of_steps"), own("of_steps", vocabulary=9)
    assert Classifier(series.network(SERIES, 3))(torch.zeros(2, 6, 3)).shape == (2, 3)
    assert Classifier(tokens.network(TOKENS, 3))(torch.zeros(2, 6)).shape == (2, 3)
    assert cannot_train_aware(series) is None  # nobody knows while its rows are not known
    assert "quantize.qat: networks that read sequences (custom)" in cannot_train_aware(series, SERIES)
    assert cannot_train_aware(own(width=3), IMAGE) is None


@pytest.mark.parametrize(
    ("rows", "arguments", "said"),
    [
        (IMAGE, {}, "it has layers that read sequences, and these rows are none"),
        (TOKENS, {"bad": "raw"}, "its first layer must be Steps, which knows a vector for each"),
        (
            SERIES,
            {"bad": "raw"},
            "layers.1, linear: it reads flat rows, and a series 6 x 3 comes in: put Steps",
        ),
        (SERIES, {"bad": "late"}, "layers.1, steps: it reads the rows themselves: put it first"),
        (SERIES, {"vocabulary": 9}, "layers.0, steps: its vocabulary is 9, and that of these rows None"),
        (TOKENS, {"vocabulary": 9, "embed": None}, "layers.0, steps: embed must say how wide"),
        (
            SERIES,
            {"embed": 8},
            "layers.0, steps: body.0, self_attention: its width is 4, and steps of 8 come",
        ),
        (SERIES, {"embed": None}, "layers.0, steps: body.0, self_attention: its width is 4, and steps of 3"),
    ],
)
def test_steps_that_cannot_read_the_rows_are_refused(own, rows, arguments, said):
    with pytest.raises(ParamsError) as caught:
        own("of_steps", **arguments).network(rows, 2)
    assert caught.value.faults[0].startswith(said)


def test_layers_of_images_are_refused_for_a_table(own):
    with pytest.raises(ParamsError) as caught:
        require_fitting({"student.model": own(width=3)}, TABLE)
    assert "layers that read images, and these rows are none" in caught.value.faults[0]


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        ("a_list", {}, "gave a builtins.list, not a distillery.models.layers.Network"),
        ("small", {"wide": 3}, "failed with TypeError: small() got an unexpected keyword argument 'wide'"),
        ("small", {"width": 0}, "failed with ValidationError"),
        ("absent", {}, "failed with AttributeError: module 'own_networks' has no attribute 'absent'"),
    ],
)
def test_what_a_function_does_wrong_is_the_user_s_mistake_and_names_it(own, function, arguments, said):
    refusal = own(function, **arguments).refusal(IMAGE)
    assert refusal.startswith(f"own_networks:{function} {said}")


@pytest.mark.parametrize("function", ["module", "a.b", "a:b:c", "a b:c", "../a:b", ":f", "a:", "1a:f"])
def test_what_names_no_function_is_refused_when_params_are_read(function):
    with pytest.raises(ValidationError):
        Custom(family="custom", function=function, arguments={})


def test_a_function_without_arguments_may_be_named_alone(own):
    short = TypeAdapter(Family).validate_python("own_networks:small")
    assert short == own()


def test_functions_are_found_however_deep_in_the_params(own, shipped):
    student = StudentParams(model=own(width=3))
    teachers = shipped.teachers.model_copy(update={"assistants": (student,)})
    params = shipped.model_copy(update={"teachers": teachers})
    assert list(own_functions(params)) == ["own_networks:small"]
    assert not list(own_functions(shipped))


def test_the_functions_that_the_page_shows_give_what_it_says(root, tmp_path, monkeypatch):
    page = (root / "docs" / "models.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, block in zip(("page_layers", "page_module"), blocks, strict=True):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(block))
    rows = Shape(height=32, width=32, channels=3)
    layers = Custom(family="custom", function="page_layers:small", arguments={"width": 8})
    module = OwnModule(family="module", function="page_module:net", arguments={"width": 4})
    for model in (layers, module):
        classifier = Classifier(model.network(rows, 10)).eval()
        assert classifier(torch.zeros(2, 32, 32, 3).byte()).shape == (2, 10)
