"""Tables on standard output, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from distillery.report.variants import models_table, variants_table
from flows.outcome import Outcome

WIDEST = 150


def console() -> Console:
    """Standard output; without a terminal, wide enough for every table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDEST)


def print_outcome(outcome: Outcome) -> None:
    """The variants, which was chosen and why, and what became of it."""
    out = console()
    chosen = outcome.chosen
    out.print(variants_table(outcome.variants, chosen["name"] if chosen else None))
    if chosen is None:
        out.print(f"No model was chosen: {outcome.reason}. No alias was moved.", markup=False)
        for variant in (v for v in outcome.variants if v.broken):
            out.print(f"  {variant.name}: {'; '.join(variant.broken)}", markup=False)
    else:
        where = f"version {chosen['version']}, alias {chosen['alias']}"
        out.print(f"{chosen['name']} is {where}: {outcome.reason}.", markup=False)
    for caution in outcome.cautions:
        out.print(f"Mind: {caution}.", markup=False)
    out.print(f"Report: {outcome.report}", markup=False)


def print_plan(steps: Sequence[Mapping[str, Any]]) -> None:
    """A line a step, and under each miss why."""
    out = console()
    for step in steps:
        label = f"{step['name']} {step['variant'] or ''}".strip()
        out.print(f"{'cached' if step['status'] == 'hit' else 'runs':7}{label}", markup=False)
        for because in step["because"]:
            out.print(f"         {because}", style="dim", markup=False)


def print_models(models: Sequence[Mapping[str, Any]]) -> None:
    """The registry."""
    console().print(models_table(models))


def print_findings(findings: Mapping[str, Any]) -> None:
    """What the doctor found, a line each."""
    table = Table(show_header=False, box=None)
    for name, value in findings.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(name.replace("_", " "), shown or "none")
    console().print(table)
