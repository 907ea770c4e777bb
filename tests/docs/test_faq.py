"""The errors that the FAQ quotes are those that are printed; the rest are tried in tests/e2e."""

import pytest
from typer.testing import CliRunner

from flows import cli
from tests.docs.faq import Quoted, quoted

EARLY = [one for one in quoted() if one.early]


def test_the_faq_quotes_errors():
    assert len(EARLY) > 8
    assert len(quoted()) > 20


@pytest.mark.parametrize("one", EARLY, ids=str)
def test_an_error_is_printed_as_it_is_quoted(one, root, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, list(one.words))
    assert done.exit_code == 2
    assert one.is_in(done.stderr), done.stderr


def test_an_ellipsis_stands_for_anything_and_nothing_else_does():
    assert Quoted(("plan",), "a … (b)\n").is_in("a /x/y (b)")
    assert not Quoted(("plan",), "a … (b)\n").is_in("a /x/y b")
