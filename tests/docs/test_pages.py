"""Pages: links lead somewhere, snippets are legal, and every page is found from the navigation."""

import ast
import importlib
import re

import pytest
import yaml

from distillery.params.project import Params, overlaid, read_tree, validate
from tests.docs.documented import FENCE, PAGES, ROOT, fences

LINK = re.compile(r"\]\(([^)\s]+)\)")
SNIPPETS = [fence for fence in fences() if fence.language == "python"]
TREES = [
    (f"{fence.page}:{fence.line}", tree)
    for fence in fences()
    if fence.language in ("", "yaml") and re.match(r"[a-z]+:\s", fence.text)
    for tree in [yaml.safe_load(fence.text)]
    if set(tree) <= set(Params.model_fields)
]


def anchors(page):
    """The names that headings get: lower case, words joined by dashes."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda fence: f"{fence.page}:{fence.line}")
def test_python_is_python_and_its_imports_exist(snippet):
    for node in ast.walk(ast.parse(snippet.text)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("distillery", "flows", "tasks"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), node.module


@pytest.mark.parametrize("tree", [tree for _, tree in TREES], ids=[where for where, _ in TREES])
def test_parameters_in_yaml_are_legal(tree):
    validate(overlaid(read_tree(ROOT / "params.yaml"), tree), "the page")
