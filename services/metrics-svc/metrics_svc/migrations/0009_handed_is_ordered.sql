-- What is delivered is compared with what was ordered and with what is claimed for it, also where it went in parts; and whatever
-- disagrees is named.
ALTER TABLE milestone ADD COLUMN handovers integer, ADD COLUMN last boolean, ADD COLUMN handed numeric, ADD COLUMN ordered numeric,
                      ADD COLUMN short numeric, ADD COLUMN beyond numeric, ADD COLUMN changes integer;

-- The facts that are here already learn what is kept of new ones. Completions until now did not say what was handed over.
ALTER TABLE milestone DISABLE TRIGGER milestone_kept;
UPDATE milestone m SET handovers = coalesce(e.data->>'number', e.data->>'handovers')::integer, last = (e.data->>'last')::boolean,
       ordered = CASE m.kind WHEN 'delivered' THEN (e.data->'net'->>'amount')::numeric END
FROM event e WHERE e.id = m.event_id AND m.kind IN ('handed', 'delivered');
UPDATE milestone m SET currency = e.data->'collected'->>'currency', gross = (e.data->'collected'->>'amount')::numeric
FROM event e WHERE e.id = m.event_id AND m.kind = 'closed';
ALTER TABLE milestone ENABLE TRIGGER milestone_kept;

-- Per flow and currency: what each step that happened says the deal is worth, and by how much facts about the same thing disagree
-- (`residual`, of which `wrong` tells each part and the facts it is about); of one flow, or of all.
-- A step that has not happened yet, or is not known yet, is in transit, never a residual. But an order that ended is not waited for
-- for ever: what nobody credited or invoiced a week after the last thing that happened to it is a residual too.
DROP FUNCTION conservation(timestamptz, timestamptz, uuid);
CREATE FUNCTION conservation(as_of timestamptz, known_at timestamptz, flow uuid DEFAULT NULL)
RETURNS TABLE (flow_id uuid, currency char(3), quoted numeric, contracted numeric, confirmed numeric, ordered numeric, delivered numeric,
               returned numeric, short numeric, beyond numeric, invoiced numeric, gross numeric, paid numeric, credited numeric,
               refunded numeric, open numeric, on_account numeric, cancelled numeric, to_delivery numeric, to_invoice numeric,
               to_credit numeric, residual numeric, wrong jsonb)
LANGUAGE sql STABLE AS $$
    WITH f AS MATERIALIZED (
        SELECT m.* FROM facts($1, $2) m
        WHERE m.flow_id IS NOT NULL AND m.currency IS NOT NULL AND ($3 IS NULL OR m.flow_id = $3)
          AND m.kind IN ('accepted', 'contracted', 'ordered', 'changed', 'handed', 'returned', 'delivered', 'invoiced', 'credited',
                         'cancelled', 'closed')),
    -- Each hand-over counts once, whatever ids it was told under: it has a number.
    numbers AS (
        SELECT f.flow_id, f.currency, f.handovers AS number, max(f.net) AS net, abs(sum(f.net) - max(f.net)) AS doubled,
               bool_or(f.last) AS last
        FROM f WHERE f.kind = 'handed' GROUP BY f.flow_id, f.currency, f.handovers),
    parts AS (
        SELECT n.flow_id, n.currency, sum(n.net) AS handed, count(*) AS known, max(n.number) AS latest
        FROM numbers n GROUP BY n.flow_id, n.currency),
    -- A document and what it is made of.
    causes AS (
        SELECT f.flow_id, f.currency, f.cause_id,
               max(f.net) FILTER (WHERE f.kind = 'returned') AS returned,
               sum(f.net) FILTER (WHERE f.kind = 'returned') - max(f.net) FILTER (WHERE f.kind = 'returned') AS returned_again,
               sum(f.net) FILTER (WHERE f.kind = 'changed') - max(f.net) FILTER (WHERE f.kind = 'changed') AS changed_again,
               sum(f.net) FILTER (WHERE f.kind = 'invoiced') - max(f.net) FILTER (WHERE f.kind = 'invoiced') AS invoiced_again,
               -- Otherwise than it was handed over, delivered as a whole, or ordered and prepaid.
               coalesce(abs(max(f.net) FILTER (WHERE f.kind = 'invoiced') - max(f.net) FILTER (WHERE f.kind = 'handed' AND NOT f.prepaid)), 0)
               + coalesce(abs(max(f.net) FILTER (WHERE f.kind = 'invoiced' AND f.cause = 'whole')
                              - coalesce(sum(f.net) FILTER (WHERE f.kind = 'ordered' AND f.prepaid),
                                         sum(f.net) FILTER (WHERE f.kind = 'delivered'))), 0) AS invoiced_otherwise,
               -- What is prepaid is credited line by line: a cent that was rounded otherwise may come with a return.
               greatest(sum(f.net) FILTER (WHERE f.kind = 'credited' AND f.cause = 'return')
                        - max(f.net) FILTER (WHERE f.kind = 'returned' AND NOT f.prepaid), 0) AS credited_beyond,
               greatest(coalesce(max(f.net) FILTER (WHERE f.kind = 'returned'), -min(f.net) FILTER (WHERE f.kind = 'changed'))
                        - coalesce(sum(f.net) FILTER (WHERE f.kind = 'credited'), 0), 0) AS to_credit
        FROM f WHERE f.cause_id IS NOT NULL GROUP BY f.flow_id, f.currency, f.cause_id),
    caused AS (
        SELECT c.flow_id, c.currency, sum(c.returned) AS returned, sum(c.to_credit) AS to_credit
        FROM causes c GROUP BY c.flow_id, c.currency),
    bills AS (
        SELECT i.flow_id, i.currency, sum(i.gross) AS gross, sum(i.applied) AS applied, sum(i.credited) AS credited,
               sum(i.refunded) AS refunded, sum(i.open) AS open, sum(i.released) AS released,
               array_agg(i.invoice_id) FILTER (WHERE i.disagreement <> 0) AS invoice_ids,
               array_agg(i.disagreement) FILTER (WHERE i.disagreement <> 0) AS disagreements
        FROM invoices($1, $2, $3) i WHERE i.flow_id IS NOT NULL GROUP BY i.flow_id, i.currency),
    s AS (
        SELECT f.flow_id, f.currency,
               sum(f.net) FILTER (WHERE f.kind = 'accepted') AS quoted,
               sum(f.net) FILTER (WHERE f.kind = 'contracted') AS contracted,
               sum(f.net) FILTER (WHERE f.kind = 'ordered') AS confirmed,
               sum(f.net) FILTER (WHERE f.kind = 'ordered')
               + coalesce(sum(f.net) FILTER (WHERE f.kind = 'changed'), 0) AS ordered,
               count(*) FILTER (WHERE f.kind = 'changed') AS changes,
               sum(f.net) FILTER (WHERE f.kind = 'delivered') AS whole,
               coalesce(bool_or(f.kind = 'delivered'), false) AS completed,
               max(f.handovers) FILTER (WHERE f.kind = 'delivered') AS handovers_told,
               max(f.handed) AS handed_told, max(f.ordered) AS ordered_told, max(f.changes) AS changes_told,
               max(f.short) AS short, max(f.beyond) AS beyond,
               sum(f.net) FILTER (WHERE f.kind = 'cancelled') AS cancelled,
               sum(f.net) FILTER (WHERE f.kind = 'invoiced') AS invoiced,
               coalesce(sum(f.net) FILTER (WHERE f.kind = 'credited'), 0) AS uninvoiced,
               coalesce(sum(f.net) FILTER (WHERE f.kind = 'credited' AND f.cause <> 'manual'), 0) AS uninvoiced_by_facts,
               coalesce(bool_or(f.prepaid), false) AS prepaid,
               bool_or(f.kind IN ('closed', 'cancelled'))
               AND max(greatest(f.occurred_at, f.recorded_at)) FILTER (
                   WHERE f.kind IN ('changed', 'handed', 'returned', 'delivered', 'cancelled', 'closed')) + interval '7 days'
                   <= least($1, $2) AS rests
        FROM f GROUP BY f.flow_id, f.currency),
    d AS (
        SELECT s.*, p.handed, p.known, p.latest, c.returned, coalesce(c.to_credit, 0) AS credits_due,
               -- Whether everything that was handed over is known.
               s.cancelled IS NOT NULL OR s.whole IS NOT NULL
               OR (s.completed AND coalesce(p.known, 0) = s.handovers_told AND coalesce(p.latest, 0) = s.handovers_told) AS all_told,
               -- What is claimed, and what may be: what the customer keeps. Of what is prepaid it is, until all of it is delivered, the
               -- order less what came back; but what went beyond the order in place of that is claimed again.
               coalesce(s.invoiced, 0) - s.uninvoiced AS claimed,
               CASE WHEN s.cancelled IS NOT NULL THEN 0
                    WHEN s.prepaid AND NOT s.completed
                    THEN s.ordered - coalesce(c.returned, 0) + least(coalesce(greatest(p.handed - s.ordered, 0), 0), coalesce(c.returned, 0))
                    ELSE coalesce(p.handed, s.whole, 0) - coalesce(c.returned, 0) END AS claimable
        FROM s LEFT JOIN parts p ON p.flow_id = s.flow_id AND p.currency = s.currency
        LEFT JOIN caused c ON c.flow_id = s.flow_id AND c.currency = s.currency),
    -- Each disagreement, with what the facts that disagree have in common beside their flow.
    wrong AS (
        SELECT d.flow_id, d.currency, w.what, w.amount, w.kinds, NULL::uuid AS cause_id, NULL::uuid AS invoice_id,
               NULL::uuid AS event_id, NULL::integer AS number
        FROM d CROSS JOIN LATERAL (VALUES
            ('contracted_otherwise', abs(d.quoted - d.contracted), '{accepted,contracted}'::text[]),
            ('ordered_otherwise', abs(d.contracted - d.confirmed), '{contracted,ordered}'),
            ('delivered_otherwise_than_ordered',
             CASE WHEN d.whole IS NOT NULL AND (d.changes = 0 OR d.rests) THEN abs(d.ordered - d.whole)
                  WHEN d.whole IS NULL AND (d.changes >= d.changes_told OR d.rests AND d.changes_told IS NULL)
                  THEN abs(d.ordered - d.ordered_told) END, '{ordered,changed,delivered}'),
            ('handed_over_otherwise', CASE WHEN d.all_told THEN abs(coalesce(d.handed, 0) - d.handed_told) END, '{handed,delivered}'),
            ('cancelled_otherwise', CASE WHEN d.rests THEN abs(d.ordered - d.cancelled) END, '{ordered,changed,cancelled}'),
            ('cancelled_and_delivered',
             CASE WHEN d.cancelled IS NOT NULL THEN coalesce(d.whole, 0) + coalesce(d.handed, 0) END, '{cancelled,handed,delivered}'),
            ('not_credited', CASE WHEN d.rests AND d.all_told THEN greatest(d.claimed - d.claimable, 0) END,
             '{returned,changed,cancelled,closed}'),
            ('not_invoiced',
             CASE WHEN d.rests AND d.all_told AND d.cancelled IS NULL
                  THEN CASE WHEN d.prepaid
                            THEN greatest(d.claimable - coalesce(d.invoiced, 0) + d.uninvoiced_by_facts, 0)
                            ELSE greatest(coalesce(d.handed, d.whole) - coalesce(d.invoiced, 0), 0) END END,
             CASE WHEN d.handed IS NULL THEN '{ordered,changed,delivered,closed}'::text[]
                  WHEN d.prepaid THEN '{ordered,changed,handed,credited,closed}' ELSE '{handed,closed}' END)
        ) AS w (what, amount, kinds) WHERE w.amount <> 0
        UNION ALL
        SELECT n.flow_id, n.currency, w.what, w.amount, w.kinds, NULL, NULL, NULL, w.number
        FROM numbers n JOIN d ON d.flow_id = n.flow_id AND d.currency = n.currency CROSS JOIN LATERAL (VALUES
            ('handed_over_twice', n.doubled, '{handed}'::text[], n.number),
            -- One more than the completion counts, or the last of them is not the one that it counts as the last.
            ('handovers_miscounted',
             CASE WHEN n.number > d.handovers_told
                       OR n.number < d.handovers_told AND (n.last OR d.rests AND n.number = d.latest AND d.handed = d.handed_told)
                  THEN abs(n.net) END, '{handed,delivered}', NULL)) AS w (what, amount, kinds, number)
        WHERE w.amount <> 0
        UNION ALL
        SELECT c.flow_id, c.currency, w.what, w.amount, w.kinds, c.cause_id, NULL, NULL, NULL
        FROM causes c CROSS JOIN LATERAL (VALUES
            ('returned_twice', abs(c.returned_again), '{returned}'::text[]),
            ('changed_twice', abs(c.changed_again), '{changed}'),
            ('invoiced_twice', abs(c.invoiced_again), '{invoiced}'),
            ('invoiced_otherwise', c.invoiced_otherwise, '{invoiced,handed,ordered,delivered}'),
            ('credited_beyond', c.credited_beyond, '{credited,returned}')) AS w (what, amount, kinds)
        WHERE w.amount <> 0
        UNION ALL
        SELECT f.flow_id, f.currency, 'contradicts_itself', abs(coalesce(f.handed, f.net) - f.stated), NULL, NULL, NULL, f.event_id, NULL
        FROM f WHERE f.kind IN ('ordered', 'changed', 'handed', 'returned', 'delivered') AND coalesce(f.handed, f.net) <> f.stated
        UNION ALL
        SELECT b.flow_id, b.currency, 'invoice_contradicts_itself', i.amount, NULL, NULL, i.invoice_id, NULL, NULL
        FROM bills b CROSS JOIN LATERAL unnest(b.invoice_ids, b.disagreements) AS i (invoice_id, amount)),
    wrongs AS (
        SELECT w.flow_id, w.currency, sum(w.amount) AS residual,
               jsonb_agg(jsonb_build_object('what', w.what, 'amount', w.amount, 'kinds', w.kinds, 'cause_id', w.cause_id,
                                            'invoice_id', w.invoice_id, 'event_id', w.event_id, 'number', w.number)) AS wrong
        FROM wrong w GROUP BY w.flow_id, w.currency),
    known AS (SELECT d.flow_id, d.currency FROM d UNION SELECT b.flow_id, b.currency FROM bills b)
    SELECT k.flow_id, k.currency, d.quoted, d.contracted, d.confirmed, d.ordered, coalesce(d.handed, d.whole) - coalesce(d.returned, 0),
           d.returned, d.short, d.beyond, d.invoiced, b.gross, coalesce(b.applied, 0), b.credited, b.refunded, b.open, b.released,
           d.cancelled,
           CASE WHEN d.cancelled IS NOT NULL THEN 0
                WHEN d.completed THEN greatest(d.handed_told - coalesce(d.handed, 0), 0)
                ELSE greatest(d.ordered - coalesce(d.handed, 0), 0) END,
           CASE WHEN d.cancelled IS NOT NULL OR d.rests AND d.all_told THEN 0
                WHEN d.prepaid THEN greatest(d.ordered - coalesce(d.invoiced, 0),
                                             d.claimable - coalesce(d.invoiced, 0) + d.uninvoiced_by_facts, 0)
                ELSE greatest(coalesce(d.handed, d.whole) - coalesce(d.invoiced, 0), 0) END,
           CASE WHEN d.rests AND d.all_told THEN 0
                WHEN d.cancelled IS NOT NULL THEN greatest(d.claimed, 0)
                ELSE least(d.credits_due, greatest(d.claimed - d.claimable, 0)) END,
           coalesce(w.residual, 0), w.wrong
    FROM known k
    LEFT JOIN d ON d.flow_id = k.flow_id AND d.currency = k.currency
    LEFT JOIN bills b ON b.flow_id = k.flow_id AND b.currency = k.currency
    LEFT JOIN wrongs w ON w.flow_id = k.flow_id AND w.currency = k.currency
$$;

-- What disagrees, the most first, each with the events that tell it; of one flow, or of all.
CREATE FUNCTION disagreements(as_of timestamptz, known_at timestamptz, flow uuid, most integer)
RETURNS TABLE (flow_id uuid, currency char(3), what text, amount numeric, event_ids uuid[])
LANGUAGE sql STABLE AS $$
    SELECT w.flow_id, w.currency, w.what, w.amount,
           ARRAY(SELECT m.event_id FROM facts($1, $2) m
                 WHERE m.flow_id = w.flow_id AND (w.kinds IS NULL OR m.kind = ANY(w.kinds))
                   AND (w.cause_id IS NULL OR m.cause_id = w.cause_id) AND (w.invoice_id IS NULL OR m.invoice_id = w.invoice_id)
                   AND (w.event_id IS NULL OR m.event_id = w.event_id) AND (w.number IS NULL OR m.handovers = w.number)
                   -- What has its document is not what one is missing for; a change needs one only where it was paid before.
                   AND NOT (w.what = 'not_credited' AND m.kind IN ('returned', 'changed')
                            AND (m.kind = 'changed' AND NOT (m.prepaid AND m.net < 0)
                                 OR abs(m.net) <= (SELECT coalesce(sum(c.net), 0) FROM facts($1, $2) c
                                                   WHERE c.flow_id = m.flow_id AND c.cause_id = m.cause_id AND c.kind = 'credited')))
                   AND NOT (w.what = 'not_invoiced' AND m.kind IN ('ordered', 'handed')
                            AND EXISTS (SELECT 1 FROM facts($1, $2) i
                                        WHERE i.flow_id = m.flow_id AND i.cause_id = m.cause_id AND i.kind = 'invoiced'))
                 ORDER BY m.event_id LIMIT 50)
    FROM (SELECT c.flow_id, c.currency, r.* FROM conservation($1, $2, $3) c
          CROSS JOIN LATERAL jsonb_to_recordset(c.wrong) AS r (what text, amount numeric, kinds text[], cause_id uuid, invoice_id uuid,
                                                               event_id uuid, number integer)
          WHERE c.wrong IS NOT NULL
          ORDER BY r.amount DESC, c.flow_id, r.what LIMIT $4) AS w
$$;
