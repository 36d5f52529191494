-- Who works on tickets. Rows of agents, queues and policies are versions: never edited, the latest counts, each with who wrote it and when.
CREATE TABLE service_agent (
    subject    text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    email      text,
    capacity   integer NOT NULL CHECK (capacity BETWEEN 0 AND 1000),
    active     boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (subject, version)
);
COMMENT ON COLUMN service_agent.capacity IS 'open tickets that are given automatically at most';

CREATE TABLE agent_absence (
    id         uuid PRIMARY KEY,
    agent      text NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (ends_at > starts_at)
);
CREATE INDEX agent_absence_agent ON agent_absence (agent, ends_at);

CREATE TABLE ticket_queue (
    code        text NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    name        text NOT NULL,
    address     text,
    alerts_to   text,
    lead        text,
    members     text[] NOT NULL,
    auto_assign boolean NOT NULL,
    reopen_days integer NOT NULL CHECK (reopen_days BETWEEN 0 AND 365),
    active      boolean NOT NULL,
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);
COMMENT ON COLUMN ticket_queue.address IS 'where customers write to; answers come from the suite and go back there';
COMMENT ON COLUMN ticket_queue.alerts_to IS 'where the team is told of escalations; never the address of customers';
COMMENT ON COLUMN ticket_queue.reopen_days IS 'a reply within so many days after it was resolved opens a ticket again; later it is a new one';

INSERT INTO ticket_queue (code, version, name, address, alerts_to, lead, members, auto_assign, reopen_days, active, changed_by, changed_at)
VALUES ('default', 1, 'Service', NULL, NULL, NULL, '{}', FALSE, 7, TRUE, 'system', '2026-01-01T00:00:00Z');

-- How soon tickets are answered and resolved, in business time.
CREATE TABLE ticket_policy (
    code               text NOT NULL,
    version            integer NOT NULL CHECK (version > 0),
    name               text NOT NULL,
    position           integer NOT NULL,
    queues             text[] NOT NULL,
    priorities         text[] NOT NULL,
    response_minutes   integer CHECK (response_minutes > 0),
    resolution_minutes integer CHECK (resolution_minutes > 0),
    warn_percent       integer CHECK (warn_percent BETWEEN 1 AND 99),
    calendar           jsonb NOT NULL,
    steps              jsonb NOT NULL,
    active             boolean NOT NULL,
    changed_by         text NOT NULL,
    changed_at         timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);
COMMENT ON COLUMN ticket_policy.position IS 'the smaller is asked first; the first that holds is taken. No queues, no priorities: all';

CREATE SEQUENCE ticket_number;

CREATE TABLE ticket (
    id              uuid PRIMARY KEY,
    flow_id         uuid NOT NULL,
    version         integer NOT NULL CHECK (version >= 1),
    number          text NOT NULL UNIQUE,
    state           text NOT NULL CHECK (state IN ('new', 'open', 'waiting', 'on_hold', 'resolved', 'closed')),
    channel         text NOT NULL CHECK (channel IN ('api', 'mail', 'portal')),
    priority        text NOT NULL CHECK (priority IN ('urgent', 'high', 'normal', 'low')),
    queue           text NOT NULL,
    assignee        text,
    subject         text NOT NULL,
    requester_name  text,
    requester_email text,
    language        text NOT NULL CHECK (language IN ('en', 'zh')),
    customer_id     uuid,
    order_id        uuid,
    order_number    text,
    external_ref    text UNIQUE,
    parent_id       uuid REFERENCES ticket,
    merged_into     uuid REFERENCES ticket,
    reopened        integer NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    responded_at    timestamptz,
    resolved_at     timestamptz,
    close_at        timestamptz,
    closed_at       timestamptz,
    due_at          timestamptz,
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((state = 'resolved') = (close_at IS NOT NULL)),
    CHECK (state <> 'resolved' OR resolved_at IS NOT NULL),
    CHECK (merged_into IS NULL OR state = 'closed')
);
COMMENT ON COLUMN ticket.due_at IS 'the next target of a clock that runs';
CREATE INDEX ticket_queue_state ON ticket (queue, state, id);
CREATE INDEX ticket_assignee ON ticket (assignee, id) WHERE assignee IS NOT NULL;
CREATE INDEX ticket_unassigned ON ticket (queue, id) WHERE assignee IS NULL AND state = 'new';
CREATE INDEX ticket_state ON ticket (state, id);
CREATE INDEX ticket_order ON ticket (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX ticket_customer ON ticket (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX ticket_requester ON ticket (lower(requester_email), id) WHERE requester_email IS NOT NULL;
CREATE INDEX ticket_due ON ticket (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ticket_close ON ticket (close_at) WHERE close_at IS NOT NULL;
CREATE INDEX ticket_parent ON ticket (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ticket_merged ON ticket (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX delivery_number ON delivery (order_number);

-- What was said. `told_to` is the ticket that it was said to, where that was merged into another.
CREATE TABLE ticket_comment (
    id         uuid PRIMARY KEY,
    ticket_id  uuid NOT NULL REFERENCES ticket,
    told_to    uuid REFERENCES ticket,
    author     text NOT NULL CHECK (author IN ('customer', 'agent', 'other')),
    by         text,
    public     boolean NOT NULL,
    channel    text NOT NULL CHECK (channel IN ('api', 'mail', 'portal')),
    text       text NOT NULL,
    message_id text,
    created_at timestamptz NOT NULL
);
CREATE INDEX ticket_comment_ticket ON ticket_comment (ticket_id, id);
CREATE INDEX ticket_comment_message ON ticket_comment (message_id) WHERE message_id IS NOT NULL;

-- A clock of a ticket counts business time while it runs. `next_at` is when level `position` of its policy is due.
CREATE TABLE ticket_clock (
    id               uuid PRIMARY KEY,
    ticket_id        uuid NOT NULL REFERENCES ticket,
    kind             text NOT NULL CHECK (kind IN ('first_response', 'resolution')),
    policy           text NOT NULL,
    policy_version   integer NOT NULL,
    state            text NOT NULL CHECK (state IN ('running', 'paused', 'met', 'dropped')),
    target_minutes   integer NOT NULL CHECK (target_minutes > 0),
    started_at       timestamptz NOT NULL,
    used             interval NOT NULL,
    running_since    timestamptz,
    due_at           timestamptz,
    position         integer NOT NULL,
    next_at          timestamptz,
    trouble          text,
    business_minutes integer CHECK (business_minutes >= 0),
    within_target    boolean,
    ended_at         timestamptz,
    UNIQUE (ticket_id, kind),
    FOREIGN KEY (policy, policy_version) REFERENCES ticket_policy (code, version),
    CHECK ((state = 'running') = (running_since IS NOT NULL)),
    CHECK (state = 'running' OR next_at IS NULL),
    CHECK ((state IN ('met', 'dropped')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'met') = (business_minutes IS NOT NULL) AND (state = 'met') = (within_target IS NOT NULL))
);
CREATE INDEX ticket_clock_next ON ticket_clock (next_at, id) WHERE next_at IS NOT NULL;

-- What was told of a clock: level 0 is the warning, 1 the target, more are further steps. Once each, whatever happens.
CREATE TABLE ticket_notice (
    clock_id    uuid NOT NULL REFERENCES ticket_clock,
    level       integer NOT NULL,
    due_at      timestamptz NOT NULL,
    told_at     timestamptz NOT NULL,
    escalate_to text,
    mailed      boolean NOT NULL,
    PRIMARY KEY (clock_id, level)
);

-- Who did what with a ticket, never what was said.
CREATE TABLE ticket_change (
    id        uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    move      text NOT NULL,
    by        text NOT NULL,
    at        timestamptz NOT NULL,
    version   integer NOT NULL,
    detail    jsonb NOT NULL
);
CREATE INDEX ticket_change_ticket ON ticket_change (ticket_id, id);
