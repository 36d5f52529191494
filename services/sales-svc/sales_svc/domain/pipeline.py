"""The rules of pipelines: stages with their probability, and what a deal must have before it leaves one (RULES 2).

A pipeline has versions; a deal keeps the one that it runs under. Won and lost are outcomes, not stages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ltc_contracts.errors import DomainError, Invalid
from ltc_rules import conditions
from ltc_rules.conditions import Kind

CLOSED = {"won": 100, "lost": 0}
MOST_STAGES = 30
Category = Literal["pipeline", "best_case", "commit"]
# Papers that a stage may ask for, as far as sales-svc writes them.
Document = Literal["quote_drafted", "quote_sent", "quote_accepted", "contract_drawn_up", "contract_signed"]
# What a condition on a deal may look at, beside the company's own fields (`custom.<key>`). `amount` is that of its value.
FIELDS: dict[str, Kind] = {
    **dict.fromkeys(("name", "company", "country", "owner", "team", "region", "segment", "campaign", "channel"), "text"),
    **dict.fromkeys(("source", "currency", "account_id", "contact_id", "next_step", "external_ref"), "text"),
    "amount": "number",
    "expected_close_on": "date",
    "next_step_due": "datetime",
    "products": "list",
    "competitors": "list",
}


class PipelineExists(DomainError):
    """A pipeline has this code."""


class CriteriaMissing(DomainError):
    """The deal has not what a stage asks for before it is left; everything that is missing is named."""

    def __init__(self, missing: Sequence["Missing"]) -> None:
        super().__init__(f"{len(missing)} exit criteria are not met", field="stage")
        self.missing = missing

    def members(self) -> dict[str, Any]:
        names = ("stage", "kind", "what", "reason")
        return {"missing": [{name: getattr(each, name) for name in names} for each in self.missing]}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a stage's checklist; the stage cannot be left while a required one is not done."""

    code: str
    label: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class ActivityNeed:
    """So many activities of a type (done, where it is a task), any time in the deal."""

    type: str
    at_least: int = 1


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a pipeline; `probability` in per cent. `category` is how the forecast counts it. `playbook` is text for people."""

    code: str
    position: int
    probability: int
    label: str = ""
    category: Category = "pipeline"
    fields: Mapping[str, Any] | None = None
    activities: tuple[ActivityNeed, ...] = ()
    documents: tuple[Document, ...] = ()
    checklist: tuple[Item, ...] = ()
    playbook: str = ""

    @property
    def asks_for_something(self) -> bool:
        return bool(self.fields or self.activities or self.documents or any(item.required for item in self.checklist))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One version of a way that deals go. The stages are in their order."""

    code: str
    version: int
    name: str
    stages: tuple[Stage, ...]

    def stage(self, code: str) -> Stage:
        """Raises `Invalid` for a stage that it has not."""
        if code in CLOSED:
            raise Invalid(f"'{code}' is an outcome: sign the contract to win, or use /lose with a reason", field="stage")
        for stage in self.stages:
            if stage.code == code:
                return stage
        raise Invalid(f"no stage '{code}'; there are {', '.join(stage.code for stage in self.stages)}", field="stage")

    def left(self, here: str, there: str) -> tuple[Stage, ...]:
        """The stages that a move leaves behind for good: forwards the present one and all that are skipped; backwards none."""
        begin, end = self.stage(here).position, self.stage(there).position
        return tuple(stage for stage in self.stages if begin <= stage.position < end)

    def further(self, one: str | None, other: str) -> str:
        """Which of two stages comes later."""
        known = {stage.code: stage.position for stage in self.stages}
        return one if one is not None and known.get(one, 0) > known.get(other, 0) else other


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a deal has: its fields, numbers of activities by type, papers, and the (stage, item) pairs that are done."""

    values: Mapping[str, Any]
    activities: Mapping[str, int] = field(default_factory=dict)
    documents: Collection[str] = ()
    done: Collection[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """One criterion that is not met; `what` names the fields, the type, the paper or the item, `reason` is for people."""

    stage: str
    kind: Literal["field", "activity", "document", "checklist"]
    what: str
    reason: str


def missing(stages: Sequence[Stage], evidence: Evidence, labels: Mapping[str, str] | None = None) -> list[Missing]:
    """Everything that these stages ask for and the deal has not; `labels` names fields as people know them."""
    found: list[Missing] = []
    for stage in stages:
        for part in _parts(stage.fields):
            reasons = conditions.failing(part, evidence.values, labels)
            if reasons:
                found.append(Missing(stage.code, "field", ", ".join(sorted(conditions.fields_of(part))), "; ".join(reasons)))
        for need in stage.activities:
            got = evidence.activities.get(need.type, 0)
            if got < need.at_least:
                found.append(Missing(stage.code, "activity", need.type, f"{need.at_least} of {need.type} needed, {got} done"))
        found += [
            Missing(stage.code, "document", paper, f"{paper.replace('_', ' ')}: there is none")
            for paper in stage.documents
            if paper not in evidence.documents
        ]
        found += [
            Missing(stage.code, "checklist", item.code, f"not done: {item.label}")
            for item in stage.checklist
            if item.required and (stage.code, item.code) not in evidence.done
        ]
    return found


def check(pipeline: Pipeline, custom: Mapping[str, Kind]) -> None:
    """Raise `Invalid`, naming the place, unless deals can run under it. `custom` are the company's own fields of a deal."""
    codes = [stage.code for stage in pipeline.stages]
    if not 1 <= len(codes) <= MOST_STAGES:
        raise Invalid(f"1 to {MOST_STAGES} stages", field="stages")
    for number, stage in enumerate(pipeline.stages):
        at = f"stages.{number}"
        if stage.code in CLOSED or codes.count(stage.code) > 1:
            raise Invalid("this code is an outcome or taken by another stage", field=f"{at}.code")
        if stage.fields is not None:
            conditions.check(stage.fields, {**FIELDS, **custom}, at=f"{at}.exit.fields")
        for name, named in (
            ("exit.activities", [need.type for need in stage.activities]),
            ("exit.documents", list(stage.documents)),
            ("checklist", [item.code for item in stage.checklist]),
        ):
            if len(set(named)) < len(named):
                raise Invalid("something is named twice", field=f"{at}.{name}")


def _parts(condition: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """The conditions that must all hold, each of which is told apart."""
    if condition is None:
        return ()
    parts: Sequence[Mapping[str, Any]] = condition.get("all", [condition])
    return parts
