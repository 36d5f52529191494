-- Who gets leads. `credit` is what a rep is still owed of those handed out while he could have had them (negative: had in advance).
CREATE TABLE rep (
    subject         text PRIMARY KEY,
    name            text NOT NULL,
    team            text,
    max_per_30_days integer NOT NULL CHECK (max_per_30_days BETWEEN 0 AND 100000),
    languages       text[] NOT NULL,
    active          boolean NOT NULL,
    credit          numeric NOT NULL DEFAULT 0,
    version         integer NOT NULL
);

CREATE TABLE rep_absence (
    id      uuid PRIMARY KEY,
    subject text NOT NULL REFERENCES rep,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL CHECK (until > since)
);
CREATE INDEX rep_absence_subject ON rep_absence (subject, until);

-- Which leads go to whom. The first territory by priority whose condition holds, and that has somebody for it, takes the lead.
CREATE TABLE territory (
    code      text PRIMARY KEY,
    name      text NOT NULL,
    priority  integer NOT NULL,
    condition jsonb NOT NULL,
    members   text[] NOT NULL,
    language  text,
    active    boolean NOT NULL,
    version   integer NOT NULL
);

-- Every version of a rep, of his absences and of a territory, with who wrote it.
CREATE TABLE assignment_change (
    id      uuid PRIMARY KEY,
    entity  text NOT NULL CHECK (entity IN ('rep', 'territory')),
    code    text NOT NULL,
    version integer NOT NULL,
    body    jsonb NOT NULL,
    by      text NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX assignment_change_code ON assignment_change (entity, code, id);

-- Every lead that was given to somebody, and why to him: `candidates` are the members as they stood at that moment.
CREATE TABLE assignment (
    id                uuid PRIMARY KEY,
    lead_id           uuid NOT NULL REFERENCES lead,
    rep               text NOT NULL,
    by                text NOT NULL,
    territory         text,
    territory_version integer,
    candidates        jsonb NOT NULL,
    assigned_at       timestamptz NOT NULL,
    CHECK ((territory IS NULL) = (territory_version IS NULL))
);
CREATE INDEX assignment_lead ON assignment (lead_id, id);
CREATE INDEX assignment_rep ON assignment (rep, assigned_at);

-- How far the search for leads to give away is: it follows the newest ones, and begins anew when the rules change, and every hour.
CREATE TABLE assignment_sweep (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    at_lead   uuid NOT NULL,
    restart_at timestamptz NOT NULL
);
INSERT INTO assignment_sweep (at_lead, restart_at) VALUES ('00000000-0000-0000-0000-000000000000', '2000-01-01T00:00:00Z');
CREATE INDEX lead_ownerless ON lead (id) WHERE owner IS NULL AND status IN ('new', 'contacted', 'nurturing');
