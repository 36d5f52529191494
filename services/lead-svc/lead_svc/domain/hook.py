"""Deliveries of ad platforms: the endpoint they go to, what is known of one, its states, and why one is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition

from lead_svc.domain.consent import Purpose

Kind = Literal["google", "linkedin", "meta", "baidu", "wechat", "signed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
State = Literal["received", "waiting", "taken", "known", "test", "ignored", "refused", "failed"]
Move = Literal["wait", "take", "recognise", "test", "ignore", "refuse", "fail", "retry"]
# A delivery is `received` until it was worked on, and `waiting` while the answers of a lead in it have to be fetched. Its leads have
# the same states, but for `received` and `ignored`. What was refused or has failed may be tried again by a person.
TRANSITIONS: dict[tuple[State, Move], State] = {
    ("received", "wait"): "waiting",
    ("received", "take"): "taken",
    ("received", "recognise"): "known",
    ("received", "test"): "test",
    ("received", "ignore"): "ignored",
    ("received", "refuse"): "refused",
    ("received", "fail"): "failed",
    ("waiting", "wait"): "waiting",
    ("waiting", "take"): "taken",
    ("waiting", "recognise"): "known",
    ("waiting", "test"): "test",
    ("waiting", "refuse"): "refused",
    ("waiting", "fail"): "failed",
    ("refused", "retry"): "received",
    ("failed", "retry"): "received",
}
MOVES: Mapping[State, Move] = {
    "waiting": "wait",
    "taken": "take",
    "known": "recognise",
    "test": "test",
    "ignored": "ignore",
    "refused": "refuse",
    "failed": "fail",
}
# Of several leads in a delivery, the one that needs most attention names the state of the whole.
_WORST: tuple[State, ...] = ("waiting", "failed", "refused", "taken", "known", "test")
LONGEST_ID = 120


class WrongSignature(DomainError):
    """The delivery is not signed by the platform, or not with our secret."""

    kind = "forbidden"


class ClockSkew(DomainError):
    """The delivery was signed too long ago or in the future: it may be an old one that somebody kept."""

    kind = "invalid"


class SignatureReplayed(DomainError):
    """This signature was used before, for another body."""

    kind = "forbidden"


class EndpointUnknown(DomainError):
    """There is no such endpoint."""

    kind = "not_found"


class EndpointClosed(DomainError):
    """The endpoint takes nothing (any more)."""

    kind = "gone"


class NotSetUp(DomainError):
    """The endpoint misses a secret; whoever runs the service puts it in place, and the platform tries again."""

    kind = "unavailable"


class Unreadable(DomainError):
    """The delivery is signed, but has not the shape that the platform describes."""

    kind = "invalid"


class ChallengeRefused(DomainError):
    """What asks is not the platform."""

    kind = "forbidden"


class BodyGone(DomainError):
    """The bytes of the delivery are no longer kept, so it cannot be tried again."""

    kind = "gone"


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """Which answer of the form is a consent, to what, with the words that the form showed."""

    question: str
    yes: Sequence[str]
    wording: str
    purpose: Purpose = "marketing"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one form or account of a platform pushes its leads to. Secrets are names of files; `skew_s` is in seconds.

    `mapping`: field of a lead -> alternatives, each the keys of the questions whose answers are joined by a space.
    `campaigns`: the platform's id of a campaign, ad group or ad -> the code of our campaign.
    """

    id: UUID
    kind: Kind
    key: str
    name: str
    secret: str
    verify_secret: str | None
    fetch_secret: str | None
    fetch_url: str | None
    fetch_version: str | None
    channel: str
    source: str
    campaign: str | None
    campaigns: Mapping[str, str]
    mapping: Mapping[str, Sequence[Sequence[str]]]
    consent: ConsentRule | None
    skew_s: int
    active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    retired_by: str | None = None
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """How long bytes are kept, in days; how many deliveries and bytes per endpoint and hour that are not genuine, or tell nothing new."""

    version: int
    keep_days: int
    bad_per_hour: int
    bad_bytes: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """One request as it came in. `headers` are those that matter, by lower-case name; `query` is raw."""

    headers: Mapping[str, str]
    query: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """The signature is right. `nonce` is what may be used once only, where the body itself is not signed; `starred` are keys that the
    platform sends along and that nobody shall read in the log."""

    nonce: str | None = None
    starred: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a form. `keys` are the names of its question, the first one is what an unmapped answer is kept under."""

    keys: Sequence[str]
    value: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One lead as a platform tells of it, in one shape for all. `places` are its ids of campaign, ad group and ad, in this order.

    `answers` are None where the platform tells only the id: they are fetched. `facts` are kept as attributes.
    """

    external_id: str
    answers: Sequence[Answer] | None
    test: bool = False
    submitted_at: datetime | None = None
    places: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    click_ids: Mapping[str, str] = field(default_factory=dict)
    utm: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is kept. `body` is None when its time is over; `genuine`, when the signature was right."""

    id: UUID
    endpoint_id: UUID
    received_at: datetime
    client: str
    headers: Mapping[str, str]
    query: str
    body: bytes | None
    size: int
    sha256: bytes
    nonce: str | None
    genuine: bool
    state: State
    problem: str | None = None
    field: str | None = None
    reason: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    settled_at: datetime | None = None
    retried_by: str | None = None

    @property
    def push(self) -> Push:
        """The request as it came in. Raises `BodyGone`."""
        if self.body is None:
            raise BodyGone("the bytes of this delivery are no longer kept")
        return Push(self.headers, self.query, self.body)


@dataclass(frozen=True, slots=True)
class Item:
    """A lead of a delivery, and what became of it."""

    id: UUID
    delivery_id: UUID
    endpoint_id: UUID
    external_id: str
    state: State
    answers: bytes | None = None
    problem: str | None = None
    field: str | None = None
    reason: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    lead_id: UUID | None = None
    settled_at: datetime | None = None


def turn(what: str, state: State, move: Move) -> State:
    """The state after a move. Raises `WrongTransition`."""
    after = TRANSITIONS.get((state, move))
    if after is None:
        raise WrongTransition(what, state, move)
    return after


def moved(delivery: Delivery, state: State) -> State:
    """`state`, if the delivery can get there. Raises `WrongTransition`."""
    return turn("the delivery", delivery.state, MOVES[state])


def state_of(items: Sequence[Item]) -> State:
    """What the leads of a delivery make of it; without any it is ignored."""
    return min((item.state for item in items), key=_WORST.index, default="ignored")


def told(error: DomainError) -> tuple[str, str | None, str]:
    """A refusal as it is kept: problem type, field, reason. No value is repeated in it."""
    return error.slug(), None if error.field is None else error.field[:200], error.reason[:500]


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    """A version of an endpoint as it is kept."""
    names = ("name", "secret", "verify_secret", "fetch_secret", "fetch_url", "fetch_version", "channel", "source", "campaign")
    consent = endpoint.consent
    return {
        **{name: getattr(endpoint, name) for name in (*names, "skew_s", "active")},
        "campaigns": dict(endpoint.campaigns),
        "mapping": {name: [list(keys) for keys in ways] for name, ways in endpoint.mapping.items()},
        "consent": consent and {**asdict(consent), "yes": list(consent.yes)},
        "retired": endpoint.retired_at is not None,
    }
