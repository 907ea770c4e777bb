"""What became of a retraining, on standard output, for people."""

from __future__ import annotations

from flows.promotion_tables import print_gates
from flows.retrain import Update
from flows.tables import console


def print_update(update: Update) -> None:
    """The gates, where they were asked, and what follows."""
    if update.verdict is not None:
        print_gates(update.verdict["gates"])
    console().print(f"{update.event}: {update.said}", markup=False)
