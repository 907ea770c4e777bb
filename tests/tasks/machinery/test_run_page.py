"""What a flow run's page is given; no server."""

from tasks import run_page


def test_the_report_is_a_link_with_its_path_beside_it(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(run_page, "create_markdown_artifact", lambda *given: told.append(given))
    page = tmp_path / "a project/reports/0123/index.html"
    run_page.show_report("Digits_2", page)
    ((markdown, key, said),) = told
    assert f"({page.as_uri()})" in markdown
    assert f"`{page}`" in markdown
    assert (key, said) == ("digits-2-report", "Report")
