"""The command about what a run came to: its page, found and opened."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import AsJson, ParamsFiles, Project, Settings, print_json, request_of, teller_of, told

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="The first digits of a run; default: the present params' run, else the newest."
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open it in the browser.")]


@told
def report(
    run: Run = None,
    show: Open = False,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Where a run's report is: one page with the verdict, the charts, the mistakes and the lineage."""
    request = request_of(project, params, settings)
    from flows import reports
    from flows.once import present_report

    say = teller_of().say
    page = reports.find_report(request.project, run) if run else present_report(request, say)
    if as_json:
        print_json({"report": str(page)})
    else:
        typer.echo(page)
    if show and not reports.open_page(page):
        say("no browser could be opened: open that file in one")
