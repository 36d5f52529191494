-- Commission. Plans, assignments and splits are versions with who made them; what was booked is append-only.

CREATE FUNCTION kept_as_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: add a row', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE commission_plan (
    id         uuid PRIMARY KEY,
    code       text NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    name       text NOT NULL,
    rate       numeric NOT NULL CHECK (rate BETWEEN 0 AND 100),
    tiers      jsonb NOT NULL,
    period     text CHECK (period IN ('month', 'quarter', 'year')),
    currency   char(3),
    products   text[] NOT NULL,
    pipelines  text[] NOT NULL,
    splits     jsonb NOT NULL,
    valid_from timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (code, version),
    UNIQUE (code, valid_from)
);
CREATE TRIGGER commission_plan_kept BEFORE UPDATE OR DELETE ON commission_plan FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- Who sells under which plan. `ended_*` are set once.
CREATE TABLE commission_assignment (
    id          uuid PRIMARY KEY,
    rep         text NOT NULL,
    plan        text NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz CHECK (valid_until >= valid_from),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    ended_by    text,
    ended_at    timestamptz,
    CHECK ((valid_until IS NULL) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL))
);
CREATE INDEX commission_assignment_rep ON commission_assignment (rep, valid_from);
CREATE UNIQUE INDEX commission_assignment_open ON commission_assignment (rep, plan) WHERE valid_until IS NULL;

-- What was agreed for one deal instead of the plan's splits; the highest version counts. No shares: the plan's count again.
CREATE TABLE commission_split (
    id             uuid PRIMARY KEY,
    opportunity_id uuid NOT NULL REFERENCES opportunity,
    version        integer NOT NULL CHECK (version >= 1),
    shares         jsonb NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    UNIQUE (opportunity_id, version)
);
CREATE TRIGGER commission_split_kept BEFORE UPDATE OR DELETE ON commission_split FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- A signed contract as commission sees it, as it was on the day of signature. Its row is locked before anything of it is booked.
-- Every contract has one, also without a plan, so that a plan can be tried over past deals.
CREATE TABLE commission_deal (
    contract_id    uuid PRIMARY KEY REFERENCES contract,
    flow_id        uuid NOT NULL UNIQUE,
    opportunity_id uuid NOT NULL REFERENCES opportunity,
    owner          text,
    pipeline       text NOT NULL,
    skus           text[] NOT NULL,
    nets           numeric[] NOT NULL CHECK (cardinality(nets) = cardinality(skus)),
    net            numeric NOT NULL CHECK (net >= 0),
    currency       char(3) NOT NULL,
    signed_at      timestamptz NOT NULL,
    cancelled      boolean NOT NULL DEFAULT false,
    version        integer NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE INDEX commission_deal_signed ON commission_deal (signed_at, contract_id);
INSERT INTO commission_deal (contract_id, flow_id, opportunity_id, owner, pipeline, skus, nets, net, currency, signed_at, version, updated_at)
SELECT c.id, c.flow_id, c.opportunity_id, o.owner, 'default',
       (SELECT array_agg(l ->> 'sku' ORDER BY n) FROM jsonb_array_elements(q.lines) WITH ORDINALITY AS e (l, n)),
       (SELECT array_agg((l -> 'net' ->> 'amount')::numeric ORDER BY n) FROM jsonb_array_elements(q.lines) WITH ORDINALITY AS e (l, n)),
       q.net, q.currency, c.signed_at, 1, c.updated_at
FROM contract c JOIN quote q ON q.id = c.quote_id JOIN opportunity o ON o.id = c.opportunity_id WHERE c.state = 'signed';

CREATE TABLE commission_position (
    id             uuid PRIMARY KEY,
    contract_id    uuid NOT NULL REFERENCES commission_deal,
    rep            text NOT NULL,
    plan           text NOT NULL,
    plan_version   integer NOT NULL,
    share          numeric NOT NULL CHECK (share > 0 AND share <= 100),
    base           numeric NOT NULL CHECK (base > 0),
    rate           numeric NOT NULL CHECK (rate BETWEEN 0 AND 100),
    amount         numeric NOT NULL CHECK (amount >= 0),
    currency       char(3) NOT NULL,
    signed_on      date NOT NULL,
    created_at     timestamptz NOT NULL,
    UNIQUE (contract_id, plan, rep),
    FOREIGN KEY (plan, plan_version) REFERENCES commission_plan (code, version)
);
CREATE INDEX commission_position_attained ON commission_position (plan, rep, signed_on);
CREATE INDEX commission_position_rep ON commission_position (rep, id);
CREATE TRIGGER commission_position_kept BEFORE UPDATE OR DELETE ON commission_position
    FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- What billing told of the deal's invoices and cash. The cause is the fact's own id, so a fact told twice is known once.
CREATE TABLE commission_invoice (
    invoice_id  uuid PRIMARY KEY,
    contract_id uuid NOT NULL REFERENCES commission_deal,
    number      text NOT NULL,
    net         numeric NOT NULL CHECK (net >= 0),
    gross       numeric NOT NULL CHECK (gross >= net)
);
CREATE INDEX commission_invoice_contract ON commission_invoice (contract_id);

CREATE TABLE commission_cash (
    kind       text NOT NULL CHECK (kind IN ('payment', 'refund', 'credit')),
    cause_id   uuid NOT NULL,
    invoice_id uuid NOT NULL REFERENCES commission_invoice,
    gross      numeric NOT NULL CHECK (gross > 0),
    net        numeric NOT NULL CHECK (net >= 0),
    happened_on date NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (kind, cause_id)
);
CREATE INDEX commission_cash_invoice ON commission_cash (invoice_id);
CREATE TRIGGER commission_cash_kept BEFORE UPDATE OR DELETE ON commission_cash FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- The ledger. `part` is the balance that moves; accrued and vested of a position are the sums of its entries.
CREATE TABLE commission_entry (
    id          uuid PRIMARY KEY,
    position_id uuid NOT NULL REFERENCES commission_position,
    rep         text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('accrued', 'vested', 'clawed_back')),
    part        text NOT NULL CHECK (part IN ('accrued', 'vested')),
    amount      numeric NOT NULL CHECK (amount > 0),
    currency    char(3) NOT NULL,
    cause       text NOT NULL CHECK (cause IN ('signature', 'invoice', 'payment', 'refund', 'credit', 'cancellation')),
    cause_id    uuid NOT NULL,
    booked_on   date NOT NULL,
    created_at  timestamptz NOT NULL,
    CHECK (kind = 'clawed_back' OR kind = part),
    UNIQUE (position_id, kind, part, cause, cause_id)
);
CREATE INDEX commission_entry_rep ON commission_entry (rep, booked_on, id);
CREATE TRIGGER commission_entry_kept BEFORE UPDATE OR DELETE ON commission_entry FOR EACH ROW EXECUTE FUNCTION kept_as_written();
CREATE TRIGGER commission_entry_not_emptied BEFORE TRUNCATE ON commission_entry EXECUTE FUNCTION kept_as_written();

-- What is booked on a position: net of what was clawed back.
CREATE FUNCTION commission_booked(wanted uuid) RETURNS TABLE (accrued numeric, vested numeric) LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE WHEN kind = 'clawed_back' THEN -amount ELSE amount END) FILTER (WHERE part = 'accrued'), 0),
           coalesce(sum(CASE WHEN kind = 'clawed_back' THEN -amount ELSE amount END) FILTER (WHERE part = 'vested'), 0)
    FROM commission_entry WHERE position_id = wanted
$$;
