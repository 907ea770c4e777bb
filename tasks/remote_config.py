"""Which remotes DVC's config names, read without importing DVC; what in it may be shown and what may not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from configobj import ConfigObj, ConfigObjError

from distillery.artifacts import digest_json
from distillery.errors import ProjectError
from tasks.registry_store import without_credentials

NAMED = re.compile(r"""['"]?remote\s+["'](.*?)["']['"]?""")
ADDRESS = re.compile(r"\w+://")
SECRET = re.compile(r"(?!ask_).*(pass|secret|token|key|connection_string|auth_header)(?!.*(file|path)$)")


@dataclass(frozen=True)
class Remote:
    """A remote of DVC's config. `identity` is a digest of its settings without the secret ones."""

    name: str
    place: str  # its address or absolute path, without credentials
    default: bool
    relative: bool  # its path is relative to the config, so elsewhere it is another place
    identity: str
    secrets: tuple[str, ...]

    def __str__(self) -> str:
        return f"remote {self.name} ({self.place})"


def configured_remotes(project: Path) -> tuple[Remote, ...]:
    """Every remote that DVC would know in this project, the default one first, then by name.

    Raises ProjectError where a config file cannot be read.
    """
    default, settings = None, dict[str, dict[str, str]]()
    for file in _config_files(project):
        for name, section in _sections(file):
            remote = NAMED.fullmatch(name)
            if remote:
                settings.setdefault(remote[1], {}).update(_placed(section, file.parent))
            elif name == "core":
                default = str(section.get("remote", default or "")).lower() or None
    made = [_remote(name, config, name == default) for name, config in settings.items() if "url" in config]
    return tuple(sorted(made, key=lambda remote: (not remote.default, remote.name)))


def choose_remote(project: Path, name: str | None) -> Remote:
    """The remote of this name, or the default one; ProjectError says how to configure it."""
    remotes = configured_remotes(project)
    for remote in remotes:
        if remote.default if name is None else remote.name == name.lower():
            return remote
    known = f"there are {', '.join(remote.name for remote in remotes)}" if remotes else "there is none"
    if name is None and remotes:
        raise ProjectError(f"no remote is the default ({known}): name one with --remote NAME")
    missing = f"no remote is called {name!r}" if name else "no remote is configured"
    add = f"dvc remote add {'' if name else '-d '}{name or 'NAME'} /absolute/folder"
    raise ProjectError(
        f"{missing} ({known}): `{add}` in {project} adds one (or ssh://, s3://, ...), then commit .dvc/config"
    )


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A message of a library without what only its config should know."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return re.sub(r"://[^/@\s]+@", "://", text)


def _config_files(project: Path) -> list[Path]:
    """DVC's config files, from the weakest to the strongest."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    system = os.environ.get("XDG_CONFIG_DIRS", "").split(":")[0] or "/etc/xdg"
    return [
        Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or Path(system) / "dvc") / "config",
        Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or home / "dvc") / "config",
        project.resolve() / ".dvc/config",
        project.resolve() / ".dvc/config.local",
    ]


def _sections(file: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        content = ConfigObj(file.read_text(encoding="utf-8").splitlines(), interpolation=False).dict()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError, ConfigObjError) as error:
        raise ProjectError(f"{file} cannot be read as DVC's config: {error}") from None
    sections = ((name.lower(), section) for name, section in content.items() if isinstance(section, dict))
    return [(name, {key.lower(): value for key, value in section.items()}) for name, section in sections]


def _placed(section: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """A section with an absolute path in place of a relative one, and a mark that it was."""
    plain = {key: str(value) for key, value in section.items()}
    url = plain.get("url")
    if url is None or ADDRESS.match(url):
        return plain
    path = Path(url).expanduser()
    absolute = os.path.abspath(folder / path)  # noqa: PTH100 - links stay as they are, as DVC leaves them
    return plain | {"url": absolute, "relative": "" if path.is_absolute() else "yes"}


def _remote(name: str, config: Mapping[str, str], default: bool) -> Remote:
    place = without_credentials(config["url"])
    shown = {key: value for key, value in config.items() if not SECRET.match(key)}
    relative = bool(config.get("relative"))
    return Remote(name, place, default, relative, digest_json(shown | {"url": place}), _secrets(config))


def _secrets(config: Mapping[str, str]) -> tuple[str, ...]:
    address = urlsplit(config["url"])
    asked = [value for values in parse_qs(address.query).values() for value in values]
    secrets: Sequence[str] = [value for key, value in config.items() if SECRET.match(key)]
    password = address.password or ""
    return tuple(
        secret for secret in (*secrets, *asked, address.query, password, unquote(password)) if secret
    )
