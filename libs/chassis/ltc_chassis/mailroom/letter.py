"""A mail, and how it is written on the wire. Nothing in it can end a header line: such a `Mail` cannot be made."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from types import MappingProxyType
from typing import Any
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f@<>()\[\],;:\\\"]{1,64}")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9.+-]{0,100}")
# Headers that are ours to write, or that decide where a mail goes and what it is.
_OURS = re.compile(
    r"(from|to|cc|bcc|sender|reply-to|subject|date|message-id|return-path|received|mime-version|content-.*|list-unsubscribe.*|resent-.*"
    r"|dkim-.*|arc-.*|authentication-results)",
    re.IGNORECASE,
)
_LONGEST_LINE = 998
# A line break that does not go on with white space.
_ENDS = re.compile(r"[\r\n](?![ \t\r\n])|\r(?!\n)")


class UnsafeHeader(DomainError):
    """A value that becomes a header holds a line break or another control character: somebody tries to add headers."""

    kind = "invalid"


class BadAddress(DomainError):
    """This is not an e-mail address that a mail can be sent to."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels along, at most 10 MB in all of a mail's."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """What to send, to one address. `text` is what everybody can read, `html` the same for programs that show it.

    kind             what sort it is, for operators and numbers ("nurture", "quote")
    dedupe_key       a second mail with the same key is not posted
    about            what it concerns; `withdraw(tx, about=...)` takes back what has not left
    not_before       business time before which it does not leave
    windows          spans of business time in which alone it leaves, however late the server is; after the last one it fails
    unsubscribe_url  adds List-Unsubscribe and one-click List-Unsubscribe-Post (RFC 8058): an https address that takes POST

    Raises `UnsafeHeader`, `BadAddress`, `Invalid` when it is made.
    """

    to: str
    subject: str
    text: str
    kind: str
    html: str | None = None
    to_name: str | None = None
    from_name: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dedupe_key: str | None = None
    about: str | None = None
    flow_id: UUID | None = None
    unsubscribe_url: str | None = None
    not_before: datetime | None = None
    windows: Sequence[tuple[datetime, datetime]] = ()
    attachments: Sequence[Attachment] = ()

    def __post_init__(self) -> None:
        for name, value in (
            ("subject", self.subject),
            ("to_name", self.to_name),
            ("from_name", self.from_name),
            ("unsubscribe_url", self.unsubscribe_url),
            *((f"headers.{name[:40]!r}", value) for name, value in self.headers.items()),
            *((f"attachments.{number}", each.name) for number, each in enumerate(self.attachments)),
        ):
            _check_header(name, value)
        check_address(self.to, field="to")
        if self.reply_to is not None:
            check_address(self.reply_to, field="reply_to")
        for name in self.headers:
            if _HEADER.fullmatch(name) is None or _OURS.fullmatch(name):
                raise UnsafeHeader("this header cannot be set", field="headers")
        _check_sizes(self)


def check_address(address: str, *, field: str | None = None) -> None:
    """Raise `UnsafeHeader` or `BadAddress` unless it is one plain address (`anna@example.com`; other scripts are fine)."""
    _check_header(field or "address", address)
    local, _, domain = address.rpartition("@")
    if len(address) > 254 or _LOCAL.fullmatch(local) is None or local[0] == "." or local[-1] == "." or ".." in local:
        raise BadAddress("this is not an e-mail address", field=field)
    _ascii_domain(domain, field)


def write(row: Mapping[str, Any], attachments: Sequence[Attachment], sender: str, now: datetime) -> tuple[EmailMessage, str]:
    """The message of a row of `mail`, and the address to name to the server; `now` is the WALL time of this attempt."""
    local, _, domain = str(row["recipient"]).rpartition("@")
    name, address = parseaddr(sender)
    # Only an address in another script needs an extension of the server; names and subjects do not.
    message = EmailMessage(policy=_Policy(linesep="\r\n", utf8=not local.isascii()))
    message["From"] = Address(_literal(row["sender_name"] or name), addr_spec=address)
    to = Address(_literal(row["recipient_name"] or ""), username=local, domain=_ascii_domain(domain, None))
    message["To"] = to
    if row["reply_to"]:
        message["Reply-To"] = row["reply_to"]
    message["Subject"] = _literal(row["subject"])
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["Message-ID"] = row["message_id"]
    for header, value in row["headers"].items():
        message[header] = _literal(value)
    if row["unsubscribe_url"]:
        message["List-Unsubscribe"] = f"<{row['unsubscribe_url'].replace('=?', '=%3F')}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(row["text"], cte="quoted-printable")
    if row["html"] is not None:
        message.add_alternative(row["html"], subtype="html", cte="quoted-printable")
    for each in attachments:
        main, _, sub = each.media_type.partition("/")
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=_literal(each.name))
    return message, f"{local}@{to.domain}"


def _literal(text: str) -> str:
    """A text that stays what it is: `=?utf-8?q?...?=` in it would be decoded, and could decode to a line break."""
    return text.replace("=?", "= ?")


class _Policy(EmailPolicy):
    """Writes a header with a long word (a link) on one line: the standard policy would encode it, and mail programs would not
    recognise it. A header that would end and begin another one is not written, whatever came before.
    """

    def fold(self, name: str, value: Any) -> str:
        folded = self._folded(name, value)
        if _ENDS.search(folded.removesuffix(self.linesep)):
            raise ValueError(f"{name} would add a header")
        return folded

    def _folded(self, name: str, value: Any) -> str:
        text = str(value)
        if text.isascii() and len(name) + 2 + len(text) <= _LONGEST_LINE and max(map(len, text.split()), default=0) > 60:
            return f"{name}: {text}{self.linesep}"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


def _check_header(name: str, value: str | None) -> None:
    if value is not None and _CONTROL.search(value):
        raise UnsafeHeader("a line break or control character cannot stand in a mail's header", field=name)


def _check_sizes(mail: Mail) -> None:
    for name, text, most in (
        ("subject", mail.subject, 500),
        ("to_name", mail.to_name, 200),
        ("from_name", mail.from_name, 200),
        ("text", mail.text, 200_000),
        ("html", mail.html, 500_000),
        ("kind", mail.kind, 64),
        ("dedupe_key", mail.dedupe_key, 300),
        ("about", mail.about, 300),
        # With its name and brackets it must fit a line of 998.
        ("unsubscribe_url", mail.unsubscribe_url, 900),
    ):
        if text is not None and len(text) > most:
            raise Invalid(f"at most {most} characters", field=name)
        if text is not None and "\x00" in text:
            raise Invalid("a zero character is not text", field=name)
    if not mail.subject.strip() or not mail.kind:
        raise Invalid("a mail has a subject and a kind", field="subject")
    if len(mail.headers) > 20 or any(len(value) > 900 for value in mail.headers.values()):
        raise Invalid("at most 20 headers of 900 characters", field="headers")
    if mail.unsubscribe_url is not None and re.fullmatch(r"https?://[!-~]+", mail.unsubscribe_url) is None:
        raise Invalid("must be an address of the web", field="unsubscribe_url")
    if len(mail.windows) > 500 or any(opens >= closes for opens, closes in mail.windows):
        raise Invalid("at most 500 spans that end after they begin", field="windows")
    if len(mail.attachments) > 10 or sum(len(each.content) for each in mail.attachments) > 10_000_000:
        raise Invalid("at most 10 attachments of 10 MB together", field="attachments")
    for each in mail.attachments:
        if not each.name or len(each.name) > 200 or _MEDIA_TYPE.fullmatch(each.media_type) is None:
            raise Invalid("an attachment has a name and a media type", field="attachments")


def _ascii_domain(domain: str, field: str | None) -> str:
    try:
        plain = domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        plain = ""
    if len(plain) > 253 or _DOMAIN.fullmatch(plain) is None:
        raise BadAddress("this is not an e-mail address", field=field)
    return plain
