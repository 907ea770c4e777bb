"""How much is said: by option, else by DISTILLERY_LOG."""

import pytest

from distillery.errors import UserMistake
from flows.logs import Log, chosen_log


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.delenv("DISTILLERY_LOG", raising=False)


def test_an_option_comes_before_the_variable_and_that_before_the_rule(monkeypatch):
    assert chosen_log() is Log.NORMAL
    monkeypatch.setenv("DISTILLERY_LOG", "json")
    assert chosen_log() is Log.JSON
    assert chosen_log(verbose=True) is Log.VERBOSE
    assert chosen_log(quiet=True) is Log.QUIET


def test_contradictions_are_refused():
    with pytest.raises(UserMistake, match="one of --quiet, --verbose and --log-json"):
        chosen_log(quiet=True, as_lines=True)


def test_an_unknown_word_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv("DISTILLERY_LOG", "loud")
    with pytest.raises(UserMistake, match="'loud': set it to quiet, normal, verbose, json"):
        chosen_log()
