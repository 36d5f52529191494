"""Lead gen forms of LinkedIn. A delivery tells the id of one response; the answers are fetched by the REST API.

Sources: https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation (`challengeResponse` is the HMAC-SHA256 of
`challengeCode` by the client secret in hex; `X-LI-Signature` is the HMAC-SHA256 of the body *prefixed by* `hmacsha256=`),
https://learn.microsoft.com/en-us/linkedin/marketing/lead-sync/leadsync (`LEAD_ACTION` notifications, `leadFormResponses`),
https://learn.microsoft.com/en-us/linkedin/marketing/lead-sync/lead-sync-schema (questions and answers).
`occurredAt` is the time of the form, and a delivery is repeated for hours: it is not held against our clock.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lead_svc.domain import hook_hmac
from lead_svc.domain.hook import Answer, ChallengeRefused, Notice, Proof, Push, Unreadable
from lead_svc.domain.hook_json import id_of, items, member, read_json, text_of
from lead_svc.domain.hook_time import epoch

FIELDS: dict[str, list[list[str]]] = {
    "contact.name": [["FIRST_NAME", "LAST_NAME"]],
    "contact.email": [["WORK_EMAIL"], ["EMAIL"]],
    "contact.phone": [["PHONE_NUMBER"], ["WORK_PHONE_NUMBER"]],
    "company": [["COMPANY_NAME"]],
    "country": [["COUNTRY"]],
}
HOST = "api.linkedin.com"
VERSION = "202511"
# A code of any other shape is not signed: LinkedIn's would-be prefix and a body could be handed in, and the answer be a signature.
_CODE = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_RESPONSE = re.compile(r"urn:li:leadGenFormResponse:([A-Za-z0-9_-]{1,100})")
_ASKED = (
    "owner,leadType,versionedLeadGenFormUrn,id,submittedAt,testLead,formResponse,leadMetadata,associatedEntity,"
    "form:(hiddenFields,creationLocale,name,id,content)"
)


def verify(push: Push, secrets: Sequence[bytes], now: datetime, skew_s: int) -> Proof:  # noqa: ARG001 - no time is signed
    """Raises `WrongSignature`."""
    given = push.headers.get("x-li-signature")
    # Some receivers see the prefix repeated in the header; the hash is the same.
    told = None if given is None else given.strip().removeprefix("hmacsha256=")
    hook_hmac.check("x-li-signature", told, "", secrets, b"hmacsha256=" + push.body)
    return Proof()


def challenge(asked: Mapping[str, str], secrets: Sequence[bytes]) -> dict[str, str]:
    """What LinkedIn wants back when it checks the address, every two hours. Raises `ChallengeRefused`."""
    code = asked.get("challengeCode", "")
    if not _CODE.fullmatch(code) or not secrets:
        raise ChallengeRefused("is no code of LinkedIn", field="challengeCode")
    return {"challengeCode": code, "challengeResponse": hook_hmac.hex_hmac(secrets[0], code.encode())}


def notices(push: Push) -> list[Notice]:
    """The lead that a delivery tells of; one that was deleted there is passed over. Raises `Unreadable`."""
    told = read_json(push.body)
    if member(told, "type", str) != "LEAD_ACTION":
        raise Unreadable("is no notification of a lead", field="type")
    if member(told, "leadAction", str) != "CREATED":
        return []
    response = _RESPONSE.fullmatch(id_of(told, "leadGenFormResponse"))
    if response is None:
        raise Unreadable("is no URN of a response", field="leadGenFormResponse")
    facts = {name: value for name in ("leadGenForm", "leadType") if (value := text_of(told, name))}
    return [Notice(response[1], None, submitted_at=epoch(member(told, "occurredAt", int)), facts=facts)]


def request(external_id: str, version: str | None) -> tuple[str, dict[str, str], dict[str, str]]:
    """Path, parameters and headers by which the answers are fetched."""
    headers = {"LinkedIn-Version": version or VERSION, "X-Restli-Protocol-Version": "2.0.0"}
    return f"/rest/leadFormResponses/{external_id}", {"fields": _ASKED}, headers


def fetched(body: bytes, external_id: str) -> Notice:
    """The answers of a lead, by the name of their question. Raises `Unreadable`, also where they are those of another one."""
    told = read_json(body)
    if id_of(told, "id") != external_id:
        raise Unreadable("is the answer for another lead", field="id")
    form = member(told, "form", dict) or {}
    content = member(form, "content", dict, where="form") or {}
    questions = {
        text_of(question, "questionId", where=where): (question, where)
        for where, question in items(content, "questions", where="form.content")
    }
    response = member(told, "formResponse", dict) or {}
    answers: list[Answer] = []
    for where, given in items(response, "answers", where="formResponse"):
        asked = text_of(given, "questionId", where=where)
        question, path = questions.get(asked, ({}, ""))
        names = [text_of(question, name, where=path) for name in ("predefinedField", "name")]
        value = _value(member(given, "answerDetails", dict, where=where) or {}, question, where)
        keys = [name for name in (*names, asked) if name]
        if keys and value:
            answers.append(Answer(keys, value))
    for where, hidden in items(form, "hiddenFields", where="form"):
        name, value = text_of(hidden, "name", where=where), text_of(hidden, "value", where=where)
        if name and value:
            answers.append(Answer([name], value))
    for where, box in items(response, "consentResponses", where="formResponse"):
        if key := text_of(box, "consentId", where=where):
            answers.append(Answer([f"consent.{key}"], "yes" if member(box, "accepted", bool, where=where) else "no"))
    sponsored = member(member(told, "leadMetadata", dict) or {}, "sponsoredLeadMetadata", dict, where="leadMetadata") or {}
    urns = {
        "campaign": text_of(sponsored, "campaign"),
        "creative": text_of(member(told, "associatedEntity", dict) or {}, "associatedCreative"),
        "form": text_of(told, "versionedLeadGenFormUrn"),
    }
    facts = {name: urn for name, urn in urns.items() if urn}
    places = [
        place for name in ("campaign", "creative") if name in facts for place in (facts[name], facts[name].rpartition(":")[2])
    ]
    test = bool(member(told, "testLead", bool))
    submitted = epoch(member(told, "submittedAt", int))
    return Notice(external_id, answers, test=test, submitted_at=submitted, places=places, facts=facts)


def _value(details: dict[str, Any], question: Any, where: str) -> str | None:
    written = member(details, "textQuestionAnswer", dict, where=where)
    if written is not None:
        return text_of(written, "answer", where=where)
    chosen = member(details, "multipleChoiceAnswer", dict, where=where) or {}
    labels = _labels(question)
    picked = [text_of({"option": option}, "option", where=path) for path, option in items(chosen, "options", where=where)]
    return ", ".join(labels.get(each, each) for each in picked if each) or None


def _labels(question: Any) -> dict[str, str]:
    details = member(question, "questionDetails", dict) or {}
    choice = member(details, "multipleChoiceQuestionDetails", dict) or {}
    found: dict[str, str] = {}
    for where, option in items(choice, "options"):
        number = text_of(option, "id", where=where)
        texts = member(member(option, "text", dict, where=where) or {}, "localized", dict, where=where) or {}
        label = next((text for text in texts.values() if isinstance(text, str)), None)
        if number and label:
            found[number] = label
    return found
