"""Our own shape, for every sender that has none of its own: JSON, signed with its time.

X-LTC-Timestamp: seconds since 1970
X-LTC-Signature: sha256=<HMAC-SHA256 of "<timestamp>.<body>" by the secret, in hex>
{"id": "...", "test": false, "submitted_at": "...", "answers": {"email": "..."}, "campaign_id": "...", "ad_id": "...",
 "page": "...", "click_ids": {"gclid": "..."}, "utm": {"source": "..."}, "facts": {"form": "..."}}
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lead_svc.domain import hook_hmac
from lead_svc.domain.hook import Answer, Notice, Proof, Push, Unreadable, WrongSignature
from lead_svc.domain.hook_json import id_of, member, read_json, text_of
from lead_svc.domain.hook_time import check_skew, written

FIELDS: dict[str, list[list[str]]] = {
    "contact.name": [["name"], ["first_name", "last_name"]],
    "contact.email": [["email"]],
    "contact.phone": [["phone"]],
    "company": [["company"]],
    "country": [["country"]],
    "website": [["website"]],
    "industry": [["industry"]],
    "company_size": [["company_size"]],
}
_PLACES = ("campaign_id", "adgroup_id", "ad_id")


def verify(push: Push, secrets: Sequence[bytes], now: datetime, skew_s: int) -> Proof:
    """Raises `WrongSignature`, `ClockSkew`, `Unreadable`."""
    stamp = push.headers.get("x-ltc-timestamp", "").strip()
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
        raise WrongSignature("is missing or no moment in seconds since 1970", field="x-ltc-timestamp")
    message = stamp.encode() + b"." + push.body
    hook_hmac.check("x-ltc-signature", push.headers.get("x-ltc-signature"), "sha256=", secrets, message)
    check_skew(stamp, now, skew_s)
    return Proof()


def notices(push: Push) -> list[Notice]:
    """The lead of a delivery. Raises `Unreadable`."""
    told = read_json(push.body)
    at = text_of(told, "submitted_at")
    submitted = written(at)
    if at is not None and submitted is None:
        raise Unreadable("is no moment", field="submitted_at")
    places = {name: value for name in _PLACES if (value := text_of(told, name)) is not None}
    return [
        Notice(
            external_id=id_of(told, "id"),
            answers=[Answer([name], value) for name, value in _texts(told, "answers").items()],
            test=bool(member(told, "test", bool)),
            submitted_at=submitted,
            places=list(places.values()),
            facts={**_texts(told, "facts"), **places},
            click_ids=_texts(told, "click_ids"),
            utm=_texts(told, "utm"),
            page=text_of(told, "page"),
        )
    ]


def _texts(told: dict[str, Any], name: str) -> dict[str, str]:
    given: dict[str, Any] = member(told, name, dict) or {}
    if len(given) > 200:
        raise Unreadable("has more than 200 entries", field=name)
    return {key: value for key in given if key and (value := text_of(given, key, where=name)) is not None}
