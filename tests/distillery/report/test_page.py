"""The page: whole, self-contained, accessible, and deaf to what names say."""

import dataclasses
import re

import numpy as np
import pytest

from distillery.report.page import MOST_FLIPS, MOST_MATRIX, flip_groups, matrix, render
from distillery.verdict import GateResult, Outcome, Verdict

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{7*7}}$\\frac"
LIMIT = 2_000_000


def renamed(facts, classes):
    return dataclasses.replace(facts, rows=dataclasses.replace(facts.rows, classes=tuple(classes)))


def test_the_page_is_well_formed_and_small(page, read):
    assert read(page).faults == []
    assert len(page.encode()) < LIMIT
    assert page.startswith("<!doctype html>")


def test_ids_are_unique_and_every_reference_leads_to_one(page, read):
    found = read(page)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    links = [value for name in ("href", "xlink:href") for value in found.values(name)]
    drawn = [match for value in found.values("clip-path") for match in re.findall(r"url\(#(.+?)\)", value)]
    assert links
    assert drawn
    assert {link.removeprefix("#") for link in links} | set(drawn) <= set(ids)


def test_nothing_is_asked_of_the_network_and_nothing_runs(page, read):
    found = read(page)
    assert found.all("script") == found.all("link") == found.all("iframe") == []
    assert all(source.startswith("data:image/png;base64,") for source in found.values("src"))
    assert not re.findall(r"url\((?!#)|@import", page)
    (policy,) = (m["content"] for m in found.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)


def test_who_cannot_see_is_told_what_there_is(page, read):
    found = read(page)
    assert found.all("html") == [{"lang": "en"}]
    charts = [svg for svg in found.all("svg") if svg.get("class") == "chart"]
    assert len(charts) == 8
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 40 for svg in charts)
    assert all(image["alt"] for image in found.all("img"))
    assert all(header.get("scope") in {"col", "row", "rowgroup"} for header in found.all("th"))
    assert len(found.all("h1")) == 1
    scrolling = [box for box in found.all("div") if box.get("class") == "wide"]
    assert all(box["tabindex"] == "0" and box["role"] == "region" and box["aria-label"] for box in scrolling)


def test_the_verdict_is_one_sentence(facts, page):
    (said,) = re.findall(r"<h1>(.*?)</h1>", page)
    assert said.startswith("student-int8-dynamic is the champion: 64 times smaller than its teacher and ")
    assert said.endswith(" points less accurate on test rows.")


def test_a_challenger_and_a_run_without_a_choice_are_said(facts, read):
    challenger = dataclasses.replace(facts.registered, alias="challenger")
    assert "is the challenger" in render(dataclasses.replace(facts, registered=challenger))
    nothing = dataclasses.replace(facts.registered, alias=None, versions={})
    none = render(dataclasses.replace(facts, chosen=None, reason="none keeps it", registered=nothing))
    assert "No variant keeps the budget" in none
    assert "student-int8-dynamic is looked at closely" in none
    assert read(none).faults == []


def test_hostile_names_are_only_text(facts, read):
    count = len(facts.rows.classes)
    harmless = read(render(renamed(facts, (f"c{i}" for i in range(count)))))
    hostile = read(render(renamed(facts, (f"{HOSTILE}{i}" for i in range(count)))))
    assert hostile.faults == []
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert [set(a) for _, a in hostile.elements] == [set(a) for _, a in harmless.elements]
    assert f"{HOSTILE}0" in hostile.text


def test_hostile_data_warnings_and_params_are_only_text(facts, read):
    data = dataclasses.replace(facts.data, name=HOSTILE, warnings=(HOSTILE,))
    versions = (facts.data.versions[0], dataclasses.replace(facts.data.versions[1], shift={HOSTILE: 0.5}))
    data = dataclasses.replace(data, versions=versions)
    found = read(render(dataclasses.replace(facts, data=data, params=HOSTILE, reason=HOSTILE)))
    assert found.faults == []
    assert found.all("script") == []
    assert [image for image in found.all("img") if "onerror" in image] == []


NAMES = ["", " ", "\x00\x1b[31m", "\u202egnp.exe", "日本 🐈", "$x^2$", "a\nb", "é" * 400]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_class_name_gives_a_well_formed_page(facts, name, read):
    assert read(render(renamed(facts, (name, *facts.rows.classes[1:])))).faults == []


def test_equal_facts_give_equal_bytes(facts, page):
    assert render(facts) == page


def test_flipped_images_are_shown_with_both_predictions(facts, page, read):
    first, second = (facts.tested[name] for name in ("teacher-fp32", "student-int8-dynamic"))
    groups = flip_groups(facts, first, second)
    assert sum(group.total for group in groups) == int((first.predicted != second.predicted).sum())
    pictures = read(page).all("img")
    assert len(pictures) == sum(len(group.rows) for group in groups)


def test_no_more_rows_are_shown_than_fit(facts, tested):
    labels = facts.tested["teacher-fp32"].labels
    first, second = tested(labels, 0), tested(labels, MOST_FLIPS + 5)
    (group,) = flip_groups(facts, first, second)
    assert (group.total, len(group.rows)) == (MOST_FLIPS + 5, MOST_FLIPS)


def test_rows_of_a_table_are_shown_by_their_columns(facts_of, table, read):
    facts = facts_of(table, curves=(), earlier=())
    html = render(facts)
    found = read(html)
    assert found.faults == []
    assert found.all("img") == []
    assert "größe" in found.text
    assert "missing" in found.text
    assert "No training was recorded" in html


def test_a_page_of_the_teacher_alone_has_no_steps(facts):
    alone = dataclasses.replace(
        facts, variants=facts.variants[:1], control=None, chosen=None, curves=(), earlier=()
    )
    assert "Only one variant was made" in render(alone)


def test_zeros_are_told_with_the_packed_size_where_single_weights_were_pruned(facts, page):
    assert "packed bytes" not in page
    *others, last = facts.variants
    pruned = dataclasses.replace(last, name="student-pruned-fp32", zero_share=0.805, transport_bytes=31_234)
    named = {field: dict(getattr(facts, field)) for field in ("tested", "operators", "digests")}
    for by_name in named.values():
        by_name[pruned.name] = by_name[last.name]
    shown = render(dataclasses.replace(facts, variants=(*others, pruned), chosen=None, **named))
    for words in ("packed bytes", "80.5 %", "31,234"):
        assert words in shown


def test_gates_are_shown_where_they_were_asked(facts, read):
    gates = (
        GateResult("accuracy", Outcome.PASSED, True, "not worse by 0.5 points", {}),
        GateResult("latency <b>", Outcome.REFUSED, False, HOSTILE, {}),
    )
    html = render(dataclasses.replace(facts, verdict=Verdict("4", "5", 359, gates)))
    assert "against champion 4" in html
    assert "not worse by 0.5 points" in html
    assert "(warning only)" in html
    assert read(html).faults == []
    assert "No gate was asked" not in html


def test_a_matrix_of_many_classes_is_told_by_its_commonest_confusions(tested):
    classes = tuple(f"c{i}" for i in range(MOST_MATRIX + 1))
    labels = np.repeat(np.arange(len(classes)), 3)
    found = matrix("a", tested(labels, 4, classes=len(classes)), classes)
    assert found.cells == ()
    assert [(pair.label, pair.predicted, pair.rows) for pair in found.pairs] == [
        ("c0", "c1", 3),
        ("c1", "c2", 1),
    ]


def test_a_matrix_counts_every_row(tested):
    found = matrix("a", tested([0, 0, 1, 1], 1, classes=2), ("no", "yes"))
    assert [[cell.rows for cell in row] for row in found.cells] == [[1, 1], [0, 2]]


@pytest.mark.parametrize("said", ["distillery reproduce 5", "runtime:", "0, 2 threads", "0123456789ab"])
def test_the_page_says_where_it_comes_from(page, said):
    assert said in page


def test_versions_over_time_are_a_chart_and_a_table(facts, page, read):
    assert 'aria-label="Accuracy, bytes and latency by version. version 2 97.00 %' in page
    assert "was champion" in page
    assert "1 (cccccccccccc)" in page
    alone = render(dataclasses.replace(facts, trend=facts.trend[:1]))
    assert "There is no earlier champion to compare with." in alone
    assert read(alone).faults == []


def test_every_file_has_a_table_of_its_weights_and_the_chosen_one_is_open(facts, page, read):
    opened = [attributes for attributes in read(page).all("details") if "open" in attributes]
    assert len(opened) == 1
    assert "student-int8-dynamic: 2 weights, 196 of" in page
    assert "4 × 1 × 3 × 3" in page
    assert "1.50e-06" in page
    many = {"student-fp32": facts.layers["student-fp32"] * 60}
    html = render(dataclasses.replace(facts, layers=many))
    assert "The first 100." in html
    assert "100 Gemm" in html
    assert "101 Conv" not in html
    assert "Only the teacher was made" in render(dataclasses.replace(facts, layers={}))
