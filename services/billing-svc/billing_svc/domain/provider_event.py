"""What a payment provider pushes, in Stripe's scheme: who signed it, and what it says.

The signature is HMAC-SHA256 over `<t>.<body>`, in the header `t=<seconds>,v1=<hex>[,v1=<hex>]`; one right `v1` of any key is enough.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.money import Money, minor_units

from billing_svc.domain.bank_statement import clean
from billing_svc.domain.matching import Signals

State = Literal["received", "taken", "known", "ignored", "waiting", "settled"]
# Codes after which the same card never pays (Stripe's list of declines that are not retried); whatever else, a later try may.
HARD_DECLINES = frozenset(
    {
        "authentication_required",
        "fraudulent",
        "highest_risk_level",
        "incorrect_number",
        "invalid_account",
        "lost_card",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)
_MOST_SIGNATURES = 20
# Where Stripe's minor units are not those of ISO 4217.
_MINOR_UNITS = {"ISK": 2, "UGX": 2, "MGA": 0}


class SignatureWrong(DomainError):
    """No signature is by a secret of this provider."""

    kind = "forbidden"


class SignatureTooOld(DomainError):
    """It was signed longer ago than is tolerated, or in the future: somebody may play it again."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Told:
    """An event, as far as it is understood."""

    event_id: str
    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Paid:
    """Money came; `object_id` is that of the payment intent, or of the charge where there is none. `charge_id` is looked for later."""

    object_id: str
    charge_id: str
    signals: Signals


@dataclass(frozen=True, slots=True)
class Declined:
    """A try to pay failed. `hard`: the same way of paying must never be tried again. `number`: of the invoice, where it is told."""

    object_id: str
    hard: bool
    reason: str
    number: str


@dataclass(frozen=True, slots=True)
class Undone:
    """A payment went back (`refunded` of it in all), is disputed by who paid, or neither: the provider moved money over a dispute."""

    object_id: str
    charge_id: str
    disputed: bool
    reason: str
    refunded: Money | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """An event as it was kept, and what became of it."""

    id: UUID
    provider: str
    event_id: str
    type: str
    body: bytes
    state: State
    received_at: datetime
    object_id: str = ""
    payment_id: UUID | None = None
    hard: bool | None = None
    reason: str | None = None
    decided_by: str | None = None
    settled_at: datetime | None = None


def verify(header: str, body: bytes, keys: Sequence[bytes], now: datetime, tolerance_s: int) -> None:
    """Raises `SignatureWrong`, then `SignatureTooOld`: who cannot sign learns nothing of the clock."""
    parts = [part.strip().partition("=") for part in header.split(",")[: _MOST_SIGNATURES + 1]]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12:
        raise SignatureWrong("the header Stripe-Signature has no time", field="Stripe-Signature")
    signed = times[0].encode() + b"." + body
    expected = [hmac.new(key, signed, hashlib.sha256).hexdigest().encode() for key in keys]
    # Every pair is compared, so that the time it takes tells nothing.
    right = [hmac.compare_digest(one, two.encode("utf-8", "replace")) for one in expected for two in signatures]
    if not any(right):
        raise SignatureWrong("no signature is right", field="Stripe-Signature")
    if abs(now.timestamp() - int(times[0])) > tolerance_s:
        raise SignatureTooOld(f"it was signed more than {tolerance_s} s away from now", field="Stripe-Signature")


def read(body: bytes) -> Told:
    """The event. Raises `Invalid` for what is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("is no JSON in UTF-8", field="body") from error
    data = told.get("data") if isinstance(told, dict) else None
    found = data.get("object") if isinstance(data, dict) else None
    event_id, kind = (clean(_text(told.get(name)), 200) for name in ("id", "type")) if isinstance(told, dict) else ("", "")
    if not event_id or not kind or not isinstance(found, dict):
        raise Invalid("is no event with id, type and data.object", field="body")
    return Told(event_id, kind, found)


def meaning(told: Told) -> Paid | Declined | Undone | None:
    """What an event says; None for what does not matter here. Raises `Invalid` for figures that are none."""
    data = told.data
    if told.type == "payment_intent.succeeded":
        return _paid(data, _text(data.get("id")), _text(data.get("latest_charge")), data.get("amount_received"))
    if told.type in ("charge.succeeded", "charge.captured"):
        if data.get("captured") is False:
            return None
        charge = _text(data.get("id"))
        amount = data.get("amount_captured", data.get("amount"))
        return _paid(data, _text(data.get("payment_intent")) or charge, charge, amount)
    if told.type == "payment_intent.payment_failed":
        error = _mapping(data.get("last_payment_error"))
        codes = [_text(error.get(name)) for name in ("decline_code", "code")]
        hard = any(code in HARD_DECLINES for code in codes) or error.get("advice_code") == "do_not_try_again"
        reason = clean(next((code for code in codes if code), "declined"), 100)
        number = clean(_text(_mapping(data.get("metadata")).get("invoice_number")), 40)
        return Declined(clean(_text(data.get("id")), 200), hard, reason, number)
    if told.type == "charge.refunded":
        charge = clean(_text(data.get("id")), 200)
        refunded = _money(data.get("amount_refunded"), data.get("currency"))
        object_id = clean(_text(data.get("payment_intent")), 200) or charge
        return Undone(object_id, charge, False, f"{refunded} of it refunded in all", refunded)
    if told.type in ("refund.failed", "charge.refund.updated"):
        if told.type == "charge.refund.updated" and data.get("status") != "failed":
            return None
        charge = clean(_text(data.get("charge")), 200)
        object_id = clean(_text(data.get("payment_intent")), 200) or charge
        return Undone(object_id, charge, False, "a refund failed: the money is with the provider again")
    if told.type in ("charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"):
        charge = clean(_text(data.get("charge")), 200)
        reason = clean(_text(data.get("reason")), 100) or "no reason told"
        move = told.type.rpartition(".")[2]
        what = {"created": "disputed at the bank of the payer", "funds_withdrawn": "taken back over a dispute"}
        return Undone(
            clean(_text(data.get("payment_intent")), 200) or charge,
            charge,
            move == "created",
            f"{what.get(move, 'given again after a dispute')}: {reason}",
        )
    return None


def _paid(data: Mapping[str, Any], object_id: str, charge_id: str, amount: object) -> Paid:
    if not object_id:
        raise Invalid("has no id", field="data.object.id")
    metadata, billing = _mapping(data.get("metadata")), _mapping(data.get("billing_details"))
    said = [_text(metadata.get(name)) for name in ("invoice_number", "payment_reference")] + [_text(data.get("description"))]
    signals = Signals(
        amount=_money(amount, data.get("currency")),
        text=clean(" ".join(text for text in said if text)),
        end_to_end_id=clean(object_id, 80),
        party=clean(_text(billing.get("name")), 140),
    )
    return Paid(clean(object_id, 200), clean(charge_id, 200), signals)


def _money(amount: object, currency: object) -> Money:
    """Providers tell minor units."""
    code = _text(currency).upper()
    if not isinstance(amount, int) or isinstance(amount, bool) or abs(amount) >= 10**15:
        raise Invalid("the amount is no whole number of minor units", field="data.object.amount")
    return Money.rounded(Decimal(amount).scaleb(-_MINOR_UNITS.get(code, minor_units(code))), code)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
