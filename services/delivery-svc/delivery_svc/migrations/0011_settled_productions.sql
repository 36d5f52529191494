-- What a production that failed did not make may come to be wanted no more: then nobody has to decide on it.
ALTER TABLE production ADD COLUMN settled boolean NOT NULL DEFAULT false CHECK (NOT settled OR state = 'failed');
UPDATE production p SET settled = true FROM delivery_step s, delivery d
WHERE p.state = 'failed' AND NOT p.reordered AND s.id = p.step_id AND d.id = p.delivery_id
  AND (s.state NOT IN ('planned', 'in_progress') OR d.state NOT IN ('planned', 'in_progress'));
DROP INDEX production_stuck;
CREATE INDEX production_stuck ON production (id) WHERE state = 'failed' AND NOT reordered AND NOT settled;
