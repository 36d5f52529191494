"""A mail that could add a header, go elsewhere or fill a server cannot be made."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from ltc_contracts.errors import DomainError, Invalid

from ltc_chassis.mailroom import Attachment, BadAddress, Mail, UnsafeHeader, letter


def mail(**changed: Any) -> Mail:
    return Mail(**{"to": "anna@example.com", "subject": "Hello", "text": "Hi Anna\n", "kind": "test", **changed})


LINE_BREAKS = ["x\r\nBcc: all@x.example", "x\nBcc: all@x.example", "x\rBcc: a", "x\x00", "x\u2028Bcc: a", "x\x0b", "x\x85"]


@pytest.mark.parametrize("value", LINE_BREAKS)
@pytest.mark.parametrize("where", ["subject", "to", "to_name", "from_name", "reply_to", "unsubscribe_url", "header", "file"])
def test_no_value_can_add_a_header(where: str, value: str) -> None:
    given: dict[str, Any] = {where: value}
    if where in ("to", "reply_to"):
        given = {where: f"anna@example.com{value[1:]}"}
    if where == "header":
        given = {"headers": {"X-Test": value}}
    if where == "file":
        given = {"attachments": [Attachment(value, "text/plain", b"")]}
    with pytest.raises(UnsafeHeader) as refused:
        mail(**given)
    assert refused.value.kind == "invalid"


ENCODED = [
    "=?utf-8?q?=0d=0aBcc:_eve@x.example?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUB4LmV4YW1wbGU=?=",
    "=?utf-8?q?a?= =?utf-8?q?=0aBcc:_e?=",
]


@pytest.mark.parametrize("value", ENCODED)
def test_what_looks_encoded_is_not_decoded_into_a_header(value: str) -> None:
    row: dict[str, Any] = {"recipient": "anna@example.com", "recipient_name": value, "sender_name": value, "reply_to": None}
    row |= {"subject": value, "message_id": "<1@x.example>", "headers": {"X-Test": value}, "text": "Hi", "html": None}
    row |= {"unsubscribe_url": f"https://x.example/?a={value}"}
    file = Attachment(value, "text/plain", b"x")
    raw = letter.write(row, [file], f"{value} <sales@x.example>", datetime(2026, 1, 1, tzinfo=UTC))[0].as_bytes()
    head, _, rest = raw.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert sorted(names) == sorted(
        b"from to subject date message-id x-test list-unsubscribe list-unsubscribe-post mime-version content-type".split()
    )
    assert b"bcc:" not in raw.lower().replace(b"0abcc:", b"").replace(b"0aBcc:", b"")
    read = message_from_bytes(raw, policy=policy.default)
    assert (read["bcc"], read["subject"]) == (None, value.replace("=?", "= ?"))
    assert rest


@pytest.mark.parametrize(
    "name", ["Bcc", "to", "From", "List-Unsubscribe", "Content-Type", "X-A\r\nBcc", "X A", "", "Message-ID", "Resent-To", "X:Y"]
)
def test_headers_that_are_ours_cannot_be_given(name: str) -> None:
    with pytest.raises(UnsafeHeader):
        mail(headers={name: "x"})


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "anna",
            "@x.example",
            "anna@",
            "a b@x.example",
            "a@x.example, b@x.example",
            "<a@x.example>",
            "a@b@x.example",
            "a@-x",
        ),
        *(
            ".a@x.example",
            "a..b@x.example",
            "a@x..example",
            "a" * 65 + "@x.example",
            "a@" + "x" * 250,
            'a"@x.example',
            "a@[127.0.0.1]",
        ),
    ],
)
def test_what_is_no_address_is_refused_by_name(address: str) -> None:
    with pytest.raises(BadAddress):
        mail(to=address)


@pytest.mark.parametrize(
    "changed",
    [
        *({"subject": " "}, {"subject": "x" * 501}, {"text": "x" * 200_001}, {"text": "a\x00b"}, {"kind": ""}),
        *({"unsubscribe_url": "javascript:alert(1)"}, {"unsubscribe_url": "https://x.example/a b"}, {"dedupe_key": "x" * 301}),
        *({"headers": {f"X-{n}": "x" for n in range(21)}}, {"headers": {"X-Long": "x" * 901}}),
        {"attachments": [Attachment("a", "text/plain", b"x" * 10_000_001)]},
        {"attachments": [Attachment("a", "text/plain; x=y", b"")]},
    ],
)
def test_a_mail_is_bounded(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        mail(**changed)


def test_every_refusal_of_a_mail_is_a_named_error() -> None:
    assert {UnsafeHeader.slug(), BadAddress.slug()} == {"unsafe-header", "bad-address"}
    assert issubclass(UnsafeHeader, DomainError)
