"""SQL of the audit: numbers, sub-ledgers and ledger against each other, as of a day."""

from datetime import date

from ltc_chassis.connection import Connection

from billing_svc.domain.audit import MOST, Audit, Difference, Doubled, Gap, Unbooked, WrongAmount, WrongEntry


async def audit(conn: Connection, as_of: date, today: date) -> Audit:
    """Everything that is wrong as of the end of a day. Kept amounts and counters are of now, so they are looked at from today on only."""
    current = as_of >= today
    return Audit(
        as_of=as_of,
        compared=await _compare(conn, as_of),
        gaps=await _list_gaps(conn, as_of, current=current),
        doubled=await _list_doubled(conn, as_of, current=current),
        amounts=await _list_wrong_amounts(conn) if current else (),
        entries=await _list_wrong_entries(conn, as_of),
        unbooked=await _list_unbooked(conn, as_of),
    )


async def _compare(conn: Connection, as_of: date) -> tuple[Difference, ...]:
    rows = await conn.fetch(
        """
        WITH documents AS (
            SELECT account, currency, sum(amount) AS amount FROM subledger_movement WHERE counts_on <= $1 GROUP BY account, currency),
        booked AS (
            SELECT l.account, l.currency, coalesce(sum(l.debit - l.credit) FILTER (WHERE e.booked_on <= $1), 0) AS amount,
                   coalesce(sum(l.debit - l.credit) FILTER (WHERE e.booked_on > $1), 0) AS later
            FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id JOIN ledger_account a ON a.code = l.account AND a.control
            WHERE e.occurred_on <= $1 GROUP BY l.account, l.currency)
        SELECT account, currency, coalesce(d.amount, 0) AS sub_ledger, coalesce(b.amount, 0) AS ledger, coalesce(b.later, 0) AS booked_later
        FROM documents d FULL JOIN booked b USING (account, currency) ORDER BY account, currency
        """,
        as_of,
    )
    return tuple(Difference(**dict(row)) for row in rows)


async def _list_gaps(conn: Connection, as_of: date, *, current: bool) -> tuple[Gap, ...]:
    """A number below the highest of the day that no document of any day has."""
    rows = await conn.fetch(
        """
        WITH dated AS (
            SELECT series, year, max(count) AS last FROM numbered_document WHERE dated_on <= $1 GROUP BY series, year
            UNION ALL SELECT series, year, last FROM number_series WHERE $2),
        reach AS (SELECT series, year, max(last) AS last FROM dated GROUP BY series, year),
        numbers AS (
            SELECT series, year, count FROM numbered_document UNION ALL SELECT series, year, 0 FROM reach),
        steps AS (
            SELECT series, year, n.count, coalesce(lead(n.count) OVER (PARTITION BY series, year ORDER BY n.count), r.last + 1) AS next
            FROM reach r JOIN numbers n USING (series, year) WHERE n.count <= r.last)
        SELECT series, year, count + 1 AS first, next - 1 AS last FROM steps WHERE next > count + 1
        ORDER BY series, year, count LIMIT $3
        """,
        *(as_of, current, MOST),
    )
    return tuple(Gap(**dict(row)) for row in rows)


async def _list_doubled(conn: Connection, as_of: date, *, current: bool) -> tuple[Doubled, ...]:
    rows = await conn.fetch(
        """
        SELECT min(number) AS number, 'several documents' AS reason FROM numbered_document
        GROUP BY series, year, count HAVING count(*) > 1 AND min(dated_on) <= $1
        UNION ALL
        SELECT d.number, 'above the counter' FROM numbered_document d LEFT JOIN number_series s USING (series, year)
        WHERE $2 AND d.count > coalesce(s.last, 0)
        ORDER BY 1 LIMIT $3
        """,
        *(as_of, current, MOST),
    )
    return tuple(Doubled(**dict(row)) for row in rows)


async def _list_wrong_amounts(conn: Connection) -> tuple[WrongAmount, ...]:
    rows = await conn.fetch(
        """
        SELECT kind, id, number, what, currency, kept, facts FROM kept_amount WHERE kept <> facts
        UNION ALL
        SELECT kind, id, number, what, currency, kept, facts FROM carried_amount WHERE kept <> facts
        ORDER BY 2, 4 LIMIT $1
        """,
        MOST,
    )
    return tuple(WrongAmount(**dict(row)) for row in rows)


async def _list_wrong_entries(conn: Connection, as_of: date) -> tuple[WrongEntry, ...]:
    rows = await conn.fetch(
        """
        WITH known AS (SELECT id, kind, booked_on, invoice_id, payment_id, credit_id, lines, created_at
                       FROM ledger_entry WHERE occurred_on <= $1),
        wrong AS (
            SELECT l.entry_id, 'unbalanced' AS problem, l.currency || ' ' || (sum(l.debit) - sum(l.credit))::text AS detail
            FROM ledger_line l JOIN known k ON k.id = l.entry_id GROUP BY l.entry_id, l.currency HAVING sum(l.debit) <> sum(l.credit)
            UNION ALL
            SELECT k.id, 'lines', count(l.entry_id)::text || ' of ' || k.lines::text
            FROM known k LEFT JOIN ledger_line l ON l.entry_id = k.id GROUP BY k.id, k.lines HAVING count(l.entry_id) <> k.lines
            UNION ALL
            SELECT k.id, 'value', 'differs by ' || sum(v.debit - v.credit)::text
            FROM known k JOIN ledger_value v ON v.entry_id = k.id GROUP BY k.id HAVING sum(v.debit - v.credit) <> 0
            UNION ALL
            SELECT DISTINCT k.id, 'value', 'none' FROM known k JOIN ledger_line l ON l.entry_id = k.id
            WHERE l.currency <> (SELECT currency FROM reporting_currency)
              AND NOT EXISTS (SELECT 1 FROM ledger_valuation v WHERE v.entry_id = k.id)
            UNION ALL
            SELECT l.entry_id, 'headless', count(*)::text || ' lines'
            FROM ledger_line l LEFT JOIN ledger_entry e ON e.id = l.entry_id WHERE e.id IS NULL GROUP BY l.entry_id
            UNION ALL
            SELECT l.entry_id, 'account', l.account FROM ledger_line l JOIN known k ON k.id = l.entry_id
            WHERE NOT EXISTS (SELECT 1 FROM ledger_account a WHERE a.code = l.account)
            UNION ALL
            SELECT k.id, 'document', k.kind FROM known k
            WHERE (k.invoice_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM invoice i WHERE i.id = k.invoice_id))
               OR (k.payment_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.id = k.payment_id))
               OR (k.credit_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM credit_note c WHERE c.id = k.credit_id))
            UNION ALL
            SELECT k.id, 'late', to_char(k.booked_on, 'YYYY-MM') FROM known k
            WHERE EXISTS (SELECT 1 FROM accounting_period p
                          WHERE p.month >= date_trunc('month', k.booked_on)::date AND p.state = 'closed' AND p.updated_at < k.created_at))
        SELECT entry_id, problem, detail FROM wrong ORDER BY entry_id, problem LIMIT $2
        """,
        *(as_of, MOST),
    )
    return tuple(WrongEntry(**dict(row)) for row in rows)


async def _list_unbooked(conn: Connection, as_of: date) -> tuple[Unbooked, ...]:
    rows = await conn.fetch(
        "SELECT kind, id, number FROM unbooked_document WHERE dated_on <= $1 ORDER BY id LIMIT $2", as_of, MOST
    )
    return tuple(Unbooked(**dict(row)) for row in rows)
