"""The report of a real run: written, found, put back, and looked at in a browser where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from distillery.report.page import TEMPLATES


@pytest.fixture
def page(project):
    (found,) = (project.folder / "reports").glob("*/index.html")
    return found


def test_every_run_leaves_a_report_and_says_where(first):
    project, done = first
    page = project.folder / done.json["report"]
    html = page.read_text()
    assert done.json["chosen"]["name"] in re.findall("<h1>(.*?)</h1>", html)[0]
    assert len(page.read_bytes()) < 2_000_000
    assert html.count('class="chart"') == 7
    stored = list((project.folder / ".distillery/mlflow/artifacts").rglob("report/index.html"))
    assert [copy.read_bytes() for copy in stored] == [page.read_bytes()]


def test_a_page_that_went_is_put_back_without_running_anything(project, page):
    before = page.read_bytes()
    shutil.rmtree(page.parent)
    done = project("run", "--json").json
    assert {step["status"] for step in done["steps"]} == {"cached"}
    assert page.read_bytes() == before


def test_the_command_finds_the_page_of_the_present_params_or_of_a_run(project, page):
    assert project("report").out.strip() == str(page)
    assert project("report", page.parent.name[:4], "--json").json == {"report": str(page)}
    assert page.parent.name in project("report", "zz", code=2).err
    other = project("report", "--set", "runtime.seed=5")
    assert other.out.strip() == str(page)
    assert f"have not run to their end: this is the newest page, of run {page.parent.name}" in other.err


@pytest.mark.slow
def test_a_changed_template_writes_the_page_anew_and_nothing_else(project, source, page):
    template = source / "distillery/report/templates/page.html"
    template.write_text(template.read_text().replace("Distillery report", "A report of Distillery"))
    done = project("run", "--json", source=source).json
    ran = {step["name"] for step in done["steps"] if step["status"] == "ran"}
    assert ran == {"write_report"}
    assert "A report of Distillery" in (project.folder / done["report"]).read_text()


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE = """<!doctype html><iframe id="page" width="360" height="800" src="index.html"></iframe>
<script>onload = () => {
  const page = document.getElementById("page").contentDocument.documentElement;
  const pictures = [...page.querySelectorAll("svg.chart, img")];
  document.title = JSON.stringify([page.scrollWidth, page.clientWidth, pictures.length,
    pictures.filter(p => !p.getBoundingClientRect().width).length,
    Math.min(...[...page.querySelectorAll("svg.chart text")].map(t => t.getBoundingClientRect().height))]);
}</script>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to look at the page with")
def test_a_browser_has_nothing_to_complain_of_and_a_phone_scrolls_only_down(first, tmp_path):
    project, done = first
    shutil.copy(project.folder / done.json["report"], tmp_path / "index.html")
    (tmp_path / "phone.html").write_text(PHONE)
    seen = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
            "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000", "--dump-dom", (tmp_path / "phone.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    (measured,) = re.findall(r"<title>\[([\d.,]+)\]</title>", seen.stdout)
    wide, screen, pictures, unseen, smallest = map(float, measured.split(","))
    assert wide == screen
    assert pictures >= 7
    assert unseen == 0
    assert smallest > 8  # pixels
    assert "CONSOLE" not in seen.stderr


def test_the_templates_are_part_of_the_package():
    assert {file.name for file in TEMPLATES.iterdir()} == {"page.html", "style.css"}
    assert Path(TEMPLATES).parent.name == "report"
