-- What is asked, of whom and when. Rows are versions: never edited, the latest counts, each with who wrote it and when.
CREATE TABLE survey (
    code           text NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    kind           text NOT NULL CHECK (kind IN ('csat', 'nps', 'research')),
    trigger        text NOT NULL CHECK (trigger IN ('delivery_completed', 'ticket_resolved', 'ticket_closed', 'schedule', 'request')),
    name           text NOT NULL,
    texts          jsonb NOT NULL,
    questions      jsonb NOT NULL,
    delay_hours    integer NOT NULL CHECK (delay_hours >= 0),
    every_days     integer CHECK (every_days > 0),
    sample_percent integer NOT NULL CHECK (sample_percent BETWEEN 1 AND 100),
    customer_days  integer NOT NULL CHECK (customer_days > 0),
    valid_days     integer NOT NULL CHECK (valid_days > 0),
    remind_days    integer CHECK (remind_days > 0 AND remind_days < valid_days),
    active         boolean NOT NULL,
    active_since   timestamptz,
    changed_by     text NOT NULL,
    changed_at     timestamptz NOT NULL,
    PRIMARY KEY (code, version),
    CHECK ((trigger = 'schedule') = (every_days IS NOT NULL)),
    CHECK (active = (active_since IS NOT NULL))
);
COMMENT ON COLUMN survey.customer_days IS 'by schedule those are asked to whom something was delivered within so many days';
COMMENT ON COLUMN survey.active_since IS 'the first of the versions without a break in which it was active';

-- The rule for all surveys, as versions.
CREATE TABLE survey_rule (
    version    integer PRIMARY KEY CHECK (version > 0),
    quiet_days integer NOT NULL CHECK (quiet_days BETWEEN 0 AND 3650),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON COLUMN survey_rule.quiet_days IS 'nobody is asked again within so many days, by whatever survey';
INSERT INTO survey_rule (version, quiet_days, changed_by, changed_at) VALUES (1, 30, 'system', '2026-01-01T00:00:00Z');

-- One row per person, known by a SHA-256 of the address in lower case: whoever asks takes their turn here, under its lock.
CREATE TABLE survey_person (
    address_hash bytea PRIMARY KEY,
    asked_at     timestamptz,
    stopped_at   timestamptz,
    stopped_why  text CHECK (stopped_why IN ('link', 'told', 'erased')),
    CHECK ((stopped_at IS NULL) = (stopped_why IS NULL)),
    CHECK (asked_at IS NOT NULL OR stopped_at IS NOT NULL)
);

-- One person asked one survey, from when that was decided until it was answered or will not be any more.
CREATE TABLE survey_ask (
    id             uuid PRIMARY KEY,
    flow_id        uuid NOT NULL,
    version        integer NOT NULL CHECK (version >= 1),
    survey         text NOT NULL,
    survey_version integer NOT NULL,
    kind           text NOT NULL,
    trigger        text NOT NULL,
    state          text NOT NULL CHECK (state IN ('waiting', 'asked', 'answered', 'declined', 'expired', 'skipped')),
    reason         text,
    email          text,
    name           text,
    language       text NOT NULL CHECK (language IN ('en', 'zh')),
    number         text,
    customer_id    uuid,
    order_id       uuid,
    delivery_id    uuid,
    ticket_id      uuid,
    dedupe_key     text NOT NULL UNIQUE,
    due_at         timestamptz NOT NULL,
    wait_until     timestamptz,
    next_at        timestamptz,
    asked_at       timestamptz,
    remind_at      timestamptz,
    reminded_at    timestamptz,
    expires_at     timestamptz,
    ended_at       timestamptz,
    score          integer CHECK (score BETWEEN 0 AND 10),
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    FOREIGN KEY (survey, survey_version) REFERENCES survey (code, version),
    CHECK ((state = 'skipped') = (reason IS NOT NULL)),
    CHECK ((state IN ('waiting', 'asked')) = (next_at IS NOT NULL)),
    CHECK ((state IN ('waiting', 'asked')) = (ended_at IS NULL)),
    CHECK ((state IN ('waiting', 'skipped')) = (asked_at IS NULL)),
    CHECK ((asked_at IS NULL) = (expires_at IS NULL)),
    CHECK (state NOT IN ('waiting', 'asked') OR email IS NOT NULL)
);
COMMENT ON COLUMN survey_ask.number IS 'of the order or ticket that it is about';
COMMENT ON COLUMN survey_ask.dedupe_key IS 'for one occasion a survey asks a person once';
COMMENT ON COLUMN survey_ask.wait_until IS 'until then it waits for the end of a quiet period, instead of being skipped';
COMMENT ON COLUMN survey_ask.next_at IS 'when the next thing is due: to ask, to remind, to expire';
CREATE INDEX survey_ask_next ON survey_ask (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX survey_ask_survey ON survey_ask (survey, id);
CREATE INDEX survey_ask_email ON survey_ask (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX survey_ask_order ON survey_ask (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX survey_ask_ticket ON survey_ask (ticket_id, id) WHERE ticket_id IS NOT NULL;
CREATE INDEX survey_ask_customer ON survey_ask (customer_id, id) WHERE customer_id IS NOT NULL;

CREATE TABLE survey_answer (
    ask_id   uuid NOT NULL REFERENCES survey_ask,
    question text NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('single', 'multiple', 'scale', 'number', 'text', 'yes_no', 'date')),
    choices  text[] NOT NULL,
    number   numeric,
    day      date,
    text     text,
    PRIMARY KEY (ask_id, question),
    CHECK ((kind IN ('scale', 'number')) = (number IS NOT NULL)),
    CHECK ((kind = 'date') = (day IS NOT NULL)),
    CHECK ((kind = 'text') = (text IS NOT NULL)),
    CHECK (kind IN ('single', 'multiple', 'yes_no') OR choices = '{}')
);

-- How far the customers of a day have been gone through for a survey by schedule.
CREATE TABLE survey_round (
    survey text PRIMARY KEY,
    day    date NOT NULL,
    after  uuid NOT NULL,
    done   boolean NOT NULL
);
CREATE INDEX delivery_customer_completed ON delivery (customer_id, completed_at DESC) WHERE completed_at IS NOT NULL;
