"""The commands that keep a model fresh: retrain once, and retrain on a schedule."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Annotated

import typer

from flows.logs import VARIABLE, chosen_log
from flows.options import (
    AsJson,
    LogJson,
    NoWait,
    ParamsFiles,
    Project,
    Quiet,
    Settings,
    Verbose,
    print_json,
    request_of,
    teller_of,
    told,
)

Force = Annotated[bool, typer.Option("--force", help="Retrain although nothing changed.")]
Cron = Annotated[
    str | None, typer.Option("--cron", metavar="LINE", help='When, in UTC: "0 3 * * *" is every night at 3.')
]
Interval = Annotated[
    str | None, typer.Option("--interval", metavar="TIME", help="How often: 90s, 30m, 1h or 1d.")
]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Of the server's page; default: any that is free.")
]
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@told
def retrain(
    force: Force = False,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    no_wait: NoWait = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_json: LogJson = False,
    as_json: AsJson = False,
) -> None:
    """Look for new data or changes, train with what the champion knows, judge, and promote or keep.

    Nothing new: it says so and stops. Exit 3: the gates refused, or could not decide; the champion stays.
    """
    teller = teller_of(quiet, verbose, log_json, as_json)
    request = request_of(project, params, settings)
    from flows import retrain as flow

    update = flow.retrain(request, force=force, wait=not no_wait, teller=teller)
    if as_json:
        print_json(update.to_json())
    else:
        from flows.schedule_tables import print_update

        print_update(update)
    if update.event == "refused":
        raise typer.Exit(3)


@told
def serve(
    cron: Cron = None,
    interval: Interval = None,
    port: Port = 0,
    project: Project = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_json: LogJson = False,
) -> None:
    """Keep retraining until Ctrl-C: on the server that PREFECT_API_URL names, else on one of its own."""
    if cron is not None and interval is not None:
        raise typer.BadParameter("name --cron or --interval, not both")
    every = _time(interval)
    os.environ[VARIABLE] = chosen_log(quiet=quiet, verbose=verbose, as_lines=log_json)  # its runs read it
    request = request_of(project, None, None)
    from flows.serving import serve as flow

    flow(request, cron, every, port, teller_of().say)


def _time(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if not found:
        raise typer.BadParameter(f"{text!r}: write it as 90s, 30m, 1h or 1d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
