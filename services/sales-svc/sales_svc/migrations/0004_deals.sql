-- Pipelines are configuration with versions: a version is never edited, and a deal keeps the one that it runs under.
CREATE TABLE pipeline (
    code       text PRIMARY KEY,
    latest     integer NOT NULL CHECK (latest >= 1),
    is_default boolean NOT NULL DEFAULT false,
    archived   boolean NOT NULL DEFAULT false CHECK (NOT (archived AND is_default))
);
CREATE UNIQUE INDEX pipeline_default ON pipeline (is_default) WHERE is_default;
CREATE TABLE pipeline_version (
    pipeline   text NOT NULL REFERENCES pipeline,
    version    integer NOT NULL CHECK (version >= 1),
    name       text NOT NULL,
    stages     jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (pipeline, version)
);
INSERT INTO pipeline (code, latest, is_default) SELECT DISTINCT pipeline, 1, pipeline = 'default' FROM stage;
INSERT INTO pipeline_version (pipeline, version, name, stages, created_by, created_at)
SELECT pipeline, 1, initcap(pipeline), jsonb_agg(jsonb_build_object(
           'code', code, 'label', initcap(code), 'position', position, 'probability', probability,
           'category', CASE WHEN probability >= 90 THEN 'commit' WHEN probability >= 50 THEN 'best_case' ELSE 'pipeline' END)
           ORDER BY position), 'migration', now()
FROM stage GROUP BY pipeline;

ALTER TABLE opportunity
    ADD COLUMN pipeline          text NOT NULL DEFAULT 'default',
    ADD COLUMN pipeline_version  integer NOT NULL DEFAULT 1,
    ADD COLUMN furthest          text,
    ADD COLUMN team              text,
    ADD COLUMN region            text,
    ADD COLUMN segment           text,
    ADD COLUMN campaign          text,
    ADD COLUMN products          text[] NOT NULL DEFAULT '{}',
    ADD COLUMN external_ref      text UNIQUE,
    ADD COLUMN expected_close_on date,
    ADD COLUMN next_step         text,
    ADD COLUMN next_step_due     timestamptz,
    ADD COLUMN category          text CHECK (category IN ('pipeline', 'best_case', 'commit')),
    ADD COLUMN opened_at         timestamptz,
    ADD COLUMN closed_at         timestamptz,
    ADD COLUMN reason_code       text,
    ADD COLUMN won_reason        text,
    ADD COLUMN competitors       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN custom            jsonb NOT NULL DEFAULT '{}',
    ADD FOREIGN KEY (pipeline, pipeline_version) REFERENCES pipeline_version,
    ADD CHECK ((next_step IS NULL) = (next_step_due IS NULL));
UPDATE opportunity o SET
    opened_at = created_at,
    closed_at = CASE WHEN stage IN ('won', 'lost') THEN stage_since END,
    furthest = coalesce((
        SELECT s.code FROM stage s
        WHERE s.pipeline = 'default' AND s.code IN (
            SELECT o.stage UNION SELECT to_stage FROM stage_change c WHERE c.opportunity_id = o.id
            UNION SELECT from_stage FROM stage_change c WHERE c.opportunity_id = o.id)
        ORDER BY s.position DESC LIMIT 1), 'qualification');
ALTER TABLE opportunity
    ALTER COLUMN opened_at SET NOT NULL,
    ADD CHECK ((stage IN ('won', 'lost')) = (closed_at IS NOT NULL));
DROP TABLE stage;

CREATE INDEX opportunity_open_owner ON opportunity (owner, id) WHERE stage NOT IN ('won', 'lost');
CREATE INDEX opportunity_owner ON opportunity (owner, id);
CREATE INDEX opportunity_team ON opportunity (team, id);
CREATE INDEX opportunity_next_step ON opportunity (next_step_due) WHERE stage NOT IN ('won', 'lost');
CREATE INDEX opportunity_closed ON opportunity (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX opportunity_opened ON opportunity (opened_at);
CREATE INDEX opportunity_like ON opportunity USING gin (lower(name || ' ' || coalesce(company, '')) gin_trgm_ops);

ALTER TABLE stage_change ADD COLUMN backward boolean NOT NULL DEFAULT false, ADD COLUMN by text;

CREATE TABLE opportunity_member (
    opportunity_id uuid NOT NULL REFERENCES opportunity,
    member         text NOT NULL,
    role           text NOT NULL,
    share          numeric CHECK (share BETWEEN 0 AND 100),
    PRIMARY KEY (opportunity_id, member)
);
CREATE INDEX opportunity_member_member ON opportunity_member (member);

CREATE TABLE checklist_done (
    opportunity_id uuid NOT NULL REFERENCES opportunity,
    stage          text NOT NULL,
    item           text NOT NULL,
    done_by        text NOT NULL,
    done_at        timestamptz NOT NULL,
    PRIMARY KEY (opportunity_id, stage, item)
);

-- Who sells, in which team; a deal takes its owner's team.
CREATE TABLE rep (
    id      uuid PRIMARY KEY,
    name    text NOT NULL UNIQUE,
    team    text,
    manager text,
    region  text,
    active  boolean NOT NULL DEFAULT true,
    version integer NOT NULL
);

-- A lead of a customer with whom another rep has an open deal: told here instead of becoming a second deal, until a person decides.
CREATE TABLE held_lead (
    id             uuid PRIMARY KEY,
    lead_id        uuid NOT NULL UNIQUE,
    flow_id        uuid NOT NULL,
    account_id     uuid NOT NULL REFERENCES account,
    opportunity_id uuid NOT NULL REFERENCES opportunity,
    contact_id     uuid REFERENCES contact,
    rep            text NOT NULL,
    other_rep      text NOT NULL,
    deal           jsonb NOT NULL,
    state          text NOT NULL CHECK (state IN ('waiting', 'attached', 'opened')),
    decided_by     text,
    decided_at     timestamptz,
    created_at     timestamptz NOT NULL,
    CHECK ((state = 'waiting') = (decided_at IS NULL))
);
CREATE INDEX held_lead_waiting ON held_lead (id) WHERE state = 'waiting';
CREATE INDEX held_lead_account ON held_lead (account_id);

-- Numbers of the sales policy: a version is never edited, the latest one counts.
CREATE TABLE sales_policy (
    version      integer PRIMARY KEY CHECK (version >= 1),
    due_days     integer NOT NULL CHECK (due_days >= 0),
    young_days   integer NOT NULL CHECK (young_days >= 0),
    small_sample integer NOT NULL CHECK (small_sample >= 0),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL
);
INSERT INTO sales_policy VALUES (1, 2, 7, 10, 'migration', now());

-- What was done with a customer; a task is planned first. Content stays here, it is never in an event.
CREATE TABLE activity (
    id             uuid PRIMARY KEY,
    type           text NOT NULL CHECK (type IN ('call', 'email', 'meeting', 'note', 'task')),
    subject        text NOT NULL,
    body           text,
    account_id     uuid REFERENCES account,
    opportunity_id uuid REFERENCES opportunity,
    contact_id     uuid REFERENCES contact,
    by             text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    assignee       text,
    due_at         timestamptz,
    done_at        timestamptz,
    done_by        text,
    version        integer NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CHECK (account_id IS NOT NULL OR opportunity_id IS NOT NULL OR contact_id IS NOT NULL),
    CHECK (type = 'task' OR (assignee IS NULL AND due_at IS NULL AND done_at IS NULL)),
    CHECK ((done_at IS NULL) = (done_by IS NULL))
);
CREATE INDEX activity_account ON activity (account_id, occurred_at DESC);
CREATE INDEX activity_opportunity ON activity (opportunity_id, occurred_at DESC);
CREATE INDEX activity_contact ON activity (contact_id, occurred_at DESC);
CREATE INDEX activity_open_task ON activity (assignee, due_at) WHERE type = 'task' AND done_at IS NULL;
