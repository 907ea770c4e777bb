"""The README's picture: accuracy against bytes, taken out of a run's report, as an image of its own.

distillery report                                       # says where a run's page is
python benchmarks/picture.py reports/RUN/index.html docs/picture.svg
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from xml.etree import ElementTree

from distillery.report.plotting import PAPER, SVG, VARIABLES, XLINK

WIDTH = 620  # pixels
SHOWN = "file size"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def picture(page: str) -> str:
    """The page's chart of accuracy against bytes, in the light theme's colours."""
    charts = re.findall(r"<svg\b.*?</svg>", page, re.DOTALL)
    (chart,) = (chart for chart in charts if f"against {SHOWN}" in chart.partition(">")[0])
    for colour, variable in VARIABLES.items():
        chart = chart.replace(f"var({variable})", colour)
    root = ElementTree.fromstring(chart.replace("var(--font)", FONT))  # noqa: S314 - our own page
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib |= {"width": str(WIDTH), "height": f"{WIDTH * float(height) / float(width):.0f}"}
    root.insert(0, ElementTree.Element(f"{{{SVG}}}rect", width="100%", height="100%", fill=PAPER))
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("image", type=Path)
    asked = parser.parse_args()
    asked.image.write_text(picture(asked.page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
