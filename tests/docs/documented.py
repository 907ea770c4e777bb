"""What README.md and docs/ show: fences by language, and the commands in them and in code spans."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PROGRAMS = {
    "distillery",
    "make",
    "python",
    "pip",
    "git",
    "cd",
    "dvc",
    "mlflow",
    "prefect",
    "export",
    "sha256sum",
}


@dataclass(frozen=True)
class Fence:
    """A block of code on a page."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command as words. `whole`: shown in a fence, to be typed; else only named in a sentence."""

    page: str
    line: int
    words: tuple[str, ...]
    whole: bool

    def __str__(self):
        return f"{self.page}:{self.line} {' '.join(self.words)}"

    @property
    def program(self):
        return self.words[0]

    @property
    def verb(self):
        return self.words[1]


def fences():
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Fence(str(page.relative_to(ROOT)), line, found[2], dedent(found[3]))


def commands():
    return [*_in_fences(), *_in_spans()]


def typed_on(page, program):
    """The words after the program, of each command that the page shows in a fence."""
    return [one.words[1:] for one in _in_fences() if (one.page, one.program) == (page, program)]


def _in_fences():
    for fence in fences():
        if fence.language in ("", "sh", "bash"):
            lines = fence.text.replace("\\\n", " ").splitlines()
            for at, line in enumerate(lines, fence.line + 1):
                for part in line.split(" && "):
                    words = words_of(part)
                    if words:
                        yield Command(fence.page, at, words, whole=True)


def _in_spans():
    for page in PAGES:
        text = FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())
        for at, line in enumerate(text.splitlines(), 1):
            for span in SPAN.findall(line.replace("\\|", "|")):
                words = words_of(span)
                if words and words[0] in ("distillery", "make") and len(words) > 1:
                    yield Command(str(page.relative_to(ROOT)), at, words, whole=False)


def words_of(line):
    """The words of a command, without prompt, comment, brackets of optional words, and what is set for it."""
    line = re.sub(r"\s#\s.*$", "", line).strip().removeprefix("$ ")
    line = line.replace("…", "").replace("...", "")
    line = re.sub(r"\[((?:--?\w|[A-Z])[^\]]*)\]", r"\1", line)
    try:
        words = shlex.split(line)
    except ValueError:
        return ()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    return tuple(words) if words and words[0] in PROGRAMS else ()
