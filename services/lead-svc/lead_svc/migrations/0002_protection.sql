CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What a lead is recognised by; kind 'name' is compared by likeness, the others by equality (RULES 1, duplicates).
CREATE TABLE lead_key (
    kind    text NOT NULL CHECK (kind IN ('email', 'phone', 'domain', 'name')),
    value   text NOT NULL,
    lead_id uuid NOT NULL REFERENCES lead,
    PRIMARY KEY (kind, value, lead_id)
);
CREATE INDEX lead_key_lead ON lead_key (lead_id);
CREATE INDEX lead_key_like ON lead_key USING gin (value gin_trgm_ops) WHERE kind = 'name';

CREATE FUNCTION leads_named_like(wanted text) RETURNS SETOF uuid LANGUAGE sql STABLE
SET pg_trgm.similarity_threshold = 0.7 AS $$
    SELECT lead_id FROM lead_key WHERE kind = 'name' AND value % wanted
$$;

-- The protection lease is configuration: a version is never edited, a new one begins on its day.
CREATE TABLE protection_policy (
    version          text PRIMARY KEY,
    valid_from       timestamptz NOT NULL UNIQUE,
    protection_days  integer NOT NULL CHECK (protection_days > 0),
    extension_days   integer NOT NULL CHECK (extension_days >= 0),
    limit_days       integer NOT NULL CHECK (limit_days >= protection_days),
    cooling_off_days integer NOT NULL CHECK (cooling_off_days >= 0),
    max_held         integer NOT NULL CHECK (max_held > 0),
    qualifying       text[] NOT NULL,
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL
);
INSERT INTO protection_policy VALUES ('v1', '2000-01-01T00:00:00Z', 10, 3, 20, 7, 50, '{reply,meeting,call}', 'migration', now());

CREATE TABLE lease (
    id         uuid PRIMARY KEY,
    lead_id    uuid NOT NULL REFERENCES lead,
    owner      text NOT NULL,
    policy     text NOT NULL REFERENCES protection_policy,
    claimed_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    limit_at   timestamptz NOT NULL CHECK (limit_at >= until),
    ended_at   timestamptz,
    ended_by   text CHECK (ended_by IN ('expired', 'released', 'qualified', 'disqualified')),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX lease_lead_id ON lease (lead_id);
CREATE INDEX lease_running ON lease (until) WHERE ended_at IS NULL;
CREATE INDEX lease_owner ON lease (owner, id);

-- The leads that a lease keeps others away from: the claimed one and its duplicates. One running lease per lead, whatever happens.
CREATE TABLE lease_lead (
    lease_id uuid NOT NULL REFERENCES lease,
    lead_id  uuid NOT NULL REFERENCES lead,
    held     boolean NOT NULL DEFAULT true,
    PRIMARY KEY (lease_id, lead_id)
);
CREATE UNIQUE INDEX lease_lead_held ON lease_lead (lead_id) WHERE held;
