"""The rules of pipelines: stages with their probability. Won and lost are outcomes, not stages."""

from dataclasses import dataclass

CLOSED = {"won": 100, "lost": 0}


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a pipeline; `probability` in per cent."""

    code: str
    position: int
    probability: int
