CREATE TABLE lead (
    id                  uuid PRIMARY KEY,
    flow_id             uuid NOT NULL UNIQUE,
    status              text NOT NULL CHECK (status IN ('new', 'contacted', 'nurturing', 'qualified', 'converted', 'disqualified')),
    captured_via        text NOT NULL CHECK (captured_via IN ('api', 'csv', 'form', 'webhook', 'event')),
    channel             text NOT NULL,
    source              text NOT NULL,
    campaign            text,
    company             text,
    country             char(2),
    industry            text,
    company_size        integer CHECK (company_size >= 0),
    website             text,
    external_ref        text UNIQUE,
    contact             jsonb,
    attributes          jsonb NOT NULL,
    amount              numeric CHECK (amount >= 0),
    currency            char(3),
    owner               text,
    disqualified_reason text,
    version             integer NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CHECK ((status = 'disqualified') = (disqualified_reason IS NOT NULL))
);
CREATE INDEX lead_status ON lead (status, id);
CREATE INDEX lead_source ON lead (source, id);

CREATE TABLE activity (
    id          uuid PRIMARY KEY,
    lead_id     uuid NOT NULL REFERENCES lead,
    code        text NOT NULL,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX activity_lead ON activity (lead_id, id);

-- How leads are scored is configuration: a version is never edited, a new one begins on its day (RULES 1).
CREATE TABLE score_rule (
    version    text PRIMARY KEY,
    valid_from timestamptz NOT NULL UNIQUE,
    rule       jsonb NOT NULL
);
INSERT INTO score_rule (version, valid_from, rule) VALUES ('v1', '2000-01-01T00:00:00Z', '{
  "industries": {"points": 20, "targets": ["manufacturing", "software", "health"]},
  "size": {"points": 15, "from": 50},
  "region": {"points": 10, "targets": ["DE", "AT", "CH", "FR", "IT", "NL"]},
  "free_mail": {"points": -5, "domains": ["gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "gmx.de", "web.de", "qq.com", "163.com"]},
  "no_website": {"points": -5},
  "activities": {
    "form": {"points": 10, "half_life_days": 30, "group": "interest"},
    "pricing_page": {"points": 5, "half_life_days": 14, "group": "interest"},
    "demo_request": {"points": 25, "half_life_days": 30, "group": "intent"},
    "reply": {"points": 15, "half_life_days": 21, "group": "contact"},
    "meeting": {"points": 20, "half_life_days": 30, "group": "contact"}
  },
  "caps": {"interest": 30, "intent": 50, "contact": 40},
  "qualify": {"fit": 30, "engagement": 20, "high_intent": ["demo_request"]},
  "bands": {"warm": 30, "hot": 60}
}');

CREATE TABLE lead_import (
    id          uuid PRIMARY KEY,
    file_name   text NOT NULL,
    file        bytea NOT NULL,
    mapping     jsonb NOT NULL,
    nulls       jsonb NOT NULL,
    defaults    jsonb NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'running', 'done')),
    total       integer NOT NULL,
    processed   integer NOT NULL DEFAULT 0,
    imported    integer NOT NULL DEFAULT 0,
    duplicates  integer NOT NULL DEFAULT 0,
    refused     integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK (processed = imported + duplicates + refused AND processed <= total)
);
CREATE INDEX lead_import_unfinished ON lead_import (id) WHERE state <> 'done';

CREATE TABLE import_error (
    id        uuid PRIMARY KEY,
    import_id uuid NOT NULL REFERENCES lead_import,
    line      integer NOT NULL,
    field     text NOT NULL,
    reason    text NOT NULL
);
CREATE INDEX import_error_import ON import_error (import_id, id);
