"""How much a command says on standard error while it works, and in which form. Light, like options.py."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from distillery.errors import UserMistake

VARIABLE = "DISTILLERY_LOG"  # for a schedule's runs, for workers, and for those who always want it so


class Log(StrEnum):
    """What is told on standard error; failures always are."""

    QUIET = "quiet"  # nothing else
    NORMAL = "normal"  # messages, a line a step, and a bar where there is a terminal
    VERBOSE = "verbose"  # a line for each epoch or batch too, also without a terminal
    JSON = "json"  # one JSON object a line for everything


def chosen_log(*, quiet: bool = False, verbose: bool = False, as_lines: bool = False) -> Log:
    """The one that was asked for, else that of DISTILLERY_LOG; UserMistake where they contradict."""
    asked = [
        log for log, wanted in ((Log.QUIET, quiet), (Log.VERBOSE, verbose), (Log.JSON, as_lines)) if wanted
    ]
    if len(asked) > 1:
        raise UserMistake("name one of --quiet, --verbose and --log-json")
    if asked:
        return asked[0]
    named = os.environ.get(VARIABLE) or Log.NORMAL
    if named not in set(Log):
        raise UserMistake(f"{VARIABLE} is {named!r}: set it to {', '.join(Log)}")
    return Log(named)


def write_line(event: str, **fields: Any) -> None:
    """One JSON object on standard error, with the time (UTC) and the event first; None is left out."""
    told = {key: value for key, value in fields.items() if value is not None}
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stderr.write(json.dumps({"at": at, "event": event, **told}, ensure_ascii=False) + "\n")
    sys.stderr.flush()
