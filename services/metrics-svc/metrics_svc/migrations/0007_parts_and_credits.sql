-- What is handed over in parts, comes back, is changed and credited counts, and documents are compared with what they are made of.
ALTER TABLE milestone ADD COLUMN sequence bigint, ADD COLUMN cause text, ADD COLUMN cause_id uuid, ADD COLUMN invoice_id uuid,
                      ADD COLUMN stated numeric, ADD COLUMN prepaid boolean;
CREATE INDEX milestone_invoice ON milestone (invoice_id) WHERE invoice_id IS NOT NULL;

-- The facts that are here already learn what is kept of new ones. Credit notes and refunds, parts, returns and changes had none: nothing
-- told of them before.
ALTER TABLE milestone DISABLE TRIGGER milestone_kept;
UPDATE milestone m SET sequence = e.sequence,
       invoice_id = CASE WHEN m.kind IN ('invoiced', 'allocated', 'overdue', 'paid') THEN (e.data->>'invoice_id')::uuid END,
       cause = CASE m.kind WHEN 'invoiced' THEN 'whole' END,
       cause_id = CASE WHEN m.kind IN ('ordered', 'delivered', 'invoiced') THEN (e.data->>'order_id')::uuid END,
       stated = CASE m.kind WHEN 'invoiced' THEN m.open_after WHEN 'ordered' THEN m.net END,
       open_after = CASE m.kind WHEN 'invoiced' THEN NULL ELSE m.open_after END,
       prepaid = CASE m.kind WHEN 'ordered' THEN coalesce(e.data->>'invoicing', '') = 'on_confirmation' END
FROM event e WHERE e.id = m.event_id AND m.kind IN ('invoiced', 'allocated', 'overdue', 'paid', 'ordered', 'delivered');
ALTER TABLE milestone ENABLE TRIGGER milestone_kept;

-- Each invoice: what still settles it (`applied`), what was taken back, what is open, and what was paid of what was taken back since
-- (`released`). `disagreement` is by how much what was told of it contradicts itself. What is open follows from all versions of an
-- invoice, so while one of them is not known, nothing is said about it.
CREATE FUNCTION invoices(as_of timestamptz, known_at timestamptz, flow uuid DEFAULT NULL)
RETURNS TABLE (flow_id uuid, currency char(3), invoice_id uuid, gross numeric, due_on date, allocated numeric, refunded numeric,
               credited numeric, applied numeric, released numeric, open numeric, disagreement numeric)
LANGUAGE sql STABLE AS $$
    WITH i AS (
        SELECT f.invoice_id, f.currency, min(f.flow_id::text)::uuid AS flow_id, min(f.due_on) FILTER (WHERE f.kind = 'invoiced') AS due_on,
               sum(f.gross) FILTER (WHERE f.kind = 'invoiced') AS gross,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'allocated'), 0) AS allocated,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'refunded'), 0) AS refunded,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'credited'), 0) AS credited,
               coalesce(sum(abs(f.gross - f.stated)), 0)
               + coalesce(sum(f.gross) FILTER (WHERE f.kind = 'invoiced') - max(f.gross) FILTER (WHERE f.kind = 'invoiced'), 0) AS unexplained,
               (array_agg(f.open_after ORDER BY f.sequence DESC, f.open_after) FILTER (WHERE f.open_after IS NOT NULL))[1] AS told,
               count(DISTINCT f.sequence) FILTER (WHERE f.kind <> 'refunded') = max(f.sequence) FILTER (WHERE f.kind <> 'refunded')
               AND NOT bool_or(f.kind = 'refunded') AS complete
        FROM facts($1, $2) f
        WHERE f.invoice_id IS NOT NULL AND ($3 IS NULL OR f.flow_id = $3) AND f.kind IN ('invoiced', 'allocated', 'credited', 'refunded', 'overdue', 'paid', 'settled')
        GROUP BY f.invoice_id, f.currency)
    SELECT i.flow_id, i.currency, i.invoice_id, i.gross, i.due_on, i.allocated, i.refunded, i.credited,
           least(i.allocated - i.refunded, coalesce(i.gross - i.credited, i.allocated - i.refunded)),
           greatest(i.allocated - i.refunded + i.credited - i.gross, 0),
           greatest(i.gross - (i.allocated - i.refunded) - i.credited, 0),
           i.unexplained + coalesce(greatest(i.allocated - i.refunded - i.gross, 0) + greatest(i.credited - i.gross, 0), 0)
           + CASE WHEN i.complete THEN coalesce(abs(greatest(i.gross - i.allocated - i.credited, 0) - i.told), 0) ELSE 0 END
    FROM i
$$;

-- Per flow and currency: what each step that happened says the deal is worth, and by how much facts about the same thing disagree;
-- of one flow, or of all.
-- A step that has not happened yet, or is not known yet, is in transit, never a residual.
DROP FUNCTION conservation(timestamptz, timestamptz);
CREATE FUNCTION conservation(as_of timestamptz, known_at timestamptz, flow uuid DEFAULT NULL)
RETURNS TABLE (flow_id uuid, currency char(3), quoted numeric, contracted numeric, confirmed numeric, ordered numeric, delivered numeric,
               returned numeric, invoiced numeric, gross numeric, paid numeric, credited numeric, refunded numeric, open numeric,
               on_account numeric, cancelled numeric, to_delivery numeric, to_invoice numeric, residual numeric)
LANGUAGE sql STABLE AS $$
    WITH f AS MATERIALIZED (
        SELECT m.* FROM facts($1, $2) m
        WHERE m.flow_id IS NOT NULL AND m.currency IS NOT NULL AND ($3 IS NULL OR m.flow_id = $3)
          AND m.kind IN ('accepted', 'contracted', 'ordered', 'changed', 'handed', 'returned', 'delivered', 'invoiced', 'credited', 'cancelled')),
    s AS (
        SELECT f.flow_id, f.currency,
               sum(f.net) FILTER (WHERE f.kind = 'accepted') AS quoted,
               sum(f.net) FILTER (WHERE f.kind = 'contracted') AS contracted,
               sum(f.net) FILTER (WHERE f.kind = 'ordered') AS confirmed,
               sum(f.net) FILTER (WHERE f.kind = 'changed') AS changed,
               sum(f.net) FILTER (WHERE f.kind = 'handed') AS handed,
               sum(f.net) FILTER (WHERE f.kind = 'returned') AS returned,
               sum(f.net) FILTER (WHERE f.kind = 'delivered') AS whole,
               bool_or(f.kind = 'delivered') AS completed,
               sum(f.net) FILTER (WHERE f.kind = 'cancelled') AS cancelled,
               sum(f.net) FILTER (WHERE f.kind = 'invoiced') AS invoiced,
               sum(f.net) FILTER (WHERE f.kind = 'credited') AS uninvoiced,
               bool_or(f.prepaid) AS prepaid,
               sum(abs(f.net - f.stated)) FILTER (WHERE f.kind IN ('ordered', 'changed', 'handed', 'returned')) AS unexplained
        FROM f GROUP BY f.flow_id, f.currency),
    -- A document and what it is made of.
    pairs AS (
        SELECT p.flow_id, p.currency, sum(p.disagreement) AS disagreement
        FROM (SELECT f.flow_id, f.currency,
                     -- Invoiced twice, or otherwise than it was handed over, delivered as a whole, or ordered and prepaid.
                     coalesce(sum(f.net) FILTER (WHERE f.kind = 'invoiced') - max(f.net) FILTER (WHERE f.kind = 'invoiced'), 0)
                     + coalesce(abs(max(f.net) FILTER (WHERE f.kind = 'invoiced') - sum(f.net) FILTER (WHERE f.kind = 'handed' AND NOT f.prepaid)), 0)
                     + coalesce(abs(max(f.net) FILTER (WHERE f.kind = 'invoiced' AND f.cause = 'whole')
                                    - coalesce(sum(f.net) FILTER (WHERE f.kind = 'ordered' AND f.prepaid),
                                               sum(f.net) FILTER (WHERE f.kind = 'delivered'))), 0)
                     -- More was credited than came back.
                     + coalesce(greatest(sum(f.net) FILTER (WHERE f.kind = 'credited' AND f.cause = 'return')
                                         - sum(f.net) FILTER (WHERE f.kind = 'returned'), 0), 0) AS disagreement
              FROM f WHERE f.cause_id IS NOT NULL GROUP BY f.flow_id, f.currency, f.cause_id) p
        GROUP BY p.flow_id, p.currency),
    bills AS (
        SELECT i.flow_id, i.currency, sum(i.gross) AS gross, sum(i.applied) AS applied, sum(i.credited) AS credited,
               sum(i.refunded) AS refunded, sum(i.open) AS open, sum(i.released) AS released, sum(i.disagreement) AS disagreement
        FROM invoices($1, $2, $3) i WHERE i.flow_id IS NOT NULL GROUP BY i.flow_id, i.currency),
    known AS (SELECT s.flow_id, s.currency FROM s UNION SELECT b.flow_id, b.currency FROM bills b)
    SELECT k.flow_id, k.currency, s.quoted, s.contracted, s.confirmed, s.confirmed + coalesce(s.changed, 0),
           CASE WHEN s.handed IS NULL AND s.whole IS NULL THEN NULL
                ELSE coalesce(s.handed, 0) + CASE WHEN s.handed IS NULL THEN coalesce(s.whole, 0) ELSE 0 END - coalesce(s.returned, 0) END,
           s.returned, s.invoiced, b.gross, coalesce(b.applied, 0), b.credited, b.refunded, b.open, b.released, s.cancelled,
           CASE WHEN s.completed OR s.cancelled IS NOT NULL THEN 0
                ELSE greatest(s.confirmed + coalesce(s.changed, 0) - coalesce(s.handed, 0), 0) END,
           CASE WHEN s.cancelled IS NOT NULL THEN 0
                WHEN s.prepaid THEN greatest(s.confirmed + coalesce(s.changed, 0) - coalesce(s.invoiced, 0), 0)
                ELSE greatest(coalesce(s.handed, s.whole) - coalesce(s.invoiced, 0), 0) END,
           coalesce(abs(s.quoted - s.contracted), 0) + coalesce(abs(s.contracted - s.confirmed), 0)
           + CASE WHEN s.changed IS NULL THEN coalesce(abs(s.confirmed - s.whole), 0) ELSE 0 END
           + CASE WHEN s.cancelled IS NULL THEN 0 ELSE coalesce(s.whole, 0) + coalesce(s.handed, 0) END
           + coalesce(s.unexplained, 0) + coalesce(p.disagreement, 0) + coalesce(b.disagreement, 0)
    FROM known k
    LEFT JOIN s ON s.flow_id = k.flow_id AND s.currency = k.currency
    LEFT JOIN pairs p ON p.flow_id = k.flow_id AND p.currency = k.currency
    LEFT JOIN bills b ON b.flow_id = k.flow_id AND b.currency = k.currency
$$;
