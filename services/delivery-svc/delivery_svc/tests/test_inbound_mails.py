"""D5: mails become tickets or parts of them, in whatever charset, however they are threaded, and whatever is sent."""

import asyncio
import hashlib
import re
from collections import Counter
from email.message import EmailMessage
from random import Random
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import KeyPair
from ltc_chassis.testing_mail import MailServer

from delivery_svc.domain import incoming
from delivery_svc.domain.incoming import Unreadable
from delivery_svc.tests.desk import Desk, Run, Send, timer
from delivery_svc.tests.rig import Emissions


def letter(text: str = "It drips.", **heads: str) -> EmailMessage:
    """A mail as a customer's program writes it; `in_reply_to` is In-Reply-To, None leaves a header out."""
    message = EmailMessage()
    given = {"from": "Eva Nord <eva@nordwind.example>", "to": "support@acme.example", "subject": "The pump leaks", **heads}
    for name, value in given.items():
        message[name.replace("_", "-").title()] = value
    message.set_content(text)
    return message


async def send(client: httpx.AsyncClient, raw: bytes | EmailMessage, status: int = 201) -> Any:
    content = raw if isinstance(raw, bytes) else raw.as_bytes()
    reply = await client.post("/v1/inbound-mails", content=content, headers={"Content-Type": "message/rfc822"})
    assert reply.status_code == status, reply.text
    return reply.json()


async def test_a_mail_becomes_a_ticket_in_the_queue_it_was_sent_to(
    desk: Desk, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await desk.queue("support", address="support@acme.example")
    raw = letter(message_id="<m1@nordwind.example>").as_bytes()
    taken = await send(client, raw)
    assert (taken["state"], taken["sender"], taken["sha256"]) == (
        "taken",
        "eva@nordwind.example",
        hashlib.sha256(raw).hexdigest(),
    )
    ticket = await desk.call("GET", f"/v1/tickets/{taken['ticket_id']}")
    assert (ticket["queue"], ticket["channel"], ticket["subject"]) == ("support", "mail", "The pump leaks")
    assert (ticket["requester_name"], ticket["requester_email"]) == ("Eva Nord", "eva@nordwind.example")
    [said] = await desk.comments(ticket)
    assert (said["text"], said["author"], said["by"]) == ("It drips.", "customer", "eva@nordwind.example")
    assert (await client.get(f"/v1/inbound-mails/{taken['id']}/raw")).content == raw
    assert [each.topic for each in await emitted()] == ["ticket.opened"]


async def test_the_same_mail_is_taken_once_however_often_and_at_once(desk: Desk, client: httpx.AsyncClient) -> None:
    raw = letter(message_id="<m1@nordwind.example>").as_bytes()
    replies = await asyncio.gather(*(client.post("/v1/inbound-mails", content=raw) for _ in range(5)))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 200: 4}
    again = await send(client, letter("forwarded by another way", message_id="<m1@nordwind.example>"), 200)
    assert again["id"] == replies[0].json()["id"]
    bare = letter().as_bytes()
    assert [(await send(client, bare, status))["state"] for status in (201, 200)] == ["taken", "taken"]
    assert len((await desk.call("GET", "/v1/tickets"))["items"]) == 2


async def _answered(desk: Desk, server: MailServer, send_mails: Send) -> tuple[Any, EmailMessage]:
    await desk.queue("support", address="support@acme.example")
    ticket = await desk.open(queue="support")
    await desk.say(ticket, "Which pump?", then="wait")
    await send_mails()
    return ticket, server.received[-1].message


@pytest.mark.parametrize("by", ["address", "subject", "in_reply_to", "references"])
async def test_a_reply_is_known_by_any_of_its_marks(
    desk: Desk, client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send, by: str
) -> None:
    ticket, answer = await _answered(desk, mail_server, send_mails)
    heads = {
        "address": {"to": f"ACME <{answer['Reply-To']}>"},
        "subject": {"subject": f"AW: {answer['Subject']}"},
        "in_reply_to": {"in_reply_to": answer["Message-ID"]},
        "references": {"references": f"<other@x.example> {answer['Message-ID']}"},
    }[by]
    text = "The blue one.\n\nOn Monday, ACME Support wrote:\n> Which pump?\n> -- \n> test\n"
    taken = await send(client, letter(text, **heads))
    assert (taken["state"], taken["ticket_id"]) == ("taken", ticket["id"])
    assert (await desk.read(ticket))["state"] == "open"
    assert [each["text"] for each in await desk.comments(ticket)] == ["It drips since Monday.", "Which pump?", "The blue one."]


async def test_a_forged_mark_leads_nowhere_and_a_stranger_only_into_the_notes(
    desk: Desk, client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send
) -> None:
    ticket, answer = await _answered(desk, mail_server, send_mails)
    forged = re.sub("/[0-9a-f]{16}]", f"/{'0' * 16}]", answer["Subject"])
    assert (await send(client, letter(subject=forged)))["ticket_id"] != ticket["id"]
    stranger = await send(client, letter("let me in", **{"from": "mallory@evil.example", "in_reply_to": answer["Message-ID"]}))
    assert (stranger["state"], stranger["ticket_id"]) == ("noted", ticket["id"])
    assert (await desk.read(ticket))["state"] == "waiting"
    assert (await desk.comments(ticket))[-1] | {"public": False, "author": "other"} == (await desk.comments(ticket))[-1]


async def test_a_reply_to_a_merged_or_closed_ticket_finds_the_one_that_goes_on(
    desk: Desk, client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send, clock: FixedClock
) -> None:
    ticket, answer = await _answered(desk, mail_server, send_mails)
    survivor = await desk.open(queue="support")
    await desk.call("POST", f"/v1/tickets/{ticket['id']}/merge", {"into_id": survivor["id"]})
    for heads in ({"subject": answer["Subject"]}, {"in_reply_to": answer["Message-ID"]}):
        assert (await send(client, letter("more", **heads)))["ticket_id"] == survivor["id"]
    await desk.say(survivor, then="resolve")
    clock.advance(days=8)
    late = await send(client, letter("again", in_reply_to=answer["Message-ID"]))
    follow = await desk.call("GET", f"/v1/tickets/{late['ticket_id']}")
    assert (follow["parent_id"], follow["subject"], follow["channel"]) == (survivor["id"], survivor["subject"], "mail")


@pytest.mark.parametrize(
    "heads",
    [
        {"auto_submitted": "auto-replied"},
        {"precedence": "bulk"},
        {"x_autoreply": "yes"},
        {"return_path": "<>"},
        {"from": "MAILER-DAEMON@mx.example"},
        {"list_id": "<news.example>"},
        {"from": "ACME Support <support@acme.example>"},
        {"from": "sales@acme.example"},
    ],
)
async def test_what_no_person_wrote_opens_and_moves_nothing(
    desk: Desk, client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send, heads: dict[str, str]
) -> None:
    ticket, answer = await _answered(desk, mail_server, send_mails)
    kept = await send(client, letter("I am away", **heads))
    assert (kept["state"], kept["ticket_id"]) == ("ignored", None)
    part = await send(client, letter("I am away, too", **heads, in_reply_to=answer["Message-ID"]))
    assert part["state"] in ("noted", "ignored")
    now = await desk.read(ticket)
    assert (now["state"], now["version"], len((await desk.call("GET", "/v1/tickets"))["items"])) == ("waiting", 3, 1)
    assert await send_mails() == 0


async def test_our_own_mail_that_comes_back_is_left_alone(
    desk: Desk, client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send
) -> None:
    ticket, answer = await _answered(desk, mail_server, send_mails)
    back = re.sub(rb"(?m)^From: .*$", b"From: eva@nordwind.example", mail_server.received[-1].raw)
    assert (await send(client, back))["reason"] == "one of our own"
    assert len(await desk.comments(ticket)) == 2
    assert answer["Message-ID"]


def _in(charset: str, body: bytes, subject: bytes = b"x", kind: str = "plain", encoding: str = "8bit") -> bytes:
    heads = f"\r\nContent-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return b"Subject: " + subject + heads.encode() + body


HTML = b"<html><head><style>p{}</style></head><p>Guten&nbsp;Tag,</p><script>alert(1)</script><ul><li>eins<li>zwei</ul>"
LATIN = _in("iso-8859-1", b"Sie l=E4uft =80 nicht", b"=?iso-8859-1?Q?Pumpe_f=FCr_Halle_3?=", encoding="quoted-printable")
READ = {
    "gbk": (_in("GBK", "水泵漏水了".encode("gbk"), b"=?gb2312?B?y67N8A==?="), None, "水泵漏水了"),
    "latin-1": (LATIN, "Pumpe für Halle 3", "Sie läuft € nicht"),
    "an unknown charset": (_in("klingon", "läuft".encode()), "x", "läuft"),
    "a wrong charset": (_in("utf-8", b"l\xe4uft"), "x", "l\ufffduft"),
    "bytes in a header": (_in("utf-8", b"hallo", "Grüße".encode()), None, "hallo"),
    "html only": (_in("utf-8", HTML, kind="html"), "x", "Guten Tag,\n\n- eins\n- zwei"),
    "nothing": (b"Content-Type: text/plain\r\n\r\n", "(no subject)", "(no text)"),
}


@pytest.mark.parametrize(("raw", "subject", "text"), READ.values(), ids=READ)
async def test_whatever_charset_it_is_in_it_is_read(
    desk: Desk, client: httpx.AsyncClient, raw: bytes, subject: str | None, text: str
) -> None:
    taken = await send(client, b"From: eva@nordwind.example\r\n" + raw)
    ticket = await desk.call("GET", f"/v1/tickets/{taken['ticket_id']}")
    assert [each["text"] for each in await desk.comments(ticket)] == [text]
    assert subject is None or ticket["subject"] == subject


async def test_files_are_kept_with_their_digest_and_never_shown_by_a_browser(desk: Desk, client: httpx.AsyncClient) -> None:
    mail = letter("See the picture.")
    mail.add_alternative("<p>See the picture.</p>", subtype="html")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="../../etc/pa\u202ess.png")
    mail.add_attachment("<script>alert(1)</script>", subtype="html", filename="evil.html")
    mail.add_attachment(letter("the mail before"))
    taken = await send(client, mail)
    path = f"/v1/tickets/{taken['ticket_id']}/attachments"
    files = await desk.call("GET", path)
    assert [(each["media_type"], each["comment_id"]) for each in files] == [
        (kind, taken["comment_id"]) for kind in ("image/png", "text/html", "message/rfc822")
    ]
    assert "/" not in files[0]["name"]
    assert files[0]["sha256"] == hashlib.sha256(b"\x89PNG").hexdigest()
    reply = await client.get(f"{path}/{files[1]['id']}")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment;")
    assert [each["text"] for each in await desk.comments({"id": taken["ticket_id"]})] == ["See the picture."]
    other = await desk.open()
    assert (await client.get(f"/v1/tickets/{other['id']}/attachments/{files[0]['id']}")).status_code == 404


def _nested(depth: int) -> bytes:
    opened = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    return b"From: a@b.example\r\n" + opened + b"\r\ndeep\r\n"


MIXED = b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
HOSTILE = {
    "nothing but a line break": b"\r\n",
    "no headers": b"hello, this is no mail\r\n",
    "zeros": b"\x00" * 5000,
    "no sender": b"Subject: x\r\n\r\nx",
    "a sender that is none": b"From: undisclosed recipients:;\r\n\r\nx",
    "two hosts": b"From: a@b@c.example\r\n\r\nx",
    "a sender with a header in it": b"From: =?utf-8?Q?a=0D=0ABcc:_x@y.example?= <bad address\r\n\r\nx",
    "parts in parts": _nested(60),
    "very many parts in parts": _nested(3000),
    "very many parts": MIXED + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 5000,
    "mails in mails": b"From: a@b.example\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 500,
    "a long header of a part": b"From: a@b.example\r\nContent-Type: text/plain; " + b"a*0*=x; " * 500_000 + b"\r\n\r\nx",
    "a folded header of a part": b"From: a@b.example\r\nContent-Type: text/plain;\r\n" + b" a*0*=x;\r\n" * 500_000 + b"\r\nx",
    "very many headers": b"From: a@b.example\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\nx",
    "too many files": MIXED + b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * 50,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_mail_is_refused_with_a_reason_and_kept(client: httpx.AsyncClient, name: str, desk: Desk) -> None:
    kept = await send(client, HOSTILE[name])
    assert (kept["state"], kept["ticket_id"], bool(kept["reason"])) == ("refused", None, True)
    assert (await client.get(f"/v1/inbound-mails/{kept['id']}/raw")).content == HOSTILE[name]
    assert (await desk.call("GET", "/v1/tickets"))["items"] == []
    [listed] = (await desk.call("GET", "/v1/inbound-mails", params={"state": "refused"}))["items"]
    assert listed == kept


async def test_a_header_cannot_be_smuggled_into_our_answer(
    desk: Desk, client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send
) -> None:
    raw = (
        b"From: =?utf-8?Q?Eva=0D=0ABcc=3A_victim=40x.example?= <eva@nordwind.example>\r\n"
        b"Subject: =?utf-8?Q?hi=0D=0ABcc=3A_victim=40x.example?=\r\nMessage-ID: <a@b\r\n Bcc: victim@x.example>\r\n\r\nx"
    )
    taken = await send(client, raw)
    await desk.say({"id": taken["ticket_id"]}, "hello")
    assert await send_mails() == 1
    [mail] = mail_server.received
    assert (mail.message["Bcc"], mail.recipients) == (None, ["eva@nordwind.example"])


async def test_a_mail_that_is_too_large_or_empty_is_refused_at_the_door(client: httpx.AsyncClient) -> None:
    large = b"From: a@b.example\r\n\r\n" + b"x" * (10 * 1024 * 1024)
    assert (await client.post("/v1/inbound-mails", content=large)).status_code == 413
    assert (await client.post("/v1/inbound-mails", content=b"")).status_code == 400
    fits = await send(client, large[: 10 * 1024 * 1024])
    assert fits["state"] == "taken"


async def test_only_a_gateway_hands_mails_over(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    for token, status in ((keys.token("tickets:write"), 403), (keys.token("mail:inbound"), 201)):
        reply = await anonymous.post(
            "/v1/inbound-mails", content=letter().as_bytes(), headers={"Authorization": f"Bearer {token}"}
        )
        assert reply.status_code == status


async def test_bytes_are_kept_for_a_while_only(client: httpx.AsyncClient, clock: FixedClock, run_timer: Run) -> None:
    taken = await send(client, letter())
    clock.advance(days=91)
    assert (await run_timer(timer("empty-inbound")), await run_timer(timer("empty-inbound"))) == (1, 0)
    assert (await client.get(f"/v1/inbound-mails/{taken['id']}/raw")).status_code == 404
    assert (await send(client, letter(), 200))["id"] == taken["id"]


def test_whatever_a_mail_is_made_of_it_is_read_or_refused() -> None:
    random = Random(7)
    seeds = [letter(message_id="<m@x.example>").as_bytes(), *(raw[:3000] for raw in HOSTILE.values())]
    for _ in range(400):
        raw = bytearray(random.choice(seeds))
        for _ in range(random.randrange(1, 12)):
            at = random.randrange(len(raw) or 1)
            raw[at : at + random.randrange(4)] = random.choice(
                [b"\r\n", b"\x00", b"=?", b"?=", b'"', b"\xff", b";", b"boundary=b", b":"]
            )
        try:
            mail = incoming.read(bytes(raw))
        except Unreadable:
            continue
        assert mail.text
        assert "\n" not in mail.subject + mail.sender
