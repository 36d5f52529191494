-- Who sends leads. A partner's own system may call with a token of this subject; `exclusive_days`: how long what it registered is its own.
CREATE TABLE partner (
    id             uuid PRIMARY KEY,
    name           text NOT NULL,
    territory      text,
    notes          text,
    subject        text UNIQUE,
    exclusive_days integer NOT NULL CHECK (exclusive_days BETWEEN 0 AND 3650),
    active         boolean NOT NULL,
    version        integer NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_by     text NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE UNIQUE INDEX partner_name ON partner (lower(name));

-- By a code a capture says who sent it. Kept as it is compared: capitals and digits.
CREATE TABLE partner_code (
    id         uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partner,
    code       text NOT NULL UNIQUE CHECK (code ~ '^[0-9A-Z]{10}$'),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX partner_code_partner ON partner_code (partner_id, id);

CREATE TABLE partner_change (
    id         uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partner,
    version    integer NOT NULL,
    changes    jsonb NOT NULL,
    by         text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX partner_change_partner ON partner_change (partner_id, id);

-- Which lead came by whom: by a code, or registered by the partner's own system under its own reference.
CREATE TABLE referral (
    id          uuid PRIMARY KEY,
    lead_id     uuid NOT NULL UNIQUE REFERENCES lead,
    partner_id  uuid NOT NULL REFERENCES partner,
    code_id     uuid REFERENCES partner_code,
    reference   text,
    referred_at timestamptz NOT NULL,
    UNIQUE (partner_id, reference)
);
CREATE INDEX referral_partner ON referral (partner_id, id);
