"""`make docs` builds without a warning, holds every page, and asks no network of who reads it."""

import os
import re
import subprocess
import sys

import pytest
import yaml

ASKED = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+\"")


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=root, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def navigated(entries):
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values():
                yield from navigated(inner if isinstance(inner, list) else [inner])


def test_every_page_is_in_the_navigation(root):
    nav = set(navigated(yaml.safe_load((root / "mkdocs.yml").read_text())["nav"]))
    pages = {str(page.relative_to(root / "docs")) for page in (root / "docs").rglob("*.md")}
    assert nav == pages | {"changelog.md", "contributing.md"}


def test_the_site_has_its_pages_and_the_api_from_the_docstrings(site):
    assert "every fault" in (site / "api.html").read_text()
    assert "make check" in (site / "contributing.html").read_text()
    assert (site / "house.svg").is_file()


def test_nothing_is_fetched_by_who_reads_it(site):
    asked = [found for page in site.rglob("*.html") for found in ASKED.findall(page.read_text())]
    assert asked == []
    fetched = [sheet.name for sheet in site.rglob("*.css") if "url(http" in sheet.read_text()]
    assert fetched == []
