"""Proof of delivery: a file with its digest, by what its bytes are and never by what is said of it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound

Kind = Literal["photo", "signature", "document"]
MOST_PROOFS = 50
_HEIC = frozenset({b"heic", b"heix", b"mif1", b"heif", b"hevc"})


class ProofNotFound(NotFound):
    """The delivery has no such proof."""

    def __init__(self, proof_id: UUID) -> None:
        super().__init__(f"this delivery has no proof {proof_id}", field="proof_id")


class ProofOfAnother(DomainError):
    """The file proves another hand-over already."""

    def __init__(self, proof_id: UUID) -> None:
        super().__init__(f"{proof_id} proves another hand-over", field="proof_id")


class UnknownProofFormat(Invalid):
    """The bytes are none of the formats that are kept."""

    def __init__(self) -> None:
        super().__init__("send a photo (JPEG, PNG, WebP, HEIC) or a document (PDF)", field="body")


class TooManyProofs(DomainError):
    """A delivery has enough files."""

    def __init__(self) -> None:
        super().__init__(f"at most {MOST_PROOFS} files per delivery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known of a file; its bytes stay where they are."""

    id: UUID
    delivery_id: UUID
    handover_id: UUID | None
    kind: Kind
    name: str | None
    media_type: str
    size: int
    sha256: str
    uploaded_by: str
    uploaded_at: datetime


def media_type(content: bytes) -> str:
    """By its first bytes. Raises `UnknownProofFormat`."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC:
        return "image/heic"
    raise UnknownProofFormat


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
