-- Quotes as companies send them: positions, discounts, approval, the printed document, links and the customer's answer.
ALTER TABLE quote
    DROP CONSTRAINT quote_state_check,
    ADD CHECK (state IN ('draft', 'pending_approval', 'approved', 'sent', 'accepted', 'rejected', 'expired', 'superseded')),
    ADD COLUMN items            jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN language         text NOT NULL DEFAULT 'en',
    ADD COLUMN contact          text,
    ADD COLUMN address          text[] NOT NULL DEFAULT '{}',
    ADD COLUMN introduction     text NOT NULL DEFAULT '',
    ADD COLUMN terms            text NOT NULL DEFAULT '',
    ADD COLUMN price_book       text,
    ADD COLUMN discount_percent numeric NOT NULL DEFAULT 0 CHECK (discount_percent BETWEEN 0 AND 100),
    ADD COLUMN discount_amount  numeric CHECK (discount_amount >= 0),
    ADD COLUMN created_by       text,
    ADD COLUMN edited_by        text,
    ADD COLUMN copied_from      uuid REFERENCES quote,
    ADD COLUMN sent_at          timestamptz,
    ADD COLUMN closed_reason    text,
    ADD COLUMN custom           jsonb NOT NULL DEFAULT '{}';
CREATE INDEX quote_pending ON quote (id) WHERE state = 'pending_approval';

-- The authority of roles; each change is a version, never edited.
CREATE TABLE approval_policy (
    version integer PRIMARY KEY CHECK (version >= 1),
    levels  jsonb NOT NULL,
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL
);
CREATE TRIGGER approval_policy_kept BEFORE UPDATE OR DELETE ON approval_policy FOR EACH ROW EXECUTE FUNCTION kept_as_written();

CREATE TABLE approval_round (
    quote_id       uuid NOT NULL REFERENCES quote,
    round          integer NOT NULL CHECK (round >= 1),
    policy_version integer NOT NULL REFERENCES approval_policy,
    requested_by   text NOT NULL,
    requested_at   timestamptz NOT NULL,
    figures        jsonb NOT NULL,
    PRIMARY KEY (quote_id, round)
);

CREATE TABLE approval_step (
    quote_id   uuid NOT NULL,
    round      integer NOT NULL,
    position   integer NOT NULL CHECK (position >= 1),
    role       text NOT NULL,
    approvers  text[] NOT NULL,
    reasons    text[] NOT NULL,
    state      text NOT NULL CHECK (state IN ('waiting', 'approved', 'refused', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    comment    text,
    PRIMARY KEY (quote_id, round, position),
    FOREIGN KEY (quote_id, round) REFERENCES approval_round,
    CHECK ((state = 'waiting') = (decided_at IS NULL))
);
CREATE INDEX approval_step_waiting ON approval_step USING gin (approvers) WHERE state = 'waiting';

-- The very bytes a customer gets, printed once.
CREATE TABLE quote_document (
    quote_id   uuid PRIMARY KEY REFERENCES quote,
    pdf        bytea NOT NULL,
    sha256     char(64) NOT NULL,
    letterhead integer,
    printed_at timestamptz NOT NULL
);
CREATE TRIGGER quote_document_kept BEFORE UPDATE OR DELETE ON quote_document FOR EACH ROW EXECUTE FUNCTION kept_as_written();

CREATE TABLE quote_link (
    id         uuid PRIMARY KEY,
    quote_id   uuid NOT NULL REFERENCES quote,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    mailed_to  text,
    opened_at  timestamptz,
    revoked_at timestamptz,
    revoked_by text
);
CREATE INDEX quote_link_quote ON quote_link (quote_id, id);

-- What the customer said, and the proof of it. By link: a typed name, from where, and the digest of the document.
CREATE TABLE quote_answer (
    quote_id   uuid PRIMARY KEY REFERENCES quote,
    answer     text NOT NULL CHECK (answer IN ('accepted', 'rejected')),
    via        text NOT NULL CHECK (via IN ('api', 'link')),
    name       text,
    reason     text,
    by         text,
    link_id    uuid REFERENCES quote_link,
    address    text,
    user_agent text,
    pdf_sha256 char(64),
    at         timestamptz NOT NULL,
    CHECK ((via = 'link') = (link_id IS NOT NULL)),
    CHECK (via <> 'link' OR answer <> 'accepted' OR (name IS NOT NULL AND pdf_sha256 IS NOT NULL))
);
CREATE TRIGGER quote_answer_kept BEFORE UPDATE OR DELETE ON quote_answer FOR EACH ROW EXECUTE FUNCTION kept_as_written();
