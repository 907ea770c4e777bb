"""What commands share: their options, how a failure is told, and the one JSON value.

Light: a command imports this at once, and what it works with when it runs.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from distillery.errors import INTERRUPTED, DiskError, DistilleryError
from flows.completion import complete_setting, complete_step
from flows.logs import VARIABLE, Log, chosen_log, write_line

if TYPE_CHECKING:
    from flows.project import Request
    from flows.telling import Teller

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EEXIST)

Project = Annotated[
    Path | None,
    typer.Option("--project", metavar="DIR", help="Default: the nearest parent with a params.yaml."),
]
ParamsFiles = Annotated[
    list[Path] | None,
    typer.Option("--params", metavar="FILE", help="A YAML file over params.yaml; repeatable, in order."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="a.b=c",
        help="One parameter over all files; repeatable.",
        autocompletion=complete_setting,
    ),
]
Refresh = Annotated[
    list[str] | None,
    typer.Option(
        "--refresh",
        metavar="STEP",
        help="Do this step anew; repeatable.",
        autocompletion=complete_step,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON value on standard output, and nothing else there.")
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Exit 5 instead of waiting for another run of this project.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Nothing on standard error but failures.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="A line for each epoch too, with rate and remaining time.")
]
LogJson = Annotated[
    bool, typer.Option("--log-json", help="Standard error as JSON lines: message, started, progress, ...")
]

Arguments = ParamSpec("Arguments")


def told(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Every failure as one message on standard error, with the exit code of errors.py; no traceback."""

    @wraps(command)
    def telling(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        lines = bool(kwargs.get("log_json")) or os.environ.get(VARIABLE) == Log.JSON
        try:
            command(*args, **kwargs)
        except DistilleryError as error:
            _fail(error, lines)
        except KeyboardInterrupt:
            _fail(_Interrupted("interrupted: run it again to go on; finished steps are kept"), lines)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            _fail(DiskError(_told_disk(error) or _told_fault(error)), lines)

    return telling


class _Interrupted(DistilleryError):
    exit_code = INTERRUPTED


def _told_disk(error: Exception) -> str | None:
    """What the disk refused, and the remedy; None for a failure of another kind."""
    if not isinstance(error, OSError) or error.errno not in DISK:
        return None
    where = f" {error.filename}" if error.filename else ""
    remedy = "nothing half-written is kept; make room or mend the rights and run it again"
    return f"cannot use{where}: {error.strerror}; {remedy}"


def _told_fault(error: Exception) -> str:
    """A fault of ours in a line; its traceback is kept where it can be sent from."""
    with NamedTemporaryFile("w", prefix="distillery-error-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return (
        f"internal error, {type(error).__name__}: {error}\nthe traceback is in {log.name}: please report it"
    )


def _fail(error: DistilleryError, lines: bool) -> None:
    if lines:
        told = {"message": error.message, "faults": list(error.faults), "exit_code": error.exit_code}
        write_line("failed", **told)
    else:
        sys.stderr.write(f"distillery: {error}\n")
    sys.exit(error.exit_code)


def teller_of(
    quiet: bool = False, verbose: bool = False, log_json: bool = False, as_json: bool = False
) -> Teller:
    """Whom a command tells while it works; UserMistake where options contradict. Beside --json no steps."""
    log = chosen_log(quiet=quiet, verbose=verbose, as_lines=log_json)
    from flows.terminal import teller

    return teller(log, steps=not as_json)


def request_of(
    project: Path | None, params: Sequence[Path] | None, settings: Sequence[str] | None
) -> Request:
    """The project and its params, overlaid; sets the environment that later imports read."""
    from flows.project import read_request

    return read_request(project, tuple(params or ()), tuple(settings or ()))


def print_json(value: object) -> None:
    """The one JSON value of a command, on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))
