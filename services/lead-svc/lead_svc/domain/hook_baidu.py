"""Leads of Baidu's marketing pages (Jimuyu), as its lead push sends them to a CRM.

No public page of Baidu that describes the push could be found. The shape is that of open receivers of it:
https://github.com/saoxia/erpnext_china `erpnext_china/erpnext_china/doctype/lead_domain_for_baidu/lead_domain_for_baidu.py` (`clue_id`,
`token`, `form_detail`, repeated until the answer is a success), and of Baidu's own model of a lead in its API,
https://github.com/baidu/baiduads-sdk `LeadsNoticeService/getNoticeList` (`clueId`, `cluePhoneNumber`, `formDetail`, `commitTime`).
Names come in camel case or with underscores, as the pusher is set. The proof is a token that is sent along, in the body or the address;
nothing else is signed, so a repetition is recognised by the id of the lead alone.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lead_svc.domain import hook_hmac
from lead_svc.domain.hook import Answer, Notice, Proof, Push, Unreadable, WrongSignature
from lead_svc.domain.hook_json import id_of, items, member, read_fields, read_json, read_query, text_of
from lead_svc.domain.hook_time import written

FIELDS: dict[str, list[list[str]]] = {
    "contact.name": [["name"], ["姓名"], ["userName"]],
    "contact.email": [["email"], ["邮箱"]],
    "contact.phone": [["cluePhoneNumber"], ["phone"], ["电话"], ["手机"]],
    "company": [["company"], ["公司"]],
}
_PLACES = ("planId", "campaignId", "unitId", "creativeId")
_FACTS = (
    *("ucid", "ucName", *_PLACES, "planName", "unitName", "keyword", "searchWord", "flowChannelName", "solutionTypeName", "area"),
    *("siteName", "wechatAccount"),
)


def verify(push: Push, secrets: Sequence[bytes], now: datetime, skew_s: int) -> Proof:  # noqa: ARG001 - no time is signed
    """Raises `WrongSignature`, and `Unreadable` where no token can be found."""
    given = text_of(read_query(push.query), "token") or text_of(read_fields(push), "token")
    if given is None:
        raise WrongSignature("the token is missing", field="token")
    token = given.encode()
    if not hook_hmac.same(token, secrets):
        raise WrongSignature("the token is not that of this endpoint", field="token")
    return Proof(starred=(token,))


def notices(push: Push) -> list[Notice]:
    """The lead of a delivery. Raises `Unreadable`."""
    told = {_camel(name): value for name, value in read_fields(push).items()}
    detail = told.get("formDetail")
    if isinstance(detail, str):
        detail = read_json(b'{"formDetail": ' + (detail or "[]").encode() + b"}")["formDetail"]
    answers: list[Answer] = []
    for where, question in items({"formDetail": detail}, "formDetail"):
        names = [text_of(question, name, where=where) for name in ("name", "type")]
        value = _text(question.get("value") if isinstance(question, dict) else None, f"{where}.value")
        keys = [name for name in names if name]
        if keys and value:
            answers.append(Answer(keys, value))
    for name in ("cluePhoneNumber", "userName"):
        value = text_of(told, name)
        if value:
            # Several numbers of one person come in one text; the first is the one to call.
            answers.append(Answer([name], re.split(r"[,;，；]", value)[0].strip() if name == "cluePhoneNumber" else value))
    page = text_of(told, "url") or text_of(told, "consultUrl")
    facts = {name: value for name in _FACTS if (value := text_of(told, name)) is not None}
    return [
        Notice(
            external_id=id_of(told, "clueId", "id"),
            answers=answers,
            submitted_at=written(text_of(told, "commitTime")),
            places=[facts[name] for name in _PLACES if name in facts],
            facts=facts,
            click_ids=_clicks(page),
            page=page,
        )
    ]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _text(value: Any, where: str) -> str | None:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)[:2000]
    return text_of({"value": member({"value": value}, "value", (str, int, float), where=where)}, "value", where=where)


def _clicks(page: str | None) -> dict[str, str]:
    try:
        asked = parse_qs(urlsplit(page or "").query[:4000], max_num_fields=100)
    except ValueError as error:
        raise Unreadable("is no address of a page", field="url") from error
    return {"bd_vid": asked["bd_vid"][-1]} if asked.get("bd_vid") else {}
