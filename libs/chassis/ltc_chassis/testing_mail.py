"""Fixtures for tests that send mail: a real SMTP server on a socket of this machine, and the app under test told of it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from ltc_chassis import mailroom
from ltc_chassis.runtime import Runtime
from ltc_chassis.timers import run_until_idle


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as the server took it."""

    message: EmailMessage
    raw: bytes
    sender: str
    recipients: list[str]
    protected: bool
    user: str | None

    def part(self, kind: str) -> str:
        """The text of its `plain` or `html` part."""
        body = self.message.get_body((kind,))
        assert body is not None, f"the mail has no {kind} part"
        text: str = body.get_content()
        return text.replace("\r\n", "\n")


@dataclass
class MailServer:
    """Takes every mail unless a test says otherwise.

    `rcpt_answers` and `data_answers` are the next answers to a recipient and to a text ("451 later"); what is refused is not in
    `received`. With `hang_up` it takes the text and closes the connection without a word.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    rcpt_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    connections: int = 0
    hang_up: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What the app must know to use it."""
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_security": "none",
            "mail_from": "ACME Sales <sales@acme.example>",
            "smtp_per_s": 1000.0,
        }

    def to(self, address: str) -> list[Received]:
        """The mails to an address, in the order they came."""
        return [each for each in self.received if address in each.recipients]

    async def handle_EHLO(self, _: SMTP, session: Session, __: Envelope, hostname: str, responses: list[str]) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if self.rcpt_answers and not (answer := self.rcpt_answers.pop(0)).startswith("2"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answers and not (answer := self.data_answers.pop(0)).startswith("2"):
            return answer
        raw = envelope.content
        assert isinstance(raw, bytes)
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        user = session.auth_data.decode() if session.authenticated and session.auth_data else None
        self.received.append(
            Received(message, raw, envelope.mail_from or "", list(envelope.rcpt_tos), session.ssl is not None, user)
        )
        if self.hang_up:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


@contextlib.asynccontextmanager
async def serving(server: MailServer, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[MailServer]:
    """The server on a free port; `tls` protects it from the first byte, `tls_context=` offers STARTTLS."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(server, loop=loop, enable_SMTPUTF8=True, **options), "127.0.0.1", 0, ssl=tls
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def use(runtime: Runtime, **settings: Any) -> None:
    """Change settings of a running service."""
    runtime.settings = runtime.db.settings = runtime.settings.model_copy(update=settings)


@pytest.fixture
async def mail_server(runtime: Runtime) -> AsyncIterator[MailServer]:
    """A mail server that the app under test sends to."""
    async with serving(MailServer()) as server:
        use(runtime, **server.settings)
        yield server


@pytest.fixture
def send_mails(runtime: Runtime) -> Callable[[], Awaitable[int]]:
    """Sends what is due; returns how many mails were settled."""

    async def send() -> int:
        return await run_until_idle(runtime, mailroom.sender())

    return send
