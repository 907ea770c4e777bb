import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.errors import DistilleryError
from distillery.fingerprint import fingerprint


class Tree:
    """A package on the import path, whose files a test writes."""

    def __init__(self, folder):
        self.folder = folder
        self.name = folder.name

    def write(self, name, source=""):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source).replace("PACKAGE", self.name))

    def of(self, module):
        found = fingerprint(f"{self.name}.{module}")
        return {name.removeprefix(f"{self.name}."): digest for name, digest in found.items()}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Tree(tmp_path / "fingered")
    made.write("__init__.py")
    yield made
    sys.modules.pop("fingered", None)


def test_imports_are_followed_in_every_spelling(tree):
    tree.write(
        "a.py", "import PACKAGE.b\nfrom PACKAGE import c\nfrom PACKAGE.d import value\nfrom . import e"
    )
    tree.write("b.py", "def late():\n    from PACKAGE.f import anything")
    for name in "cdf":
        tree.write(f"{name}.py", "value = 1")
    tree.write("e.py", "from .sub.g import *")
    tree.write("sub/__init__.py")
    tree.write("sub/g.py", "from .. import h\nimport os, json")
    tree.write("h.py", "1")
    tree.write("stranger.py", "1")
    assert sorted(tree.of("a")) == ["a", "b", "c", "d", "e", "f", "h", "sub.g"]


def test_a_package_counts_where_it_has_code(tree):
    tree.write("a.py", "from PACKAGE.sub.g import x")
    tree.write("sub/__init__.py", "from PACKAGE import h")
    tree.write("sub/g.py", "x = 1")
    tree.write("h.py", "1")
    assert sorted(tree.of("a")) == ["a", "h", "sub.__init__", "sub.g"]
    tree.write("sub/__init__.py", '"""Only words."""  # and a comment')
    assert sorted(tree.of("a")) == ["a", "sub.g"]


def test_circles_end(tree):
    tree.write("a.py", "import PACKAGE.b")
    tree.write("b.py", "import PACKAGE.a")
    assert sorted(tree.of("a")) == ["a", "b"]


def test_imports_for_type_checkers_do_not_count(tree):
    tree.write(
        "a.py",
        """
        import typing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from PACKAGE import b
        if typing.TYPE_CHECKING:
            from PACKAGE import c
        else:
            from PACKAGE import d
        """,
    )
    for name in "bcd":
        tree.write(f"{name}.py", "1")
    assert sorted(tree.of("a")) == ["a", "d"]


CODE = "def area(width):\n    return width * 3\n"


@pytest.mark.parametrize(
    "same",
    [
        "# about\n\n\n" + CODE,
        '"""About."""\n' + CODE,
        'def area(width):\n    """Of a thing."""\n\n    return (width * 3)  # paces\n',
        "def area( width ) :\n        return width*3",
    ],
)
def test_what_is_no_code_does_not_count(tree, same):
    tree.write("a.py", CODE)
    before = tree.of("a")
    tree.write("a.py", same)
    assert tree.of("a") == before


@pytest.mark.parametrize(
    "other",
    [
        "def area(width):\n    return width * 4\n",
        "def area(width):\n    return width * 3.0\n",
        "def area(height):\n    return height * 3\n",
        "async def area(width):\n    return width * 3\n",
        "@staticmethod\ndef area(width):\n    return width * 3\n",
        "def area(width: int):\n    return width * 3\n",
        "def area(width):\n    'x'\n    'y'\n    return width * 3\n",
    ],
)
def test_code_counts(tree, other):
    tree.write("a.py", CODE)
    before = tree.of("a")
    tree.write("a.py", other)
    assert tree.of("a") != before


@given(
    number=st.integers(), words=st.text(st.characters(codec="utf-8", exclude_characters='"\\'), max_size=30)
)
def test_the_digest_is_of_the_code_alone(tmp_path_factory, number, words):
    folder = tmp_path_factory.mktemp("path") / "worded"
    folder.mkdir()
    sys.path.insert(0, str(folder.parent))
    try:
        digests = set()
        for source in (f"x = {number}", f'"""{words}"""\nx = {number}'):
            (folder / "a.py").write_text(source, encoding="utf-8")
            digests.add(fingerprint("worded.a")["worded.a"])
        assert len(digests) == 1
    finally:
        sys.path.remove(str(folder.parent))


def test_a_missing_module_is_named(tree):
    with pytest.raises(DistilleryError, match=r"fingered\.nowhere is not there"):
        tree.of("nowhere")


def test_a_module_that_does_not_parse_is_named_with_its_line(tree):
    tree.write("a.py", "x = 1\ndef")
    with pytest.raises(DistilleryError, match=r"a\.py cannot be read as Python.*line 2"):
        tree.of("a")


def test_the_memo_is_asked_before_a_file_is_read(tree):
    tree.write("a.py", "from PACKAGE import b")
    tree.write("b.py", "1")
    asked = []

    class Memo:
        def recall(self, kind, path, compute):
            asked.append((kind, path.name))
            return {"digest": "remembered", "imports": []}

    assert fingerprint("fingered.a", Memo()) == {
        "fingered.__init__": "remembered",
        "fingered.a": "remembered",
    }
    assert asked == [("code", "__init__.py"), ("code", "a.py")]


def test_no_step_but_the_one_that_writes_it_sees_the_report():
    from tasks.steps import STEPS

    for step in STEPS:
        seen = fingerprint(step.module)
        assert step.module in seen
        sees = any(module.startswith("distillery.report.") for module in seen)
        assert sees == (step.name == "write_report")
