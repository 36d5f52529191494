-- Mails that a transaction decided to send, and what became of each. A row is handed over to the mail server at most once by itself:
-- `handing_over` is committed before the server gets the text, `sent` after it took it; what a crash leaves between is `in_doubt`.
CREATE TABLE mail (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL,
    dedupe_key      text UNIQUE,
    about           text,                    -- what it concerns, so that waiting mails can be withdrawn
    flow_id         uuid,
    recipient       text NOT NULL,
    recipient_name  text,
    sender_name     text,
    reply_to        text,
    subject         text NOT NULL,
    text            text NOT NULL,
    html            text,
    headers         jsonb NOT NULL,
    unsubscribe_url text,
    message_id      text NOT NULL UNIQUE,
    state           text NOT NULL CHECK (state IN ('waiting', 'handing_over', 'sent', 'failed', 'in_doubt', 'discarded')),
    reason          text,
    attempts        integer NOT NULL DEFAULT 0,
    not_before      timestamptz NOT NULL,    -- business time
    created_at      timestamptz NOT NULL,    -- business time
    sent_at         timestamptz,             -- business time
    decided_by      text,                    -- the operator who resent or discarded it
    emptied_at      timestamptz,             -- business time: its content is no longer kept
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who has it in hand, and until when: a sender that died before the text left loses nothing.
    taken_by        uuid,
    taken_until     timestamptz
);
CREATE INDEX mail_due ON mail (not_before, id) WHERE state = 'waiting';
CREATE INDEX mail_unsettled ON mail (state, id) WHERE state <> 'sent';
CREATE INDEX mail_recipient ON mail (lower(recipient));
CREATE INDEX mail_about ON mail (about) WHERE state = 'waiting';
CREATE INDEX mail_kept ON mail (created_at) WHERE emptied_at IS NULL;
CREATE INDEX mail_flow ON mail (flow_id, id) WHERE flow_id IS NOT NULL;

CREATE TABLE mail_attachment (
    mail_id    uuid NOT NULL REFERENCES mail ON DELETE CASCADE,
    position   integer NOT NULL,
    name       text NOT NULL,
    media_type text NOT NULL,
    content    bytea NOT NULL,
    PRIMARY KEY (mail_id, position)
);
