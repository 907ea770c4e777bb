"""The command line. Heavy things are imported by the command that needs them, when it needs them."""

from __future__ import annotations

from typing import Annotated

import typer

from flows import (
    export_commands,
    params_commands,
    predict_commands,
    promotion_commands,
    report_commands,
    schedule_commands,
    trend_commands,
    version_commands,
)
from flows.data_commands import data
from flows.options import (
    AsJson,
    LogJson,
    NoWait,
    ParamsFiles,
    Project,
    Quiet,
    Refresh,
    Settings,
    Verbose,
    print_json,
    request_of,
    teller_of,
    told,
)

app = typer.Typer(
    name="distillery",
    help="Make a classifier small and fast for CPU and edge, and keep it small, fresh and trustworthy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(data)


@app.callback(invoke_without_command=True)
def distillery(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Commands work on a project: a folder with a params.yaml."""
    if version:
        from distillery.machine import library_version

        typer.echo(f"distillery {library_version('distillery')}")
        raise typer.Exit


@app.command()
@told
def run(
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    refresh: Refresh = None,
    no_wait: NoWait = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_json: LogJson = False,
    as_json: AsJson = False,
) -> None:
    """Teacher, student, int8, measured, chosen, registered. What was done before is not done again.

    Exit 3: no variant keeps the budget. Exit 5: another run holds the project (--no-wait).
    """
    teller = teller_of(quiet, verbose, log_json, as_json)
    from flows.once import compress_once

    request = request_of(project, params, settings)
    outcome = compress_once(request, tuple(refresh or ()), not no_wait, teller)
    if as_json:
        print_json(outcome.to_json())
    else:
        from flows.tables import print_outcome

        print_outcome(outcome)
    if outcome.chosen is None:
        raise typer.Exit(3)


@app.command()
@told
def plan(
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    refresh: Refresh = None,
    as_json: AsJson = False,
) -> None:
    """Which steps would run, which are cached, and for each that would run, what changed."""
    from flows.once import plan_once

    steps = plan_once(request_of(project, params, settings), tuple(refresh or ()))
    if as_json:
        print_json({"steps": steps})
    else:
        from flows.tables import print_plan

        print_plan(steps)


@app.command()
@told
def models(
    project: Project = None, params: ParamsFiles = None, settings: Settings = None, as_json: AsJson = False
) -> None:
    """The registry: every version with its aliases, accuracy and footprint."""
    request = request_of(project, params, settings)  # which sets the environment that imports read
    from flows.models import registered_models

    found = registered_models(request)
    if as_json:
        print_json(found)
    else:
        from flows.tables import print_models

        print_models(found)


@app.command()
@told
def doctor(
    project: Project = None,
    fix: Annotated[bool, typer.Option("--fix", help="Remove what killed runs left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Versions, processor and precision, server or embedded, and leftovers of killed runs."""
    from flows.doctor import examine
    from flows.project import find_project

    findings = examine(find_project(project), fix)
    if as_json:
        print_json(findings)
    else:
        from flows.tables import print_findings

        print_findings(findings)


app.command()(params_commands.params)
app.command()(version_commands.reproduce)
app.command()(version_commands.lineage)
app.command()(report_commands.report)
app.command()(trend_commands.trend)
app.command()(predict_commands.predict)
app.command()(export_commands.export)
app.command()(promotion_commands.promote)
app.command()(promotion_commands.rollback)
app.command()(promotion_commands.history)
app.command()(promotion_commands.compare)
app.command(hidden=True)(version_commands.agree)
app.command()(schedule_commands.retrain)
app.command()(schedule_commands.serve)


def main() -> None:
    """The entry point of `distillery`."""
    app()


if __name__ == "__main__":
    main()
