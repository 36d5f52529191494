"""Which fields of which events are about a person, and what a copy that has not been read yet becomes when the person is erased.

Machine-readable and outside the schemas, which are frozen once released. A test goes through every text of every event: it is named
here, or its name is one of `PLAIN` or `STAFF`. `python -m ltc_contracts.personal` prints the table of docs/privacy.md.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from ltc_contracts.topics import BY_TYPE


class Personal(NamedTuple):
    """A field: what is in it, and what it `becomes`. Where `kept` says why, the law or the deal needs it as it is."""

    what: str
    becomes: Any = None
    kept: str = ""


_CONTACT = Personal("name, e-mail and phone of the person")
_REASON = Personal("free text of a rep", "(erased)")
_REFERENCE = Personal("the record in another system")
_REFERENCE_KEPT = Personal("the record in another system", kept="by it an order that is placed again is known")
_SITE = Personal("may be the person's own")
_BILLED = Personal("who is billed", kept="commercial and tax law: invoices name their customer")
_TOUCH = {name: Personal("said by the person's browser") for name in ("term", "content", "page", "referrer")}
_CLICKS = Personal("by which an ad platform knows the person", {})

PERSONAL: Mapping[str, Mapping[str, Personal]] = {
    "contract.signed": {
        "customer.name": _BILLED,
        "customer.email": _BILLED,
        "customer.vat_id": _BILLED,
        "signed_by": Personal("who signed", kept="the proof of the contract"),
    },
    "contract.renewal_due": {"customer": _BILLED},
    "delivery.cancelled": {"reason": _REASON},
    "delivery.completed": {"customer.name": _BILLED, "customer.email": _BILLED, "customer.vat_id": _BILLED},
    "delivery.change_decided": {"reason": _REASON},
    "delivery.failed": {"note": _REASON},
    "delivery.handed_over": dict.fromkeys(("customer.name", "customer.email", "customer.vat_id"), _BILLED),
    "delivery.progressed": {"note": _REASON},
    "delivery.promised": {"reason": _REASON},
    "delivery.returned": {
        "reason": _REASON,
        **dict.fromkeys(("customer.name", "customer.email", "customer.vat_id"), _BILLED),
    },
    "erp.customer_changed": {"name": _BILLED},
    "erp.order_placed": {
        "external_ref": _REFERENCE_KEPT,
        **dict.fromkeys(("customer.name", "customer.email", "customer.vat_id"), _BILLED),
    },
    "invoice.credited": {"reason": Personal("free text", kept="it is part of the credit note")},
    "invoice.dispute_resolved": {"reason": Personal("free text", kept="it belongs to the books")},
    "invoice.disputed": {"reason": Personal("free text", kept="it belongs to the books")},
    "invoice.issued": {"customer.name": _BILLED, "customer.email": _BILLED, "customer.vat_id": _BILLED},
    "lead.captured": {
        "external_ref": _REFERENCE,
        **{f"touches[].{name}": each for name, each in _TOUCH.items()},
        "touches[].click_ids": _CLICKS,
    },
    "lead.disqualified": {"reason": _REASON},
    "lead.qualified": {"contact": _CONTACT, "external_ref": _REFERENCE, "website": _SITE},
    "lead.recycled": {"reason": _REASON},
    "lead.touched": {**{f"touch.{name}": each for name, each in _TOUCH.items()}, "touch.click_ids": _CLICKS},
    "opportunity.lost": {"reason": _REASON},
    "opportunity.opened": {
        "name": Personal(
            "what a rep called the deal", "(erased)", "of a lead it names the company or the source, never the person"
        ),
        "external_ref": _REFERENCE,
    },
    "opportunity.won": {"reason": Personal("free text of a rep", None)},
    "invoice.voided": {"reason": Personal("free text", kept="it belongs to the books")},
    "invoice.written_off": {"reason": Personal("free text", kept="it belongs to the books")},
    "order.cancellation_requested": {"reason": _REASON},
    "order.cancelled": {"reason": _REASON},
    "order.change_requested": {"reason": _REASON},
    "order.changed": {
        "reason": _REASON,
        **dict.fromkeys(("customer.name", "customer.email", "customer.vat_id"), _BILLED),
    },
    "order.confirmed": {
        "external_ref": _REFERENCE_KEPT,
        **dict.fromkeys(("customer.name", "customer.email", "customer.vat_id"), _BILLED),
    },
    "order.held": {"detail": _REASON},
    "order.received": {
        "external_ref": _REFERENCE_KEPT,
        **dict.fromkeys(("customer.name", "customer.email", "customer.vat_id"), _BILLED),
    },
    "payment.received": {"reference": Personal("what the payer wrote", kept="by it the payment is allocated")},
    "payment.refunded": {"reason": Personal("free text", kept="it belongs to the books")},
    "payment.unapplied": {"reason": Personal("free text", kept="it belongs to the books")},
    "mes.production_progressed": {"reason": Personal("free text of the shop floor", "(erased)")},
    "production.cancelled": {"reason": _REASON},
    "production.failed": {"reason": Personal("free text of the shop floor", "(erased)")},
    "quote.rejected": {"reason": _REASON},
    **{
        f"subscription.{what}": {"reason": _REASON}
        for what in ("cancellation_withdrawn", "cancelled", "changed", "ended", "paused")
    },
}
# Texts that say nothing about the person of a lead, by the last part of their path. `company` is a company's: a person is no company.
PLAIN = frozenset(
    (
        *("activity", "campaign", "changed", "channel", "channel_group", "code", "company", "competitors", "country"),
        *("custom", "description", "document_sha256", "from_stage", "industry", "invoice_number", "journey", "number"),
        *(
            "into_number",
            "order_number",
            "partner",
            "pdf_sha256",
            "proof_sha256",
            "pipeline",
            "plan",
            "policy",
            "provider",
            "queue",
            "products",
            "recurring",
        ),
        *("region", "roles", "rule_version", "segment", "segments", "skipped", "site", "sku", "source", "spend_source", "stage"),
        *("status", "waiting_for", "work_center", "step", "territory", "to_stage", "type", "medium"),
        *("choices", "question", "survey"),
        *("account", "account_name", "account_number"),
    )
)
# Where the name alone does not tell: these are codes.
CODES = frozenset((("nurture.ended", "reason"), ("payment.declined", "reason")))
# Texts that name the company's own people.
STAFF = frozenset(
    ("assignee", "by", "changed_by", "escalate_to", "held_by", "owner", "released_by", "rep", "requested_by", "team", "was")
)


def texts(event: type[BaseModel]) -> Iterator[str]:
    """The path of every text of an event: `customer.name`, `touches[].page`, `custom` for a map."""
    for name, field in event.model_fields.items():
        yield from _texts(field.annotation, name)


def unnamed(events: Mapping[str, type[BaseModel]]) -> list[str]:
    """Texts of these events (by topic) that nothing says anything about, and names of what is not there."""
    wrong = []
    for topic, event in events.items():
        named = PERSONAL.get(topic, {})
        paths = list(texts(event))
        for path in paths:
            if not any(path == name or path.startswith(f"{name}.") for name in named):
                last = path.rpartition(".")[2].removesuffix("[]")
                if last not in PLAIN | STAFF and (topic, path) not in CODES:
                    wrong.append(f"{topic}: {path}")
        wrong += [
            f"{topic}: there is no {name}"
            for name in named
            if not any(path == name or path.startswith(f"{name}.") for path in paths)
        ]
    return wrong + [f"there is no topic {topic}" for topic in PERSONAL if topic not in events]


def redact(topic: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload (changed in place) without what may go of the person; it still fits its schema."""
    for path, each in PERSONAL.get(topic, {}).items():
        if not each.kept:
            _redact(payload, path.split("."), each.becomes)
    return payload


def anonymous(topic: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload (changed in place) without anything of a person, for a reader who needs none of it, kept or not."""
    for path, each in PERSONAL.get(topic, {}).items():
        _redact(payload, path.split("."), each.becomes)
    return payload


def table() -> str:
    """What docs/privacy.md says of the topics."""
    lines = ["| topic | field | what it holds | after an erasure |", "|---|---|---|---|"]
    for topic, fields in sorted(PERSONAL.items()):
        for path, each in fields.items():
            after = f"kept: {each.kept}" if each.kept else "emptied where it was not read yet"
            lines.append(f"| `{topic}` | `{path}` | {each.what} | {after} |")
    return "\n".join(lines) + "\n"


def _redact(value: Any, path: list[str], becomes: Any) -> None:
    if not isinstance(value, dict):
        return
    name, rest = path[0], path[1:]
    if name.endswith("[]"):
        for each in value.get(name[:-2]) or ():
            _redact(each, rest, becomes)
    elif rest:
        _redact(value.get(name), rest, becomes)
    elif value.get(name) is not None:
        value[name] = becomes


def _texts(kind: Any, path: str) -> Iterator[str]:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        yield from _texts(parts[0], path)
    elif origin in (typing.Union, types.UnionType):
        for part in parts:
            yield from _texts(part, path)
    elif origin in (tuple, list, frozenset):
        yield from _texts(parts[0], f"{path}[]")
    elif origin is dict or kind is str:
        yield path
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield from _texts(field.annotation, f"{path}.{name}")


def of_type(event_type: str) -> str | None:
    """The topic of an event's type (`ltc.lead.captured.v1`), if it is one of ours."""
    known = BY_TYPE.get(event_type)
    return None if known is None else known.event.TOPIC


if __name__ == "__main__":
    print(table(), end="")
