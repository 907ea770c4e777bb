from __future__ import annotations

from distillery.prediction import UnknownName
from flows.predicting import SHOWN, tell_unknown


def test_each_unknown_category_is_a_warning_with_its_column_and_count():
    assert list(tell_unknown([UnknownName("colour", "green", 3), UnknownName("kind", 'a "b"', 1)], 0)) == [
        "warning: column colour: 'green' is unknown to the model and counts as missing (3 rows)",
        "warning: column kind: 'a \"b\"' is unknown to the model and counts as missing (1 row)",
    ]
    assert list(tell_unknown([], 0)) == []


def test_many_unknown_categories_are_counted_together():
    said = list(tell_unknown([UnknownName("id", str(n), 2) for n in range(SHOWN + 7)], 0))
    assert len(said) == SHOWN + 1
    assert said[-1] == "warning: and 7 more categories that are unknown to the model, in 14 cells"


def test_unknown_categories_beyond_those_that_are_counted_apart_are_told_as_cells():
    said = list(tell_unknown([UnknownName("id", str(n), 1) for n in range(SHOWN + 2)], 100))
    assert said[-1] == "warning: and more than 2 more categories that are unknown to the model, in 102 cells"
