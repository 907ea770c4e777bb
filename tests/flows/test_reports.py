"""Where pages are put and found."""

import json
import os
from types import SimpleNamespace

import pytest

from distillery.artifacts import write_json
from distillery.errors import ProjectError
from flows.reports import find_report, newest_report, open_page, page_of, publish, publish_verdict


@pytest.fixture
def made(tmp_path):
    """A finished flow's registration and page."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text("a page")
    registration = {"run_id": "0123456789abcdef", "versions": {"student-fp32": "4", "student-int8-qat": "5"}}
    write_json(tmp_path / "registration/registration.json", registration)
    names = ("report", "registration", "choice", "data")
    nouns = {n: SimpleNamespace(folder=lambda project, n=n: project / n) for n in names}
    groups = {name: {} for name in ("networks", "models", "evaluations", "measurements")}
    return SimpleNamespace(**nouns, **groups)


@pytest.fixture
def written(monkeypatch):
    """What pages with gates were written of, by a writer that needs no registry."""
    told = []

    def write_page(project, run, params, page):
        told.append(json.loads((run.decisions["verdict"] / "verdict.json").read_text())["outcome"])
        page.write_text(f"judged {len(told)}: {told[-1]}")

    monkeypatch.setattr("tasks.write_report.write_page", write_page)
    return told


def test_a_page_is_put_where_its_run_says_and_only_once(tmp_path, made):
    page = publish(tmp_path, made, None)
    assert page == tmp_path / page_of("0123456789abcdef") == tmp_path / "reports/0123456789ab/index.html"
    assert page.read_text() == "a page"
    os.utime(page, (1, 1))
    publish(tmp_path, made, None)
    assert page.stat().st_mtime == 1


def test_a_page_that_was_changed_or_went_is_put_back(tmp_path, made):
    page = publish(tmp_path, made, None)
    page.write_text("a paged")
    assert publish(tmp_path, made, None).read_text() == "a page"
    page.unlink()
    assert publish(tmp_path, made, None).read_text() == "a page"


def test_what_the_gates_say_comes_into_the_page_and_stays_there(tmp_path, made, written):
    publish(tmp_path, made, None)
    page = publish_verdict(tmp_path, made, None, {"challenger": "5", "outcome": "refused"})
    assert page.read_text() == "judged 1: refused"
    assert publish(tmp_path, made, None).read_text() == "judged 1: refused"
    assert written == ["refused"]


@pytest.mark.parametrize("fault", ["changed", "gone", "another page", "no judged.json"])
def test_a_judged_page_that_is_not_that_any_more_is_written_again(tmp_path, made, written, fault):
    page = publish_verdict(tmp_path, made, None, {"challenger": "4", "outcome": "passed"})
    match fault:
        case "changed":
            page.write_text("judged 1: refused")
        case "gone":
            page.unlink()
        case "another page":
            (tmp_path / "report/index.html").write_text("a page by another template")
        case "no judged.json":
            (page.parent / "judged.json").unlink()
    assert publish(tmp_path, made, None).read_text() == "judged 2: passed"
    assert publish(tmp_path, made, None).read_text() == "judged 2: passed"


def test_a_verdict_on_a_version_of_another_run_changes_no_page(tmp_path, made, written):
    page = publish(tmp_path, made, None)
    assert publish_verdict(tmp_path, made, None, {"challenger": "9", "outcome": "passed"}) is None
    assert page.read_text() == "a page"
    assert written == []


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


def test_the_newest_is_the_one_that_was_written_last(tmp_path):
    for at, name in enumerate(("bb03", "aa01")):
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / "index.html").touch()
        os.utime(tmp_path / "reports" / name / "index.html", (at, at))
    assert newest_report(tmp_path).parent.name == "aa01"


def test_without_reports_the_remedy_is_a_run(tmp_path):
    for find in (newest_report, lambda project: find_report(project, "aa")):
        with pytest.raises(ProjectError, match="`distillery run` writes one"):
            find(tmp_path)


def test_a_page_is_opened_as_a_file(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address) or True)
    assert open_page(tmp_path / "a page.html")
    assert asked == [(tmp_path / "a page.html").as_uri()]
