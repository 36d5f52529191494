-- What a credit note sets free of what was paid is told by itself (`payment.unapplied`), so what still settles an invoice follows from what
-- was told, in whatever order credits, payments taken off and refunds came.
DROP FUNCTION invoices(timestamptz, timestamptz, uuid);
-- Each invoice: what still settles it (`applied`), what was taken back or void (`credited`), what was given up less what was recovered
-- (`written_off`), what is open, and what was paid of what was taken back since (`released`). `disagreement` is by how much what was told
-- of it contradicts itself. What is open follows from all versions of an invoice, so while one of them is not known, nothing is said
-- about it. `refunded` is what settles it no longer: it went back, or was taken off.
CREATE FUNCTION invoices(as_of timestamptz, known_at timestamptz, flow uuid DEFAULT NULL)
RETURNS TABLE (flow_id uuid, currency char(3), invoice_id uuid, gross numeric, due_on date, allocated numeric, refunded numeric,
               credited numeric, written_off numeric, applied numeric, released numeric, open numeric, disagreement numeric)
LANGUAGE sql STABLE AS $$
    WITH i AS (
        SELECT f.invoice_id, f.currency, min(f.flow_id::text)::uuid AS flow_id, min(f.due_on) FILTER (WHERE f.kind = 'invoiced') AS due_on,
               sum(f.gross) FILTER (WHERE f.kind = 'invoiced') AS gross,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'allocated'), 0) AS allocated,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'refunded' OR (f.kind = 'unapplied' AND f.cause IS NULL)), 0) AS refunded,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'unapplied' AND f.cause = 'credit'), 0) AS freed,
               coalesce(sum(f.gross) FILTER (WHERE f.kind = 'credited'), 0) AS credited,
               coalesce(sum(CASE f.kind WHEN 'written_off' THEN f.gross ELSE -f.gross END)
                        FILTER (WHERE f.kind IN ('written_off', 'recovered')), 0) AS written_off,
               coalesce(sum(abs(f.gross - f.stated)), 0)
               + coalesce(sum(f.gross) FILTER (WHERE f.kind = 'invoiced') - max(f.gross) FILTER (WHERE f.kind = 'invoiced'), 0) AS unexplained,
               (array_agg(f.open_after ORDER BY f.sequence DESC, f.open_after) FILTER (WHERE f.open_after IS NOT NULL))[1] AS told,
               coalesce(count(DISTINCT f.sequence) FILTER (WHERE f.kind <> 'refunded')
                        = max(f.sequence) FILTER (WHERE f.kind <> 'refunded'), false) AS all_known,
               -- The latest that is known neither is a credit note nor what one sets free: then all that it sets free is known.
               max(f.sequence) FILTER (WHERE f.kind <> 'refunded')
               = max(f.sequence) FILTER (WHERE f.kind NOT IN ('refunded', 'credited', 'paid', 'settled')
                                               AND NOT (f.kind = 'unapplied' AND f.cause IS NOT NULL)) AS all_freed,
               bool_or(f.kind = 'refunded') AS gone
        FROM facts($1, $2) f
        WHERE f.invoice_id IS NOT NULL AND ($3 IS NULL OR f.flow_id = $3)
          AND f.kind IN ('invoiced', 'allocated', 'credited', 'refunded', 'unapplied', 'written_off', 'recovered', 'disputed', 'undisputed',
                         'overdue', 'paid', 'settled')
        GROUP BY f.invoice_id, f.currency),
    k AS (
        SELECT i.*, i.allocated - i.refunded - i.freed AS kept,
               least(i.allocated - i.refunded - i.freed, coalesce(i.gross - i.credited, i.allocated - i.refunded - i.freed)) AS applied
        FROM i)
    SELECT k.flow_id, k.currency, k.invoice_id, k.gross, k.due_on, k.allocated, k.refunded, k.credited, k.written_off, k.applied,
           -- Older credit notes did not tell what they set free.
           k.freed + greatest(k.kept + k.credited - k.gross, 0), greatest(k.gross - k.kept - k.credited - k.written_off, 0),
           k.unexplained + coalesce(greatest(k.credited - k.gross, 0), 0)
           -- More was paid than claimed, unless it was taken off in between and that is not known yet.
           + CASE WHEN k.all_known OR k.gone THEN coalesce(greatest(k.kept - k.gross, 0), 0) ELSE 0 END
           -- More was given up than was claimed, or what is open is told otherwise.
           + CASE WHEN k.all_known AND NOT k.gone
                  THEN coalesce(greatest(CASE WHEN k.freed > 0 AND k.all_freed THEN k.kept ELSE k.applied END + k.credited + k.written_off - k.gross, 0)
                                + abs(greatest(k.gross - k.kept - k.credited - k.written_off, 0) - k.told), 0)
                  ELSE 0 END
    FROM k
$$;
