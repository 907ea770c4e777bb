"""The block `distill`: what the student learns of the teacher, and how much it weighs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.params.base import Block, Count, NonNegative, Positive, Share
from distillery.params.training import TrainingParams

LOGITS = "logits"  # as a point: what the model gives, which is stored for a teacher
MOST_TRIPLES = 256  # rows of a batch whose triples' angles fit into memory: 256^3 numbers are 64 MiB

Epochs = Annotated[int, Field(ge=0)]


class DistillTraining(TrainingParams):
    """`distill.training`: the student's, and the control's, which sees nothing else of `distill`."""

    place: ClassVar[str] = "distill.training"


class Kl(Block):
    """Divergence of the softened probabilities (Hinton, Vinyals, Dean 2015)."""

    kind: Literal["kl"]


class LogitMse(Block):
    """Squared difference of the logits themselves, which no temperature softens (Kim et al. 2021)."""

    kind: Literal["mse"]


class Decoupled(Block):
    """Divergence in two parts: of the true class against the others, and among those (Zhao et al. 2022)."""

    kind: Literal["decoupled"]
    target: NonNegative  # their alpha
    others: NonNegative  # their beta


Soft = Annotated[Kl | LogitMse | Decoupled, Field(discriminator="kind")]


class Constant(Block):
    """Temperature and alpha stay as they are."""

    kind: Literal["constant"]


class Rising(Block):
    """Alpha rises linearly to its value over the first `epochs` (the warm-up of Zhao et al. 2022)."""

    kind: Literal["rising"]
    epochs: Count


class Annealed(Block):
    """Both move linearly, epoch by epoch, and end at these values (Jafari et al. 2021)."""

    kind: Literal["annealed"]
    temperature: Positive  # divides the logits of both; above 1 softens
    alpha: Share  # weight of the teacher's soft labels at the end


class ByAgreement(Block):
    """Both follow the student: they come to these values as it comes to agree with the teacher."""

    kind: Literal["by_agreement"]
    temperature: Positive  # divides the logits of both; above 1 softens
    alpha: Share  # weight of the teacher's soft labels at full agreement


Pace = Annotated[Constant | Rising | Annealed | ByAgreement, Field(discriminator="kind")]


class _Term(Block):
    """A loss beside the soft one: it compares a point of the student with one of the teacher.

    A point is `logits`, or a layer by its kind and number: `conv1`, `residual2`, `pool1`, `linear1`.
    The weight rises linearly to its value over `warm_up` epochs.
    """

    weight: Positive  # factor of this loss
    warm_up: Epochs
    student: str  # the point that is compared: `logits`, or a layer
    teacher: str  # the point that it is compared with


class Distances(_Term):
    """Distances between the rows of a batch (Park et al. 2019)."""

    kind: Literal["distances"]


class Angles(_Term):
    """Angles between the rows of a batch, three by three (Park et al. 2019)."""

    kind: Literal["angles"]


class Hints(_Term):
    """Features, through a regressor that is learned along (Romero et al. 2015)."""

    kind: Literal["hints"]


class Attention(_Term):
    """Where in the image the activity is (Zagoruyko, Komodakis 2017)."""

    kind: Literal["attention"]


Term = Annotated[Distances | Angles | Hints | Attention, Field(discriminator="kind")]


class DistillParams(Block):
    """Block `distill`: `alpha` weighs the teacher against the labels, `temperature` softens both logits."""

    place: ClassVar[str] = "distill"
    temperature: Positive  # divides the logits of both; above 1 softens
    alpha: Share
    soft: Soft
    pace: Pace
    terms: tuple[Term, ...]
    training: DistillTraining

    @property
    def looks_inside(self) -> bool:
        """Whether a term compares what only a live teacher shows: its logits are stored, its features not."""
        return any(term.teacher != LOGITS for term in self.terms)

    @model_validator(mode="after")
    def _terms_can_be_computed(self) -> DistillParams:
        faults = [
            f"distill.terms.{at}: {fault}"
            for at, term in enumerate(self.terms)
            if (fault := self._fault(term)) is not None
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _fault(self, term: Term) -> str | None:
        match term:
            case Hints() | Attention() if LOGITS in (term.student, term.teacher):
                return f"{term.kind} compares layers; for logits there are distill.soft, distances and angles"
            case Angles() if self.training.batch_size > MOST_TRIPLES:
                return f"angles compare three by three: distill.training.batch_size is at most {MOST_TRIPLES}"
            case _:
                return None
