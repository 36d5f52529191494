-- How products are delivered: rules and calendars as versions; and what becomes of deliveries that do not go as planned.

-- Append-only. In force on a day is, of each code, the version with the latest `valid_from` up to it, of those the last written.
CREATE TABLE fulfilment_rule (
    code          text NOT NULL,
    version       integer NOT NULL CHECK (version >= 1),
    match         text NOT NULL CHECK (match IN ('exact', 'prefix', 'default')),
    pattern       text,
    valid_from    date NOT NULL,
    steps         jsonb NOT NULL,
    over_percent  numeric NOT NULL CHECK (over_percent BETWEEN 0 AND 100),
    under_percent numeric NOT NULL CHECK (under_percent BETWEEN 0 AND 100),
    charge_over   boolean NOT NULL,
    calendar      text,
    active        boolean NOT NULL,
    changed_by    text NOT NULL,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (code, version),
    CHECK ((pattern IS NULL) = (match = 'default'))
);
-- Append-only; the latest version counts.
CREATE TABLE working_calendar (
    code       text NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    name       text NOT NULL,
    calendar   jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);

ALTER TABLE delivery_step ADD COLUMN days integer NOT NULL DEFAULT 0 CHECK (days BETWEEN 0 AND 1000);
CREATE INDEX delivery_step_period ON delivery_step (delivery_id) WHERE kind = 'period' AND state IN ('planned', 'in_progress');
CREATE INDEX delivery_period ON delivery (period_until) WHERE state IN ('planned', 'in_progress') AND period_until IS NOT NULL;
ALTER TABLE delivery ADD COLUMN attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0);
ALTER TABLE promise ADD COLUMN reason text;

-- Append-only: somebody went there and could not hand over.
CREATE TABLE delivery_attempt (
    id              uuid PRIMARY KEY,
    delivery_id     uuid NOT NULL REFERENCES delivery,
    number          integer NOT NULL CHECK (number >= 1),
    code            text NOT NULL CHECK (code IN ('absent', 'refused', 'address', 'damaged', 'not_ready', 'other')),
    note            text,
    failed_at       timestamptz NOT NULL,
    next_attempt_on date,
    recorded_by     text NOT NULL,
    recorded_at     timestamptz NOT NULL,
    UNIQUE (delivery_id, number)
);

-- Append-only: what came back.
CREATE TABLE goods_return (
    id          uuid PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES delivery,
    returned_at timestamptz NOT NULL,
    reason      text NOT NULL,
    replace     boolean NOT NULL,
    net_amount  numeric NOT NULL,
    currency    char(3) NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX goods_return_delivery ON goods_return (delivery_id, id);
CREATE TABLE goods_return_line (
    return_id        uuid NOT NULL REFERENCES goods_return,
    line_id          uuid NOT NULL,
    quantity         numeric NOT NULL CHECK (quantity > 0),
    delivered_before numeric NOT NULL,
    treatment        text NOT NULL CHECK (treatment IN ('restock', 'scrap')),
    net_amount       numeric NOT NULL,
    PRIMARY KEY (return_id, line_id)
);

-- Append-only: every wish is answered once.
CREATE TABLE delivery_change (
    change_id   uuid PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES delivery,
    granted     boolean NOT NULL,
    reason      text,
    decided_at  timestamptz NOT NULL
);
CREATE INDEX delivery_change_delivery ON delivery_change (delivery_id, decided_at);
