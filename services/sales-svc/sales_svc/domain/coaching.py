"""How a rep's deals go through the stages, against the team's: of those that ever reached a stage, how many reached the next one.

By entry cohort (RULES 6): the deals that were opened in a window, wherever they are now. A deal that skipped a stage has reached
it; one that was won has reached them all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sales_svc.domain.forecast import percent


@dataclass(frozen=True, slots=True)
class Reached:
    """So many deals whose furthest stage it was, and whether they were won."""

    furthest: str | None
    won: bool
    deals: int


@dataclass(frozen=True, slots=True)
class Stay:
    """How long deals stayed in a stage before they left it, in seconds; a deal that came back stayed twice."""

    stays: int
    mean: int
    median: int


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: deals that reached it, those that went on (after the last stage: were won), in per cent, and the time in it.

    `small`: too few deals to tell anything by.
    """

    stage: str
    reached: int
    went_on: int
    conversion: Decimal | None
    stay: Stay | None
    small: bool


def steps(stages: Sequence[str], deals: Iterable[Reached], stays: Mapping[str, Stay], *, small_sample: int) -> list[Step]:
    """The stages in their order. A deal whose furthest stage the pipeline has no more counts as having entered it."""
    position = {code: number for number, code in enumerate(stages)}
    reached = [0] * (len(stages) + 1)
    for some in deals:
        last = len(stages) if some.won else position.get(some.furthest or "", 0)
        for number in range(last + 1):
            reached[number] += some.deals
    return [
        Step(
            stage=code,
            reached=reached[number],
            went_on=reached[number + 1],
            conversion=percent(reached[number + 1], reached[number]),
            stay=stays.get(code),
            small=reached[number] < small_sample,
        )
        for number, code in enumerate(stages)
    ]
