-- What every service's database holds for the chassis.

-- Events decided but not yet confirmed by the broker. The names of the first columns are those of Debezium's outbox event
-- router, so that Kafka Connect can take over from the relay (LTC_RELAY=external).
CREATE TABLE outbox (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             uuid NOT NULL,
    aggregatetype  text NOT NULL,           -- the topic
    aggregateid    text NOT NULL,           -- the record key: flow id, or subject where there is no flow
    type           text NOT NULL,
    payload        text NOT NULL,
    shard          smallint NOT NULL,
    source         text NOT NULL,
    subject        text NOT NULL,
    sequence       bigint NOT NULL,
    time           timestamptz NOT NULL,
    recordedtime   timestamptz NOT NULL,
    dataschema     text NOT NULL,
    flowid         uuid,
    parentflowid   uuid,
    causationid    uuid,
    correlationid  text,
    traceparent    text,
    tracestate     text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- Ids of events whose effect is in this database. Partitioned by the day the id was drawn (UUIDv7), so that old days are
-- dropped whole; ids of other versions have no day and stay in the default partition.
CREATE TABLE inbox (
    day      date NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (day, event_id)
) PARTITION BY RANGE (day);
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;

-- Records that could not be processed (yet), with everything needed to process them later. Order is kept per topic and key:
-- a record waits while an earlier one of the same topic and key is here.
CREATE TABLE parked (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic           text NOT NULL,
    partition       integer NOT NULL,
    "offset"        bigint NOT NULL,
    published_at    timestamptz NOT NULL,
    key             bytea,
    header_names    text[] NOT NULL,
    header_values   bytea[] NOT NULL,
    value           bytea NOT NULL,
    event_id        uuid,
    flow_id         uuid,
    type            text,
    state           text NOT NULL CHECK (state IN ('waiting', 'dead', 'discarded')),
    reason          text NOT NULL CHECK (reason IN ('not_yet', 'error', 'refused', 'behind')),
    error           text NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    first_parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic, partition, "offset", published_at)
);
CREATE INDEX parked_by_key ON parked (topic, key, id) WHERE state <> 'discarded';
CREATE INDEX parked_due ON parked (next_attempt_at) WHERE state = 'waiting';

-- Answers given to requests that carried an Idempotency-Key, written in the transaction of their effect.
CREATE TABLE idempotency_key (
    principal   text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,
    status      integer,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
