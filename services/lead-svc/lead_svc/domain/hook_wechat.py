"""Leads of WeChat ads and other forms of Tencent Ads, as its lead platform pushes them.

The signature is WeChat's for a server of one's own: SHA-1, in hex, of token, timestamp and nonce, sorted and joined, in the address;
with `echostr` when the address is checked. Source: https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html
The fields of a lead are those of Tencent Ads: https://developers.e.qq.com/docs/api/insights/leads/lead_clues_get (`leads_id`,
`leads_name`, `leads_telephone`, pushed as `leads_tel`, `bundle` with the further questions, `click_id`). How Tencent Ads itself signs
the push of a lead is described on no public page that could be found; where a company's gateway passes leads on, it signs like this.
The body is not signed: a pair of timestamp and nonce is good for one body, within the allowed skew.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lead_svc.domain import hook_hmac
from lead_svc.domain.hook import Answer, ChallengeRefused, Notice, Proof, Push, Unreadable, WrongSignature
from lead_svc.domain.hook_json import id_of, read_fields, read_json, read_query, text_of
from lead_svc.domain.hook_time import check_skew, written

FIELDS: dict[str, list[list[str]]] = {
    "contact.name": [["leads_name"], ["姓名"]],
    "contact.email": [["leads_email"], ["邮箱"]],
    "contact.phone": [["leads_tel"], ["leads_telephone"], ["电话"]],
    "company": [["company"], ["公司"]],
}
_ASKED = ("leads_name", "leads_tel", "leads_telephone", "leads_email", "leads_wechat", "leads_qq")
_PLACES = ("campaign_id", "adgroup_id", "ad_id", "creative_id")
_FACTS = (
    *("account_id", "wechat_appid", *_PLACES, "campaign_name", "adgroup_name", "ad_name", "page_id", "page_name", "click_id"),
    *("leads_type", "leads_source", "leads_area", "tel_location"),
)
_ECHO = re.compile(r"[A-Za-z0-9_-]{1,200}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def signature(token: bytes, timestamp: str, nonce: str) -> str:
    """SHA-1 of the three, sorted and joined, in hex."""
    joined = b"".join(sorted((token, timestamp.encode(), nonce.encode())))
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def verify(push: Push, secrets: Sequence[bytes], now: datetime, skew_s: int) -> Proof:
    """Raises `WrongSignature`, `ClockSkew`, `Unreadable`."""
    asked = read_query(push.query)
    stamp = _check(asked, secrets)
    check_skew(stamp, now, skew_s)
    return Proof(nonce=f"{stamp}.{asked['nonce']}")


def challenge(asked: Mapping[str, str], tokens: Sequence[bytes], now: datetime, skew_s: int) -> str:
    """What is wanted back when the address is checked. Raises `WrongSignature`, `ClockSkew`, `ChallengeRefused`."""
    check_skew(_check(asked, tokens), now, skew_s)
    wanted = asked.get("echostr", "")
    if not _ECHO.fullmatch(wanted):
        raise ChallengeRefused("is missing or no such text", field="echostr")
    return wanted


def notices(push: Push) -> list[Notice]:
    """The lead of a delivery; the test of an address (`EVENT_TYPE_TEST`) is passed over. Raises `Unreadable`."""
    told = read_fields(push)
    if text_of(told, "event_type") == "EVENT_TYPE_TEST":
        return []
    answers = [Answer([name], value) for name in _ASKED if (value := text_of(told, name)) is not None]
    answers += [Answer([name], value) for name, value in _bundle(told).items()]
    facts = {name: value for name in _FACTS if (value := text_of(told, name)) is not None}
    return [
        Notice(
            external_id=id_of(told, "leads_id", "outer_leads_id"),
            answers=answers,
            submitted_at=written(text_of(told, "leads_create_time")),
            places=[facts[name] for name in _PLACES if name in facts],
            facts=facts,
            page=text_of(told, "page_url"),
        )
    ]


def _check(asked: Mapping[str, str], tokens: Sequence[bytes]) -> str:
    stamp, nonce = asked.get("timestamp", ""), asked.get("nonce", "")
    given = asked.get("signature", "").lower().encode(errors="replace")
    if not re.fullmatch(r"[0-9]{1,15}", stamp) or not _NONCE.fullmatch(nonce):
        raise WrongSignature("timestamp or nonce are missing", field="signature")
    if not hook_hmac.same(given, [signature(token, stamp, nonce).encode() for token in tokens]):
        raise WrongSignature("the signature is not of this time by the token of this endpoint", field="signature")
    return stamp


def _bundle(told: Mapping[str, Any]) -> dict[str, str]:
    """The further questions: an object of JSON, as such or as text."""
    bundle = told.get("bundle")
    if isinstance(bundle, str):
        bundle = read_json(bundle.encode()) if bundle.strip() else {}
    if bundle is not None and not isinstance(bundle, dict):
        raise Unreadable("has another type than the platform describes", field="bundle")
    if bundle and len(bundle) > 500:
        raise Unreadable("has more than 500 entries", field="bundle")
    return {name: value for name in bundle or {} if name and (value := text_of(bundle, name, where="bundle")) is not None}
