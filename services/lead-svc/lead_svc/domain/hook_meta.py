"""Lead ads of Meta (Facebook, Instagram). A delivery tells ids only, of up to a thousand leads; the answers are fetched by the Graph API.

Sources: https://developers.facebook.com/docs/graph-api/webhooks/getting-started (GET with `hub.challenge`, `X-Hub-Signature-256`:
`sha256=` and the HMAC-SHA256 of the body by the app secret), .../webhooks/getting-started/webhooks-for-leadgen (`leadgen` changes),
https://developers.facebook.com/docs/marketing-api/guides/lead-ads/retrieving (`GET /{leadgen_id}`, `field_data`,
`custom_disclaimer_responses`).
The times in a delivery are those of the form, and Meta repeats one for up to 36 hours: they are not held against our clock.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lead_svc.domain import hook_hmac
from lead_svc.domain.hook import Answer, ChallengeRefused, Notice, Proof, Push, Unreadable
from lead_svc.domain.hook_json import id_of, items, member, read_json, text_of
from lead_svc.domain.hook_time import epoch, written

FIELDS: dict[str, list[list[str]]] = {
    "contact.name": [["full_name"], ["first_name", "last_name"]],
    "contact.email": [["email"], ["work_email"]],
    "contact.phone": [["phone_number"], ["work_phone_number"]],
    "company": [["company_name"]],
    "country": [["country"]],
    "website": [["website"]],
}
HOST = "graph.facebook.com"
VERSION = "v23.0"
_ASKED = "id,created_time,ad_id,ad_name,adset_id,campaign_id,campaign_name,form_id,is_organic,platform,field_data,custom_disclaimer_responses"
_PLACES = ("campaign_id", "adset_id", "ad_id")
_FACTS = (*_PLACES, "ad_name", "campaign_name", "form_id", "platform")
# What Meta's own test tools send.
_TEST_ID = "444444444444"
_DUMMY = "<test lead: dummy data"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,200}")


def verify(push: Push, secrets: Sequence[bytes], now: datetime, skew_s: int) -> Proof:  # noqa: ARG001 - no time is signed
    """Raises `WrongSignature`."""
    hook_hmac.check("x-hub-signature-256", push.headers.get("x-hub-signature-256"), "sha256=", secrets, push.body)
    return Proof()


def challenge(asked: Mapping[str, str], tokens: Sequence[bytes]) -> str:
    """What Meta wants back when it checks the address. Raises `ChallengeRefused`."""
    token = asked.get("hub.verify_token", "").encode(errors="replace")
    right = hook_hmac.same(token, tokens)
    wanted = asked.get("hub.challenge", "")
    if asked.get("hub.mode") != "subscribe" or not right or not _CHALLENGE.fullmatch(wanted):
        raise ChallengeRefused("the token is not that of this endpoint", field="hub.verify_token")
    return wanted


def notices(push: Push) -> list[Notice]:
    """The leads that a delivery tells of; changes of anything else are passed over. Raises `Unreadable`."""
    told = read_json(push.body)
    if member(told, "object", str) != "page":
        raise Unreadable("is no delivery of a page", field="object")
    found: dict[str, Notice] = {}
    for where, entry in items(told, "entry", most=1000):
        for path, change in items(entry, "changes", where=where, most=1000):
            if member(change, "field", str, where=path) == "leadgen":
                notice = _told(member(change, "value", dict, where=path) or {}, f"{path}.value")
                found[notice.external_id] = notice
    if len(found) > 1000:
        raise Unreadable("tells of more than 1000 leads", field="entry")
    return list(found.values())


def _told(value: dict[str, Any], where: str) -> Notice:
    lead = id_of(value, "leadgen_id", where=where)
    if not lead.isdigit():
        raise Unreadable("is no number", field=f"{where}.leadgen_id")
    return Notice(lead, None, test=lead == _TEST_ID, submitted_at=epoch(value.get("created_time")))


def request(external_id: str, version: str | None) -> tuple[str, dict[str, str], dict[str, str]]:
    """Path, parameters and headers by which the answers are fetched."""
    return f"/{version or VERSION}/{external_id}", {"fields": _ASKED}, {}


def fetched(body: bytes, external_id: str) -> Notice:
    """The answers of a lead. Raises `Unreadable`, also where they are those of another one."""
    told = read_json(body)
    if id_of(told, "id") != external_id:
        raise Unreadable("is the answer for another lead", field="id")
    answers: list[Answer] = []
    for where, question in items(told, "field_data"):
        name = text_of(question, "name", where=where)
        values = [text_of({"value": value}, "value", where=path) for path, value in items(question, "values", where=where)]
        if name and (value := ", ".join(each for each in values if each)):
            answers.append(Answer([name], value))
    for where, box in items(told, "custom_disclaimer_responses"):
        if key := text_of(box, "checkbox_key", where=where):
            ticked = member(box, "is_checked", (bool, str, int), where=where)
            answers.append(Answer([f"consent.{key}"], "yes" if ticked in (True, 1, "1", "true") else "no"))
    facts = {name: found for name in _FACTS if (found := text_of(told, name)) is not None}
    return Notice(
        external_id=external_id,
        answers=answers,
        test=any(_DUMMY in each.value for each in answers),
        submitted_at=written(text_of(told, "created_time")),
        places=[facts[name] for name in _PLACES if name in facts],
        facts=facts,
    )
