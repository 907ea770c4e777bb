from __future__ import annotations

import sys

import pytest

from distillery.errors import ParamsError
from distillery.own_code import called, own_digest, own_modules


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project folder with modules of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {
        "own_nets/__init__.py": "",
        "own_nets/wide.py": "import numpy\nfrom own_nets.parts import block\n"
        "from own_shared import x\ndef f(): return x",
        "own_nets/parts.py": "block = 1",
        "own_nets/other.py": "other = 1",
        "own_shared.py": "from distillery.models.layers import Conv\nx = 5",
        "own_broken.py": "def f(:",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_the_code_of_a_function_is_its_module_and_all_that_it_imports_beside_it(home):
    found = own_modules("own_nets.wide:f")
    assert list(found) == ["own_nets.__init__", "own_nets.parts", "own_nets.wide", "own_shared"]
    assert found["own_shared"].path == home / "own_shared.py"


def test_a_folder_without_an_init_file_holds_modules_too(home):
    (home / "own_nets/__init__.py").unlink()
    assert list(own_modules("own_nets.wide:f")) == ["own_nets.parts", "own_nets.wide", "own_shared"]


def test_the_digest_follows_the_code_and_not_comments(home):
    before = own_digest("own_nets.wide:f")
    (home / "own_nets/other.py").write_text("other = 2")
    (home / "own_shared.py").write_text("from distillery.models.layers import Conv\nx = 5  # five")
    assert own_digest("own_nets.wide:f") == before
    (home / "own_shared.py").write_text("from distillery.models.layers import Conv\nx = 6")
    assert own_digest("own_nets.wide:f") != before


def test_nothing_is_imported_to_know_the_code(home):
    own_modules("own_nets.wide:f")
    assert not {"own_nets.wide", "own_shared"} & set(sys.modules)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("own_absent:f", "the project folder has no own_absent.py and no folder own_absent"),
        ("own_nets.absent:f", "there is no module own_nets.absent in"),
        ("own_broken:f", "cannot be read as Python"),
        ("torch.nn:Linear", "torch is an installed package, whose code no version carries"),
        ("json.decoder:f", "json is an installed package"),
        ("distillery.models.mlp:Mlp", "the project folder has no distillery.py"),
        ("sys:exit", "the project folder has no sys.py"),
    ],
)
def test_code_that_no_version_could_carry_is_refused(home, function, said):
    with pytest.raises(ParamsError, match=said):
        own_modules(function)


def test_a_function_is_called_with_what_it_is_given(home):
    assert called("own_nets.wide:f", arguments={}) == 5


def test_what_a_function_raises_is_told_with_its_name(home):
    with pytest.raises(ParamsError, match=r"own_nets.wide:f failed with TypeError: f\(\) got an unexpected"):
        called("own_nets.wide:f", arguments={"width": 3})


def test_code_that_ends_the_process_is_refused_and_ends_nothing(home):
    (home / "own_script.py").write_text("import sys\nsys.exit(0)\ndef f(): ...")
    with pytest.raises(ParamsError, match=r"own_script:f failed with SystemExit: 0"):
        called("own_script:f", arguments={})
