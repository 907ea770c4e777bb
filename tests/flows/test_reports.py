"""Where pages are put and found."""

import os
from types import SimpleNamespace

import pytest

from distillery.artifacts import write_json
from distillery.errors import ProjectError
from flows.reports import find_report, open_page, page_of, publish


@pytest.fixture
def made(tmp_path):
    """A finished flow's registration and page."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text("a page")
    write_json(tmp_path / "registration/registration.json", {"run_id": "0123456789abcdef"})
    nouns = {n: SimpleNamespace(folder=lambda project, n=n: project / n) for n in ("report", "registration")}
    return SimpleNamespace(**nouns)


def test_a_page_is_put_where_its_run_says_and_only_once(tmp_path, made):
    page = publish(tmp_path, made)
    assert page == tmp_path / page_of("0123456789abcdef") == tmp_path / "reports/0123456789ab/index.html"
    assert page.read_text() == "a page"
    os.utime(page, (1, 1))
    publish(tmp_path, made)
    assert page.stat().st_mtime == 1


def test_a_page_that_was_changed_or_went_is_put_back(tmp_path, made):
    page = publish(tmp_path, made)
    page.write_text("a paged")
    assert publish(tmp_path, made).read_text() == "a page"
    page.unlink()
    assert publish(tmp_path, made).read_text() == "a page"


def test_a_run_is_named_by_its_first_digits(tmp_path):
    for name in ("aa01", "aa02", "bb03"):
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / "index.html").touch()
    assert find_report(tmp_path, "bb").parent.name == "bb03"
    with pytest.raises(ProjectError, match="2 reports whose run begins with 'aa'"):
        find_report(tmp_path, "aa")
    with pytest.raises(ProjectError, match="no report of run 'cc': name one of"):
        find_report(tmp_path, "cc")
    with pytest.raises(ProjectError, match=r"no report of run '\.\.'"):
        find_report(tmp_path, "..")


def test_without_reports_the_remedy_is_a_run(tmp_path):
    with pytest.raises(ProjectError, match="`distillery run` writes one"):
        find_report(tmp_path, "aa")


def test_a_page_is_opened_as_a_file(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address) or True)
    assert open_page(tmp_path / "a page.html")
    assert asked == [(tmp_path / "a page.html").as_uri()]
