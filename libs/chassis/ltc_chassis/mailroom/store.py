"""Every SQL statement about mails, and what becomes of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from ltc_contracts.errors import DomainError, NotFound, WrongTransition

from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom.letter import Attachment, Mail
from ltc_chassis.settings import ChassisSettings

State = Literal["waiting", "handing_over", "sent", "failed", "in_doubt", "discarded"]
# What an operator may decide. Whether a mail in doubt arrived, only a person can find out (the server's log knows its Message-ID).
DECISIONS: dict[tuple[State, str], State] = {
    ("failed", "resend"): "waiting",
    ("in_doubt", "resend"): "waiting",
    ("waiting", "discard"): "discarded",
    ("failed", "discard"): "discarded",
    ("in_doubt", "discard"): "discarded",
}


class MailEmptied(DomainError):
    """The mail is known, its content is not kept any more."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The mail's row; `fresh` is False when one with its dedupe key was posted before, and then this is that one."""

    id: UUID
    message_id: str
    fresh: bool


async def post(tx: Transaction, mail: Mail) -> Posted:
    """Send this mail once the caller's transaction has committed, and not before `not_before`."""
    mail_id = new_id()
    message_id = f"<{mail_id}@{_domain(tx.settings)}>"
    row = await tx.conn.fetchrow(
        """
        INSERT INTO mail (id, kind, dedupe_key, about, flow_id, recipient, recipient_name, sender_name, reply_to, subject, text, html,
                          headers, unsubscribe_url, message_id, state, not_before, windows, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'waiting', $16, $17, $18)
        ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
        """,
        *(mail_id, mail.kind, mail.dedupe_key, mail.about, mail.flow_id, mail.to, mail.to_name, mail.from_name, mail.reply_to),
        *(mail.subject, mail.text, mail.html, dict(mail.headers), mail.unsubscribe_url, message_id),
        *(mail.not_before or tx.now, [asyncpg.Range(*span) for span in mail.windows] or None, tx.now),
    )
    if row is None:
        known = await tx.conn.fetchrow("SELECT id, message_id FROM mail WHERE dedupe_key = $1", mail.dedupe_key)
        assert known is not None
        return Posted(known["id"], known["message_id"], fresh=False)
    await tx.conn.executemany(
        "INSERT INTO mail_attachment (mail_id, position, name, media_type, content) VALUES ($1, $2, $3, $4, $5)",
        [(mail_id, number, each.name, each.media_type, each.content) for number, each in enumerate(mail.attachments)],
    )
    return Posted(mail_id, message_id, fresh=True)


async def withdraw(tx: Transaction, *, about: Collection[str], reason: str) -> list[UUID]:
    """Take back the mails about these that have not left; returns their ids."""
    rows = await tx.conn.fetch(
        "UPDATE mail SET state = 'discarded', reason = $2 WHERE about = ANY($1::text[]) AND state = 'waiting' RETURNING id",
        *(list(about), reason[:500]),
    )
    return [row["id"] for row in rows]


async def list_to(conn: Connection, address: str) -> list[Any]:
    """What was sent or will be to an address, newest first, at most 1000: for a person who asks what is known of them."""
    return await conn.fetch(
        """
        SELECT id, kind, subject, text, html, state, created_at, sent_at FROM mail
        WHERE lower(recipient) = lower($1) ORDER BY id DESC LIMIT 1000
        """,
        address,
    )


async def forget(tx: Transaction, address: str) -> int:
    """Erase a person from the mails: what waits is taken back, addresses and contents are emptied, and what the mail server said, since
    it may name the address; returns how many."""
    rows = await tx.conn.fetch(
        """
        UPDATE mail SET recipient = 'erased@erased.invalid', recipient_name = NULL, reply_to = NULL, subject = '(erased)', text = '',
               html = NULL, headers = '{}', unsubscribe_url = NULL, reason = NULL, emptied_at = $2,
               state = CASE WHEN state IN ('waiting', 'failed') THEN 'discarded' ELSE state END
        WHERE lower(recipient) = lower($1) RETURNING id
        """,
        *(address, tx.now),
    )
    await tx.conn.execute("DELETE FROM mail_attachment WHERE mail_id = ANY($1::uuid[])", [row["id"] for row in rows])
    return len(rows)


async def empty_old(tx: Transaction, keep: timedelta, limit: int = 500) -> int:
    """The contents of settled mails are kept for a while only; that they were sent stays known. Returns how many."""
    rows = await tx.conn.fetch(
        """
        UPDATE mail SET text = '', html = NULL, emptied_at = $2 WHERE id IN (
            SELECT id FROM mail WHERE emptied_at IS NULL AND created_at < $1 AND state IN ('sent', 'discarded', 'failed')
            ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING id
        """,
        *(tx.now - keep, tx.now, limit),
    )
    await tx.conn.execute("DELETE FROM mail_attachment WHERE mail_id = ANY($1::uuid[])", [row["id"] for row in rows])
    return len(rows)


async def take(conn: Connection, now: datetime, by: UUID, hold_s: float) -> Any | None:
    """The next due mail, taken for a while: when its taker dies before it is handed over, another takes it."""
    return await conn.fetchrow(
        """
        UPDATE mail SET taken_by = $2, taken_until = clock_timestamp() + make_interval(secs => $3) WHERE id = (
            SELECT id FROM mail WHERE state = 'waiting' AND not_before <= $1 AND next_attempt_at <= clock_timestamp()
              AND (taken_until IS NULL OR taken_until < clock_timestamp()) AND (windows IS NULL OR windows @> $1)
            ORDER BY not_before, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id, recipient, recipient_name, sender_name, reply_to, subject, text, html, headers, unsubscribe_url, message_id, attempts
        """,
        *(now, by, hold_s),
    )


async def attachments_of(conn: Connection, mail_id: UUID) -> list[Attachment]:
    rows = await conn.fetch("SELECT name, media_type, content FROM mail_attachment WHERE mail_id = $1 ORDER BY position", mail_id)
    return [Attachment(row["name"], row["media_type"], row["content"]) for row in rows]


async def begin_handover(conn: Connection, mail_id: UUID, by: UUID, hold_s: float) -> bool:
    """From here on a crash leaves the mail in doubt. False when it was withdrawn or another took it."""
    row = await conn.fetchrow(
        """
        UPDATE mail SET state = 'handing_over', taken_until = clock_timestamp() + make_interval(secs => $3)
        WHERE id = $1 AND state = 'waiting' AND taken_by = $2 RETURNING 1
        """,
        *(mail_id, by, hold_s),
    )
    return row is not None


async def settle(conn: Connection, mail_id: UUID, by: UUID, state: State, reason: str | None, *, now: datetime) -> None:
    """What became of it, told by who had it in hand; an operator's decision in between stands."""
    await conn.execute(
        """
        UPDATE mail SET state = $3, reason = $4, attempts = attempts + 1, taken_by = NULL, taken_until = NULL,
               sent_at = CASE WHEN $3 = 'sent' THEN $5::timestamptz END
        WHERE id = $1 AND taken_by = $2 AND state IN ('waiting', 'handing_over', 'in_doubt')
        """,
        *(mail_id, by, state, reason, now),
    )


async def put_back(conn: Connection, mail_id: UUID, by: UUID, *, reason: str, after_s: float, counts: bool) -> None:
    """It has not left: try again after a while; `counts` uses up one of its attempts."""
    await conn.execute(
        """
        UPDATE mail SET state = 'waiting', reason = $3, attempts = attempts + $5, taken_by = NULL, taken_until = NULL,
               next_attempt_at = clock_timestamp() + make_interval(secs => $4)
        WHERE id = $1 AND taken_by = $2 AND state IN ('waiting', 'handing_over')
        """,
        *(mail_id, by, reason, after_s, 1 if counts else 0),
    )


async def doubt_lost(conn: Connection) -> int:
    """Mails whose sender died while it handed them over: whether they arrived is not known here. Returns how many."""
    rows = await conn.fetch(
        """
        UPDATE mail SET state = 'in_doubt', reason = 'the sender ended while it handed the mail over' WHERE id IN (
            SELECT id FROM mail WHERE state = 'handing_over' AND taken_until < clock_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """
    )
    return len(rows)


async def fail_closed(conn: Connection, now: datetime) -> int:
    """Mails whose last window has closed before they could leave; returns how many."""
    rows = await conn.fetch(
        """
        UPDATE mail SET state = 'failed', reason = 'the time in which it might have left is over' WHERE id IN (
            SELECT id FROM mail WHERE state = 'waiting' AND upper(windows) <= $1 LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING 1
        """,
        now,
    )
    return len(rows)


async def decide(tx: Transaction, mail_id: UUID, decision: Literal["resend", "discard"], by: str) -> None:
    """An operator resends or discards a mail. Raises `NotFound`, `WrongTransition`, `MailEmptied`."""
    row = await tx.conn.fetchrow("SELECT state, emptied_at FROM mail WHERE id = $1 FOR UPDATE", mail_id)
    if row is None:
        raise NotFound(f"no mail {mail_id}")
    after = DECISIONS.get((row["state"], decision))
    if after is None:
        raise WrongTransition("the mail", row["state"], decision)
    if decision == "resend" and row["emptied_at"] is not None:
        raise MailEmptied("its content is no longer kept, so there is nothing to send")
    await tx.conn.execute(
        """
        UPDATE mail SET state = $2, decided_by = $3, attempts = 0, taken_by = NULL, taken_until = NULL, next_attempt_at = clock_timestamp()
        WHERE id = $1
        """,
        *(mail_id, after, by),
    )


async def get_mail(conn: Connection, mail_id: UUID) -> Any:
    row = await conn.fetchrow(
        """
        SELECT id, kind, about, flow_id, recipient, subject, text, html, message_id, state, reason, attempts, not_before, created_at,
               sent_at, decided_by
        FROM mail WHERE id = $1
        """,
        mail_id,
    )
    if row is None:
        raise NotFound(f"no mail {mail_id}")
    return row


async def list_mails(
    conn: Connection,
    *,
    state: str | None,
    kind: str | None,
    about: str | None,
    flow_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Any]:
    return await conn.fetch(
        """
        SELECT id, kind, about, flow_id, recipient, subject, message_id, state, reason, attempts, not_before, created_at, sent_at, decided_by
        FROM mail
        WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR about = $3)
          AND ($4::uuid IS NULL OR flow_id = $4) AND ($5::uuid IS NULL OR id > $5) ORDER BY id LIMIT $6
        """,
        *(state, kind, about, flow_id, after, limit),
    )


async def unsettled(conn: Connection, now: datetime) -> tuple[dict[str, int], float]:
    """How many mails are in each state but sent and discarded, and the age of the oldest due one in seconds of business time."""
    rows = await conn.fetch(
        "SELECT state, count(*) AS n FROM mail WHERE state IN ('waiting', 'handing_over', 'failed', 'in_doubt') GROUP BY state"
    )
    oldest: datetime | None = await conn.fetchval("SELECT min(not_before) FROM mail WHERE state = 'waiting'")
    return {row["state"]: row["n"] for row in rows}, max((now - oldest).total_seconds(), 0.0) if oldest else 0.0


def _domain(settings: ChassisSettings) -> str:
    """A domain of ours, so that no other mail in the world has the same Message-ID."""
    sender = parseaddr(settings.mail_from)[1].rpartition("@")[2]
    return sender or urlsplit(settings.public_url).hostname or "ltc.invalid"
