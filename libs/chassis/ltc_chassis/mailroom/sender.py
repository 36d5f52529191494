"""Hands mails to an SMTP server, each at most once by itself.

    take           the row is ours for a while; connection, sender and recipient are settled with the server: nothing has left
    handing over   committed, then DATA; from here on a crash leaves the mail in doubt
    settled        committed: sent, back to wait after a temporary refusal (4xx), or failed after a permanent one (5xx)

A server that cannot be reached, or refuses us rather than one mail, uses up no attempt: everything waits for it.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from ltc_chassis import secrets
from ltc_chassis.db import Transaction, is_down
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import letter, store
from ltc_chassis.runtime import Runtime
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.timers import Errand, Timer

logger = logging.getLogger(__name__)
# A mail takes a few round trips, each of at most the timeout.
_ROUND_TRIPS = 6
_LAST_WORDS_S = 10.0
_LONGEST_PAUSE_S = 60.0


class _ServerAway(Exception):
    """The server cannot be used by us at the moment, whatever the mail."""


def sender() -> Errand:
    """The loop that sends what is due."""
    return Errand("mail-sender", _Sender().run, every=0.5)


def retention(settings: ChassisSettings) -> Timer:
    """The timer that empties old mails."""

    async def empty(tx: Transaction) -> int:
        return await store.empty_old(tx, timedelta(days=settings.mail_keep_days))

    return Timer("mail-retention", empty, every=600)


class _Sender:
    """Sends for one process. Between runs it remembers only how long to leave an unreachable server alone."""

    def __init__(self) -> None:
        self._id = new_id()
        self._pause_s = 0.0
        self._not_before = 0.0

    async def run(self, runtime: Runtime) -> int:
        """Some mails over one connection; how many were settled."""
        settings = runtime.settings
        async with runtime.db.connection() as conn:
            if lost := await store.doubt_lost(conn):
                logger.warning("%d mails are in doubt: their sender ended while it handed them over", lost)
            await store.fail_closed(conn, runtime.clock.now())
        if not settings.smtp_host or time.monotonic() < self._not_before:
            return 0
        # A mail that is under way is finished even when the service stops, else every deployment would leave doubts.
        run = asyncio.ensure_future(self._run(runtime))
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            self._not_before = float("inf")
            await asyncio.wait([run], timeout=_LAST_WORDS_S)
            run.cancel()
            raise

    async def _run(self, runtime: Runtime) -> int:
        settings, done = runtime.settings, 0
        async with contextlib.AsyncExitStack() as stack:
            server: SMTP | None = None
            while done < settings.smtp_per_run and self._not_before != float("inf"):
                row = await self._take(runtime)
                if row is None:
                    break
                try:
                    if server is None:
                        server = await stack.enter_async_context(_connected(settings))
                    await self._send(runtime, server, row)
                except _ServerAway as error:
                    self._pause_s = min(max(1.0, self._pause_s * 2), _LONGEST_PAUSE_S)
                    self._not_before = max(self._not_before, time.monotonic() + self._pause_s)
                    logger.warning("mails wait for %s:%d: %s", settings.smtp_host, settings.smtp_port, error)
                    async with runtime.db.connection() as conn:
                        await store.put_back(conn, row["id"], self._id, reason=str(error)[:500], after_s=0, counts=False)
                    break
                self._pause_s = 0.0
                done += 1
                if not server.is_connected:
                    break
                await asyncio.sleep(1 / settings.smtp_per_s)
        return done

    async def _take(self, runtime: Runtime) -> Any | None:
        async with runtime.db.connection() as conn:
            hold = runtime.settings.smtp_timeout_s * _ROUND_TRIPS
            return await store.take(conn, runtime.clock.now(), self._id, hold)

    async def _send(self, runtime: Runtime, server: SMTP, row: Any) -> None:
        """Settle one mail. Raises `_ServerAway` when it can be tried again because nothing has left."""
        settings: ChassisSettings = runtime.settings
        async with runtime.db.connection() as conn:
            attachments = await store.attachments_of(conn, row["id"])
        try:
            message, recipient = letter.write(row, attachments, settings.mail_from, datetime.now(UTC))
            data = message.as_bytes()
        except (ValueError, LookupError) as error:
            await self._settle(runtime, row, "failed", f"it cannot be written as a mail ({type(error).__name__})")
            return
        options: list[str] = []
        foreign = not recipient.isascii()
        if foreign:
            if not server.supports_extension("smtputf8"):
                await self._settle(runtime, row, "failed", "the mail server does not take addresses in this script (SMTPUTF8)")
                return
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        encoding = "utf-8" if foreign else "ascii"
        try:
            await server.mail(parseaddr(settings.mail_from)[1], options=options, encoding=encoding)
            try:
                await server.rcpt(recipient, encoding=encoding)
            except SMTPRecipientRefused as error:
                await self._refused(runtime, row, error)
                await server.rset()
                return
        except SMTPSenderRefused as error:
            raise _ServerAway(_told(error)) from error
        except (SMTPException, OSError) as error:
            # It was there a moment ago: perhaps this very mail makes it hang up, so it may not come first for ever.
            await self._later(runtime, row, _told(error), final=False)
            return
        async with runtime.db.connection() as conn:
            hold = settings.smtp_timeout_s * _ROUND_TRIPS
            if not await store.begin_handover(conn, row["id"], self._id, hold):
                # Withdrawn at the last moment, or taken by another after we were slow.
                with contextlib.suppress(SMTPException, OSError):
                    await server.rset()
                return
        try:
            await server.data(data)
        except SMTPDataError as error:
            await self._refused(runtime, row, error)
        except (SMTPException, OSError) as error:
            await self._settle(
                runtime, row, "in_doubt", f"the connection was lost while the mail was handed over: {_told(error)}"
            )
        else:
            await self._settle(runtime, row, "sent", None)

    async def _refused(self, runtime: Runtime, row: Any, error: SMTPResponseException) -> None:
        """The server said no to this mail: later (4xx), or never (5xx)."""
        await self._later(runtime, row, _told(error), final=error.code >= 500)

    async def _later(self, runtime: Runtime, row: Any, reason: str, *, final: bool) -> None:
        settings, tried = runtime.settings, row["attempts"] + 1
        if final or tried >= settings.smtp_max_attempts:
            await self._settle(runtime, row, "failed", reason if final else f"{reason} (given up after {tried} attempts)")
            return
        pause = min(settings.smtp_first_delay_s * 4 ** row["attempts"], settings.smtp_longest_delay_s)
        async with runtime.db.connection() as conn:
            await store.put_back(conn, row["id"], self._id, reason=reason, after_s=pause, counts=True)

    async def _settle(self, runtime: Runtime, row: Any, state: store.State, reason: str | None) -> None:
        """Write down what became of the mail; a database that is away for a moment must not leave it in doubt."""
        mail_id: UUID = row["id"]
        pause = 0.1
        while True:
            try:
                async with runtime.db.connection() as conn:
                    await store.settle(conn, mail_id, self._id, state, reason and reason[:500], now=runtime.clock.now())
                return
            except Exception as error:
                if not is_down(error):
                    raise
                logger.warning("mail %s is %s, and the database is away: writing it down waits", mail_id, state)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


@contextlib.asynccontextmanager
async def _connected(settings: ChassisSettings) -> AsyncIterator[SMTP]:
    """A connection that is protected and signed in as the settings say. Raises `_ServerAway`."""
    secure = settings.smtp_security
    context = None if secure == "none" else ssl.create_default_context(cafile=settings.smtp_ca_file)
    server = SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        timeout=settings.smtp_timeout_s,
        use_tls=secure == "tls",
        start_tls=secure == "starttls",
        tls_context=context,
    )
    try:
        await server.connect()
        await server.ehlo()
        if settings.smtp_user:
            await server.login(settings.smtp_user, secrets.text(settings, settings.smtp_password_secret))
    except (SMTPException, OSError, ValueError, secrets.SecretMissing) as error:
        server.close()
        raise _ServerAway(_told(error)) from error
    try:
        yield server
    finally:
        with contextlib.suppress(SMTPException, OSError):
            await server.quit()
        server.close()


def _told(error: Exception) -> str:
    """What to show an operator: the server's words, without the recipient's address where we can help it."""
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"[:400]
    return f"{type(error).__name__}: {error}"[:400]
