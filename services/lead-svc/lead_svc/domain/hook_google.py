"""Lead form assets of Google Ads. The delivery holds all answers and, as its only proof, the key that the advertiser chose.

Source: https://developers.google.com/google-ads/webhook/docs/implementation (schema, `google_key`, `is_test`, answers by `column_id`).
Google signs neither a time nor the body: a repetition is recognised by `lead_id` alone.
"""

from collections.abc import Sequence
from datetime import datetime

from lead_svc.domain import hook_hmac
from lead_svc.domain.hook import Answer, Notice, Proof, Push, Unreadable, WrongSignature
from lead_svc.domain.hook_json import id_of, items, member, read_json, text_of

FIELDS: dict[str, list[list[str]]] = {
    "contact.name": [["FULL_NAME"], ["FIRST_NAME", "LAST_NAME"]],
    "contact.email": [["EMAIL"], ["WORK_EMAIL"]],
    "contact.phone": [["PHONE_NUMBER"], ["WORK_PHONE"]],
    "company": [["COMPANY_NAME"]],
    "country": [["COUNTRY"]],
}
# By which the answers are found, and what of the rest is kept.
_PLACES = ("campaign_id", "adgroup_id", "creative_id")
_FACTS = ("form_id", *_PLACES, "asset_group_id", "lead_source")


def verify(push: Push, secrets: Sequence[bytes], now: datetime, skew_s: int) -> Proof:  # noqa: ARG001 - no time is signed
    """Raises `WrongSignature` for another key, `Unreadable` where none can be found."""
    given = member(read_json(push.body), "google_key", str)
    if given is None:
        raise Unreadable("is missing", field="google_key")
    key = given.encode(errors="surrogatepass")
    if not hook_hmac.same(key, secrets):
        raise WrongSignature("the key is not that of this endpoint", field="google_key")
    return Proof(starred=(key,))


def notices(push: Push) -> list[Notice]:
    """The lead of a delivery. Raises `Unreadable`."""
    told = read_json(push.body)
    answers: list[Answer] = []
    for where, column in items(told, "user_column_data"):
        names = [text_of(column, name, where=where) for name in ("column_id", "column_name")]
        value = text_of(column, "string_value", where=where)
        keys = [name for name in names if name]
        if keys and value is not None:
            answers.append(Answer(keys, value))
    click = text_of(told, "gcl_id")
    facts = {name: value for name in _FACTS if (value := text_of(told, name)) is not None}
    return [
        Notice(
            external_id=id_of(told, "lead_id"),
            answers=answers,
            test=bool(member(told, "is_test", bool)),
            places=[facts[name] for name in _PLACES if name in facts],
            facts=facts,
            click_ids={"gclid": click} if click else {},
        )
    ]
