"""The block `retrain`: what begins a retraining, what an update keeps, and who is told."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from distillery.params.base import Block, NonNegative, Share


def _without_secrets(url: str | None) -> str | None:
    if url is not None and "@" in url.partition("?")[0]:
        raise ValueError(
            "holds a secret, and params are recorded: leave user and password to the environment"
        )
    return url


def _web(url: str | None) -> str | None:
    if url is not None and not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is no http or https address")
    return url


Place = Annotated[str | None, AfterValidator(_without_secrets)]
WebAddress = Annotated[Place, AfterValidator(_web)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # SHA-256


class RememberParams(Block):
    """`retrain.remember`: what the champion knew, kept in an update.

    `distillery retrain` fills in `model` and `versions`, so that a version says all that made it.
    """

    place: ClassVar[str] = "retrain.remember"
    weight: Share  # of the champion's soft targets against the teacher's, on rows that it was trained on
    model: Digest | None  # of its ONNX file
    versions: Annotated[int, Field(ge=0)]  # how many versions of the data it was trained on


class BeginParams(Block):
    """`retrain.begin`: the network that the student begins from; `distillery retrain` fills it in."""

    place: ClassVar[str] = "retrain.begin"
    network: Digest | None  # of its shape, weights and class names in one file


class RetrainParams(Block):
    """Block `retrain`. A watched place, a webhook and a threshold shape no file: they are in no cache key."""

    place: ClassVar[str] = "retrain"
    start: Literal["fresh", "warm"]
    begin: BeginParams
    remember: RememberParams
    watch: Place  # a folder of the project or elsewhere, or a URL: what is new there becomes a version
    max_shift: NonNegative | None  # PSI against the version before
    webhook: WebAddress  # DISTILLERY_WEBHOOK_URL comes first

    @property
    def starts_warm(self) -> bool:
        """Whether the student begins from a network."""
        return self.start == "warm" and self.begin.network is not None

    @property
    def models(self) -> list[str]:
        """SHA-256 of the earlier models that a run learns or begins from."""
        begun = self.begin.network if self.starts_warm else None
        return [digest for digest in (self.remember.model, begun) if digest is not None]
