-- Which steps of a line follow each other: what was ordered later, or is delivered again, is a chain of its own.
ALTER TABLE delivery_step ADD COLUMN chain integer NOT NULL DEFAULT 1 CHECK (chain >= 1);
-- So far a chain ends with what hands over other than a milestone; milestones begin anew with the first of them.
UPDATE delivery_step s SET chain = c.chain
FROM (SELECT b.id, (1 + count(*) FILTER (WHERE b.begins) OVER (PARTITION BY b.delivery_id, b.line_id ORDER BY b.position))::int AS chain
      FROM (SELECT e.id, e.delivery_id, e.line_id, e.position,
                   e.position > min(e.position) OVER line
                   AND (lag(e.hands_over AND e.kind <> 'milestone') OVER (PARTITION BY e.delivery_id, e.line_id ORDER BY e.position)
                        OR (e.kind, e.name) IS NOT DISTINCT FROM (first_value(e.kind) OVER line, first_value(e.name) OVER line)) AS begins
            FROM delivery_step e WINDOW line AS (PARTITION BY e.delivery_id, e.line_id ORDER BY e.position)) AS b) AS c
WHERE c.id = s.id AND c.chain > 1;
