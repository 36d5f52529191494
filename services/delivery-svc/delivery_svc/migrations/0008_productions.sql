-- Production orders (job orders of ISA-95) for the production steps of deliveries, with what the MES told last.
CREATE SEQUENCE production_number;

CREATE TABLE production (
    id              uuid PRIMARY KEY,
    flow_id         uuid NOT NULL,
    version         integer NOT NULL CHECK (version >= 1),
    number          text NOT NULL UNIQUE,
    delivery_id     uuid NOT NULL REFERENCES delivery,
    order_id        uuid NOT NULL,
    order_number    text NOT NULL,
    line_id         uuid NOT NULL,
    step_id         uuid NOT NULL REFERENCES delivery_step,
    sku             text NOT NULL,
    description     text NOT NULL,
    quantity        numeric NOT NULL CHECK (quantity > 0),
    needed_by       date NOT NULL,
    priority        integer NOT NULL CHECK (priority BETWEEN 0 AND 100),
    reorder_of      uuid REFERENCES production,
    attempt         integer NOT NULL CHECK (attempt >= 1),
    state           text NOT NULL CHECK (state IN ('ordered', 'in_progress', 'completed', 'failed', 'cancelled')),
    failure         text CHECK (failure IN ('short', 'aborted')),
    reordered       boolean NOT NULL CHECK (NOT reordered OR state = 'failed'),
    job_state       text CHECK (job_state IN ('NotAllowedToStart', 'AllowedToStart', 'Running', 'Interrupted', 'Ended', 'Aborted')),
    quantity_good   numeric NOT NULL CHECK (quantity_good >= 0),
    quantity_scrap  numeric NOT NULL CHECK (quantity_scrap >= 0),
    segment         text,
    work_center     text,
    actual_start    timestamptz,
    actual_end      timestamptz,
    expected_end    timestamptz,
    reason          text,
    as_of           timestamptz,
    report_sequence bigint NOT NULL,
    ended_at        timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK ((failure IS NOT NULL) = (state = 'failed')),
    CHECK ((ended_at IS NOT NULL) = (state NOT IN ('ordered', 'in_progress'))),
    CHECK ((as_of IS NULL) = (job_state IS NULL))
);
COMMENT ON COLUMN production.reason IS 'what the MES said last of why it is interrupted, aborted or later';
CREATE INDEX production_delivery ON production (delivery_id, id);
CREATE INDEX production_order ON production (order_id, id);
-- A step has one production at a time.
CREATE UNIQUE INDEX production_open ON production (step_id) WHERE state IN ('ordered', 'in_progress');
CREATE INDEX production_state ON production (state, id);
CREATE INDEX production_stuck ON production (id) WHERE state = 'failed' AND NOT reordered;
