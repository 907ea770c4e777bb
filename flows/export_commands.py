"""The command that takes a model elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import AsJson, ParamsFiles, Project, Settings, print_json, request_of, told

Model = Annotated[str, typer.Option("--model", help="An alias or a version of the registered model.")]
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="A folder that is empty or absent.")]
Licence = Annotated[
    str | None, typer.Option("--data-licence", metavar="TEXT", help="The data's licence, for the model card.")
]


@told
def export(
    to: To,
    model: Model = "champion",
    licence: Licence = None,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """A registered model as plain files: ONNX, labels, model card, checksums, and a script that predicts."""
    request = request_of(project, params, settings)
    from flows import delivery

    done = delivery.export(request, model, to, licence)
    if as_json:
        print_json(done.to_json())
    else:
        typer.echo(f"{done.variant}, version {done.version} of {done.model}, is in {done.folder}:")
        typer.echo("\n".join(f"  {name}" for name in done.files))
