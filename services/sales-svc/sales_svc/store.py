"""Every SQL statement of sales-svc."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from sales_svc.domain import Contract, Opportunity, Quote, Stage, StageChange, account_key


async def list_stages(conn: Connection, pipeline: str = "default") -> list[Stage]:
    rows = await conn.fetch("SELECT code, position, probability FROM stage WHERE pipeline = $1 ORDER BY position", pipeline)
    return [Stage(row["code"], row["position"], row["probability"]) for row in rows]


async def next_number(conn: Connection, series: str) -> int:
    """The next number of a series; its row stays locked until the transaction ends."""
    number: int = await conn.fetchval(
        """
        INSERT INTO number_series (name, last) VALUES ($1, 1)
        ON CONFLICT (name) DO UPDATE SET last = number_series.last + 1 RETURNING last
        """,
        series,
    )
    return number


async def upsert_account(conn: Connection, account_id: UUID, name: str, country: str, now: datetime) -> UUID:
    """The account of a company in a country; two at once make one."""
    found: UUID = await conn.fetchval(
        """
        INSERT INTO account (id, name, name_key, country, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name_key, country) DO UPDATE SET name = account.name RETURNING id
        """,
        account_id,
        name,
        account_key(name),
        country,
        now,
    )
    return found


async def list_accounts(conn: Connection, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        "SELECT id, name, country, created_at FROM account WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2", after, limit
    )


async def get_account(conn: Connection, account_id: UUID) -> Any:
    row = await conn.fetchrow("SELECT id, name, country, created_at FROM account WHERE id = $1", account_id)
    if row is None:
        raise NotFound(f"no account {account_id}")
    return row


async def insert_opportunity(conn: Connection, o: Opportunity) -> bool:
    """False when the lead has an opportunity already."""
    row = await conn.fetchrow(
        """
        INSERT INTO opportunity (id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency,
                                 channel, source, stage_since, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (lead_id) DO NOTHING RETURNING id
        """,
        *(o.id, o.flow_id, o.lead_id, o.name, o.company, o.country, o.owner, o.stage, o.probability, *_split(o.value)),
        *(o.channel, o.source, o.stage_since, o.version, o.created_at, o.updated_at),
    )
    return row is not None


async def get_opportunity(conn: Connection, opportunity_id: UUID) -> Opportunity:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel, source,
               stage_since, lost_reason, version, created_at, updated_at
        FROM opportunity WHERE id = $1
        """,
        opportunity_id,
    )
    return _opportunity(row, opportunity_id)


async def get_opportunity_for_update(conn: Connection, opportunity_id: UUID) -> Opportunity:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel, source,
               stage_since, lost_reason, version, created_at, updated_at
        FROM opportunity WHERE id = $1 FOR UPDATE
        """,
        opportunity_id,
    )
    return _opportunity(row, opportunity_id)


async def save_opportunity(conn: Connection, o: Opportunity) -> None:
    await conn.execute(
        """
        UPDATE opportunity SET stage = $2, probability = $3, amount = $4, currency = $5, stage_since = $6, lost_reason = $7,
               version = $8, updated_at = $9 WHERE id = $1
        """,
        *(o.id, o.stage, o.probability, *_split(o.value), o.stage_since, o.lost_reason, o.version, o.updated_at),
    )


async def list_opportunities(
    conn: Connection,
    *,
    flow_id: UUID | None,
    stage: str | None,
    owner: str | None,
    lead_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Opportunity]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel, source,
               stage_since, lost_reason, version, created_at, updated_at
        FROM opportunity
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR stage = $2) AND ($3::text IS NULL OR owner = $3)
          AND ($4::uuid IS NULL OR lead_id = $4) AND ($5::uuid IS NULL OR id > $5) ORDER BY id LIMIT $6
        """,
        *(flow_id, stage, owner, lead_id, after, limit),
    )
    return [_opportunity(row) for row in rows]


async def insert_stage_change(conn: Connection, change_id: UUID, opportunity_id: UUID, change: StageChange) -> None:
    await conn.execute(
        """
        INSERT INTO stage_change (id, opportunity_id, from_stage, to_stage, seconds_in_stage, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(change_id, opportunity_id, change.from_stage, change.to_stage, change.seconds_in_stage, change.changed_at),
    )


async def list_stage_changes(conn: Connection, opportunity_id: UUID) -> list[StageChange]:
    rows = await conn.fetch(
        "SELECT from_stage, to_stage, seconds_in_stage, changed_at FROM stage_change WHERE opportunity_id = $1 ORDER BY id",
        opportunity_id,
    )
    return [StageChange(**dict(row)) for row in rows]


async def next_quote_version(conn: Connection, opportunity_id: UUID) -> int:
    """Under the opportunity's lock."""
    number: int = await conn.fetchval(
        "SELECT coalesce(max(quote_version), 0) + 1 FROM quote WHERE opportunity_id = $1", opportunity_id
    )
    return number


async def insert_quote(conn: Connection, q: Quote) -> None:
    await conn.execute(
        """
        INSERT INTO quote (id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
                           payment_terms_days, requested_on, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        *(q.id, q.flow_id, q.opportunity_id, q.number, q.quote_version, q.state, q.customer.model_dump(mode="json")),
        *([line.model_dump(mode="json") for line in q.lines], q.net.amount, q.net.currency, q.valid_until),
        *(q.payment_terms_days, q.requested_on, q.version, q.created_at, q.updated_at),
    )


async def save_quote(conn: Connection, q: Quote) -> None:
    await conn.execute(
        "UPDATE quote SET state = $2, version = $3, updated_at = $4 WHERE id = $1", q.id, q.state, q.version, q.updated_at
    )


async def get_quote(conn: Connection, quote_id: UUID) -> Quote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE id = $1
        """,
        quote_id,
    )
    return _quote(row, quote_id)


async def get_quote_for_update(conn: Connection, quote_id: UUID) -> Quote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE id = $1 FOR UPDATE
        """,
        quote_id,
    )
    return _quote(row, quote_id)


async def list_quotes_for_update(conn: Connection, opportunity_id: UUID) -> list[Quote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE opportunity_id = $1 ORDER BY id FOR UPDATE
        """,
        opportunity_id,
    )
    return [_quote(row) for row in rows]


async def list_expired_quotes_for_update(conn: Connection, today: date, limit: int) -> list[Quote]:
    """Sent quotes whose last day has passed; those another replica works on are left to it."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE state = 'sent' AND valid_until < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        today,
        limit,
    )
    return [_quote(row) for row in rows]


async def list_quotes(
    conn: Connection, *, flow_id: UUID | None, opportunity_id: UUID | None, after: UUID | None, limit: int
) -> list[Quote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::uuid IS NULL OR opportunity_id = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(flow_id, opportunity_id, after, limit),
    )
    return [_quote(row) for row in rows]


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


def _split(value: Money | None) -> tuple[Any, Any]:
    return (None, None) if value is None else (value.amount, value.currency)


def _opportunity(row: Any, wanted: UUID | None = None) -> Opportunity:
    if row is None:
        raise NotFound(f"no opportunity {wanted}")
    fields = dict(row)
    amount, currency = fields.pop("amount"), fields.pop("currency")
    return Opportunity(**fields, value=None if amount is None else Money.of(amount, currency))


def _quote(row: Any, wanted: UUID | None = None) -> Quote:
    if row is None:
        raise NotFound(f"no quote {wanted}")
    fields = dict(row)
    currency = fields.pop("currency")
    fields["net"] = Money.of(fields["net"], currency)
    fields["customer"] = Customer.model_validate(fields["customer"])
    fields["lines"] = tuple(Line.model_validate(line) for line in fields["lines"])
    return Quote(**fields)
