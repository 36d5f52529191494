-- What customers use, counted and invoiced in arrears, each period once.
CREATE TABLE usage_plan (
    id                 uuid PRIMARY KEY,
    customer           jsonb NOT NULL,
    currency           char(3) NOT NULL,
    payment_terms_days int NOT NULL CHECK (payment_terms_days >= 0),
    tariff             jsonb NOT NULL,
    starts_on          date NOT NULL,
    ends_on            date CHECK (ends_on >= starts_on),
    grace_days         int NOT NULL CHECK (grace_days >= 0),
    -- The first day of the period that is not invoiced yet; null: all are.
    next_from          date,
    -- The day to invoice it; later where that failed.
    look_on            date CHECK (look_on IS NULL OR next_from IS NOT NULL),
    parent_flow_id     uuid,
    created_by         text NOT NULL,
    version            int NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);
CREATE INDEX usage_plan_due ON usage_plan (look_on) WHERE look_on IS NOT NULL;

-- The primary key is the promise that nothing counts twice, however often it is told.
CREATE TABLE usage_record (
    plan_id     uuid NOT NULL REFERENCES usage_plan,
    key         text NOT NULL,
    id          uuid NOT NULL,
    quantity    numeric NOT NULL CHECK (quantity >= 0),
    counted     text,
    used_at     timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- The first day of the period with which it was invoiced.
    billed_from date,
    PRIMARY KEY (plan_id, key)
);
CREATE INDEX usage_record_unbilled ON usage_record (plan_id, used_at) WHERE billed_from IS NULL;

CREATE FUNCTION usage_counts_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'usage % is invoiced', OLD.key USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER usage_record_billed BEFORE UPDATE OR DELETE ON usage_record
    FOR EACH ROW WHEN (OLD.billed_from IS NOT NULL) EXECUTE FUNCTION usage_counts_once();

ALTER TABLE invoice DROP CONSTRAINT invoice_cause_check,
                    ADD CONSTRAINT invoice_cause_check
                        CHECK (cause IN ('handover', 'delivery', 'order', 'change', 'import', 'late_charge', 'manual', 'usage'));
