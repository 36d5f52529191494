"""Files that prove what was handed over."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from delivery_svc.domain.proof import Proof


async def insert_proof(conn: Connection, p: Proof, content: bytes) -> None:
    await conn.execute(
        """
        INSERT INTO delivery_proof (id, delivery_id, handover_id, kind, name, media_type, size, sha256, content, uploaded_by, uploaded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(p.id, p.delivery_id, p.handover_id, p.kind, p.name, p.media_type, p.size, p.sha256, content, p.uploaded_by),
        p.uploaded_at,
    )


async def find_proof_by_digest(conn: Connection, delivery_id: UUID, sha256: str) -> Proof | None:
    row = await conn.fetchrow(
        """
        SELECT id, delivery_id, handover_id, kind, name, media_type, size, sha256, uploaded_by, uploaded_at FROM delivery_proof
        WHERE delivery_id = $1 AND sha256 = $2
        """,
        *(delivery_id, sha256),
    )
    return None if row is None else Proof(**dict(row))


async def find_proof(conn: Connection, delivery_id: UUID, proof_id: UUID) -> Proof | None:
    row = await conn.fetchrow(
        """
        SELECT id, delivery_id, handover_id, kind, name, media_type, size, sha256, uploaded_by, uploaded_at FROM delivery_proof
        WHERE delivery_id = $1 AND id = $2
        """,
        *(delivery_id, proof_id),
    )
    return None if row is None else Proof(**dict(row))


async def save_handover_of(conn: Connection, proof_id: UUID, handover_id: UUID) -> None:
    """It proves this hand-over."""
    await conn.execute("UPDATE delivery_proof SET handover_id = $2 WHERE id = $1", proof_id, handover_id)


async def list_proofs(conn: Connection, delivery_id: UUID) -> list[Proof]:
    """In the order in which they came; at most 50."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, handover_id, kind, name, media_type, size, sha256, uploaded_by, uploaded_at FROM delivery_proof
        WHERE delivery_id = $1 ORDER BY id LIMIT 50
        """,
        delivery_id,
    )
    return [Proof(**dict(row)) for row in rows]


async def find_content(conn: Connection, delivery_id: UUID, proof_id: UUID) -> Any | None:
    """Name, type, digest and bytes."""
    return await conn.fetchrow(
        "SELECT name, media_type, sha256, content FROM delivery_proof WHERE delivery_id = $1 AND id = $2",
        *(delivery_id, proof_id),
    )


async def has_handover(conn: Connection, delivery_id: UUID, handover_id: UUID) -> bool:
    row = await conn.fetchrow("SELECT id FROM handover WHERE delivery_id = $1 AND id = $2", delivery_id, handover_id)
    return row is not None
