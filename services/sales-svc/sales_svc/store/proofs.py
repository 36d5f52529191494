"""Signatures, the audit trail and the certificate of a contract. Written under the contract's lock, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from sales_svc.domain.proof import Place, Record, Signature


async def insert_signature(conn: Connection, s: Signature) -> None:
    await conn.execute(
        """
        INSERT INTO contract_signature (contract_id, party, name, method, consent, signed_at, address, user_agent, contract_version,
                                        document_sha256, pdf_sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(s.contract_id, s.party, s.name, s.method, s.consent, s.signed_at, s.place.address, s.place.user_agent),
        *(s.contract_version, s.document_sha256, s.pdf_sha256),
    )


async def list_signatures(conn: Connection, contract_id: UUID) -> list[Signature]:
    """In the order of signing; at most two."""
    rows = await conn.fetch(
        """
        SELECT contract_id, party, name, method, consent, signed_at, address, user_agent, contract_version, document_sha256, pdf_sha256
        FROM contract_signature WHERE contract_id = $1 ORDER BY signed_at, party
        """,
        contract_id,
    )
    return [Signature(**_placed(row)) for row in rows]


async def insert_record(conn: Connection, r: Record) -> None:
    await conn.execute(
        """
        INSERT INTO contract_record (contract_id, number, happening, by, address, user_agent, detail, at, previous, digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        *(r.contract_id, r.number, r.happening, r.by, r.place.address, r.place.user_agent, r.detail, r.at, r.previous, r.digest),
    )


async def find_last_record(conn: Connection, contract_id: UUID) -> Record | None:
    """Under the contract's lock."""
    rows = await conn.fetch(
        """
        SELECT contract_id, number, happening, by, address, user_agent, detail, at, previous, digest
        FROM contract_record WHERE contract_id = $1 ORDER BY number DESC LIMIT 1
        """,
        contract_id,
    )
    return next(iter(_records(rows)), None)


async def list_records(conn: Connection, contract_id: UUID, *, after: int = 0, limit: int = 100_000) -> list[Record]:
    rows = await conn.fetch(
        """
        SELECT contract_id, number, happening, by, address, user_agent, detail, at, previous, digest
        FROM contract_record WHERE contract_id = $1 AND number > $2 ORDER BY number LIMIT $3
        """,
        *(contract_id, after, limit),
    )
    return _records(rows)


async def insert_certificate(conn: Connection, contract_id: UUID, pdf: bytes, sha256: str, *, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO contract_certificate (contract_id, pdf, sha256, printed_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
        """,
        *(contract_id, pdf, sha256, now),
    )


async def find_certificate(conn: Connection, contract_id: UUID) -> tuple[bytes, str] | None:
    row = await conn.fetchrow("SELECT pdf, sha256 FROM contract_certificate WHERE contract_id = $1", contract_id)
    return None if row is None else (row["pdf"], row["sha256"])


def _records(rows: Sequence[Any]) -> list[Record]:
    return [Record(**_placed(row)) for row in rows]


def _placed(row: Any) -> dict[str, Any]:
    fields = dict(row)
    place = Place(fields.pop("address"), fields.pop("user_agent"))
    return {**fields, "place": place}
