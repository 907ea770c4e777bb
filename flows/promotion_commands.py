"""The commands about the champion: who becomes it, back to the one before, and what happened until now."""

from __future__ import annotations

from typing import Annotated

import typer

from distillery.errors import DistilleryError
from flows.options import AsJson, ParamsFile, Project, Settings, print_json, request_of, told

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history for ever.")]
To = Annotated[
    str | None, typer.Option("--to", metavar="VERSION", help="Default: the champion before this one.")
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Find events that were edited, removed or moved; exit 1 where one was."),
]


@told
def rollback(
    to: To = None,
    reason: Reason = "",
    project: Project = None,
    params: ParamsFile = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Back to the champion before, whose file is checked and run on recorded rows first.

    Exit 3: its file is not what was registered. Exit 5: the champion changed meanwhile. Nothing moved then.
    """
    request = request_of(project, params, settings)
    from flows.terminal import Terminal
    from tasks.rolling_back import roll_back

    done = roll_back(request.project, request.params.registry, to, reason, Terminal().say)
    if as_json:
        print_json(done.to_json())
    else:
        event = done.link.event
        typer.echo(
            f"version {event.version} is champion again, in place of {event.previous}: "
            f"its file is what was registered, and {done.rows} recorded rows are predicted as they were"
        )


@told
def history(
    verify: Verify = False,
    project: Project = None,
    params: ParamsFile = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Every champion there was: when, who, from, to, verdict, reason."""
    request = request_of(project, params, settings)
    from tasks.remembering import remember

    found = remember(request.project, request.params.registry)
    plain = found.to_json()
    if not verify:
        plain = {key: value for key, value in plain.items() if key not in ("faults", "notes")}
    if as_json:
        print_json(plain)
    else:
        from flows.promotion_tables import print_history

        print_history(plain)
    if verify and found.faults:
        raise DistilleryError(f"the history of {found.model} is not as it was written", found.faults)
