"""Where DVC keeps objects by their md5: its cache, or a remote. Asked, read and written; never trusted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from distillery.artifacts import CHUNK
from tasks.memory import DigestMemory
from tasks.remote_config import without_secrets

SAID = 300


class NotStored(Exception):
    """A store does not have an object."""


class Unanswered(Exception):
    """A store cannot be asked; the message says why."""


class ObjectStore:
    """A place of objects. Nothing is connected before the first question."""

    def __init__(self, place: str, connect: Callable[[], Any], secrets: Sequence[str] = ()) -> None:
        self.place = place  # in words, without credentials
        self._connect = connect
        self._secrets = secrets
        self._silent: str | None = None

    def chunks(self, md5: str) -> Iterator[bytes]:
        """An object's bytes as they are stored, not checked; raises NotStored or Unanswered."""
        if self._silent:
            raise Unanswered(self._silent)
        try:
            with self._objects.fs.open(self._objects.oid_to_path(md5), "rb") as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise NotStored from None
        except Exception as error:  # every kind of remote has errors of its own
            said = self._told(error)
            if not self._is_here:
                self._silent = said  # a host that is gone is not waited for at every object
            raise Unanswered(said) from error

    def sizes(self, md5s: Collection[str]) -> dict[str, int | None]:
        """The bytes of every object, None where there is none; raises Unanswered."""
        if not md5s:
            return {}
        try:
            files = self._objects.fs
            files.fs.invalidate_cache()  # what a listing said before something was sent
            paths = [self._objects.oid_to_path(md5) for md5 in md5s]
            found = files.info(paths, return_exceptions=True)
        except Exception as error:
            raise Unanswered(self._told(error)) from error
        return {md5: self._size(answer) for md5, answer in zip(md5s, found, strict=True)}

    def file(self, md5: str) -> Path | None:
        """The file of an object, if the store is on this machine's disk; it need not be there."""
        objects = self._objects
        return Path(objects.oid_to_path(md5)) if objects.fs.protocol == "local" else None

    def receive(self, source: ObjectStore, md5s: Sequence[str]) -> dict[str, str]:
        """Copy objects from a store of this disk; in words, why for those that could not be written."""
        refused: dict[str, str] = {}

        def remember(md5: str, error: BaseException) -> None:
            refused[md5] = self._told(error)

        try:
            paths = [str(source.file(md5)) for md5 in md5s]
            files = source._objects.fs
            self._objects.add(paths, files, list(md5s), check_exists=False, on_error=remember)
        except Exception as error:
            said = self._told(error)
            return dict.fromkeys(md5s, said) | refused
        return refused

    def remove(self, md5: str) -> None:
        """Remove a damaged object, so that a sound one can take its place; raises Unanswered."""
        try:
            self._objects.delete(md5)
        except FileNotFoundError:
            pass
        except Exception as error:
            raise Unanswered(self._told(error)) from error

    @property
    def _is_here(self) -> bool:
        """Whether it is on this machine's disk: one object that cannot be read says nothing of others."""
        return "_objects" in vars(self) and self._objects.fs.protocol == "local"

    @cached_property
    def _objects(self) -> Any:
        return self._connect()

    def _size(self, answer: Any) -> int | None:
        if isinstance(answer, FileNotFoundError):
            return None
        if isinstance(answer, BaseException):
            raise Unanswered(self._told(answer)) from answer
        return int(answer["size"]) if answer["type"] == "file" else None

    def _told(self, error: BaseException) -> str:
        said = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        return without_secrets(said, self._secrets)[:SAID]


def sound_objects(store: ObjectStore, md5s: Collection[str], memory: DigestMemory) -> dict[str, int]:
    """The bytes of those objects that a store of this disk has unaltered, by md5."""
    sound = {}
    for md5 in md5s:
        file = store.file(md5)
        if file is not None and file.is_file():
            digest = memory.digest(file)
            if digest.md5 == md5.removesuffix(".dir"):
                sound[md5] = digest.bytes
    return sound
