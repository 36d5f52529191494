-- What people said about being written to, with proof; the latest word per lead and purpose counts. Never edited.
CREATE TABLE lead_consent (
    id          uuid PRIMARY KEY,
    lead_id     uuid NOT NULL REFERENCES lead,
    purpose     text NOT NULL CHECK (purpose IN ('marketing')),
    given       boolean NOT NULL,
    said_at     timestamptz NOT NULL,
    wording     text NOT NULL,
    source      text NOT NULL,
    evidence    jsonb NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX lead_consent_lead ON lead_consent (lead_id, purpose, said_at DESC, id DESC);

-- Addresses that get no marketing mail: SHA-256 of the normal form, so that it outlasts the person's data.
CREATE TABLE mail_suppression (
    id           uuid PRIMARY KEY,
    address_hash bytea NOT NULL,
    why          text NOT NULL CHECK (why IN ('unsubscribed', 'bounced', 'complained', 'by_hand', 'erased')),
    source       text NOT NULL,
    by           text NOT NULL,
    at           timestamptz NOT NULL,
    lifted_by    text,
    lifted_at    timestamptz,
    CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE UNIQUE INDEX mail_suppression_in_force ON mail_suppression (address_hash) WHERE lifted_at IS NULL;

-- The cursors say how far leads and activities were looked through for the journey's entry rule.
CREATE TABLE nurture_journey (
    id              uuid PRIMARY KEY,
    code            text NOT NULL UNIQUE,
    name            text NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    lead_cursor     uuid,
    activity_cursor uuid,
    full_cursor     uuid,
    full_due_at     timestamptz NOT NULL
);

-- A version is never edited, only moved: draft, active, paused, retired.
CREATE TABLE nurture_version (
    journey_id uuid NOT NULL REFERENCES nurture_journey,
    version    integer NOT NULL CHECK (version > 0),
    state      text NOT NULL CHECK (state IN ('draft', 'active', 'paused', 'retired')),
    body       jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (journey_id, version)
);
CREATE UNIQUE INDEX nurture_version_running ON nurture_version (journey_id) WHERE state IN ('active', 'paused');

CREATE TABLE nurture_move (
    id         uuid PRIMARY KEY,
    journey_id uuid NOT NULL,
    version    integer NOT NULL,
    move       text NOT NULL,
    by         text NOT NULL,
    at         timestamptz NOT NULL,
    FOREIGN KEY (journey_id, version) REFERENCES nurture_version
);
CREATE INDEX nurture_move_version ON nurture_move (journey_id, version, id);

-- A lead on its way through a version. `position` is the step that is due next; `held` while the version is paused.
CREATE TABLE nurture_enrolment (
    id          uuid PRIMARY KEY,
    journey_id  uuid NOT NULL,
    version     integer NOT NULL,
    lead_id     uuid NOT NULL REFERENCES lead,
    flow_id     uuid NOT NULL,
    how         text NOT NULL CHECK (how IN ('rule', 'by_hand')),
    enrolled_by text NOT NULL,
    enrolled_at timestamptz NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'ended')),
    position    integer NOT NULL CHECK (position >= 0),
    due_at      timestamptz NOT NULL,
    held        boolean NOT NULL DEFAULT false,
    mails       integer NOT NULL DEFAULT 0,
    ended_by    text,
    ended_at    timestamptz,
    FOREIGN KEY (journey_id, version) REFERENCES nurture_version,
    CHECK ((state = 'ended') = (ended_by IS NOT NULL AND ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX nurture_enrolment_running ON nurture_enrolment (journey_id, lead_id) WHERE state = 'running';
CREATE INDEX nurture_enrolment_due ON nurture_enrolment (due_at, id) WHERE state = 'running' AND NOT held;
CREATE INDEX nurture_enrolment_lead ON nurture_enrolment (lead_id, id);
CREATE INDEX nurture_enrolment_version ON nurture_enrolment (journey_id, version, id);

-- The mail of a step to a lead: once per enrolment and step, whatever happens. What became of it is taken over from the mail.
CREATE TABLE nurture_delivery (
    id              uuid PRIMARY KEY,
    enrolment_id    uuid NOT NULL REFERENCES nurture_enrolment,
    lead_id         uuid NOT NULL REFERENCES lead,
    journey_id      uuid NOT NULL,
    version         integer NOT NULL,
    step            text NOT NULL,
    position        integer NOT NULL,
    mail_id         uuid NOT NULL UNIQUE,
    message_id      text NOT NULL UNIQUE,
    address_hash    bytea NOT NULL,
    links           text[] NOT NULL,
    outcome         text NOT NULL DEFAULT 'waiting' CHECK (outcome IN ('waiting', 'sent', 'failed', 'in_doubt', 'discarded')),
    posted_at       timestamptz NOT NULL,
    sent_at         timestamptz,
    opened_at       timestamptz,
    opened_by_bot   timestamptz,
    clicked_at      timestamptz,
    clicked_by_bot  timestamptz,
    replied_at      timestamptz,
    unsubscribed_at timestamptz,
    UNIQUE (enrolment_id, step)
);
CREATE INDEX nurture_delivery_address ON nurture_delivery (address_hash, posted_at);
CREATE INDEX nurture_delivery_open ON nurture_delivery (id) WHERE outcome IN ('waiting', 'in_doubt', 'failed');
CREATE INDEX nurture_delivery_step ON nurture_delivery (journey_id, version, position);
CREATE INDEX nurture_delivery_lead ON nurture_delivery (lead_id, id);

-- Answers that came in by mail, each taken once.
CREATE TABLE mail_reply (
    id          uuid PRIMARY KEY,
    message_id  text NOT NULL UNIQUE,
    kind        text NOT NULL CHECK (kind IN ('reply', 'auto_reply', 'bounce', 'complaint')),
    delivery_id uuid REFERENCES nurture_delivery,
    lead_id     uuid REFERENCES lead,
    matched_by  text CHECK (matched_by IN ('message_id', 'address')),
    received_at timestamptz NOT NULL,
    recorded_by text NOT NULL
);
CREATE INDEX mail_reply_lead ON mail_reply (lead_id, id) WHERE lead_id IS NOT NULL;
