-- Agreements that make an order for each of their periods.

CREATE SEQUENCE subscription_number;
CREATE TABLE subscription (
    id                 uuid PRIMARY KEY,
    flow_id            uuid NOT NULL,
    version            integer NOT NULL CHECK (version >= 0),
    number             text NOT NULL UNIQUE,
    state              text NOT NULL CHECK (state IN ('scheduled', 'active', 'paused', 'cancelling', 'ended')),
    source             text NOT NULL,
    external_ref       text NOT NULL,
    fingerprint        text NOT NULL,
    contract_id        uuid,
    customer_id        uuid NOT NULL,
    customer_name      text NOT NULL,
    customer_country   text NOT NULL,
    customer_vat_id    text,
    customer_email     text,
    currency           char(3) NOT NULL,
    -- Lines are read and written whole; every version of them is in the events of `subscription_change`.
    lines              jsonb NOT NULL,
    interval_unit      text NOT NULL CHECK (interval_unit IN ('day', 'week', 'month', 'quarter', 'year')),
    interval_count     integer NOT NULL CHECK (interval_count >= 1),
    anchor             date NOT NULL,
    anchor_day         integer NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
    starts_on          date NOT NULL,
    ends_on            date,
    terms              integer CHECK (terms >= 1),
    notice_days        integer NOT NULL CHECK (notice_days >= 0),
    invoicing          text NOT NULL CHECK (invoicing IN ('on_delivery', 'on_confirmation')),
    payment_terms_days integer CHECK (payment_terms_days BETWEEN 0 AND 365),
    mrr                numeric NOT NULL CHECK (mrr >= 0),
    -- What was charged beyond what is served, by tax category and rate.
    credit             jsonb NOT NULL,
    charged_until      date,
    pending            jsonb,
    cancel_reason      text,
    -- When the timer looks at it: the next day on which something is due, later where that failed; null when nothing comes.
    due_at             timestamptz,
    trouble            text,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    UNIQUE (source, external_ref),
    CHECK ((state = 'scheduled') <= (charged_until IS NULL)),
    CHECK (due_at IS NOT NULL OR state IN ('paused', 'ended'))
);
CREATE INDEX subscription_due ON subscription (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX subscription_customer ON subscription (customer_id, id);

-- Append-only: everything that happened to it, with the event that told of it.
CREATE TABLE subscription_change (
    subscription_id uuid NOT NULL REFERENCES subscription,
    version         integer NOT NULL,
    what            text NOT NULL,
    state           text NOT NULL,
    effective_on    date NOT NULL,
    changed_at      timestamptz NOT NULL,
    changed_by      text,
    reason          text,
    event           jsonb,
    PRIMARY KEY (subscription_id, version)
);

-- Append-only: what it ordered. A period is ordered once, whatever else goes wrong.
CREATE TABLE subscription_order (
    subscription_id uuid NOT NULL REFERENCES subscription,
    order_id        uuid NOT NULL UNIQUE REFERENCES sales_order,
    kind            text NOT NULL CHECK (kind IN ('renewal', 'resume', 'change')),
    period_from     date NOT NULL,
    period_until    date NOT NULL,
    charged         numeric NOT NULL CHECK (charged >= 0),
    credit_used     numeric NOT NULL CHECK (credit_used BETWEEN 0 AND charged),
    -- By tax category and rate: the credit it was lessened by, what it costs, and the credit there would be if nothing were served from its first day on.
    taken           jsonb NOT NULL,
    cost            jsonb NOT NULL,
    without         jsonb NOT NULL,
    placed_at       timestamptz NOT NULL,
    PRIMARY KEY (subscription_id, order_id),
    CHECK (period_from <= period_until)
);
CREATE UNIQUE INDEX subscription_order_period ON subscription_order (subscription_id, period_from) WHERE kind = 'renewal';
CREATE INDEX subscription_order_by_period ON subscription_order (subscription_id, period_from, order_id);
