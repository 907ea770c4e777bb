"""Matplotlib figures as SVG that lives inside a page: its colours are the page's, and so is its font.

A figure is drawn in the light theme's colours, each of which stands for a variable of the page's style
sheet; so one drawing follows the reader's theme, and prints. Texts stay texts. Equal figures give equal text.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

INK, MUTED, RULE, PAPER, GOOD, BAD = "#1d2430", "#5b6472", "#d9d6cf", "#fffefb", "#0b7a5c", "#b3382c"
SERIES = (
    "#4a5a6e", "#0b66b0", "#a96b00", "#0f8a68", "#7a4fb5",
    "#c2405a", "#5c7a16", "#96563f", "#2f8f9d", "#8a3f8f",
)  # fmt: skip
MARKERS = ("s", "o", "^", "D", "v", "P", "X", "p", "h", "*")
VARIABLES = {
    INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper", GOOD: "--good", BAD: "--bad",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES)},
}  # fmt: skip
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
TIP = "tip:"
LONGEST = 28  # characters of a name in a chart


@dataclass(frozen=True)
class Chart:
    """A drawing as inline SVG (safe to put into a page as it is), and the caption below it."""

    svg: str
    caption: str


class Drawing:
    """A figure that is being drawn; `name` tells its ids from those of the page's other charts."""

    def __init__(self, name: str, figure: Figure) -> None:
        self.name = name
        self.figure = figure

    def axes(self, rows: int = 1, columns: int = 1) -> list[Axes]:
        """A grid of axes, row by row."""
        return list(self.figure.subplots(rows, columns, squeeze=False).flat)

    def svg(self, described: str) -> str:
        """The drawing as SVG; `described` says in words what there is to see."""
        for text in self.figure.findobj(Text):
            text.set_parse_math(False)  # a name may hold dollars
        written = StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # a glyph that its own font lacks; the page's may not
            self.figure.savefig(written, format="svg", metadata=nothing)
        return _inlined(written.getvalue(), self.name, printable(described))


@contextmanager
def drawing(name: str, width: float = 4.5, height: float = 3.3) -> Iterator[Drawing]:
    """A figure of so many inches; draw and write it inside the block."""
    style: Any = {**STYLE, "svg.hashsalt": name}  # whose keys are typed as literals
    with rc_context(style):
        yield Drawing(name, Figure(figsize=(width, height), layout="constrained", facecolor="none"))


def tip(artist: Artist, text: str) -> None:
    """Say this where a reader points at the artist."""
    artist.set_gid(f"{TIP}{printable(text)}")


def shortened(name: str) -> str:
    """A name as a chart can hold it."""
    shown = printable(name)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def printable(text: str) -> str:
    """The text without what XML cannot hold."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def series(number: int) -> str:
    """The colour of the n-th series."""
    return SERIES[number % len(SERIES)]


def marker(number: int) -> str:
    """The marker of the n-th series: colour alone must not tell series apart."""
    return MARKERS[number % len(MARKERS)]


def _inlined(written: str, name: str, described: str) -> str:
    root = ElementTree.fromstring(written)  # noqa: S314  # it was written a line before, by matplotlib
    for tag in ("metadata", f"{{{SVG}}}metadata"):
        for found in root.findall(tag):
            root.remove(found)
    for definitions in root.findall(f"{{{SVG}}}defs"):
        for style in definitions.findall(f"{{{SVG}}}style"):
            definitions.remove(style)  # it would hold for the whole page
    referenced = {id_ for element in root.iter() for id_ in _references(element)}
    for element in list(root.iter()):
        _make_own(element, name, referenced)
    for size in ("width", "height"):
        root.attrib.pop(size, None)  # the page's style sheet decides; viewBox keeps the proportions
    root.attrib |= {"role": "img", "aria-label": described, "class": "chart"}
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _references(element: ElementTree.Element) -> Iterator[str]:
    for value in element.attrib.values():
        for match in REFERENCE.finditer(value):
            yield match[1] or match[2]


def _make_own(element: ElementTree.Element, name: str, referenced: set[str]) -> None:
    """Ids get the chart's name or go, colours become variables, tips become titles."""
    own = element.attrib.pop("id", "")
    if own.startswith(TIP):
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = own.removeprefix(TIP)
        element.insert(0, title)
    elif own in referenced:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if key == "id":
            continue
        changed = REFERENCE.sub(lambda m: f"url(#{name}-{m[1]})" if m[1] else f"#{name}-{m[2]}", value)
        element.set(key, _themed(changed) if key in ("style", "fill", "stroke") else changed)


def _themed(style: str) -> str:
    for colour, variable in VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    return re.sub(r"'DejaVu Sans'(, [^;]*)?", "var(--font)", style)
