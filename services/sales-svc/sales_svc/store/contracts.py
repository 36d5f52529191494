"""Contracts and their versions, with the bytes that were printed of them."""

from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.contract import Contract, ContractVersion
from sales_svc.domain.contract_template import Terms
from sales_svc.domain.contract_text import Supplier, Wording


async def insert_contract(conn: Connection, c: Contract) -> None:
    await conn.execute(
        """
        INSERT INTO contract (id, flow_id, opportunity_id, quote_id, number, state, contract_version, template, template_version, language,
                              months, auto_renew, renewal_months, notice_days, countersign, sign_within_days, document, document_sha256,
                              version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        """,
        *(c.id, c.flow_id, c.opportunity_id, c.quote_id, c.number, c.state, c.contract_version, c.template, c.template_version),
        *(c.language, c.terms.months, c.terms.auto_renew, c.terms.renewal_months, c.terms.notice_days, c.countersign),
        *(c.sign_within_days, c.document, c.document_sha256, c.version, c.created_at, c.updated_at),
    )


async def save_contract(conn: Connection, c: Contract) -> None:
    await conn.execute(
        """
        UPDATE contract SET quote_id = $2, state = $3, contract_version = $4, sign_by = $5, document = $6, document_sha256 = $7,
               pdf_sha256 = $8, signed_by = $9, signed_at = $10, closed_reason = $11, version = $12, updated_at = $13 WHERE id = $1
        """,
        *(c.id, c.quote_id, c.state, c.contract_version, c.sign_by, c.document, c.document_sha256, c.pdf_sha256),
        *(c.signed_by, c.signed_at, c.closed_reason, c.version, c.updated_at),
    )


async def get_contract(conn: Connection, contract_id: UUID) -> Contract:
    """Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, quote_id, number, state, contract_version, template, template_version, language, months,
               auto_renew, renewal_months, notice_days, countersign, sign_within_days, sign_by, document, document_sha256, pdf_sha256,
               signed_by, signed_at, closed_reason, version, created_at, updated_at
        FROM contract WHERE id = $1
        """,
        contract_id,
    )
    if row is None:
        raise NotFound(f"no contract {contract_id}")
    return _contract(row)


async def get_contract_for_update(conn: Connection, contract_id: UUID) -> Contract:
    await conn.execute("SELECT 1 FROM contract WHERE id = $1 FOR UPDATE", contract_id)
    return await get_contract(conn, contract_id)


async def find_open_contract(conn: Connection, opportunity_id: UUID) -> Contract | None:
    """The contract of a deal that was not given up; there is at most one."""
    contract_id = await conn.fetchval(
        "SELECT id FROM contract WHERE opportunity_id = $1 AND state NOT IN ('declined', 'expired')", opportunity_id
    )
    return None if contract_id is None else await get_contract(conn, contract_id)


async def list_contracts(
    conn: Connection, *, flow_id: UUID | None, state: str | None, after: UUID | None, limit: int
) -> list[Contract]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, quote_id, number, state, contract_version, template, template_version, language, months,
               auto_renew, renewal_months, notice_days, countersign, sign_within_days, sign_by, document, document_sha256, pdf_sha256,
               signed_by, signed_at, closed_reason, version, created_at, updated_at
        FROM contract
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(flow_id, state, after, limit),
    )
    return [_contract(row) for row in rows]


async def list_overdue_for_update(conn: Connection, today: date, limit: int) -> list[Contract]:
    """Contracts whose day to sign has passed; those another replica works on are left to it."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, quote_id, number, state, contract_version, template, template_version, language, months,
               auto_renew, renewal_months, notice_days, countersign, sign_within_days, sign_by, document, document_sha256, pdf_sha256,
               signed_by, signed_at, closed_reason, version, created_at, updated_at
        FROM contract WHERE state IN ('sent', 'in_negotiation') AND sign_by < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        *(today, limit),
    )
    return [_contract(row) for row in rows]


async def insert_version(conn: Connection, v: ContractVersion) -> None:
    supplier = v.supplier
    await conn.execute(
        """
        INSERT INTO contract_version (contract_id, contract_version, quote_id, supplier, letterhead, wordings, document,
                                      document_sha256, author, reason, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(v.contract_id, v.contract_version, v.quote_id),
        None
        if supplier is None
        else {
            "name": supplier.name,
            "address": list(supplier.address),
            "tax_id": supplier.tax_id,
            "registration": supplier.registration,
        },
        v.letterhead,
        [
            {
                "code": w.code,
                "version": w.clause_version,
                "title": w.title,
                "source": w.source,
                "negotiated": w.negotiated,
            }
            for w in v.wordings
        ],
        *(v.document, v.document_sha256, v.author, v.reason, v.created_at),
    )


async def get_version(conn: Connection, contract_id: UUID, number: int) -> ContractVersion:
    """Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT contract_id, contract_version, quote_id, supplier, letterhead, wordings, document, document_sha256, author, reason,
               created_at, pdf_sha256
        FROM contract_version WHERE contract_id = $1 AND contract_version = $2
        """,
        *(contract_id, number),
    )
    if row is None:
        raise NotFound(f"contract {contract_id} has no version {number}")
    return _version(row)


async def list_versions(conn: Connection, contract_id: UUID, *, after: int, limit: int) -> list[ContractVersion]:
    rows = await conn.fetch(
        """
        SELECT contract_id, contract_version, quote_id, supplier, letterhead, wordings, document, document_sha256, author, reason,
               created_at, pdf_sha256
        FROM contract_version WHERE contract_id = $1 AND contract_version > $2 ORDER BY contract_version LIMIT $3
        """,
        *(contract_id, after, limit),
    )
    return [_version(row) for row in rows]


async def keep_pdf(conn: Connection, contract_id: UUID, number: int, pdf: bytes, sha256: str) -> None:
    """The bytes of a version, kept once; they are what is served and signed from now on."""
    await conn.execute(
        "UPDATE contract_version SET pdf = $3, pdf_sha256 = $4 WHERE contract_id = $1 AND contract_version = $2",
        *(contract_id, number, pdf, sha256),
    )


async def find_pdf(conn: Connection, contract_id: UUID, number: int) -> bytes | None:
    pdf: bytes | None = await conn.fetchval(
        "SELECT pdf FROM contract_version WHERE contract_id = $1 AND contract_version = $2", contract_id, number
    )
    return pdf


def _contract(row: Any) -> Contract:
    fields = dict(row)
    terms = Terms(*(fields.pop(name) for name in ("months", "auto_renew", "renewal_months", "notice_days")))
    return Contract(**fields, terms=terms)


def _version(row: Any) -> ContractVersion:
    fields = dict(row)
    supplier = fields.pop("supplier")
    wordings = tuple(
        Wording(each["code"], each["version"], each["title"], each["source"], each["negotiated"])
        for each in fields.pop("wordings")
    )
    return ContractVersion(
        **fields,
        supplier=None if supplier is None else Supplier(**{**supplier, "address": tuple(supplier["address"])}),
        wordings=wordings,
    )
