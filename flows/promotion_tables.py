"""Verdicts and histories on standard output, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from distillery.verdict import Outcome, Verdict
from flows.tables import console

if TYPE_CHECKING:
    from tasks.promoting import Promotion  # which reads rows, and a history does not

STYLES = {Outcome.PASSED: "green", Outcome.REFUSED: "red", Outcome.UNDECIDED: "yellow"}
SHORT = 12


def print_verdict(verdict: Verdict) -> None:
    """A line a gate, and what they say together."""
    print_gates(verdict.to_json()["gates"])
    pair = f"version {verdict.challenger} in place of {verdict.champion or 'none'}"
    console().print(f"{pair}: {verdict.outcome}, on {verdict.rows:,} rows", markup=False)


def print_gates(gates: Sequence[Mapping[str, Any]]) -> None:
    """A line a gate."""
    table = Table("gate", "outcome", "what was found", box=None)
    for gate in gates:
        outcome = Text(str(gate["outcome"]), STYLES[gate["outcome"]])
        outcome = outcome if gate["blocks"] else outcome.append(", warns only")
        table.add_row(gate["gate"], outcome, Text(gate["said"]))
    console().print(table)


def print_promotion(done: Promotion) -> None:
    """The verdict, and what became of it."""
    if done.verdict is not None:
        print_verdict(done.verdict)
    if done.waits:
        said = f"version {done.version} waits as candidate: `distillery promote --approve` makes it champion"
        console().print(said, markup=False)
    if done.link is None:
        return
    forced = ", forced" if done.link.event.forced else ""
    said = f"version {done.version} is champion{forced}, in place of {done.champion or 'none'}"
    console().print(f"{said}: event {done.link.head.number} of the history", markup=False)


def print_history(told: Mapping[str, Any]) -> None:
    """The events, newest first, then what was found wrong."""
    out = console()
    if not told["events"]:
        out.print(f"{told['model']} has no history yet.", markup=False)
    else:
        out.print(_events(told))
    for kind in ("faults", "notes"):
        for sentence in told.get(kind, ()):
            out.print(f"{kind[:-1]}: {sentence}", markup=False)
    if "faults" in told and not told["faults"]:
        count = len(told["events"])
        out.print(
            f"{count} event{'s' * (count != 1)}, unbroken: every anchor lies on the chain.", markup=False
        )


def _events(told: Mapping[str, Any]) -> Table:
    table = Table("event", "when", "who", "what", "from", "to", "verdict", "reason", "digest", box=None)
    for row in reversed(told["events"]):
        what = f"{row['kind']}, void" if row["void"] else row["kind"]
        current = row["to"] == told["champion"] and not row["void"]
        table.add_row(
            str(row["event"]),
            row["when"],
            Text(row["who"]),
            Text(what, "red" if row["forced"] else ""),
            row["from"] or "none",
            Text(row["to"], "bold" if current else ""),
            row["verdict"] or "",
            Text(row["reason"]),
            row["digest"][:SHORT],
        )
    return table
