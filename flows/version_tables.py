"""What became of a rebuild, and what a version was made from, on standard output, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from flows.reproduce import Reproduction
from flows.tables import console
from tasks.repository import CommitLabel


def print_reproduction(done: Reproduction) -> None:
    """The verdict and what it rests on; where the bytes differ, the numbers side by side."""
    out = console()
    for line in (
        f"Version {done.version}, {done.labels['variant']}, is rebuilt: {done.judgement.verdict}.",
        *done.judgement.reasons,
        f"registered: SHA-256 {done.recorded.onnx}",
        f"rebuilt:    SHA-256 {done.rebuilt.onnx}",
        *(f"environment, {cause}" for cause in done.causes),
    ):
        out.print(line, markup=False)
    if done.agreement:
        share, rows = done.agreement.share, done.agreement.rows
        said = f"{share:.2%} of {rows:,} test rows are predicted alike; largest difference of a logit"
        out.print(f"{said} {done.agreement.largest_logit_difference:.3g}", markup=False)
    if done.recorded.onnx != done.rebuilt.onnx:
        table = Table("", "recorded", "rebuilt")
        for name, recorded in done.recorded.numbers.items():
            table.add_row(name.replace("_", " "), f"{recorded:g}", f"{done.rebuilt.numbers[name]:g}")
        out.print(table)
    if done.kept:
        out.print(f"The project that it was rebuilt in is {done.kept}.", markup=False)


def print_lineage(told: Mapping[str, Any]) -> None:
    """The file, and under each node what it was made from."""
    version = f"version {told['version']}" + (f" ({', '.join(told['aliases'])})" if told["aliases"] else "")
    tree = Tree(Text(f"{told['variant']}, {version} of {told['registry']}"))
    branch = tree.add(Text(f"file: SHA-256 {told['file']['onnx_digest']}, {told['file']['bytes']:,} bytes"))
    node = told["file"]["from"]
    while node:
        branch = branch.add(Text(f"{node['name']}: {_told(node)}"))
        node = node.get("from")
    for line in (
        f"code: SHA-256 {told['code_digest']}; {CommitLabel(told['git_commit'], told['git_dirty'])}",
        f"params: SHA-256 {told['params_digest']}; seed {told['seed']}, {told['threads']} threads",
        f"computed in {told['precision']} on {told['device']} ({' '.join(told['cpu_features'])})",
        f"python {told['python']}; " + ", ".join(f"{n} {v}" for n, v in told["libraries"].items()),
    ):
        tree.add(Text(line))
    console().print(tree)


def _told(node: Mapping[str, Any]) -> str:
    """A node's own facts, in one line."""
    match node["name"]:
        case "data":
            own = f"version {node['version']} of {node['dataset']}, DVC {node['md5']}" if node["md5"] else ""
            rows = f"{node['rows']:,} rows, {node['classes']} classes"
            return ", ".join(filter(None, [f"digest {node['digest']}", rows, own]))
        case "source":
            where = f"{node['source']} in {node['path']}" if node["path"] else str(node["source"])
            digest = node.get("digest")
            return f"{where}, {node['files']} files, SHA-256 {digest}" if digest else where
        case "teacher":
            return f"weights SHA-256 {node['weights_digest']}, file SHA-256 {node['onnx_digest']}"
        case _:
            return f"weights SHA-256 {node['weights_digest']}"
