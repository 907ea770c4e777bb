"""A model as a folder of plain files that need nothing of this project: the same version, the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from distillery.artifacts import digest_bytes
from distillery.classifier import InputTensor, OnnxClassifier
from distillery.data.form import PADDING
from distillery.delivery.facts import UNKNOWN_LICENCE, Delivered
from distillery.report.words import file_size, percent

HERE = Path(__file__).parent
SESSION = {
    "providers": ["CPUExecutionProvider"],
    "intra_op_num_threads": 1,
    "inter_op_num_threads": 1,
    "execution_mode": "ORT_SEQUENTIAL",
    "graph_optimization_level": "ORT_ENABLE_ALL",
}
SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_[]<>#|&~$"})


def parcel(content: bytes, delivered: Delivered) -> dict[str, bytes]:
    """File name -> bytes, for a version's ONNX file and what is said of it."""
    model = OnnxClassifier(content)
    loader = FileSystemLoader(HERE / "templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701  # it is Markdown, in which `cell` escapes what others named
    environment.keep_trailing_newline = True
    takes, axes = _taken(model.inputs)
    environment.filters |= {"cell": cell, "percent": percent, "file_size": file_size}
    said = {
        "d": delivered,
        "classes": model.classes,
        "inputs": model.inputs,
        "table": any(tensor.columns for tensor in model.inputs),
        "takes": takes,
        "axes": axes,
        "digest": digest_bytes(content),
        "unknown_licence": UNKNOWN_LICENCE,
    }
    files = {
        "model.onnx": content,
        "labels.json": _json(model.classes),
        "session.json": _json(SESSION),
        "predict.py": (HERE / "predict.py").read_bytes(),
        **{
            name: environment.get_template(name).render(said).encode()
            for name in ("README.md", "MODEL_CARD.md")
        },
    }
    return {**files, "SHA256SUMS": checksums(files)}


def _taken(inputs: tuple[InputTensor, ...]) -> tuple[str, str]:
    """What rows a file takes, and what the axes of its array are, in words."""
    scale = "on the scale of the data that it was trained on"
    match inputs[0]:
        case InputTensor(dtype="int64"):
            return "sequences of token ids", f"steps; {PADDING} where there is no token"
        case InputTensor(dtype="uint8"):
            return "images", f"height, width, channels, {scale}"
        case InputTensor(columns=()):
            return "series of numbers", f"steps, channels, {scale}"
        case _:
            return "rows of a table", "columns"


def checksums(files: dict[str, bytes]) -> bytes:
    """Lines that `sha256sum --check` reads, sorted by name."""
    return "".join(f"{digest_bytes(files[name])}  {name}\n" for name in sorted(files)).encode()


def cell(text: str) -> str:
    """A name as one line of Markdown that is only text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).translate(SPECIAL)
    return f"\\{line}" if line[:1] in {"-", "+", "="} else line


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
