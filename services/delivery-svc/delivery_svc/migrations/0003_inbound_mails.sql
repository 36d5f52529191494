-- Mails as a gateway handed them over: kept with their bytes before anything is made of them, whatever they are.
CREATE TABLE inbound_mail (
    id          uuid PRIMARY KEY,
    dedupe_key  text NOT NULL UNIQUE,
    sha256      text NOT NULL,
    size        integer NOT NULL CHECK (size > 0),
    raw         bytea,
    state       text NOT NULL CHECK (state IN ('taken', 'noted', 'ignored', 'refused')),
    reason      text,
    sender      text,
    ticket_id   uuid REFERENCES ticket,
    comment_id  uuid REFERENCES ticket_comment,
    received_by text NOT NULL,
    received_at timestamptz NOT NULL,
    emptied_at  timestamptz,
    CHECK ((raw IS NULL) = (emptied_at IS NOT NULL)),
    CHECK ((state IN ('taken', 'noted')) = (comment_id IS NOT NULL)),
    CHECK ((state IN ('ignored', 'refused')) = (reason IS NOT NULL))
);
COMMENT ON COLUMN inbound_mail.dedupe_key IS 'a digest of the Message-ID, or of the bytes of a mail without one';
CREATE INDEX inbound_mail_state ON inbound_mail (state, id);
CREATE INDEX inbound_mail_kept ON inbound_mail (received_at) WHERE raw IS NOT NULL;

CREATE TABLE ticket_attachment (
    id         uuid PRIMARY KEY,
    comment_id uuid NOT NULL REFERENCES ticket_comment,
    position   integer NOT NULL,
    name       text NOT NULL,
    media_type text NOT NULL,
    size       integer NOT NULL CHECK (size >= 0),
    sha256     text NOT NULL,
    content    bytea NOT NULL,
    UNIQUE (comment_id, position)
);
