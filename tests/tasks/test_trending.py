"""A model over time, from its registry."""

from distillery.history import Kind
from tasks.champion import Move, crown, settle
from tasks.registering import find_version
from tasks.tracking import open_registry
from tasks.trending import read_trend


def promote(project, params, number):
    with open_registry(project, params.registry) as registry:
        move = Move(Kind.FORCED, find_version(registry, number), "in a hurry")
        crown(registry, settle(registry, lambda _: None), move)


def test_champions_and_what_has_an_alias_come_oldest_first(champions, params):
    promote(champions, params, "6")
    promote(champions, params, "5")
    found = read_trend(champions, params.registry, every=False)
    standings = [(point.version, point.standing) for point in found]
    assert standings == [("3", "was champion"), ("5", "champion"), ("6", "challenger, was champion")]
    assert found[0].since <= found[2].since <= found[1].since
    assert [point.test_rows for point in found] == [360] * 3


def test_all_versions_are_told_where_all_are_asked_for(champions, params):
    every = read_trend(champions, params.registry, every=True)
    assert [point.version for point in every] == ["1", "2", "3", "4", "5", "6"]
    assert [point.standing for point in every][2] == "champion"


def test_a_version_that_is_named_is_told_too(champions, params):
    found = read_trend(champions, params.registry, every=False, also=frozenset({"4"}))
    assert [point.version for point in found] == ["3", "4", "6"]


def test_a_registry_that_is_not_there_has_no_trend_and_is_not_made(project, params):
    assert read_trend(project, params.registry, every=True) == []
    assert not (project / ".distillery/mlflow").exists()
