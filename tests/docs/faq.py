"""The errors that docs/faq.md quotes, as what to type and what is printed then."""

import re
from dataclasses import dataclass

from tests.docs.documented import fences, words_of

EARLY = ("plan",)  # what is refused before anything is looked at; the others want a finished project


@dataclass(frozen=True)
class Quoted:
    """A command, and what it prints on standard error; `…` stands for anything."""

    words: tuple[str, ...]
    said: str

    def __str__(self):
        return " ".join(self.words)

    @property
    def early(self):
        return self.words[0] in EARLY or "--quiet" in self.words

    def is_in(self, printed):
        parts = self.said.strip().split("…")
        return re.search(".*".join(map(re.escape, parts)), printed, re.DOTALL) is not None


def quoted():
    found = []
    for fence in fences():
        if fence.language == "console":
            command, _, said = fence.text.partition("\n")
            found.append(Quoted(words_of(command)[1:], said))
    return found
