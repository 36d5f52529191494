-- Links to offers: to whom, when they were looked at, and one reminder before the last day. What a customer says by one.
ALTER TABLE quote_link
    ADD COLUMN name           text,
    ADD COLUMN remind_on      date,
    ADD COLUMN reminded_at    timestamptz,
    ADD COLUMN last_opened_at timestamptz,
    ADD COLUMN looks          integer NOT NULL DEFAULT 0 CHECK (looks >= 0),
    ADD CHECK (remind_on IS NULL OR mailed_to IS NOT NULL);
CREATE INDEX quote_link_to_remind ON quote_link (remind_on, id)
    WHERE remind_on IS NOT NULL AND reminded_at IS NULL AND revoked_at IS NULL;

-- In what role, where to reach, under which order number of the customer's own, and the sentence that was ticked.
ALTER TABLE quote_answer
    ADD COLUMN role            text,
    ADD COLUMN email           text,
    ADD COLUMN order_reference text,
    ADD COLUMN consent         text;

-- The words are in the task; here, that the same question sent twice is one.
CREATE TABLE quote_question (
    link_id     uuid NOT NULL REFERENCES quote_link,
    digest      char(64) NOT NULL,
    activity_id uuid NOT NULL REFERENCES activity,
    asked_at    timestamptz NOT NULL,
    PRIMARY KEY (link_id, digest)
);

-- Where a rep is told what customers say.
ALTER TABLE rep ADD COLUMN email text;
