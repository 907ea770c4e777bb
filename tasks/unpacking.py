"""`source.tar` unpacked: plain files below the folder that was asked for, or nothing at all."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from distillery.artifacts import is_inside, written_beside
from distillery.errors import DistilleryError

PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)  # neither links nor devices, nor sparse files, which may grow


def unpack(content: bytes, into: Path) -> None:
    """Write an uncompressed tar's files into `into`, which is replaced in one step.

    Raises DistilleryError with every member that is no plain file of its own below the folder.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            members = tar.getmembers()
            faults = _faults(members)
            if faults:
                raise DistilleryError("The archive of a version's code is not one that was made here", faults)
            with written_beside(into) as scratch:
                for member in members:
                    _write(tar, member, scratch / member.name)
                scratch.chmod(0o755)
    except tarfile.TarError as error:
        raise DistilleryError(f"The archive of a version's code cannot be read: {error}") from None


def _faults(members: list[tarfile.TarInfo]) -> list[str]:
    names = [member.name for member in members]
    folders = {str(folder) for name in names for folder in Path(name).parents}
    faults = [f"{member.name!r} is no plain file" for member in members if member.type not in PLAIN]
    faults += [f"{name!r} leads out of the folder" for name in names if not is_inside(name)]
    faults += [f"{name!r} is a file and a folder" for name in names if name in folders]
    return faults + [f"{name!r} stands twice" for name in sorted(set(names)) if names.count(name) > 1]


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path) -> None:
    stream = tar.extractfile(member)
    if stream is None:
        raise tarfile.TarError(f"{member.name} has no content")
    to.parent.mkdir(parents=True, exist_ok=True)
    content = stream.read()
    if len(content) != member.size:
        raise tarfile.TarError(f"{member.name} is cut short")
    to.write_bytes(content)
