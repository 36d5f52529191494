"""By what a mail is known to belong to a ticket: a signed mark in the address that is replied to and in the subject."""

import hashlib
import hmac
import re
from collections.abc import Sequence

# T-2026-000001 as it stands in `support+2026-000001-0123456789abcdef@acme.example` and in `[T-2026-000001/0123456789abcdef]`.
_IN_ADDRESS = re.compile(r"\+([0-9]{4}-[0-9]{6,9})-([0-9a-f]{16})@", re.IGNORECASE)
_IN_SUBJECT = re.compile(r"\[T-([0-9]{4}-[0-9]{6,9})/([0-9a-f]{16})\]", re.IGNORECASE)
_MOST = 50


def mark(key: bytes, number: str) -> str:
    """16 hexadecimal digits that only who has the key can make for this ticket."""
    return hmac.new(key, f"ticket.reply:{number}".encode(), hashlib.sha256).hexdigest()[:16]


def reply_address(key: bytes, number: str, address: str) -> str | None:
    """Where a reply is sent to, so that it is known; None when the address leaves no room for it."""
    local, _, domain = address.rpartition("@")
    made = f"{local}+{number.removeprefix('T-')}-{mark(key, number)}"
    return f"{made}@{domain}" if len(made) <= 64 and "+" not in local else None


def subject(key: bytes, number: str, text: str) -> str:
    """The subject of an answer, with the mark once."""
    plain = " ".join(_IN_SUBJECT.sub("", text).split()) or "Re:"
    begun = plain if plain.lower().startswith("re:") else f"Re: {plain}"
    return f"{begun[:400]} [{number}/{mark(key, number)}]"


def number_in(keys: Sequence[bytes], addresses: Sequence[str], subject_line: str) -> str | None:
    """The number of the ticket that a genuine mark names, in an address or else in the subject."""
    found = [match for text in addresses[:_MOST] for match in _IN_ADDRESS.findall(text[:400])]
    found += _IN_SUBJECT.findall(subject_line[:2000])
    for digits, signature in found[:_MOST]:
        number = f"T-{digits}"
        if any(hmac.compare_digest(mark(key, number), signature.lower()) for key in keys):
            return number
    return None
