"""What proves a contract: signatures, an audit trail whose records are chained by digests, and the checks over all of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid

from sales_svc.domain.contract import Contract, ContractVersion
from sales_svc.domain.contract_text import digest

Party = Literal["customer", "supplier"]
Method = Literal["link", "api"]
Happening = Literal[
    "drawn_up",
    "revised",
    "repriced",
    "sent",
    "link_made",
    "viewed",
    "downloaded",
    "signed",
    "countersigned",
    "declined",
    "expired",
    "notice_given",
]
CONSENT = {
    "en": "On behalf of {customer}, I have read this contract, I agree to it, and I sign it electronically.",
    "zh": "本人代表{customer}，已阅读本合同并同意其全部内容，并以电子方式签署。",
}
_SHORTEST_NAME = 2


@dataclass(frozen=True, slots=True)
class Place:
    """From where somebody acted: address and browser, as far as they are known."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """One party's signature over one version. It names both digests, so that neither can be changed beside it."""

    contract_id: UUID
    party: Party
    name: str
    method: Method
    consent: str
    signed_at: datetime
    place: Place
    contract_version: int
    document_sha256: str
    pdf_sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened to a contract. `digest` covers the record and the digest of the one before it."""

    contract_id: UUID
    number: int
    happening: Happening
    by: str
    place: Place
    detail: Mapping[str, Any]
    at: datetime
    previous: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was computed again. `expected` is what was kept."""

    what: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        return self.expected == self.found


def typed_name(name: str, field: str = "signed_by") -> str:
    """A name as a person types it: at least two letters on one line. Raises `Invalid`."""
    cleaned = " ".join(name.split())
    if len(cleaned) < _SHORTEST_NAME or not any(each.isalpha() for each in cleaned) or not cleaned.isprintable():
        raise Invalid("type your full name", field=field)
    return cleaned


def consent_of(language: str, customer: str) -> str:
    """What a signer agrees to, in words."""
    return CONSENT.get(language, CONSENT["en"]).format(customer=customer)


def chained(record: Record, previous: Record | None) -> Record:
    """The record behind the last one of its contract."""
    numbered = replace(record, number=previous.number + 1 if previous else 1, previous=previous.digest if previous else "0" * 64)
    return replace(numbered, digest=digest_of(numbered))


def digest_of(record: Record) -> str:
    """SHA-256 over the record's content and the digest before it."""
    content = {
        "contract_id": str(record.contract_id),
        "number": record.number,
        "happening": record.happening,
        "by": record.by,
        "address": record.place.address,
        "user_agent": record.place.user_agent,
        "detail": record.detail,
        "at": record.at.isoformat(),
        "previous": record.previous,
    }
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def verify(
    contract: Contract,
    version: ContractVersion,
    recomposed: str,
    pdf: bytes | None,
    signatures: Sequence[Signature],
    trail: Sequence[Record],
) -> list[Check]:
    """Everything that can be computed again, computed again. `recomposed` is the text from its parts."""
    checks = [
        Check("canonical text", version.document_sha256, digest(version.document)),
        Check("canonical text of the contract", version.document_sha256, digest(contract.document)),
        Check("canonical text from its parts", version.document_sha256, digest(recomposed)),
        Check("digest of the contract", version.document_sha256, contract.document_sha256),
    ]
    if version.pdf_sha256 is not None:
        found = hashlib.sha256(pdf).hexdigest() if pdf is not None else "no bytes"
        checks.append(Check("PDF", version.pdf_sha256, found))
        checks.append(Check("PDF's digest of the contract", version.pdf_sha256, contract.pdf_sha256 or "none"))
    for signature in signatures:
        who = f"signature of the {signature.party}"
        checks.append(Check(f"{who}: version", str(signature.contract_version), str(version.contract_version)))
        checks.append(Check(f"{who}: canonical text", signature.document_sha256, digest(version.document)))
        checks.append(Check(f"{who}: PDF", signature.pdf_sha256, hashlib.sha256(pdf or b"").hexdigest()))
    previous = "0" * 64
    for number, record in enumerate(trail, 1):
        whole = record.digest if (record.number, record.previous) == (number, previous) else "a record is missing before it"
        checks.append(Check(f"audit record {number}: {record.happening}", whole, digest_of(record)))
        previous = record.digest
    told = [(record.happening, record.detail) for record in trail if record.happening in ("signed", "countersigned")]
    kept = [("signed" if each.party == "customer" else "countersigned", {**detail_of(each)}) for each in signatures]
    checks.append(Check("signatures and audit trail", _text(sorted(kept, key=_text)), _text(sorted(told, key=_text))))
    return checks


def detail_of(signature: Signature) -> dict[str, Any]:
    """What the audit trail says of a signature."""
    return {
        "name": signature.name,
        "method": signature.method,
        "version": signature.contract_version,
        "document_sha256": signature.document_sha256,
        "pdf_sha256": signature.pdf_sha256,
    }


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
