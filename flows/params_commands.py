"""The command about the parameters: what each means here, and the reference that is made of them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.completion import complete_parameter
from flows.options import AsJson, Project, print_json, told

Path = Annotated[
    str,
    typer.Argument(
        metavar="[PATH]",
        help="A block or a parameter, such as distill; default: all.",
        autocompletion=complete_parameter,
    ),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print docs/params.md.")]
Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON schema, by which editors complete.")]


@told
def params(
    path: Path = "",
    markdown: Markdown = False,
    schema: Schema = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Every parameter of params.yaml: its value here, its type and range, and what it means."""
    from distillery.params.schema import json_schema
    from flows import params_reference as reference

    if path and (markdown or schema):
        raise typer.BadParameter("PATH goes with neither --markdown nor --schema: they tell of all")
    tree, comments = reference.read_told(project)
    if schema:
        typer.echo(json.dumps(json_schema(tree, comments), indent=2, ensure_ascii=False))
    elif markdown:
        typer.echo(reference.markdown(tree, comments))
    elif as_json:
        print_json([one.to_json() for one in reference.below(tree, comments, path)])
    else:
        for one in reference.below(tree, comments, path):
            typer.echo(reference.line(one))
