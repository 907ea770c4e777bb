"""What a registered version was made from: its file, back to the source of its rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flows.project import Request
from tasks.recalling import look_up

PRECISION = re.compile(r"-(?:fp|int)\d")  # from where on a variant's name tells no more of its network
FACTS = (
    "identity", "params_digest", "code_digest", "git_commit", "seed", "threads", "precision", "device",
    "python",
)  # fmt: skip


def lineage(request: Request, wanted: str) -> dict[str, Any]:
    """The object that `lineage --json` prints: under `file` a chain of nodes, each made `from` the next."""
    entry = look_up(request.project, request.params.registry, wanted)
    tags = entry.version.tags
    return {
        "version": entry.version.number,
        "variant": tags["variant"],
        "aliases": list(entry.aliases),
        "registry": entry.registry,
        "file": {
            "onnx_digest": tags["onnx_digest"],
            "bytes": int(float(tags["file_bytes"])),
            "from": _network(tags),
        },
        **{name: tags[name] for name in FACTS},
        "git_dirty": tags["git_dirty"] == "true",
        "libraries": json.loads(tags["libraries"]),
        "cpu_features": tags["cpu_features"].split(),
        "bundle": tags["bundle"],
    }


def _network(tags: Mapping[str, str]) -> dict[str, Any]:
    """The network that the file was made from, by the stem of its variants; a control has no teacher."""
    if tags["role"] == "control":
        return {"name": "control", "weights_digest": tags["weights_digest"], "from": _data(tags)}
    teacher = {
        "name": "teacher",
        "weights_digest": tags["teacher_weights_digest"],
        "onnx_digest": tags["teacher_onnx_digest"],
        "from": _data(tags),
    }
    return {
        "name": PRECISION.split(tags["variant"])[0],
        "weights_digest": tags["weights_digest"],
        "from": teacher,
    }


def _data(tags: Mapping[str, str]) -> dict[str, Any]:
    """The data version; calibration rows are train rows."""
    counts, source = json.loads(tags["data_counts"]), json.loads(tags["data_source"])
    return {
        "name": "data",
        "dataset": source.pop("dataset", None),
        "version": source.pop("version", None),
        "digest": tags["data_digest"],
        "md5": None if tags["data_md5"] == "none" else tags["data_md5"],
        "rows": sum(count for split, count in counts.items() if split != "calibration"),
        "counts": counts,
        "classes": int(tags["data_classes"]),
        "from": {"name": "source", **source},
    }
