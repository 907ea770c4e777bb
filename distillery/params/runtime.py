"""The block `runtime`: what the digests of a result depend on besides code, data and methods."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from distillery.params.base import Block


class RuntimeParams(Block):
    """Block `runtime`. `auto` is resolved for this machine before any step sees it."""

    place: ClassVar[str] = "runtime"
    seed: Annotated[int, Field(ge=0, lt=2**32)]  # of weights, order of rows, dropout and every drawing
    threads: Annotated[int, Field(ge=1, le=256)]
    precision: Literal["auto", "fp32", "bf16"]
    device: Literal["auto", "cpu", "cuda"]  # what trains; files are measured on the CPU
