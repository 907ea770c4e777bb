"""The commands about one registered version: made again, and traced back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distillery.errors import RebuiltDifferently
from flows.options import AsJson, ParamsFiles, Project, Settings, print_json, request_of, teller_of, told

Version = Annotated[str, typer.Argument(metavar="VERSION|ALIAS", help="Of the registered model.")]
To = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="DIR", help="Keep the project that it is rebuilt in; must be empty or absent."
    ),
]


@told
def reproduce(
    version: Version,
    to: To = None,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Make a registered version again, from its record alone, and compare.

    Runs the code that was registered with it, in a project of its own. Exit 4: it came out differently.
    """
    request = request_of(project, params, settings)
    from flows import reproduce as flow

    done = flow.reproduce(request, version, to, teller_of().say)
    if as_json:
        print_json(done.to_json())
    else:
        from flows.version_tables import print_reproduction

        print_reproduction(done)
    if done.judgement.verdict == "different":
        raise RebuiltDifferently(f"version {version} was rebuilt, but differently", done.judgement.reasons)


@told
def lineage(
    version: Version,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """What a registered version was made from: file, student, teacher, data, source."""
    request = request_of(project, params, settings)
    from flows import lineage as flow

    traced = flow.lineage(request, version)
    if as_json:
        print_json(traced)
    else:
        from flows.version_tables import print_lineage

        print_lineage(traced)


File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


@told
def agree(first: File, second: File, project: Project = None, as_json: AsJson = False) -> None:
    """How two model files' predictions compare on the project's test rows.

    What `reproduce` asks of a version's own code: see tasks/rebuilding.py.
    """
    request = request_of(project, None, None)
    from flows.agreement import agree_on

    agreement = agree_on(request, first, second)
    if as_json:
        print_json(agreement.to_json())
    else:
        typer.echo(str(agreement))
