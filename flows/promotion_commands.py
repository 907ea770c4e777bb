"""The commands about the champion: who becomes it, back to the one before, and what happened until now."""

from __future__ import annotations

from typing import Annotated

import typer

from distillery.errors import DistilleryError, Refused
from distillery.verdict import Outcome, Verdict
from flows.options import AsJson, ParamsFiles, Project, Settings, print_json, request_of, teller_of, told

COMMIT = "champion.json changed: commit it to anchor the history outside the registry"
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history for ever.")]
To = Annotated[
    str | None, typer.Option("--to", metavar="VERSION", help="Default: the champion before this one.")
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Find events that were edited, removed or moved; exit 1 where one was."),
]


Version = Annotated[
    str | None, typer.Argument(metavar="[VERSION]", help="Default: the challenger of the last run.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what the gates say.")]
Force = Annotated[
    bool, typer.Option("--force", help="Against the gates: needs --reason, and is marked for ever.")
]
Approve = Annotated[
    bool,
    typer.Option("--approve", help="Finish what waits as `candidate` (promotion.approval: manual)."),
]


@told
def promote(
    version: Version = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    force: Force = False,
    approve: Approve = False,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Make a challenger champion, if the gates pass it on test rows that neither model has seen.

    Exit 3: refused or undecided. Exit 5: the champion changed meanwhile, judge anew. Nothing moved then.
    """
    request = request_of(project, params, settings)
    from tasks.promoting import Asked
    from tasks.promoting import promote as promote_version

    asked = Asked(version, reason, dry_run, force, approve)
    say = teller_of().say
    done = promote_version(request.project, request.params, asked, say)
    if as_json:
        print_json(done.to_json())
    else:
        from flows.promotion_tables import print_promotion

        print_promotion(done)
    if done.verdict is not None and not dry_run:
        from flows.once import show_verdict

        show_verdict(request, done.verdict.to_json(), say)
    if done.link is not None:
        say(COMMIT)
    elif done.verdict is not None:
        require_passed(done.verdict)


Of = Annotated[str, typer.Argument(metavar="VERSION|ALIAS", help="Of the registered model.")]


@told
def compare(
    first: Of,
    second: Of,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """What the gates say of putting the second version in the place of the first. Nothing is changed."""
    request = request_of(project, params, settings)
    from tasks.promoting import compare as compare_versions

    verdict = compare_versions(request.project, request.params, first, second)
    if as_json:
        print_json(verdict.to_json())
    else:
        from flows.promotion_tables import print_verdict

        print_verdict(verdict)


def require_passed(verdict: Verdict) -> None:
    """Raises Refused with each gate that stops the challenger."""
    if verdict.outcome is not Outcome.PASSED:
        stopping = [gate for gate in verdict.gates if gate.blocks and gate.outcome is not Outcome.PASSED]
        faults = [f"{gate.gate}, {gate.outcome}: {gate.said}" for gate in stopping]
        said = f"version {verdict.challenger} is {verdict.outcome}"
        raise Refused(f"{said}; the champion stays {verdict.champion or 'none'}", faults)


@told
def rollback(
    to: To = None,
    reason: Reason = "",
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Back to the champion before, whose file is checked and run on recorded rows first.

    Exit 3: its file is not what was registered. Exit 5: the champion changed meanwhile. Nothing moved then.
    """
    request = request_of(project, params, settings)
    from tasks.rolling_back import roll_back

    say = teller_of().say
    done = roll_back(request.project, request.params.registry, to, reason, say)
    say(COMMIT)
    if as_json:
        print_json(done.to_json())
    else:
        event = done.link.event
        ran = f", and {done.rows} recorded rows are predicted as they were" if done.rows else ""
        said = f"version {event.version} is champion again, in place of {event.previous}"
        typer.echo(f"{said}: its file is what was registered{ran}")


@told
def history(
    verify: Verify = False,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Every champion there was: when, who, from, to, verdict, reason."""
    request = request_of(project, params, settings)
    from tasks.reading_history import remember

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
