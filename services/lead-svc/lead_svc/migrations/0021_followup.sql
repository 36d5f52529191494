-- Where reps, leads of teams and queues are reached, and when somebody is there. A version is never edited; the latest counts.
CREATE TABLE desk (
    kind       text NOT NULL CHECK (kind IN ('rep', 'team', 'queue')),
    name       text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    subject    text,
    email      text,
    calendar   jsonb,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name, version),
    CHECK ((kind = 'team') = (subject IS NOT NULL))
);
COMMENT ON COLUMN desk.subject IS 'of a team: who leads it';

-- How soon somebody gets back to a lead. A version is never edited; a clock keeps the one it started under.
CREATE TABLE sla_policy (
    code           text NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    name           text NOT NULL,
    priority       integer NOT NULL,
    condition      jsonb NOT NULL,
    target_minutes integer NOT NULL CHECK (target_minutes > 0),
    warn_percent   integer CHECK (warn_percent BETWEEN 1 AND 99),
    calendar       jsonb NOT NULL,
    steps          jsonb NOT NULL,
    on_return      boolean NOT NULL,
    active         boolean NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);
COMMENT ON COLUMN sla_policy.on_return IS 'a lead that comes back after a wait gets a clock again';

-- One wait of a lead for a first response. `moments` are when it is warned of (where it is), then when each level of escalation is due;
-- `position` is the next of them. They are fixed when the clock starts: nothing that happens to calendars later stops the timer.
CREATE TABLE response_clock (
    id               uuid PRIMARY KEY,
    lead_id          uuid NOT NULL REFERENCES lead,
    policy           text NOT NULL,
    policy_version   integer NOT NULL,
    why              text NOT NULL CHECK (why IN ('captured', 'returned')),
    state            text NOT NULL CHECK (state IN ('running', 'responded', 'dropped')),
    started_at       timestamptz NOT NULL,
    due_at           timestamptz NOT NULL,
    warns            boolean NOT NULL,
    moments          timestamptz[] NOT NULL,
    position         integer NOT NULL DEFAULT 0,
    next_at          timestamptz,
    trouble          text,
    responded_at     timestamptz,
    responded_by     text,
    activity         text,
    business_minutes integer CHECK (business_minutes >= 0),
    within_target    boolean,
    dropped_by       text,
    ended_at         timestamptz,
    FOREIGN KEY (policy, policy_version) REFERENCES sla_policy (code, version),
    CHECK ((state = 'running') = (ended_at IS NULL)),
    CHECK ((state = 'responded') = (responded_at IS NOT NULL)),
    CHECK ((state = 'dropped') = (dropped_by IS NOT NULL)),
    CHECK (state = 'running' OR next_at IS NULL)
);
CREATE INDEX response_clock_lead ON response_clock (lead_id, id);
CREATE INDEX response_clock_next ON response_clock (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX response_clock_open ON response_clock (due_at, id) WHERE state = 'running';
CREATE INDEX response_clock_started ON response_clock (started_at);

-- What was told of a clock, each once: level 0 is the warning.
CREATE TABLE response_notice (
    clock_id    uuid NOT NULL REFERENCES response_clock,
    level       integer NOT NULL CHECK (level BETWEEN 0 AND 10),
    due_at      timestamptz NOT NULL,
    told_at     timestamptz NOT NULL,
    escalate_to text,
    owner       text,
    mailed      boolean NOT NULL,
    to_pool     boolean NOT NULL,
    PRIMARY KEY (clock_id, level)
);

-- What is to be done for a lead. Without an assignee it is the owner's, whoever that is; nobody's while the lead is in the pool.
CREATE TABLE task (
    id            uuid PRIMARY KEY,
    lead_id       uuid NOT NULL REFERENCES lead,
    clock_id      uuid REFERENCES response_clock,
    type          text NOT NULL CHECK (type IN ('call', 'email', 'meeting', 'todo')),
    priority      text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    title         text NOT NULL,
    note          text,
    assignee      text,
    due_at        timestamptz NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    outcome       text,
    cancel_reason text,
    overdue_at    timestamptz,
    version       integer NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    closed_by     text,
    closed_at     timestamptz,
    CHECK ((state = 'open') = (closed_at IS NULL)),
    CHECK ((state = 'open') = (closed_by IS NULL)),
    CHECK (state <> 'cancelled' OR cancel_reason IS NOT NULL)
);
CREATE INDEX task_lead ON task (lead_id, id);
CREATE INDEX task_assignee ON task (assignee, id) WHERE assignee IS NOT NULL;
CREATE INDEX task_due ON task (due_at, id) WHERE state = 'open' AND overdue_at IS NULL;
CREATE INDEX task_open ON task (due_at) WHERE state = 'open';
CREATE INDEX task_clock ON task (clock_id) WHERE clock_id IS NOT NULL;
CREATE INDEX lead_owner ON lead (owner, id) WHERE owner IS NOT NULL;

-- Who did what with a lead, as it was written down. One that the lead took part in counts for its score as `activity_id`.
CREATE TABLE lead_log (
    id          uuid PRIMARY KEY,
    lead_id     uuid NOT NULL REFERENCES lead,
    activity_id uuid REFERENCES activity,
    task_id     uuid REFERENCES task,
    type        text NOT NULL CHECK (type IN ('call', 'email', 'meeting', 'note')),
    direction   text CHECK (direction IN ('outbound', 'inbound')),
    subject     text,
    note        text,
    outcome     text,
    occurred_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX lead_log_lead ON lead_log (lead_id, occurred_at DESC, id DESC);
CREATE UNIQUE INDEX lead_log_activity ON lead_log (activity_id) WHERE activity_id IS NOT NULL;
CREATE UNIQUE INDEX lead_log_task ON lead_log (task_id) WHERE task_id IS NOT NULL;

-- When and by whom an activity was written down; not known of those before.
ALTER TABLE activity ADD COLUMN recorded_at timestamptz, ADD COLUMN recorded_by text;

-- Every change of a lead's status, owner and band, whichever way it came about: the database sees them all, so none is forgotten.
CREATE TABLE lead_step (
    id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    lead_id uuid NOT NULL REFERENCES lead,
    what    text NOT NULL CHECK (what IN ('status', 'owner', 'band')),
    was     text,
    became  text,
    at      timestamptz NOT NULL
);
CREATE INDEX lead_step_lead ON lead_step (lead_id, at DESC, id DESC);
CREATE FUNCTION note_lead_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IS DISTINCT FROM NEW.status THEN
        INSERT INTO lead_step (lead_id, what, was, became, at) VALUES (NEW.id, 'status', OLD.status, NEW.status, NEW.updated_at);
    END IF;
    IF OLD.owner IS DISTINCT FROM NEW.owner THEN
        INSERT INTO lead_step (lead_id, what, was, became, at) VALUES (NEW.id, 'owner', OLD.owner, NEW.owner, NEW.updated_at);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER lead_step AFTER UPDATE ON lead FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.owner IS DISTINCT FROM NEW.owner) EXECUTE FUNCTION note_lead_step();
