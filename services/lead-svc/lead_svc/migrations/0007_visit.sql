-- A web site of ours whose pages carry the script; `hosts` are the names under which they are served.
CREATE TABLE site (
    key        text PRIMARY KEY,
    name       text NOT NULL,
    hosts      text[] NOT NULL CHECK (cardinality(hosts) BETWEEN 1 AND 50),
    active     boolean NOT NULL,
    version    integer NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Which pages mean something: a visit to one is an activity of the lead. A rule is retired, never edited.
CREATE TABLE page_rule (
    id          uuid PRIMARY KEY,
    site        text NOT NULL REFERENCES site,
    path_prefix text NOT NULL,
    activity    text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    retired_by  text,
    retired_at  timestamptz
);
CREATE UNIQUE INDEX page_rule_in_force ON page_rule (site, path_prefix) WHERE retired_at IS NULL;

-- A browser that agreed to be recognised; the id is random and known to nobody but it. A lead once somebody told who it is.
CREATE TABLE visitor (
    id            uuid PRIMARY KEY,
    lead_id       uuid REFERENCES lead,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL
);
CREATE INDEX visitor_lead ON visitor (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX visitor_last_seen ON visitor (last_seen_at);

-- Every page that was seen; without consent nobody can tell whose.
CREATE TABLE page_view (
    id          uuid PRIMARY KEY,
    site        text NOT NULL REFERENCES site,
    visitor_id  uuid,
    kind        text NOT NULL CHECK (kind IN ('page', 'form')),
    path        text NOT NULL,
    channel     text NOT NULL,
    source      text NOT NULL,
    campaign    text,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX page_view_visitor ON page_view (visitor_id, id) WHERE visitor_id IS NOT NULL;
CREATE INDEX page_view_time ON page_view (occurred_at);

-- A contact by way of a channel: of a visitor first, of the lead from its capture on.
CREATE TABLE touch (
    id          uuid PRIMARY KEY,
    visitor_id  uuid,
    lead_id     uuid REFERENCES lead,
    occurred_at timestamptz NOT NULL,
    channel     text,
    source      text,
    medium      text,
    campaign    text,
    term        text,
    content     text,
    page        text,
    referrer    text,
    click_ids   jsonb NOT NULL
);
CREATE INDEX touch_lead ON touch (lead_id, occurred_at) WHERE lead_id IS NOT NULL;
CREATE INDEX touch_visitor ON touch (visitor_id, occurred_at) WHERE visitor_id IS NOT NULL;
