-- A production of which nothing is heard is seen: when it has to begin, when something is to be heard of it, and what was not.
ALTER TABLE production ADD COLUMN start_on date, ADD COLUMN silence text CHECK (silence IN ('not_begun', 'not_finished')),
                       ADD COLUMN news_due_at timestamptz;
COMMENT ON COLUMN production.news_due_at IS 'computed by domain/silence.py whenever the row is written';
UPDATE production p SET start_on = p.needed_by - s.days,
       news_due_at = CASE WHEN p.state IN ('ordered', 'in_progress') THEN
           greatest(p.created_at, p.as_of, p.expected_end, (p.needed_by + 1)::timestamp AT TIME ZONE 'UTC') END
FROM delivery_step s WHERE s.id = p.step_id;
ALTER TABLE production ALTER COLUMN start_on SET NOT NULL,
    ADD CHECK (silence IS NULL OR state IN ('ordered', 'in_progress')),
    ADD CHECK ((news_due_at IS NOT NULL) = (state IN ('ordered', 'in_progress') AND silence IS NULL));
CREATE INDEX production_news ON production (news_due_at) WHERE news_due_at IS NOT NULL;
DROP INDEX production_stuck;
CREATE INDEX production_stuck ON production (id) WHERE (state = 'failed' AND NOT reordered AND NOT settled) OR silence IS NOT NULL;
