"""Mail leaves with the commit, to a real SMTP server, once."""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_contracts.errors import Invalid

from ltc_chassis import mailroom
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import Attachment, Mail, Posted
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing_mail import MailServer, use
from ltc_chassis.timers import Errand, Timer

Send = Callable[[], Awaitable[int]]
Run = Callable[[Timer | Errand], Awaitable[int]]


def mail(**changed: Any) -> Mail:
    return Mail(**{"to": "anna@example.com", "subject": "Hello", "text": "Hi Anna\n", "kind": "test", **changed})


async def post(db: Database, *mails: Mail) -> list[Posted]:
    async with db.transaction() as tx:
        return [await mailroom.post(tx, each) for each in mails]


async def states(db: Database) -> list[tuple[str, int]]:
    async with db.connection() as conn:
        return [tuple(row) for row in await conn.fetch("SELECT state, attempts FROM mail ORDER BY id")]


async def make_due(db: Database) -> None:
    """Whatever waits for a while, or is held by somebody, has waited long enough."""
    async with db.connection() as conn:
        await conn.execute(
            "UPDATE mail SET next_attempt_at = clock_timestamp(), taken_until = clock_timestamp() - interval '1 second'"
        )


async def test_a_mail_arrives_as_text_and_html_with_names_and_files_and_a_stable_message_id(
    db: Database, mail_server: MailServer, send_mails: Send
) -> None:
    [posted] = await post(
        db,
        mail(
            to="anna@bücher.example",
            to_name='Müller, "Anna"',
            from_name="王小明",
            reply_to="wang@acme.example",
            subject="您好, Anna: " + "a long subject " * 12,
            text="Grüße\n.\nend\n",
            html="<p>Grüße</p>",
            headers={"Auto-Submitted": "auto-generated", "References": "<1@acme.example>"},
            unsubscribe_url="https://lead.acme.example/u/" + "x" * 300,
            attachments=[Attachment("报价.pdf", "application/pdf", b"%PDF-1.7 \x00")],
        ),
    )
    assert await send_mails() == 1
    [got] = mail_server.received
    assert (got.sender, got.recipients) == ("sales@acme.example", ["anna@xn--bcher-kva.example"])
    assert got.message["From"].addresses[0].display_name == "王小明"
    assert got.message["To"].addresses[0].display_name == 'Müller, "Anna"'
    assert got.message["Subject"] == ("您好, Anna: " + "a long subject " * 12)
    assert got.message["Message-ID"] == posted.message_id == f"<{posted.id}@acme.example>"
    assert got.message["Reply-To"] == "wang@acme.example"
    assert (got.part("plain"), got.part("html")) == ("Grüße\n.\nend\n", "<p>Grüße</p>\n")
    [file] = got.message.iter_attachments()
    assert isinstance(file, EmailMessage)
    assert (file.get_filename(), file.get_content()) == ("报价.pdf", b"%PDF-1.7 \x00")
    # RFC 8058: both headers, the address on one line and not encoded, or mail programs show no button.
    assert b"\r\nList-Unsubscribe: <https://lead.acme.example/u/" + b"x" * 300 + b">\r\n" in got.raw
    assert got.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert max(map(len, got.raw.split(b"\r\n"))) <= 998
    assert await states(db) == [("sent", 1)]
    assert await send_mails() == 0


async def test_a_mail_leaves_only_with_the_commit_and_once_per_dedupe_key(
    db: Database, mail_server: MailServer, send_mails: Send
) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await mailroom.post(tx, mail())
            raise ZeroDivisionError
    first, second = (await post(db, mail(dedupe_key="k"), mail(dedupe_key="k", subject="Other")))[:2]
    assert (first.fresh, second.fresh, first.id) == (True, False, second.id)
    results = await asyncio.gather(*(post(db, mail(dedupe_key="together")) for _ in range(8)))
    assert sum(result[0].fresh for result in results) == 1
    assert await send_mails() == 2
    assert [each.message["Subject"] for each in mail_server.received] == ["Hello", "Hello"]


async def test_a_mail_waits_for_its_time_and_is_taken_back_before_it(
    db: Database, mail_server: MailServer, send_mails: Send, clock: FixedClock
) -> None:
    later = clock.now() + dt.timedelta(hours=2)
    await post(db, mail(not_before=later, about="lead-1"), mail(not_before=later, about="lead-2"))
    assert await send_mails() == 0
    async with db.transaction() as tx:
        assert len(await mailroom.withdraw(tx, about=["lead-1", "lead-3"], reason="unsubscribed")) == 1
    clock.advance(hours=2)
    assert await send_mails() == 1
    assert await states(db) == [("discarded", 0), ("sent", 1)]


async def test_a_mail_leaves_in_its_windows_only_and_not_after_the_last(
    db: Database, mail_server: MailServer, send_mails: Send, clock: FixedClock
) -> None:
    day, hour = dt.timedelta(days=1), dt.timedelta(hours=1)
    opens = clock.now() + hour
    windows = [(opens, opens + hour), (opens + day, opens + day + hour)]
    await post(db, mail(windows=windows))
    for minutes in (0, 59, 61):  # midnight, a minute before it opens, the moment it closes
        clock.advance(minutes=minutes)
        assert await send_mails() == 0
    clock.advance(hours=23)
    assert await send_mails() == 1
    await post(db, mail(windows=windows))
    clock.advance(hours=1)
    assert await send_mails() == 0
    assert [state for state, _ in await states(db)] == ["sent", "failed"]
    with pytest.raises(Invalid):
        mail(windows=[(opens, opens)])


async def test_a_temporary_refusal_is_tried_again_with_longer_pauses_and_given_up_in_the_end(
    runtime: Runtime, db: Database, mail_server: MailServer, send_mails: Send
) -> None:
    use(runtime, smtp_max_attempts=3)
    mail_server.rcpt_answers = ["451 greylisted, come back"]
    await post(db, mail(), mail(to="bert@example.com"))
    assert await send_mails() == 2
    assert [each.recipients for each in mail_server.received] == [["bert@example.com"]]
    assert await states(db) == [("waiting", 1), ("sent", 1)]
    pauses = []
    for answer in ("452 too many", "450 busy"):
        async with db.connection() as conn:
            pauses.append(
                await conn.fetchval("SELECT round(extract(epoch FROM next_attempt_at - clock_timestamp())) FROM mail ORDER BY id")
            )
        await make_due(db)
        mail_server.data_answers = [answer]
        assert await send_mails() == 1
    assert [59 <= pauses[0] <= 60, 239 <= pauses[1] <= 240] == [True, True]
    assert (await states(db))[0] == ("failed", 3)
    async with db.connection() as conn:
        reason = await conn.fetchval("SELECT reason FROM mail ORDER BY id")
    assert reason == "450 busy (given up after 3 attempts)"


@pytest.mark.parametrize("at", ["rcpt", "data"])
async def test_a_permanent_refusal_fails_with_the_servers_words_and_an_operator_may_resend(
    client: httpx.AsyncClient, db: Database, mail_server: MailServer, send_mails: Send, at: str
) -> None:
    setattr(mail_server, f"{at}_answers", ["550 no such user here"])
    [posted] = await post(db, mail(kind="quote"))
    await send_mails()
    [shown] = (await client.get("/v1/mails", params={"state": "failed", "kind": "quote"})).json()["items"]
    assert (shown["id"], shown["reason"], shown["attempts"]) == (str(posted.id), "550 no such user here", 1)
    again = await client.post(f"/v1/mails/{posted.id}/resend")
    assert (again.status_code, again.json()["state"], again.json()["decided_by"]) == (200, "waiting", "test")
    await send_mails()
    assert (await client.get(f"/v1/mails/{posted.id}")).json()["state"] == "sent"
    for decision in ("resend", "discard"):
        refused = await client.post(f"/v1/mails/{posted.id}/{decision}")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:wrong-transition")
    assert (await client.post(f"/v1/mails/{new_id()}/resend")).status_code == 404
    assert len(mail_server.received) == 1


async def test_a_server_that_is_away_costs_no_attempt_and_mails_wait(
    runtime: Runtime, db: Database, mail_server: MailServer, client: httpx.AsyncClient
) -> None:
    use(runtime, smtp_port=1)
    sender = mailroom.sender()
    await post(db, mail())
    assert await sender.work(runtime) == 0
    use(runtime, smtp_port=mail_server.port)
    assert await sender.work(runtime) == 0  # it is left alone for a second
    assert await states(db) == [("waiting", 0)]
    await asyncio.sleep(1.1)
    assert await sender.work(runtime) == 1
    assert await states(db) == [("sent", 1)]


async def test_without_a_server_mails_wait_and_that_is_told(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Database, send_mails: Send
) -> None:
    await post(db, mail())
    assert await send_mails() == 0
    ready = await anonymous.get("/health/ready")
    assert (ready.status_code, ready.json()["notes"]) == (200, {"mail": "mails wait: LTC_SMTP_HOST is not set"})
    assert 'ltc_mails{state="waiting"} 1.0' in (await anonymous.get("/metrics")).text
    [waiting] = (await client.get("/v1/mails")).json()["items"]
    assert (await client.post(f"/v1/mails/{waiting['id']}/discard")).json()["state"] == "discarded"
    assert 'ltc_mails{state="waiting"} 0.0' in (await anonymous.get("/metrics")).text


async def crash(place: str, server: MailServer, dsn: str, key: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ltc_chassis.tests.mail_crash_child", place),
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("LTC_")},
            "LTC_POSTGRES_DSN": dsn,
            "LTC_AUTH_PUBLIC_KEY": str(key),
            **{f"LTC_{name.upper()}": str(value) for name, value in server.settings.items()},
        },
    )
    assert await child.wait() == -signal.SIGKILL


async def test_a_sender_killed_after_the_server_took_the_mail_never_sends_it_again_by_itself(
    client: httpx.AsyncClient, db: Database, mail_server: MailServer, send_mails: Send, dsn: str, runtime: Runtime
) -> None:
    [posted] = await post(db, mail())
    await crash("after", mail_server, dsn, runtime.settings.auth_public_key)
    assert len(mail_server.received) == 1
    assert await states(db) == [("handing_over", 0)]
    assert await send_mails() == 0  # its time is not up: perhaps the sender only is slow
    await make_due(db)
    for _ in range(3):
        assert await send_mails() == 0
    assert await states(db) == [("in_doubt", 0)]
    [shown] = (await client.get("/v1/mails", params={"state": "in_doubt"})).json()["items"]
    assert (shown["id"], shown["message_id"]) == (str(posted.id), mail_server.received[0].message["Message-ID"])
    assert (await client.post(f"/v1/mails/{posted.id}/discard")).json()["state"] == "discarded"
    await make_due(db)
    assert await send_mails() == 0
    assert len(mail_server.received) == 1


async def test_a_sender_killed_before_the_text_left_loses_nothing(
    db: Database, mail_server: MailServer, send_mails: Send, dsn: str, runtime: Runtime
) -> None:
    await post(db, mail())
    await crash("before", mail_server, dsn, runtime.settings.auth_public_key)
    assert mail_server.received == []
    assert await send_mails() == 0  # still taken
    await make_due(db)
    assert await send_mails() == 1
    assert len(mail_server.received) == 1


async def test_a_connection_lost_after_the_text_leaves_a_doubt_that_an_operator_may_resend(
    client: httpx.AsyncClient, db: Database, mail_server: MailServer, send_mails: Send
) -> None:
    mail_server.hang_up = True
    [posted] = await post(db, mail())
    await send_mails()
    assert await states(db) == [("in_doubt", 1)]
    mail_server.hang_up = False
    await client.post(f"/v1/mails/{posted.id}/resend")
    await send_mails()
    assert [each.message["Message-ID"] for each in mail_server.received] == [posted.message_id] * 2


async def test_many_senders_at_once_send_each_mail_once_in_few_connections(
    runtime: Runtime, db: Database, mail_server: MailServer
) -> None:
    await post(db, *(mail(to=f"n{number}@example.com") for number in range(40)))
    senders = [mailroom.sender() for _ in range(4)]
    while sum(await asyncio.gather(*(sender.work(runtime) for sender in senders))):
        pass
    assert sorted(each.recipients[0] for each in mail_server.received) == sorted(f"n{number}@example.com" for number in range(40))
    assert mail_server.connections <= 4 * 2


async def test_a_service_that_stops_finishes_the_mail_in_hand(runtime: Runtime, db: Database, mail_server: MailServer) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    taken = mail_server.handle_DATA

    async def slowly(*given: Any) -> str:
        reached.set()
        await go_on.wait()
        return await taken(*given)

    mail_server.handle_DATA = slowly  # type: ignore[method-assign, assignment] # the test decides when the server answers
    await post(db, mail(), mail(to="bert@example.com"))
    running = asyncio.ensure_future(mailroom.sender().work(runtime))
    await reached.wait()
    running.cancel()
    await asyncio.sleep(0.05)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await states(db) == [("sent", 1), ("waiting", 0)]


async def test_an_address_in_another_script_needs_a_server_that_takes_it(
    db: Database, mail_server: MailServer, send_mails: Send
) -> None:
    await post(db, mail(to="用户@例子.example", subject="您好"))
    await send_mails()
    [got] = mail_server.received
    assert got.recipients == ["用户@xn--fsqu00a.example"]


async def test_a_person_is_erased_from_the_mails_and_old_contents_are_emptied(
    runtime: Runtime,
    db: Database,
    mail_server: MailServer,
    send_mails: Send,
    clock: FixedClock,
    run_timer: Run,
    client: httpx.AsyncClient,
) -> None:
    file = Attachment("a.txt", "text/plain", b"Anna")
    sent, other = await post(db, mail(to="Anna@Example.com", attachments=[file]), mail(to="bert@example.com"))
    await send_mails()
    later = clock.now() + dt.timedelta(days=1)
    [waiting] = await post(db, mail(to="anna@example.com", not_before=later))
    async with db.transaction() as tx:
        assert len(await mailroom.list_to(tx.conn, "ANNA@example.com")) == 2
        assert await mailroom.forget(tx, "anna@EXAMPLE.com") == 2
    for each, state in ((sent, "sent"), (waiting, "discarded")):
        shown = (await client.get(f"/v1/mails/{each.id}")).json()
        assert (shown["state"], shown["text"], "nna" in str(shown)) == (state, "", False)
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM mail_attachment") == 0
    assert (await client.get(f"/v1/mails/{other.id}")).json()["text"] == "Hi Anna\n"
    clock.advance(days=runtime.settings.mail_keep_days + 1)
    assert await run_timer(mailroom.retention(runtime.settings)) == 1
    assert (await client.get(f"/v1/mails/{other.id}")).json()["text"] == ""
    async with db.connection() as conn:
        await conn.execute("UPDATE mail SET state = 'failed' WHERE id = $1", other.id)
    refused = await client.post(f"/v1/mails/{other.id}/resend")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:mail-emptied")
