"""Nurture journeys (L8): who is written to, what, when and on which condition; when it stops. Pure: times and values come in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_rules import conditions
from ltc_rules.calendar import Calendar, calendar_of
from ltc_rules.conditions import Condition, Kind

from lead_svc.domain.timezones import ZONE_OF

State = Literal["draft", "active", "paused", "retired"]
How = Literal["rule", "by_hand"]
# Why a lead is not written to, or not any more.
Silent = Literal["not_open", "no_address", "no_consent", "suppressed"]
Refusal = Silent | Literal["running", "before", "no_lead"]
Ending = Literal[
    "finished",
    "goal",
    "reply",
    "meeting",
    "qualified",
    "converted",
    "disqualified",
    "unsubscribed",
    "merged",
    "erased",
    "not_open",
    "no_address",
    "no_consent",
    "suppressed",
    "undeliverable",
    "by_hand",
    "retired",
]

# A version is never edited: it is tried as a draft, takes leads while it is active, waits while it is paused. Leads that are under way
# when it is retired go on to its end, unless they are ended with it.
TRANSITIONS: dict[tuple[State, str], State] = {
    ("draft", "activate"): "active",
    ("draft", "retire"): "retired",
    ("active", "pause"): "paused",
    ("active", "retire"): "retired",
    ("paused", "activate"): "active",
    ("paused", "retire"): "retired",
}
MOST_STEPS = 50
LONGEST_WAIT = timedelta(days=365)
# How far ahead the hours are handed to the mail server's queue: a mail that could not leave for so long is stale.
HORIZON = timedelta(days=14)
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_ENDS = ("skip", "end")
_FIELDS: dict[str, Kind] = {
    "fit": "number",
    "engagement": "number",
    "band": "text",
    "status": "text",
    "owner": "text",
    "activities": "list",
    "days_since_capture": "number",
    "days_since_activity": "number",
}


class JourneyExists(DomainError):
    """The code is taken; a change of a journey is a new version of it."""


class EnrolmentOver(DomainError):
    """The lead is not in the journey any more."""


@dataclass(frozen=True, slots=True)
class Template:
    """The mail of a step, before it is personalised. Without `html` it is plain text only."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """`after` the step before (or the entry) it is due. Does `when` hold (or is there none), its mail goes out and `next` follows
    (the next in the list unless named); else `otherwise` follows: skip, end, or a later step.
    """

    key: str
    after: timedelta
    when: Condition | None
    otherwise: str
    mail: Template | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Hours:
    """When mails leave, in the lead's time zone (as far as it is known) or the company's. `holidays`: not on the lead's public ones."""

    of: Literal["lead", "company"]
    calendar: Calendar
    holidays: bool


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many nurture mails to one address, of all journeys, within so long."""

    mails: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Plan:
    """What one version of a journey does."""

    entry: Condition | None
    goal: Condition | None
    again_after: timedelta | None
    from_name: str | None
    reply_to: str | None
    language: Literal["en", "zh"]
    footer: str
    hours: Hours | None
    cap: Cap | None
    steps: tuple[Step, ...]

    def position_of(self, key: str) -> int:
        return next(number for number, step in enumerate(self.steps) if step.key == key)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens at a step: its mail goes out or not, and then a position follows, or None at the end."""

    mail: Template | None
    position: int | None


def plan_of(body: Mapping[str, Any]) -> Plan:
    """A version's body as the plan it is. The body was checked when it was kept."""
    hours, cap = body.get("hours"), body.get("cap")
    return Plan(
        entry=body.get("entry"),
        goal=body.get("goal"),
        again_after=None if body.get("again_after_days") is None else timedelta(days=body["again_after_days"]),
        from_name=body.get("from_name"),
        reply_to=body.get("reply_to"),
        language=body.get("language", "en"),
        footer=body.get("footer", ""),
        hours=None if hours is None else _hours(hours),
        cap=None if cap is None else Cap(cap["mails"], timedelta(days=cap["days"])),
        steps=tuple(_step(step) for step in body["steps"]),
    )


def check(body: Mapping[str, Any], lead_fields: Mapping[str, Kind]) -> Plan:
    """The plan of a new version. Raises `Invalid` naming the place: `steps.2.otherwise`."""
    steps = body["steps"]
    if not 0 < len(steps) <= MOST_STEPS:
        raise Invalid(f"a journey has 1 to {MOST_STEPS} steps", field="steps")
    keys = [step["key"] for step in steps]
    for number, key in enumerate(keys):
        if _KEY.fullmatch(key) is None or key in _ENDS:
            raise Invalid(
                "a key has lower-case letters, digits, - and _, and is neither skip nor end", field=f"steps.{number}.key"
            )
        if key in keys[:number]:
            raise Invalid("another step has this key", field=f"steps.{number}.key")
    if not any(step.get("mail") for step in steps):
        raise Invalid("no step has a mail", field="steps")
    plan = plan_of(body)
    for name in ("entry", "goal"):
        if body.get(name) is not None:
            conditions.check(body[name], fields(lead_fields, keys if name == "goal" else ()), at=name)
    for number, step in enumerate(plan.steps):
        at = f"steps.{number}"
        if not timedelta(0) <= step.after <= LONGEST_WAIT:
            raise Invalid("a step waits at most a year", field=f"{at}.after")
        if step.when is not None:
            conditions.check(step.when, fields(lead_fields, keys[:number]), at=f"{at}.when")
        elif step.otherwise != "skip":
            raise Invalid("what happens otherwise needs a condition", field=f"{at}.otherwise")
        if step.when is None and step.mail is None and step.next is None:
            raise Invalid("the step does nothing", field=at)
        # Only forward: so every lead comes to an end.
        for name, target in (("otherwise", step.otherwise), ("next", step.next)):
            if target not in (None, *_ENDS, *keys[number + 1 :]) or (name == "next" and target == "skip"):
                raise Invalid("must be end or the key of a later step", field=f"{at}.{name}")
    return plan


def fields(lead_fields: Mapping[str, Kind], keys: Iterable[str]) -> Mapping[str, Kind]:
    """What the conditions of a journey may look at; of the mails of the steps `keys`, whether they were opened and clicked."""
    reactions: dict[str, Kind] = {f"{what}.{key}": "boolean" for key in keys for what in ("opened", "clicked")}
    return _Fields(lead_fields, {**_FIELDS, **reactions})


def values(
    lead_values: Mapping[str, Any],
    *,
    fit: Decimal,
    engagement: Decimal,
    band: str,
    status: str,
    owner: str | None,
    activities: Mapping[str, datetime],
    captured_at: datetime,
    reactions: Mapping[str, bool],
    now: datetime,
) -> dict[str, Any]:
    """The values for those conditions. `activities`: when each kind was last seen; `reactions`: `opened.<key>`, `clicked.<key>`."""
    latest = max(activities.values(), default=None)
    return {
        **lead_values,
        "fit": fit,
        "engagement": engagement,
        "band": band,
        "status": status,
        "owner": owner,
        "activities": sorted(activities),
        "days_since_capture": _days(now - captured_at),
        "days_since_activity": None if latest is None else _days(now - latest),
        **reactions,
    }


def turn(state: State, move: str) -> State:
    """The state of a version after a move. Raises `WrongTransition`."""
    after = TRANSITIONS.get((state, move))
    if after is None:
        raise WrongTransition("the version", state, move)
    return after


def decide(plan: Plan, position: int, known: Mapping[str, Any]) -> Decision:
    """What happens at a due step."""
    step = plan.steps[position]
    fits = step.when is None or conditions.holds(step.when, known)
    target = step.next if fits else step.otherwise
    if target == "end":
        follows: int | None = None
    elif target in (None, "skip"):
        follows = position + 1 if position + 1 < len(plan.steps) else None
    else:
        follows = plan.position_of(target)
    return Decision(step.mail if fits else None, follows)


def due_at(plan: Plan, position: int, now: datetime) -> datetime:
    """When a step is due that follows now."""
    return now + plan.steps[position].after


def calendar_for(hours: Hours, *, country: str | None, timezone: str | None) -> Calendar:
    """The hours as they are for one lead: in its own time zone if it names one, else in that of its country, else the company's."""
    own = hours.calendar
    if hours.of == "company":
        return own
    for zone in (timezone, ZONE_OF.get(country or "")):
        if zone:
            for holidays_of in (country if hours.holidays else None, None):
                try:
                    return Calendar(zone, own.week, country=holidays_of, exceptions={}, extra_holidays=own.extra_holidays)
                except Invalid:
                    continue  # not every country's holidays are known, and a lead's own time zone is what somebody typed
    return own


def may_leave_at(plan: Plan, calendar: Calendar | None, sent: Sequence[datetime], now: datetime) -> datetime:
    """The first moment from now on at which a mail may leave: hours and frequency. `sent`: when the address got nurture mails."""
    moment = now
    if plan.cap is not None:
        recent = sorted(each for each in sent if each > moment - plan.cap.within)
        if len(recent) >= plan.cap.mails:
            moment = recent[-plan.cap.mails] + plan.cap.within
    return moment if calendar is None else calendar.next_opening(moment)


class _Fields(dict[str, Kind]):
    """A lead's fields know more names than they list (`attributes.<column>`), so they are asked last."""

    def __init__(self, lead_fields: Mapping[str, Kind], more: Mapping[str, Kind]) -> None:
        super().__init__({**lead_fields, **more})
        self._lead_fields = lead_fields

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key) or self._lead_fields.get(key, default)


def _hours(given: Mapping[str, Any]) -> Hours:
    body = {name: value for name, value in given.items() if name not in ("of", "holidays")}
    return Hours(given.get("of", "company"), calendar_of(body), bool(given.get("holidays", False)))


def _step(given: Mapping[str, Any]) -> Step:
    mail = given.get("mail")
    return Step(
        key=given["key"],
        after=timedelta(**given.get("after", {})),
        when=given.get("when"),
        otherwise=given.get("otherwise") or "skip",
        mail=None if mail is None else Template(mail["subject"], mail["text"], mail.get("html")),
        next=given.get("next"),
    )


def _days(span: timedelta) -> Decimal:
    return (Decimal(span // timedelta(seconds=1)) / 86_400).quantize(Decimal("0.01"))
