"""`distillery data ...`: bring your own rows, version them, compare and restore them, keep them elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.options import AsJson, Project, print_json, request_of, teller_of, told

data = typer.Typer(
    name="data", help="The project's data set: import, versions, remotes.", no_args_is_help=True
)

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="IDX or CIFAR folder, NPZ, folder of images by class, CSV or Parquet, or a folder of shards.",
    ),
]
TestSource = Annotated[
    Path | None, typer.Option("--test", metavar="SOURCE", help="Test rows, which nothing else may read.")
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="The column of a table that holds the class.")
]
Remote = Annotated[
    str | None, typer.Option("--remote", metavar="NAME", help="Default: DVC's default remote.")
]
SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = SIZE.fullmatch(text)
    if not found:
        raise typer.BadParameter(f"{text!r}: write it as HEIGHTxWIDTH, like 32x32")
    return int(found[1]), int(found[2])


Resize = Annotated[
    str | None,
    typer.Option("--resize", metavar="HEIGHTxWIDTH", help="Scale images of other sizes."),
]


@data.command("import")
@told
def import_command(
    source: Source,
    test: TestSource = None,
    label: Label = None,
    resize: Resize = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Names the data set and its registered model."),
    ] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Make SOURCE the project's data set. The one before stays restorable."""
    size, request = _size(resize), request_of(project, None, None)
    from flows.data import Asked, import_data

    _tell(import_data(request, Asked(source, test, label, size), name, _say), as_json)


@data.command()
@told
def add(
    source: Source,
    test: TestSource = None,
    label: Label = None,
    resize: Resize = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Append SOURCE's rows as a new version: old rows keep their split, classes are matched by name."""
    size, request = _size(resize), request_of(project, None, None)
    from flows.data import Asked, add_data

    _tell(add_data(request, Asked(source, test, label, size), _say), as_json)


@data.command()
@told
def status(project: Project = None, as_json: AsJson = False) -> None:
    """Which version is there, whether it is what data.dvc pins, and where it is stored."""
    request = request_of(project, None, None)
    from flows.data_status import data_status

    _tell(data_status(request.project), as_json)


@data.command()
@told
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A git revision or a digest.")],
    after: Annotated[str | None, typer.Argument(metavar="[B]", help="Default: what is in data/.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Rows added, removed and relabelled from version A to B, and the balance of the classes."""
    request = request_of(project, None, None)
    from flows.data import diff_data

    difference = diff_data(request.project, before, after)
    if as_json:
        print_json(difference.to_json())
    else:
        from flows.data_tables import print_difference

        print_difference(difference)


@data.command()
@told
def restore(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A git revision or a digest.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A folder that is not there yet.")],
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Write an older version's folder elsewhere; every byte is verified, and the project is not touched."""
    request = request_of(project, None, None)
    from flows.data import restore_data

    restored = restore_data(request.project, version, to)
    if as_json:
        print_json(vars(restored))
    else:
        places = ", ".join(restored.places)
        typer.echo(f"{to}: {restored.files} files, {restored.bytes:,} bytes, verified, from {places}")
        for damaged in restored.damaged:
            _say(f"warning: {damaged}")


@data.command()
@told
def push(remote: Remote = None, project: Project = None, as_json: AsJson = False) -> None:
    """Store every pinned version remotely, then ask the remote for every object."""
    request = request_of(project, None, None)
    from flows.data_remotes import push_data, told_push

    done = push_data(request.project, remote, _say)
    print_json(done) if as_json else typer.echo(told_push(done))


@data.command()
@told
def pull(remote: Remote = None, project: Project = None, as_json: AsJson = False) -> None:
    """Bring back what data.dvc and models.dvc pin, every byte verified; changes are not overwritten."""
    request = request_of(project, None, None)
    from flows.data_remotes import pull_data, told_pull

    done = pull_data(request.project, remote, _say)
    print_json(done) if as_json else typer.echo("\n".join(map(told_pull, done)))


def _tell(status: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(status)
    else:
        from flows.data_tables import print_status

        print_status(status)


def _say(sentence: str) -> None:
    teller_of().say(sentence)
