"""How a network is trained: the same fields for teacher, student, control and QAT."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distillery.params.base import Block, Count, NonNegative, Positive, Share


class TrainingParams(Block):
    """One training. `patience` epochs without a better validation accuracy end it (null: never);
    so does a validation accuracy of `target` (null: never).
    """

    epochs: Count  # at the most; the best by validation accuracy is kept
    batch_size: Annotated[int, Field(ge=4)]  # rows a step
    optimizer: Literal["sgd", "adam", "adamw"]  # adamw: weight decay apart from the gradient
    learning_rate: Positive  # the highest, from which the schedule goes down
    momentum: Annotated[float, Field(ge=0, lt=1)]  # sgd only
    weight_decay: NonNegative  # of kernels and matrices
    schedule: Literal["constant", "linear", "exponential", "cosine", "one_cycle"]  # of the learning rate
    patience: Count | None
    target: Share | None
