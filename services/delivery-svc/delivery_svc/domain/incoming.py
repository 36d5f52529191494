"""What a mail says: sender, thread, text and attachments, however it was written. Everything in it may be hostile, and is bounded."""

import email
import hashlib
import html.parser
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

from ltc_contracts.errors import DomainError

MOST_BYTES = 10 * 1024 * 1024
_MOST_PARTS, _DEEPEST, _MOST_ATTACHMENTS = 100, 20, 20
_LONGEST_HEADER, _LONGEST_TEXT, _LONGEST_MARKUP, _MOST_IDS = 8000, 50_000, 200_000, 50
_CONTAINER = re.compile(rb"boundary\s*[=*]|message/(rfc822|partial|global)", re.IGNORECASE)
# The parser takes time that grows with the square of the length of these.
_HEADER = re.compile(rb"^content-[a-z-]+[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)
_PART = re.compile(rb"^content-type\s*:", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,400}>")
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@[A-Za-z0-9\u0080-\uffff.-]{1,253}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]+")
# A superset where senders name the smaller set and use more.
_CHARSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "utf-8",
}
_QUOTED = re.compile(
    r"^(-{2,} ?(original message|ursprüngliche nachricht|原始邮件) ?-{2,}|.{0,200}(wrote|schrieb|写道)\s?[:：]?\s*)$",
    re.IGNORECASE,
)
_ROBOTS = re.compile(r"(mailer-daemon|postmaster)@", re.IGNORECASE)


class Unreadable(DomainError):
    """Nothing can be made of the mail; it is kept."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a mail; the name is one line without a path."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail that can be worked on. `thread` are the Message-IDs it answers, the nearest last."""

    message_id: str | None
    sender: str
    sender_name: str | None
    recipients: Sequence[str]
    subject: str
    thread: Sequence[str]
    automatic: str | None
    text: str
    attachments: Sequence[Attached]


def message_id_of(raw: bytes) -> str | None:
    """The Message-ID in the head of a mail, also of one that cannot be read otherwise."""
    head = re.split(rb"\r?\n\r?\n", raw[:200_000], maxsplit=1)[0]
    found = re.search(rb"^message-id:[ \t\r\n]*(<[!-;=?-~]{3,400}>)", head, re.IGNORECASE | re.MULTILINE)
    return found[1].decode() if found else None


def read(raw: bytes) -> Incoming:
    """Raises `Unreadable`, whatever the bytes are."""
    if len(_CONTAINER.findall(raw)) > _MOST_PARTS or len(_PART.findall(raw)) > 2 * _MOST_PARTS:
        raise Unreadable("it has too many parts")
    if any(match.end() - match.start() > _LONGEST_HEADER // 4 for match in _HEADER.finditer(raw)):
        raise Unreadable("a header of a part is too long")
    # The policy of today knows more, and stumbles over headers that the older one takes.
    for rules in (policy.default, policy.compat32):
        try:
            return _read(email.message_from_bytes(raw, policy=rules), raw)
        except Unreadable:
            raise
        except RecursionError:
            raise Unreadable("its parts lie too deep in each other") from None
        except Exception:  # noqa: S112 - the parser's errors on hostile input are of every kind
            continue
    raise Unreadable("its structure cannot be read")


def plain(markup: str) -> str:
    """The text of HTML, for people to read; scripts, styles and comments are nothing."""
    reader = _Html()
    reader.feed(markup)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.said).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def without_quotes(text: str) -> str:
    """What is new in a reply: without the quoted mail below it. A mail that is all quote stays as it is."""
    lines = text.rstrip().split("\n")
    for number, line in enumerate(lines):
        if line.lstrip().startswith(">") or _QUOTED.match(line.strip()) is None:
            continue
        below = lines[number + 1 :]
        if line.strip().startswith("--") or all(not each.strip() or each.lstrip().startswith(">") for each in below):
            lines = lines[:number]
            break
    while lines and (lines[-1].lstrip().startswith(">") or not lines[-1].strip()):
        lines.pop()
    return "\n".join(lines).strip() or text.strip()


def _read(message: Message, raw: bytes) -> Incoming:
    heads = _heads(message)
    senders = _addresses(heads.get("from", [])[:1])
    if not senders:
        raise Unreadable("it names no sender")
    name, sender = senders[0]
    texts: list[str] = []
    markups: list[str] = []
    attachments: list[Attached] = []
    for part in _parts(message, 0):
        kind = part.get_content_type()
        inline = part.get_content_disposition() != "attachment" and part.get_filename() is None
        if inline and kind in ("text/plain", "text/html"):
            (texts if kind == "text/plain" else markups).append(_text(part))
        elif len(attachments) < _MOST_ATTACHMENTS:
            attachments.append(_attached(part, len(attachments) + 1))
        else:
            raise Unreadable(f"it has more than {_MOST_ATTACHMENTS} attachments")
    text = "\n\n".join(each for each in texts if each.strip()) or "\n\n".join(plain(each[:_LONGEST_MARKUP]) for each in markups)
    said = _clean(without_quotes(_clean(text))) or "(no text)"
    thread = [each for header in ("references", "in-reply-to") for each in _ids(heads.get(header, []))]
    return Incoming(
        message_id=message_id_of(raw),
        sender=sender,
        sender_name=name or None,
        recipients=[
            each
            for header in ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
            for _, each in _addresses(heads.get(header, []))
        ][:100],
        subject=_decoded(heads.get("subject", [""])[0])[:300] or "(no subject)",
        thread=thread,
        automatic=_automatic(heads, sender),
        text=said,
        attachments=attachments,
    )


def _heads(message: Message) -> dict[str, list[str]]:
    """Headers of the mail itself by name, each at most 8,000 characters, as they were written."""
    heads: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        known = heads.setdefault(name.lower(), [])
        if len(known) < 20:
            known.append(re.sub(r"\r?\n[ \t]*", " ", str(value))[:_LONGEST_HEADER])
        if len(heads) > 1000:
            raise Unreadable("it has too many headers")
    return heads


def _parts(message: Message, depth: int) -> Iterator[Message]:
    """The leaves; a mail within the mail is one of them."""
    if depth > _DEEPEST:
        raise Unreadable("its parts lie too deep in each other")
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        for part in message.get_payload():
            assert isinstance(part, Message)
            yield from _parts(part, depth + 1)
    else:
        yield message


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    charset = (part.get_content_charset() or "utf-8").lower()
    data = content if isinstance(content, bytes) else b""
    for name in (_CHARSETS.get(charset, charset), "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    # What is no text in the charset it names is read as far as it goes.
    try:
        return data.decode(_CHARSETS.get(charset, charset), "replace")
    except (LookupError, ValueError):
        return data.decode("cp1252", "replace")


def _attached(part: Message, number: int) -> Attached:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        content = b"".join(each.as_bytes() for each in part.get_payload() if isinstance(each, Message))
    kind = part.get_content_type()
    name = _decoded(part.get_filename() or "").replace("\\", "/").rpartition("/")[2].strip(". ")[:200]
    return Attached(
        name=name or f"attachment-{number}{'.eml' if kind.startswith('message/') else ''}",
        media_type=kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream",
        content=content,
    )


def _addresses(values: Sequence[str]) -> list[tuple[str, str]]:
    """Name and address of those that are addresses, in lower case where case means nothing."""
    found = []
    for name, address in getaddresses([value[:_LONGEST_HEADER] for value in values]):
        if len(address) <= 254 and _ADDRESS.fullmatch(address):
            found.append((_decoded(name)[:200], address))
    return found


def _ids(values: Sequence[str]) -> list[str]:
    return _MESSAGE_ID.findall(" ".join(values))[-_MOST_IDS:]


def _automatic(heads: dict[str, list[str]], sender: str) -> str | None:
    """Why no person wrote this now; None when one did."""
    said = {name: heads.get(name, [""])[0].strip().lower() for name in ("auto-submitted", "precedence", "return-path")}
    if said["auto-submitted"] and not said["auto-submitted"].startswith("no"):
        return "auto-submitted"
    if said["precedence"] in ("bulk", "junk", "list", "auto_reply"):
        return f"precedence {said['precedence']}"
    if said["return-path"] == "<>" or _ROBOTS.match(sender):
        return "sent by a mail system"
    if any(name in heads for name in ("x-autoreply", "x-autorespond", "list-id", "x-failed-recipients")):
        return "an automatic reply or a list"
    return None


def _decoded(value: str) -> str:
    """Encoded words as text, on one line."""
    pieces = []
    try:
        for piece, charset in decode_header(value[:_LONGEST_HEADER]):
            name = (charset or "utf-8").lower()
            pieces.append(piece if isinstance(piece, str) else _bytes_as(piece, _CHARSETS.get(name, name)))
    except (ValueError, LookupError):
        pieces = [value[:_LONGEST_HEADER]]
    return " ".join(_LINE_BREAKS.sub(" ", "".join(pieces)).split())


def _bytes_as(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _clean(text: str) -> str:
    text = _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 4].rstrip() + " […]"


class _Html(html.parser.HTMLParser):
    _BREAKS = frozenset(
        ("p", "div", "br", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr")
    )
    _SILENT = frozenset(("script", "style", "head", "title", "template"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - only the text is of interest
        if tag in self._SILENT:
            self._silent += 1
        elif tag in self._BREAKS:
            self.said.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.said.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(self._silent - 1, 0)
        elif tag in self._BREAKS and tag != "br":
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(" ".join(data.split("\n")))
