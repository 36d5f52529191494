-- Where ad platforms push leads to. `key` is the secret part of the address; the secrets themselves are named, never kept here.
CREATE TABLE capture_endpoint (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('google', 'linkedin', 'meta', 'baidu', 'wechat', 'signed')),
    key           text NOT NULL UNIQUE,
    name          text NOT NULL,
    secret        text NOT NULL,
    verify_secret text,
    fetch_secret  text,
    fetch_url     text,
    fetch_version text,
    channel       text NOT NULL,
    source        text NOT NULL,
    campaign      text,
    campaigns     jsonb NOT NULL,
    mapping       jsonb NOT NULL,
    consent       jsonb,
    skew_s        integer NOT NULL CHECK (skew_s BETWEEN 10 AND 86400),
    active        boolean NOT NULL,
    version       integer NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_by    text NOT NULL,
    updated_at    timestamptz NOT NULL,
    retired_by    text,
    retired_at    timestamptz,
    CHECK ((retired_at IS NULL) = (retired_by IS NULL)),
    CHECK (retired_at IS NULL OR NOT active)
);
COMMENT ON COLUMN capture_endpoint.campaigns IS 'the platform''s id of a campaign or ad -> the code of ours';
COMMENT ON COLUMN capture_endpoint.mapping IS 'field of a lead -> alternatives, each the keys of the questions whose answers are joined';

-- Every version of an endpoint, as it was; never edited.
CREATE TABLE capture_endpoint_version (
    endpoint_id uuid NOT NULL REFERENCES capture_endpoint,
    version     integer NOT NULL,
    body        jsonb NOT NULL,
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, version)
);

-- How long deliveries keep their bytes, and how much of what is not genuine is kept per endpoint and hour. The latest version counts.
CREATE TABLE capture_setting (
    version      integer PRIMARY KEY,
    keep_days    integer NOT NULL CHECK (keep_days BETWEEN 1 AND 3650),
    bad_per_hour integer NOT NULL CHECK (bad_per_hour BETWEEN 0 AND 100000),
    bad_bytes    bigint NOT NULL CHECK (bad_bytes BETWEEN 0 AND 1073741824),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL
);
INSERT INTO capture_setting VALUES (1, 30, 100, 1048576, 'migration', now());

-- What came in, byte for byte (a shared key in it is starred), and what became of it. `genuine`: the signature was right.
CREATE TABLE capture_delivery (
    id              uuid PRIMARY KEY,
    endpoint_id     uuid NOT NULL REFERENCES capture_endpoint,
    received_at     timestamptz NOT NULL,
    client          text NOT NULL,
    headers         jsonb NOT NULL,
    query           text NOT NULL,
    body            bytea,
    size            integer NOT NULL,
    sha256          bytea NOT NULL,
    nonce           text,
    genuine         boolean NOT NULL,
    state           text NOT NULL CHECK (state IN ('received', 'waiting', 'taken', 'known', 'test', 'ignored', 'refused', 'failed')),
    problem         text,
    field           text,
    reason          text,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    settled_at      timestamptz,
    retried_by      text,
    CHECK ((state IN ('received', 'waiting')) = (settled_at IS NULL)),
    CHECK ((state = 'received') = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('refused', 'failed')) = (problem IS NOT NULL))
);
CREATE INDEX capture_delivery_due ON capture_delivery (next_attempt_at) WHERE state = 'received';
CREATE INDEX capture_delivery_endpoint ON capture_delivery (endpoint_id, id);
CREATE INDEX capture_delivery_same ON capture_delivery (endpoint_id, sha256);
CREATE INDEX capture_delivery_old ON capture_delivery (received_at) WHERE body IS NOT NULL;
-- What is signed without the body may be used for one body only.
CREATE UNIQUE INDEX capture_delivery_nonce ON capture_delivery (endpoint_id, nonce) WHERE nonce IS NOT NULL;

-- The leads of a delivery. `external_id` is the platform's; `answers` what was fetched of it, `lead_id` whom it is.
CREATE TABLE capture_item (
    id              uuid PRIMARY KEY,
    delivery_id     uuid NOT NULL REFERENCES capture_delivery,
    endpoint_id     uuid NOT NULL REFERENCES capture_endpoint,
    external_id     text NOT NULL,
    state           text NOT NULL CHECK (state IN ('waiting', 'taken', 'known', 'test', 'refused', 'failed')),
    answers         bytea,
    problem         text,
    field           text,
    reason          text,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lead_id         uuid REFERENCES lead,
    settled_at      timestamptz,
    CHECK ((state = 'waiting') = (settled_at IS NULL)),
    CHECK ((state = 'waiting') = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('refused', 'failed')) = (problem IS NOT NULL))
);
CREATE INDEX capture_item_delivery ON capture_item (delivery_id);
CREATE INDEX capture_item_lead ON capture_item (lead_id);
CREATE INDEX capture_item_due ON capture_item (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX capture_item_answers ON capture_item (settled_at) WHERE answers IS NOT NULL;
-- A lead of the platform is taken once per endpoint, whatever is delivered at the same time; a refused one may come again.
CREATE UNIQUE INDEX capture_item_once ON capture_item (endpoint_id, external_id) WHERE state IN ('waiting', 'taken', 'test');

-- What was kept, per endpoint and hour, of deliveries that were not genuine or told nothing new; `dropped` were only counted.
CREATE TABLE capture_budget (
    endpoint_id uuid NOT NULL REFERENCES capture_endpoint,
    hour        timestamptz NOT NULL,
    kept        integer NOT NULL,
    bytes       bigint NOT NULL,
    dropped     bigint NOT NULL,
    PRIMARY KEY (endpoint_id, hour)
);
