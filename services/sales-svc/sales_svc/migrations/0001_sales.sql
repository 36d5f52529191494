-- Stages of a pipeline are configuration: rows, not constants. `won` and `lost` are outcomes and not listed.
CREATE TABLE stage (
    pipeline    text NOT NULL,
    code        text NOT NULL,
    position    integer NOT NULL,
    probability integer NOT NULL CHECK (probability BETWEEN 0 AND 100),
    PRIMARY KEY (pipeline, code),
    UNIQUE (pipeline, position)
);
INSERT INTO stage (pipeline, code, position, probability) VALUES
    ('default', 'qualification', 1, 10), ('default', 'discovery', 2, 25), ('default', 'proposal', 3, 50),
    ('default', 'negotiation', 4, 70), ('default', 'commit', 5, 90);

CREATE TABLE account (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    name_key   text NOT NULL,
    country    char(2) NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (name_key, country)
);

CREATE TABLE opportunity (
    id          uuid PRIMARY KEY,
    flow_id     uuid NOT NULL,
    lead_id     uuid UNIQUE,
    name        text NOT NULL,
    company     text,
    country     char(2),
    owner       text,
    stage       text NOT NULL,
    probability integer NOT NULL CHECK (probability BETWEEN 0 AND 100),
    amount      numeric CHECK (amount >= 0),
    currency    char(3),
    channel     text,
    source      text,
    stage_since timestamptz NOT NULL,
    lost_reason text,
    version     integer NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK ((stage = 'lost') = (lost_reason IS NOT NULL))
);
CREATE INDEX opportunity_flow ON opportunity (flow_id);
CREATE INDEX opportunity_stage ON opportunity (stage, id);

CREATE TABLE stage_change (
    id               uuid PRIMARY KEY,
    opportunity_id   uuid NOT NULL REFERENCES opportunity,
    from_stage       text NOT NULL,
    to_stage         text NOT NULL,
    seconds_in_stage bigint NOT NULL CHECK (seconds_in_stage >= 0),
    changed_at       timestamptz NOT NULL
);
CREATE INDEX stage_change_opportunity ON stage_change (opportunity_id, id);

CREATE TABLE quote (
    id                 uuid PRIMARY KEY,
    flow_id            uuid NOT NULL,
    opportunity_id     uuid NOT NULL REFERENCES opportunity,
    number             text NOT NULL UNIQUE,
    quote_version      integer NOT NULL CHECK (quote_version >= 1),
    state              text NOT NULL CHECK (state IN ('draft', 'sent', 'accepted', 'rejected', 'expired', 'superseded')),
    customer           jsonb NOT NULL,
    lines              jsonb NOT NULL,
    net                numeric NOT NULL CHECK (net >= 0),
    currency           char(3) NOT NULL,
    valid_until        date NOT NULL,
    payment_terms_days integer NOT NULL CHECK (payment_terms_days BETWEEN 0 AND 365),
    requested_on       date,
    version            integer NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    UNIQUE (opportunity_id, quote_version)
);
CREATE UNIQUE INDEX quote_one_accepted ON quote (opportunity_id) WHERE state = 'accepted';
CREATE INDEX quote_flow ON quote (flow_id);
CREATE INDEX quote_sent ON quote (valid_until) WHERE state = 'sent';

CREATE TABLE contract (
    id              uuid PRIMARY KEY,
    flow_id         uuid NOT NULL,
    opportunity_id  uuid NOT NULL REFERENCES opportunity,
    quote_id        uuid NOT NULL UNIQUE REFERENCES quote,
    number          text NOT NULL UNIQUE,
    state           text NOT NULL CHECK (state IN ('draft', 'signed')),
    document        text NOT NULL,
    document_sha256 char(64) NOT NULL,
    signed_by       text,
    signed_at       timestamptz,
    version         integer NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK ((state = 'signed') = (signed_at IS NOT NULL AND signed_by IS NOT NULL))
);
CREATE INDEX contract_flow ON contract (flow_id);

CREATE TABLE number_series (
    name text PRIMARY KEY,
    last bigint NOT NULL
);
