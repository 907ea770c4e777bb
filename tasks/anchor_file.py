"""`champion.json` at the project's root: who is champion, and where its history stood then.

It is made to be committed. It anchors the history of one registry: a clone with a registry of its own has
another history, and the file is of the one that was written to last.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from distillery.artifacts import read_json, write_json
from distillery.errors import DistilleryError
from distillery.history import Anchor, Head, Link

FILE = "champion.json"


@dataclass(frozen=True)
class Champion:
    """What the file says: the registry (its address, or the local store's id), the version and the head."""

    registry: str
    model: str
    version: str
    onnx_digest: str
    event: int
    digest: str

    @property
    def anchor(self) -> Anchor:
        """What it holds the history to."""
        return Anchor(FILE, Head(self.event, self.digest))


def champion_of(registry: str, model: str, link: Link) -> Champion:
    """What the file should say after an event."""
    event, head = link.event, link.head
    return Champion(registry, model, event.version, event.onnx_digest, head.number, head.digest)


def read_champion(project: Path) -> Champion | None:
    """The file; None where it is not there, DistilleryError where it is not as it was written."""
    try:
        plain = read_json(project / FILE)
        found = Champion(**plain)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise DistilleryError(f"{project / FILE} is damaged: restore it from git, or remove it") from None
    return found


def write_champion(project: Path, champion: Champion) -> None:
    """Replace the file where it says something else; a damaged one too."""
    try:
        same = read_champion(project) == champion
    except DistilleryError:
        same = False
    if not same:
        write_json(project / FILE, asdict(champion))
