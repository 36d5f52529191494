"""Accounts, their identity and team. Lock order: identities, then accounts in the order of their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from sales_svc.domain.account import MAX_DEPTH, Account, Member, account_key
from sales_svc.store.patterns import containing


async def upsert_account(conn: Connection, account_id: UUID, name: str, country: str | None, now: datetime) -> UUID:
    """The account of a company in a country, new or known; two at once make one, and a merged one leads to its successor."""
    found: UUID = await conn.fetchval(
        """
        WITH named AS (
            INSERT INTO account_identity (kind, value, account_id) VALUES ('name', coalesce($4, '') || '|' || $3, $1)
            ON CONFLICT (kind, value) DO UPDATE SET account_id = account_identity.account_id RETURNING account_id
        ), made AS (
            INSERT INTO account (id, name, name_key, country, created_at, updated_at)
            SELECT $1, $2, $3, $4, $5, $5 FROM named WHERE account_id = $1
        )
        SELECT account_id FROM named
        """,
        *(account_id, name, account_key(name), country, now),
    )
    return found


async def find_account_id(conn: Connection, name: str, country: str | None, domain: str | None) -> UUID | None:
    """The one account that a mention means: by name and country, else by a name or web site that only one account has.

    A country that contradicts excludes an account.
    """
    found: UUID | None = await conn.fetchval(
        """
        SELECT account_id FROM account_identity WHERE kind = 'name' AND value = coalesce($2, '') || '|' || $1
        UNION ALL
        (SELECT (array_agg(id))[1] FROM account
         WHERE name_key = $1 AND merged_into IS NULL AND ($2::text IS NULL OR country IS NULL) HAVING count(*) = 1)
        UNION ALL
        (SELECT (array_agg(id))[1] FROM account
         WHERE domain = $3 AND merged_into IS NULL AND ($2::text IS NULL OR coalesce(country, $2) = $2) HAVING count(*) = 1)
        LIMIT 1
        """,
        *(account_key(name), country, domain),
    )
    return found


async def live_account_id(conn: Connection, account_id: UUID) -> UUID:
    """The account, or the one that it was merged into; from now on no merge moves it until the transaction ends."""
    row = await conn.fetchrow("SELECT id, merged_into FROM account WHERE id = $1 FOR KEY SHARE", account_id)
    if row is None:
        raise NotFound(f"no account {account_id}")
    successor: UUID | None = row["merged_into"]
    return account_id if successor is None else await live_account_id(conn, successor)


async def insert_account(conn: Connection, a: Account) -> None:
    await conn.execute(
        """
        INSERT INTO account (id, name, name_key, country, website, domain, vat_id, industry, segment, region, size, owner,
                             parent_id, merged_into, custom, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        """,
        *(a.id, a.name, account_key(a.name), a.country, a.website, a.domain, a.vat_id, a.industry, a.segment, a.region, a.size),
        *(a.owner, a.parent_id, a.merged_into, a.custom, a.version, a.created_at, a.updated_at),
    )


async def save_account(conn: Connection, a: Account) -> None:
    await conn.execute(
        """
        UPDATE account SET name = $2, name_key = $3, country = $4, website = $5, domain = $6, vat_id = $7, industry = $8,
               segment = $9, region = $10, size = $11, owner = $12, parent_id = $13, merged_into = $14, custom = $15,
               version = $16, updated_at = $17
        WHERE id = $1
        """,
        *(a.id, a.name, account_key(a.name), a.country, a.website, a.domain, a.vat_id, a.industry, a.segment, a.region, a.size),
        *(a.owner, a.parent_id, a.merged_into, a.custom, a.version, a.updated_at),
    )


async def lock_and_complete(
    conn: Connection, account_id: UUID, *, industry: str | None, size: int | None, website: str | None, domain: str | None
) -> None:
    """What a lead tells of the company fills what is empty. The account is locked until the transaction ends."""
    await conn.execute(
        """
        WITH locked AS (SELECT id FROM account WHERE id = $1 FOR NO KEY UPDATE)
        UPDATE account a SET industry = coalesce(industry, $2::text), size = coalesce(size, $3::integer), version = version + 1,
               website = coalesce(website, $4::text), domain = CASE WHEN website IS NULL THEN $5::text ELSE domain END
        FROM locked WHERE a.id = locked.id
          AND ((industry IS NULL AND $2::text IS NOT NULL) OR (size IS NULL AND $3::integer IS NOT NULL)
               OR (website IS NULL AND $4::text IS NOT NULL))
        """,
        *(account_id, industry, size, website, domain),
    )


async def claim_identity(conn: Connection, kind: str, value: str, account_id: UUID) -> UUID:
    """Whose identity it is from now on, or was already."""
    owner: UUID = await conn.fetchval(
        """
        INSERT INTO account_identity (kind, value, account_id) VALUES ($1, $2, $3)
        ON CONFLICT (kind, value) DO UPDATE SET account_id = account_identity.account_id RETURNING account_id
        """,
        *(kind, value, account_id),
    )
    return owner


async def delete_identity(conn: Connection, kind: str, value: str, account_id: UUID) -> None:
    await conn.execute("DELETE FROM account_identity WHERE kind = $1 AND value = $2 AND account_id = $3", kind, value, account_id)


async def lock_identities(conn: Connection, account_ids: Sequence[UUID]) -> None:
    await conn.execute(
        "SELECT 1 FROM account_identity WHERE account_id = ANY($1::uuid[]) ORDER BY kind, value FOR UPDATE", account_ids
    )


async def lock_tree(conn: Connection) -> None:
    """One change of the hierarchy at a time, or two could close a circle. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.account.tree', 0))")


async def list_ancestors(conn: Connection, account_id: UUID) -> list[UUID]:
    """The account itself, its parent, and so on."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE line AS (
            SELECT id, parent_id, 1 AS depth FROM account WHERE id = $1
            UNION ALL
            SELECT a.id, a.parent_id, depth + 1 FROM account a JOIN line ON a.id = line.parent_id WHERE depth <= $2
        )
        SELECT id FROM line ORDER BY depth
        """,
        *(account_id, MAX_DEPTH),
    )
    return [row["id"] for row in rows]


async def height_of(conn: Connection, account_id: UUID) -> int:
    """Levels of the account's subtree; 1 when nothing is below it."""
    levels: int = await conn.fetchval(
        """
        WITH RECURSIVE tree AS (
            SELECT id, 1 AS depth FROM account WHERE id = $1
            UNION ALL
            SELECT a.id, depth + 1 FROM account a JOIN tree ON a.parent_id = tree.id WHERE depth <= $2
        )
        SELECT coalesce(max(depth), 1) FROM tree
        """,
        *(account_id, MAX_DEPTH),
    )
    return levels


async def get_account(conn: Connection, account_id: UUID) -> Account:
    row = await conn.fetchrow(
        """
        SELECT id, name, country, website, domain, vat_id, industry, segment, region, size, owner, parent_id, merged_into,
               custom, version, created_at, updated_at
        FROM account WHERE id = $1
        """,
        account_id,
    )
    return _account(row, account_id)


async def get_account_for_update(conn: Connection, account_id: UUID) -> Account:
    """Others may still refer to it meanwhile: a new deal does not wait for a change of the telephone number."""
    row = await conn.fetchrow(
        """
        SELECT id, name, country, website, domain, vat_id, industry, segment, region, size, owner, parent_id, merged_into,
               custom, version, created_at, updated_at
        FROM account WHERE id = $1 FOR NO KEY UPDATE
        """,
        account_id,
    )
    return _account(row, account_id)


async def get_account_for_merge(conn: Connection, account_id: UUID) -> Account:
    """Nobody may begin to refer to it until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT id, name, country, website, domain, vat_id, industry, segment, region, size, owner, parent_id, merged_into,
               custom, version, created_at, updated_at
        FROM account WHERE id = $1 FOR UPDATE
        """,
        account_id,
    )
    return _account(row, account_id)


async def list_accounts(
    conn: Connection,
    *,
    text: str | None,
    filters: dict[str, Any],
    after: UUID | None,
    limit: int,
) -> list[Account]:
    """Live accounts in the order of their ids; `text` is contained in the name, or the name is like it."""
    rows = await conn.fetch(
        """
        SELECT id, name, country, website, domain, vat_id, industry, segment, region, size, owner, parent_id, merged_into,
               custom, version, created_at, updated_at
        FROM account a
        WHERE merged_into IS NULL
          AND ($1::text IS NULL OR name_key LIKE $1 OR name_key % $13)
          AND ($2::text IS NULL OR owner = $2) AND ($3::text IS NULL OR segment = $3) AND ($4::text IS NULL OR industry = $4)
          AND ($5::text IS NULL OR region = $5) AND ($6::text IS NULL OR country = $6) AND ($7::text IS NULL OR domain = $7)
          AND ($8::text IS NULL OR vat_id = $8) AND ($9::uuid IS NULL OR parent_id = $9)
          AND ($10::text IS NULL OR EXISTS (SELECT 1 FROM account_member m WHERE m.account_id = a.id AND m.member = $10))
          AND ($11::uuid IS NULL OR id > $11)
        ORDER BY id LIMIT $12
        """,
        None if text is None else containing(account_key(text)),
        *(filters.get(name) for name in ("owner", "segment", "industry", "region", "country", "domain", "vat_id", "parent_id")),
        *(filters.get("member"), after, limit, None if text is None else account_key(text)),
    )
    return [_account(row) for row in rows]


async def list_duplicates(conn: Connection, account: Account, limit: int) -> list[tuple[Account, list[str]]]:
    """Live accounts that may be the same company, and by what: vat_id, domain, name; the most alike first."""
    rows = await conn.fetch(
        """
        SELECT id, name, country, website, domain, vat_id, industry, segment, region, size, owner, parent_id, merged_into,
               custom, version, created_at, updated_at,
               array_remove(ARRAY[CASE WHEN vat_id = $3 THEN 'vat_id' END, CASE WHEN domain = $4 THEN 'domain' END,
                                  CASE WHEN similarity(name_key, $2) >= 0.6 THEN 'name' END], NULL) AS kinds
        FROM account
        WHERE merged_into IS NULL AND id <> $1
          AND ((name_key % $2 AND similarity(name_key, $2) >= 0.6) OR domain = $4 OR vat_id = $3)
        ORDER BY similarity(name_key, $2) DESC, id LIMIT $5
        """,
        *(account.id, account_key(account.name), account.vat_id, account.domain, limit),
    )
    return [(_account({name: value for name, value in row.items() if name != "kinds"}), row["kinds"]) for row in rows]


async def list_members(conn: Connection, account_id: UUID) -> list[Member]:
    rows = await conn.fetch("SELECT member, role FROM account_member WHERE account_id = $1 ORDER BY member", account_id)
    return [Member(row["member"], row["role"]) for row in rows]


async def members_of(conn: Connection, account_ids: Sequence[UUID]) -> dict[UUID, list[Member]]:
    """The teams of several accounts; one without a team is left out."""
    rows = await conn.fetch(
        "SELECT account_id, member, role FROM account_member WHERE account_id = ANY($1::uuid[]) ORDER BY member", account_ids
    )
    teams: dict[UUID, list[Member]] = {}
    for row in rows:
        teams.setdefault(row["account_id"], []).append(Member(row["member"], row["role"]))
    return teams


async def reps_of(conn: Connection, account_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Who has an open deal with each customer; those with whom nobody has one are left out."""
    rows = await conn.fetch(
        """
        SELECT account_id, array_agg(DISTINCT owner ORDER BY owner) AS reps FROM opportunity
        WHERE account_id = ANY($1::uuid[]) AND stage NOT IN ('won', 'lost') AND owner IS NOT NULL GROUP BY account_id
        """,
        account_ids,
    )
    return {row["account_id"]: row["reps"] for row in rows}


async def replace_members(conn: Connection, account_id: UUID, members: Sequence[Member]) -> None:
    await conn.execute("DELETE FROM account_member WHERE account_id = $1", account_id)
    await conn.execute(
        "INSERT INTO account_member (account_id, member, role) SELECT $1, * FROM unnest($2::text[], $3::text[])",
        *(account_id, [each.member for each in members], [each.role for each in members]),
    )


@dataclass(frozen=True, slots=True)
class Rolled:
    """Deals of one currency (none: without a value), of the account itself or of those below it, open or won."""

    own: bool
    won: bool
    deals: int
    value: Money | None


async def rollup(conn: Connection, account_id: UUID) -> list[Rolled]:
    """Open and won deals of the account and of everything below it."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE tree AS (
            SELECT id, 1 AS depth FROM account WHERE id = $1
            UNION ALL
            SELECT a.id, depth + 1 FROM account a JOIN tree ON a.parent_id = tree.id WHERE depth <= $2
        )
        SELECT o.currency, o.account_id = $1 AS own, o.stage = 'won' AS won, count(*) AS deals, sum(o.amount) AS amount
        FROM opportunity o JOIN tree ON tree.id = o.account_id WHERE o.stage <> 'lost'
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        *(account_id, MAX_DEPTH),
    )
    return [
        Rolled(row["own"], row["won"], row["deals"], None if row["amount"] is None else Money.of(row["amount"], row["currency"]))
        for row in rows
    ]


async def count_below(conn: Connection, account_id: UUID) -> int:
    """Accounts below this one, on all levels."""
    number: int = await conn.fetchval(
        """
        WITH RECURSIVE tree AS (
            SELECT id, 1 AS depth FROM account WHERE id = $1
            UNION ALL
            SELECT a.id, depth + 1 FROM account a JOIN tree ON a.parent_id = tree.id WHERE depth <= $2
        )
        SELECT count(*) - 1 FROM tree
        """,
        *(account_id, MAX_DEPTH),
    )
    return number


async def move_everything(conn: Connection, loser: UUID, winner: UUID) -> None:
    """What hangs on the loser hangs on the winner: identities, tombstones, children, team, deals (with quotes and contracts), activities."""
    for statement in _MOVES:
        await conn.execute(statement, loser, winner)


_MOVES = (
    "UPDATE account_identity SET account_id = $2 WHERE account_id = $1",
    "UPDATE account SET merged_into = $2 WHERE merged_into = $1",
    "UPDATE account SET parent_id = $2 WHERE parent_id = $1 AND id <> $2",
    """
    WITH gone AS (DELETE FROM account_member WHERE account_id = $1 RETURNING member, role)
    INSERT INTO account_member (account_id, member, role) SELECT $2, member, role FROM gone ON CONFLICT DO NOTHING
    """,
    "UPDATE opportunity SET account_id = $2 WHERE account_id = $1",
    "UPDATE activity SET account_id = $2 WHERE account_id = $1",
    "UPDATE held_lead SET account_id = $2 WHERE account_id = $1",
)


def _account(row: Any, wanted: UUID | None = None) -> Account:
    if row is None:
        raise NotFound(f"no account {wanted}")
    return Account(**dict(row))
