"""Each platform's shape and signature, by golden vectors."""

import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError

from lead_svc.domain import hook_baidu, hook_google, hook_linkedin, hook_meta, hook_signed, hook_wechat
from lead_svc.domain.hook import (
    KINDS,
    TRANSITIONS,
    ChallengeRefused,
    ClockSkew,
    Item,
    Proof,
    Push,
    Unreadable,
    WrongSignature,
    state_of,
)
from lead_svc.domain.hook_json import read_json
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.domain.hook_time import written
from lead_svc.tests.builders import NOW

STAMP = str(int(NOW.timestamp()))


def values(notice: Any) -> dict[str, str]:
    return {answer.keys[0]: answer.value for answer in notice.answers}


def verified(kind: str, push: Push, *secrets: bytes, now: datetime = NOW) -> Proof:
    return PLATFORMS[kind].verify(push, secrets or (b"secret",), now, 300)  # type: ignore[index]


# RFC 4231, test case 2: key "Jefe", data "what do ya want for nothing?".
RFC_4231 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_meta_signs_the_bytes_with_hmac_sha256_as_in_rfc_4231() -> None:
    body = b"what do ya want for nothing?"
    verified("meta", Push({"x-hub-signature-256": f"sha256={RFC_4231}"}, "", body), b"Jefe")
    verified("meta", Push({"x-hub-signature-256": f"sha256={RFC_4231.upper()}"}, "", body), b"other", b"Jefe")
    for header in (
        {},
        {"x-hub-signature-256": RFC_4231},
        {"x-hub-signature-256": f"sha1={RFC_4231}"},
        {"x-hub-signature-256": "sha256="},
    ):
        with pytest.raises(WrongSignature):
            verified("meta", Push(header, "", body), b"Jefe")
    with pytest.raises(WrongSignature):
        verified("meta", Push({"x-hub-signature-256": f"sha256={RFC_4231}"}, "", body + b" "), b"Jefe")


def test_linkedin_signs_the_body_behind_its_prefix() -> None:
    # printf 'hmacsha256={"type":"LEAD_ACTION"}' | openssl dgst -sha256 -hmac client-secret
    body, golden = b'{"type":"LEAD_ACTION"}', "504fb48267398ef70058fc11c07701df78b038d6c48a2ef3a93709c74a7f3cfa"
    for header in (golden, f"hmacsha256={golden}"):
        verified("linkedin", Push({"x-li-signature": header}, "", body), b"client-secret")
    without = hmac.new(b"client-secret", body, hashlib.sha256).hexdigest()
    with pytest.raises(WrongSignature):
        verified("linkedin", Push({"x-li-signature": without}, "", body), b"client-secret")


def test_the_challenge_of_linkedin_signs_uuids_only_lest_it_be_asked_for_a_signature() -> None:
    code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
    # printf %s "$CODE" | openssl dgst -sha256 -hmac client-secret
    expected = "8ab4bbad570533d66462deba280bde93c1cad8b543e7f526d3e962acaf6c391a"
    answer = hook_linkedin.challenge({"challengeCode": code}, [b"client-secret", b"before"])
    assert answer == {"challengeCode": code, "challengeResponse": expected}
    for forged in ('hmacsha256={"type":"LEAD_ACTION"}', "", code + "\n", f"{code} ", code.replace("-", "")):
        with pytest.raises(ChallengeRefused):
            hook_linkedin.challenge({"challengeCode": forged}, [b"client-secret"])


def test_the_challenge_of_meta_is_returned_for_the_right_token_only() -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "t0ken", "hub.challenge": "1158201444"}
    assert hook_meta.challenge(asked, [b"t0ken"]) == "1158201444"
    for wrong in ({"hub.verify_token": "other"}, {"hub.mode": "unsubscribe"}, {"hub.challenge": "<b>"}, {"hub.challenge": ""}):
        with pytest.raises(ChallengeRefused):
            hook_meta.challenge({**asked, **wrong}, [b"t0ken"])


def test_wechat_signs_token_time_and_nonce_sorted() -> None:
    # printf '%s\n' weixin 1409735669 1320562132 | LC_ALL=C sort | tr -d '\n' | sha1sum
    golden = "0269da5638d2e513dbe301d48d5dcdae1d31ccfa"
    assert hook_wechat.signature(b"weixin", "1409735669", "1320562132") == golden
    now = datetime.fromtimestamp(1409735669, UTC)
    asked = {"signature": golden, "timestamp": "1409735669", "nonce": "1320562132", "echostr": "5838479218127813673"}
    assert hook_wechat.challenge(asked, [b"weixin"], now, 300) == "5838479218127813673"
    with pytest.raises(ChallengeRefused):
        hook_wechat.challenge({**asked, "echostr": "<script>"}, [b"weixin"], now, 300)
    for wrong in ({"nonce": "1"}, {"timestamp": "1409735670"}, {"signature": ""}, {"nonce": "a b"}):
        with pytest.raises(WrongSignature):
            hook_wechat.challenge({**asked, **wrong}, [b"weixin"], now, 300)


@pytest.mark.parametrize(("off", "right"), [(0, True), (-300, True), (300, True), (-301, False), (301, False), (-86_400, False)])
def test_a_signed_time_is_within_five_minutes_of_ours(off: int, right: bool) -> None:
    stamp = str(int(NOW.timestamp()) + off)
    body = b"{}"
    mac = hmac.new(b"secret", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    signed = Push({"x-ltc-timestamp": stamp, "x-ltc-signature": f"sha256={mac}"}, "", body)
    wechat = Push({}, f"timestamp={stamp}&nonce=n&signature={hook_wechat.signature(b'secret', stamp, 'n')}", body)
    for kind, push in (("signed", signed), ("wechat", wechat)):
        if right:
            verified(kind, push)
        else:
            with pytest.raises(ClockSkew):
                verified(kind, push)


def test_our_own_signature_covers_the_time() -> None:
    body = b"{}"
    mac = hmac.new(b"secret", STAMP.encode() + b"." + body, hashlib.sha256).hexdigest()
    later = str(int(STAMP) + 1)
    for stamp in (later, "", "-1", "soon", "9" * 16, "1.5"):
        with pytest.raises(WrongSignature):
            verified("signed", Push({"x-ltc-timestamp": stamp, "x-ltc-signature": f"sha256={mac}"}, "", body))


def test_a_delivery_of_meta_tells_of_many_leads_and_of_other_things() -> None:
    body = b"""{"object": "page", "entry": [
        {"id": "1", "time": 1, "changes": [{"field": "leadgen", "value": {"leadgen_id": 11, "created_time": 1767225500}},
                                           {"field": "feed", "value": {"item": "post"}}]},
        {"id": "2", "changes": [{"field": "leadgen", "value": {"leadgen_id": "12"}}, {"field": "leadgen", "value": {"leadgen_id": "11"}}]}
    ]}"""
    found = hook_meta.notices(Push({}, "", body))
    assert [notice.external_id for notice in found] == ["11", "12"]
    assert all(notice.answers is None for notice in found)
    climbing = b'{"field": "leadgen", "value": {"leadgen_id": "../me"}}'
    for wrong in (b'{"object": "user"}', b'{"object": "page", "entry": [{"changes": [' + climbing + b"]}]}"):
        with pytest.raises(Unreadable):
            hook_meta.notices(Push({}, "", wrong))


def test_answers_of_meta_are_read_with_consents_and_its_dummies_are_tests() -> None:
    body = b"""{"id": "11", "created_time": "2026-01-01T00:00:00+0000", "ad_id": "3", "campaign_id": "1", "form_id": "9",
        "field_data": [{"name": "full_name", "values": ["Ada Rossi"]}, {"name": "colors", "values": ["red", "blue"]}],
        "custom_disclaimer_responses": [{"checkbox_key": "news", "is_checked": "1"}, {"checkbox_key": "ads", "is_checked": ""}]}"""
    notice = hook_meta.fetched(body, "11")
    assert values(notice) == {"full_name": "Ada Rossi", "colors": "red, blue", "consent.news": "yes", "consent.ads": "no"}
    assert (notice.places, notice.submitted_at, notice.test) == (["1", "3"], NOW, False)
    with pytest.raises(Unreadable):
        hook_meta.fetched(body, "12")
    dummy = b'{"id": "11", "field_data": [{"name": "email", "values": ["<test lead: dummy data for email>"]}]}'
    assert hook_meta.fetched(dummy, "11").test


def test_answers_of_linkedin_are_named_by_the_form() -> None:
    body = b"""{"id": "52dc-4", "submittedAt": 1767225500000, "testLead": false,
        "leadMetadata": {"sponsoredLeadMetadata": {"campaign": "urn:li:sponsoredCampaign:321"}},
        "associatedEntity": {"associatedCreative": "urn:li:sponsoredCreative:7"},
        "formResponse": {"consentResponses": [{"consentId": 5, "accepted": true}], "answers": [
            {"questionId": 1, "answerDetails": {"textQuestionAnswer": {"answer": "Ada"}}},
            {"questionId": 2, "answerDetails": {"multipleChoiceAnswer": {"options": [20, 21]}}},
            {"questionId": 3, "answerDetails": {"textQuestionAnswer": {"answer": "unnamed"}}}]},
        "form": {"hiddenFields": [{"name": "utm_source", "value": "li"}], "content": {"questions": [
            {"questionId": 1, "name": "first", "predefinedField": "FIRST_NAME"},
            {"questionId": 2, "name": "interest", "questionDetails": {"multipleChoiceQuestionDetails": {"options": [
                {"id": 20, "text": {"localized": {"en_US": "Pumps"}}}, {"id": 21, "text": {"localized": {"en_US": "Valves"}}}]}}}]}}}"""
    notice = hook_linkedin.fetched(body, "52dc-4")
    assert values(notice) == {
        "FIRST_NAME": "Ada",
        "interest": "Pumps, Valves",
        "3": "unnamed",
        "utm_source": "li",
        "consent.5": "yes",
    }
    assert notice.places == ["urn:li:sponsoredCampaign:321", "321", "urn:li:sponsoredCreative:7", "7"]


def test_baidu_is_read_in_camel_case_or_with_underscores_as_json_or_form() -> None:
    camel = '{"token": "secret", "clueId": "210604,f67", "cluePhoneNumber": "13311100006,13311100007", "commitTime": "2026-01-01 08:00:00", '
    camel += (
        '"formDetail": [{"name": "姓名", "type": "name", "value": "小红"}], "url": "https://x.example/a?bd_vid=v1", "planId": 5}'
    )
    snake = (
        camel.replace("clueId", "clue_id").replace("cluePhoneNumber", "clue_phone_number").replace("formDetail", "form_detail")
    )
    for body in (camel, snake, snake.replace("commitTime", "commit_time").replace("planId", "plan_id")):
        push = Push({}, "", body.encode())
        assert verified("baidu", push).starred == (b"secret",)
        [notice] = hook_baidu.notices(push)
        assert values(notice) == {"姓名": "小红", "cluePhoneNumber": "13311100006"}
        assert (notice.external_id, notice.click_ids, notice.places, notice.submitted_at) == (
            "210604,f67",
            {"bd_vid": "v1"},
            ["5"],
            NOW,
        )
    form = Push(
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        *("token=secret", b"clue_id=7&form_detail=%5B%7B%22name%22%3A%22a%22%2C%22value%22%3A%22b%22%7D%5D"),
    )
    verified("baidu", form)
    assert values(hook_baidu.notices(form)[0]) == {"a": "b"}
    with pytest.raises(WrongSignature):
        verified("baidu", Push({}, "token=other", form.body.replace(b"&", b"&token=secret&")))


def test_wechat_is_read_with_its_bundle_and_the_test_of_an_address_is_no_lead() -> None:
    body = (
        '{"leads_id": 5, "leads_name": "小红", "leads_tel": "13311100006", "bundle": "{\\"预算\\": \\"5万\\"}", "adgroup_id": 9, '
    )
    body += '"leads_create_time": "2026-01-01 08:00:00", "click_id": "c1"}'
    [notice] = hook_wechat.notices(Push({}, "", body.encode()))
    assert values(notice) == {"leads_name": "小红", "leads_tel": "13311100006", "预算": "5万"}
    assert (notice.places, notice.facts["click_id"], notice.submitted_at) == (["9"], "c1", NOW)
    assert hook_wechat.notices(Push({}, "", b'{"event_type": "EVENT_TYPE_TEST", "account_id": 999999, "event_id": 1000}')) == []


READERS: list[tuple[str, Callable[[bytes], Any]]] = [
    ("google", lambda body: hook_google.notices(Push({}, "", body))),
    ("meta", lambda body: hook_meta.notices(Push({}, "", body))),
    ("meta answers", lambda body: hook_meta.fetched(body, "1")),
    ("linkedin", lambda body: hook_linkedin.notices(Push({}, "", body))),
    ("linkedin answers", lambda body: hook_linkedin.fetched(body, "1")),
    ("baidu", lambda body: hook_baidu.notices(Push({}, "", body))),
    ("wechat", lambda body: hook_wechat.notices(Push({}, "", body))),
    ("signed", lambda body: hook_signed.notices(Push({}, "", body))),
]
_WORDS = (
    "id lead_id leads_id clueId object entry changes field value leadgen_id type leadAction leadGenFormResponse answers formDetail name",
    "bundle user_column_data column_id string_value field_data values formResponse form content questions questionId answerDetails",
    "textQuestionAnswer hiddenFields consentResponses leadMetadata associatedEntity url facts utm click_ids submitted_at",
)
_NAMES = st.sampled_from(" ".join(_WORDS).split())
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(
        ["1", "page", "leadgen", "LEAD_ACTION", "CREATED", "urn:li:leadGenFormResponse:1", "http://[", "2026-01-01T00:00:00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.parametrize(("kind", "read"), READERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(told=st.dictionaries(_NAMES, _VALUES, max_size=8))
def test_whatever_comes_is_read_or_refused_and_never_a_defect(
    kind: str, read: Callable[[bytes], Any], told: dict[str, Any]
) -> None:
    with contextlib.suppress(DomainError):
        read(json.dumps(told).encode())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_reading_them_is_no_defect(body: bytes) -> None:
    for _, read in READERS:
        with pytest.raises(Unreadable):
            read(body)
    for kind in KINDS:
        with pytest.raises(DomainError):
            verified(kind, Push({}, "", body))


def test_json_is_read_strictly() -> None:
    assert read_json(b'{"a": ["[[[[[[[[[[[[[[[[[[[[[[\\"{{{", {"b": 1.5}]}') == {"a": ['[[[[[[[[[[[[[[[[[[[[[["{{{', {"b": 1.5}]}
    assert read_json(b"[" * 0 + b'{"a":' * 20 + b"1" + b"}" * 20)
    with pytest.raises(Unreadable, match="levels"):
        read_json(b'{"a":' * 21 + b"1" + b"}" * 21)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01 08:00:00", NOW),
        ("2026-01-01T00:00:00Z", NOW),
        ("2026-01-01T01:00:00+0100", NOW),
        ("1767225600", NOW),
        ("1767225600000", NOW),
        ("tomorrow", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_as_platforms_write_them(text: str | None, moment: datetime | None) -> None:
    assert written(text) == moment


def test_the_lead_that_needs_most_attention_names_the_state_of_a_delivery() -> None:
    def item(state: Any) -> Item:
        return Item(new_id(), new_id(), new_id(), "1", state)

    assert state_of([]) == "ignored"
    assert state_of([item("taken"), item("known")]) == "taken"
    assert state_of([item("taken"), item("refused"), item("waiting")]) == "waiting"
    assert state_of([item("known"), item("failed"), item("refused")]) == "failed"
    assert {after for (_, move), after in TRANSITIONS.items() if move == "retry"} == {"received"}
