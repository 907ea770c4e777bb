"""The blocks `data` and `augment`: which rows there are, who may read them, and how they are varied."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.params.base import Block, Count, Share

SplitShare = Annotated[float, Field(gt=0, lt=0.9)]


class DataParams(Block):
    """Block `data`. Shares are of the rows that may be assigned; a source's own test split stays."""

    place: ClassVar[str] = "data"
    source: Literal["digits", "idx", "imported"]
    path: str | None
    validation: SplitShare
    test: SplitShare
    calibration: Count
    split_seed: Annotated[
        int, Field(ge=0, lt=2**32)
    ]  # of the drawing of splits; rows that have a split keep it
    replay: Share  # of the train rows of earlier versions: the others are left out

    @model_validator(mode="after")
    def _path_belongs_to_a_folder_source(self) -> DataParams:
        folder = self.source == "idx"
        if folder != (self.path is not None):
            need = "needs data.path, a folder" if folder else "takes no data.path: set it to null"
            raise ValueError(f"data.source {self.source} {need}")
        if self.validation + self.test >= 1:
            raise ValueError("data.validation + data.test must stay below 1: train needs rows too")
        return self


class AugmentParams(Block):
    """Block `augment`. Targets exist for `views` fixed views a row; epoch e reads view e mod views."""

    place: ClassVar[str] = "augment"
    views: Annotated[int, Field(ge=1, le=64)]
    shift: Annotated[int, Field(ge=0, le=16)]  # pixels, each way, both axes
    flip: bool  # left-right
