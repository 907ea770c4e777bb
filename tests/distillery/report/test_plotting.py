from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.report.charts import recalls_chart
from distillery.report.comparison import ClassRecall
from distillery.report.plotting import INK, SERIES, VARIABLES, drawing, printable, shortened, tip
from distillery.report.scales import log_scale, percent_scale, round_ticks
from distillery.report.words import file_size, points

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg):
    return ElementTree.fromstring(svg)  # noqa: S314  # our own


def drawn(name="a", label="x", said="a line", hint=None):
    with drawing(name) as figure:
        (axes,) = figure.axes()
        (line,) = axes.plot([1, 2], [3, 4], "o-", color=SERIES[0])
        axes.set_xlabel(label, color=INK)
        if hint:
            tip(line, hint)
        return figure.svg(said)


def test_colours_are_the_pages_variables():
    svg = drawn()
    assert "var(--series-0)" in svg
    assert "var(--ink)" in svg
    assert not [colour for colour in VARIABLES if colour in svg]


def test_every_variable_of_the_charts_is_in_the_style_sheet(root):
    css = (root / "distillery/report/templates/style.css").read_text()
    assert [variable for variable in VARIABLES.values() if css.count(f"{variable}:") != 2] == []
    assert "--font:" in css


def test_two_charts_share_no_id_and_the_same_one_is_the_same_bytes():
    ids = [{e.get("id") for e in parsed(drawn(name)).iter() if e.get("id")} for name in "ab"]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert drawn() == drawn()


def test_a_tip_is_a_title_of_its_mark():
    (title,) = parsed(drawn(hint='99 % "<b>')).iter(f"{SVG}title")
    assert title.text == '99 % "<b>'


def test_a_chart_has_no_style_of_its_own_that_would_hold_for_the_page():
    assert "<style" not in drawn()
    assert "<metadata" not in drawn()


@pytest.mark.parametrize("text", ["$\\frac", "$x$", "<script>", "日本", "]]>", "a & b"])
def test_texts_are_taken_as_they_are(text):
    svg = parsed(drawn(label=text, said=text))
    assert text in [element.text for element in svg.iter(f"{SVG}text")]
    assert svg.get("aria-label") == text


@settings(max_examples=10)
@given(st.text(max_size=40))
def test_any_name_can_be_drawn(name):
    chart = recalls_chart([ClassRecall(name, 4, 3, 2)], "teacher-fp32", name)
    assert parsed(chart.svg).get("role") == "img"


@given(st.text())
def test_a_shortened_name_is_short_and_printable(name):
    assert len(shortened(name)) <= 28
    assert shortened(name).isprintable()
    assert len(printable(name)) == len(name)


@given(st.floats(1e-6, 1e6), st.floats(1.0001, 1e9), st.integers(2, 8))
def test_ticks_are_few_and_inside(low, factor, most):
    ticks = round_ticks(low, low * factor, most)
    assert 1 <= len(ticks) <= most
    assert all(low <= tick <= low * factor for tick in ticks)


def test_scales_write_percent_and_bytes():
    with drawing("scales") as figure:
        (axes,) = figure.axes()
        axes.plot([1e4, 1e6], [0.98, 1.0])
        log_scale(axes, file_size)
        percent_scale(axes.yaxis)
        svg = figure.svg("scales")
    assert "100 kB" in svg
    assert "99 %" in svg


def test_numbers_are_written_as_people_read_them():
    assert [file_size(n) for n in (7, 11_358, 694_720, 3.2e7)] == ["7 B", "11.4 kB", "695 kB", "32 MB"]
    assert points(-0.279) == "−0.28 points"
    assert points(0.5) == "+0.50 points"
