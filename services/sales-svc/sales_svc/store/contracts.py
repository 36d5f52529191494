"""Contracts."""

from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.contract import Contract


async def insert_contract(conn: Connection, c: Contract) -> None:
    await conn.execute(
        """
        INSERT INTO contract (id, flow_id, opportunity_id, quote_id, number, state, document, document_sha256, version,
                              created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(c.id, c.flow_id, c.opportunity_id, c.quote_id, c.number, c.state, c.document, c.document_sha256),
        *(c.version, c.created_at, c.updated_at),
    )


async def save_contract(conn: Connection, c: Contract) -> None:
    await conn.execute(
        "UPDATE contract SET state = $2, signed_by = $3, signed_at = $4, version = $5, updated_at = $6 WHERE id = $1",
        *(c.id, c.state, c.signed_by, c.signed_at, c.version, c.updated_at),
    )


async def get_contract(conn: Connection, contract_id: UUID) -> Contract:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, quote_id, number, state, document, document_sha256, signed_by, signed_at, version,
               created_at, updated_at
        FROM contract WHERE id = $1
        """,
        contract_id,
    )
    if row is None:
        raise NotFound(f"no contract {contract_id}")
    return Contract(**dict(row))


async def get_contract_for_update(conn: Connection, contract_id: UUID) -> Contract:
    await conn.execute("SELECT 1 FROM contract WHERE id = $1 FOR UPDATE", contract_id)
    return await get_contract(conn, contract_id)


async def find_contract_of_quote(conn: Connection, quote_id: UUID) -> Contract | None:
    contract_id = await conn.fetchval("SELECT id FROM contract WHERE quote_id = $1", quote_id)
    return None if contract_id is None else await get_contract(conn, contract_id)


async def list_contracts(conn: Connection, *, flow_id: UUID | None, after: UUID | None, limit: int) -> list[Contract]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, quote_id, number, state, document, document_sha256, signed_by, signed_at, version,
               created_at, updated_at
        FROM contract WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(flow_id, after, limit),
    )
    return [Contract(**dict(row)) for row in rows]
