-- Payment providers that push events, and the events as they came.
CREATE TABLE payment_provider (
    code        text PRIMARY KEY,
    secret      text NOT NULL,
    tolerance_s int NOT NULL CHECK (tolerance_s BETWEEN 10 AND 86400),
    active      boolean NOT NULL,
    version     int NOT NULL,
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL
);

CREATE TABLE provider_event (
    id          uuid PRIMARY KEY,
    provider    text NOT NULL REFERENCES payment_provider,
    event_id    text NOT NULL,
    type        text NOT NULL,
    body        bytea NOT NULL,
    state       text NOT NULL CHECK (state IN ('received', 'taken', 'known', 'ignored', 'waiting', 'settled')),
    object_id   text NOT NULL DEFAULT '',
    payment_id  uuid REFERENCES payment,
    hard        boolean,
    reason      text,
    decided_by  text,
    received_at timestamptz NOT NULL,
    settled_at  timestamptz,
    UNIQUE (provider, event_id)
);
CREATE INDEX provider_event_received ON provider_event (id) WHERE state = 'received';
CREATE INDEX provider_event_failed ON provider_event (provider, object_id) WHERE hard IS NOT NULL;

-- A payment of a provider is booked once, whichever of its events tells of it.
CREATE TABLE provider_payment (
    provider   text NOT NULL REFERENCES payment_provider,
    object_id  text NOT NULL,
    payment_id uuid NOT NULL REFERENCES payment,
    PRIMARY KEY (provider, object_id)
);
