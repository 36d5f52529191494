"""What hangs on leads whose person was erased."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from sales_svc.domain.contact import ERASED


async def insert_erased_leads(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> None:
    await conn.execute(
        "INSERT INTO erased_lead (lead_id, erased_at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING", lead_ids, now
    )


async def is_erased(conn: Connection, lead_id: UUID) -> bool:
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM erased_lead WHERE lead_id = $1)", lead_id)
    return found


async def list_contacts_of_leads(conn: Connection, lead_ids: Sequence[UUID]) -> list[Any]:
    """The person as a contact, at other customers, too: those with the same address. Id, name, e-mail and phone, in the order of the ids."""
    return await conn.fetch(
        """
        WITH own AS (
            SELECT c.id, c.email_key FROM contact c WHERE c.id IN (
                SELECT contact_id FROM opportunity WHERE lead_id = ANY($1::uuid[])
                UNION SELECT contact_id FROM held_lead WHERE lead_id = ANY($1::uuid[]))
        )
        SELECT c.id, c.name, c.email, c.phone FROM contact c
        WHERE c.id IN (SELECT id FROM own) OR c.email_key IN (SELECT email_key FROM own) ORDER BY c.id LIMIT 10000
        """,
        lead_ids,
    )


async def flows_of(conn: Connection, lead_ids: Sequence[UUID]) -> list[UUID]:
    rows = await conn.fetch(
        """
        SELECT flow_id FROM opportunity WHERE lead_id = ANY($1::uuid[])
        UNION SELECT flow_id FROM held_lead WHERE lead_id = ANY($1::uuid[])
        """,
        lead_ids,
    )
    return [row["flow_id"] for row in rows]


async def recipients(conn: Connection, emails: Sequence[str]) -> list[str]:
    """These addresses as mails were sent to them."""
    rows = await conn.fetch("SELECT DISTINCT recipient FROM mail WHERE lower(recipient) = ANY($1::text[])", list(emails))
    return [row["recipient"] for row in rows]


async def links_mailed_to(conn: Connection, lead_ids: Sequence[UUID]) -> list[str]:
    """Where links to the offers of these leads were sent, in lower case; of private deals only, since a company has more people."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT lower(l.mailed_to) AS address FROM quote_link l JOIN quote q ON q.id = l.quote_id
        JOIN opportunity o ON o.id = q.opportunity_id
        WHERE o.lead_id = ANY($1::uuid[]) AND o.company IS NULL AND l.mailed_to IS NOT NULL
        """,
        lead_ids,
    )
    return [row["address"] for row in rows]


async def list_private_accounts(conn: Connection, lead_ids: Sequence[UUID], name_keys: Sequence[str]) -> list[UUID]:
    """Customers with one of these names in the deals of the leads, locked; without those who signed a contract."""
    rows = await conn.fetch(
        """
        SELECT a.id FROM account a WHERE a.name_key = ANY($2::text[]) AND a.id IN (
            SELECT o.account_id FROM opportunity o WHERE o.lead_id = ANY($1::uuid[])
            UNION SELECT (q.customer->>'customer_id')::uuid FROM quote q JOIN opportunity o ON o.id = q.opportunity_id
                  WHERE o.lead_id = ANY($1::uuid[]))
          AND NOT EXISTS (SELECT 1 FROM contract c JOIN quote q ON q.id = c.quote_id
                          WHERE c.state = 'signed' AND (q.customer->>'customer_id')::uuid = a.id)
        ORDER BY a.id FOR UPDATE
        """,
        *(lead_ids, list(name_keys)),
    )
    return [row["id"] for row in rows]


async def erase_accounts(conn: Connection, account_ids: Sequence[UUID], now: datetime) -> None:
    """Private customers lose their names, and are found by them no more."""
    ids = list(account_ids)
    await conn.execute("DELETE FROM account_identity WHERE account_id = ANY($1::uuid[])", ids)
    await conn.execute(
        """
        UPDATE account SET name = $2, name_key = $2, website = NULL, domain = NULL, vat_id = NULL, custom = '{}', version = version + 1,
               updated_at = $3
        WHERE id = ANY($1::uuid[])
        """,
        *(ids, ERASED, now),
    )
    await conn.execute(
        """
        UPDATE change_log SET changes = (SELECT coalesce(jsonb_object_agg(k, 'null'::jsonb), '{}') FROM jsonb_object_keys(changes) AS k)
        WHERE entity = 'account' AND entity_id = ANY($1::text[])
        """,
        [str(each) for each in ids],
    )


async def erase_deals(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> None:
    """Texts about the person, and the name of a deal with a private person, which is theirs; again, nothing changes."""
    await conn.execute(
        """
        UPDATE opportunity t SET name = n.name, lost_reason = n.lost_reason, next_step = n.next_step, custom = n.custom, version = version + 1,
               updated_at = $3
        FROM (SELECT o.id, CASE WHEN o.company IS NULL THEN $2 ELSE o.name END AS name,
                     CASE WHEN o.lost_reason IS NOT NULL THEN $2 END AS lost_reason,
                     CASE WHEN o.next_step IS NOT NULL THEN $2 END AS next_step,
                     (SELECT coalesce(jsonb_object_agg(v.key, v.value), '{}') FROM jsonb_each(o.custom) AS v
                      WHERE EXISTS (SELECT 1 FROM custom_field f WHERE f.entity = 'opportunity' AND f.key = v.key AND NOT f.personal))
                     AS custom
              FROM opportunity o WHERE o.lead_id = ANY($1::uuid[]) ORDER BY o.id FOR UPDATE) AS n
        WHERE t.id = n.id AND (t.name, t.lost_reason, t.next_step, t.custom) IS DISTINCT FROM (n.name, n.lost_reason, n.next_step, n.custom)
        """,
        *(lead_ids, ERASED, now),
    )
