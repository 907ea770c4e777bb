"""The command that compares over time."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import AsJson, ParamsFiles, Project, Settings, print_json, request_of, told

Every = Annotated[bool, typer.Option("--all", help="Every version, not only champions and challengers.")]


@told
def trend(
    every: Every = False,
    project: Project = None,
    params: ParamsFiles = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Accuracy, bytes and latency over the registered versions and the versions of the data."""
    request = request_of(project, params, settings)
    from tasks.trending import read_trend

    points = read_trend(request.project, request.params.registry, every=every)
    if as_json:
        print_json([point.to_json() for point in points])
        return
    from flows.trend_tables import print_trend

    print_trend(points, request.params.registry.name)
